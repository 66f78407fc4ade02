//! The first opening after an unclean boot. Nobody's power is cut here: the file is edited while
//! it is closed, as a power cut would have left it ("simulated").

use std::fs;

use deespec::{Document, Rotate, Store};
use tempfile::TempDir;

use crate::epochs::lines;
use crate::image::{self, Image};
use crate::support::{Values, document_values, folder, quiet, store_values, view_values};

/// A store that published `a_total` and `b_total`, and then counted in three new series that no
/// sync has made durable.
fn cut() -> (TempDir, Image) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.transactions().success.add(3);
    store.counter("a_total").unwrap().add(10);
    store.counter("b_total").unwrap().add(20);
    store.rotate(Rotate::Reset).unwrap();
    store.counter("a_total").unwrap().add(1);
    store.counter("b_total").unwrap().add(2);
    store.sync().unwrap();
    for (name, value) in LATER {
        store.counter(name).unwrap().add(value);
    }
    drop(store);
    let mut image = Image::read(folder.path(), 0);
    image.reboot();
    (folder, image)
}

const LATER: [(&str, u64); 3] = [("c_total", 30), ("d_total", 40), ("e_total", 50)];

fn published() -> Values {
    crate::support::expected([0; 4], &[("a_total", 1), ("b_total", 2)])
}

fn reopen(folder: &TempDir, image: &Image) -> Store {
    image.write();
    quiet().open(folder.path()).unwrap()
}

#[test]
fn what_reached_the_disk_is_kept() {
    let (folder, image) = cut();
    let store = reopen(&folder, &image);
    let mut all = published();
    all.extend(LATER.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(store_values(&store), all);
    let recovered = Image::read(folder.path(), 0);
    assert_ne!(recovered.word(image::BOOT), image.word(image::BOOT));
    assert_eq!(recovered.word(image::PENDING), 0);
    assert_eq!(
        recovered.tail(image::DURABLE_TAIL),
        recovered.tail(image::TAIL)
    );
    // Once in each boot: the second opening changes nothing but its ticket.
    drop(store);
    drop(quiet().open(folder.path()).unwrap());
    let mut second = Image::read(folder.path(), 0);
    second.set(image::TICKET, recovered.word(image::TICKET));
    assert!(second == recovered);
}

#[test]
fn any_of_the_entries_behind_the_durable_tail_may_be_lost_or_torn() {
    // For each of the three: kept, never written, torn, or kept without its family.
    for fate in 0..64usize {
        let fates = [fate % 4, fate / 4 % 4, fate / 16];
        for tail_too in [false, true] {
            let (folder, mut image) = cut();
            let mut expected = published();
            for ((name, value), fate) in LATER.iter().zip(fates) {
                let entry = image.entry_of(name);
                let at = image.block_at(entry.block);
                match fate {
                    0 => drop(expected.insert((*name).to_owned(), *value)),
                    1 => image.drop_entry(&entry),
                    3 => {
                        image.drop_entry(&image.families_of(name)[0].clone());
                        expected.insert((*name).to_owned(), *value);
                    }
                    _ => image.set(at + 6, image.word(at + 6) ^ 0xff00),
                }
            }
            if tail_too {
                image.set(image::TAIL, image.word(image::DURABLE_TAIL));
            }
            let store = reopen(&folder, &image);
            let context = format!("fates {fates:?}, tail {tail_too}");
            // In silence: none of what is gone had ever been published.
            assert_eq!(store_values(&store), expected, "{context}");
            for (name, _) in LATER {
                store.counter(name).unwrap().inc();
                *expected.entry(name.to_owned()).or_default() += 1;
            }
            store.counter("f_total").unwrap().inc();
            expected.insert("f_total".into(), 1);
            assert_eq!(store_values(&store), expected, "{context}");
            store.sync().unwrap();
            let other = quiet().open(folder.path()).unwrap();
            assert_eq!(store_values(&other), expected, "{context}");
        }
    }
}

#[test]
fn a_new_series_begins_at_zero_in_cells_that_nobody_owns() {
    // Each of the two baseline arrays once as the current one.
    for epoch in [2, 3] {
        let (folder, mut image) = cut();
        if epoch == 3 {
            let store = quiet().open(folder.path()).unwrap();
            store.rotate(Rotate::Reset).unwrap();
            store.counter("a_total").unwrap().inc();
            drop(store);
            image = Image::read(folder.path(), 0);
            image.set(image::DURABLE_TAIL, older_tail(&image));
            image.reboot();
        }
        for (name, _) in LATER {
            image.drop_entry(&image.entry_of(name));
            image.drop_entry(&image.families_of(name)[0].clone());
        }
        let (_, durable) = image.tail(image::DURABLE_TAIL);
        for cell in durable..image.cells() {
            for stripe in 0..=image.stripes() {
                image.set(image.stripe_at(stripe) + cell, 0xdead_beef);
            }
            image.set(image.baseline_at(0) + cell, 0x1234);
            image.set(image.baseline_at(1) + cell, 0x5678);
        }
        let store = reopen(&folder, &image);
        for i in 0..600 {
            let i = i.to_string();
            store.counter_with("new_total", &[("i", &i)]).unwrap().inc();
        }
        let values = store_values(&store);
        let new = values.iter().filter(|(name, _)| name.starts_with("new"));
        assert!(new.clone().all(|(_, value)| *value == 1), "epoch {epoch}");
        assert_eq!(new.count(), 600);
        assert_eq!(values["a_total"], 1);
        assert_eq!(store.view().unwrap().epoch, epoch);
    }
}

/// The tail as it was before the three later series and their families.
fn older_tail(image: &Image) -> u64 {
    let first = &image.families_of(LATER[0].0)[0];
    let value = first.block as u64 | (first.cell as u64) << 24;
    value | u64::from(image::crc(&[value])) << 48
}

#[test]
fn damage_in_front_of_the_durable_tail_is_reported_and_never_declared_void() {
    let (folder, mut image) = cut();
    let entry = image.entry_of("a_total");
    let at = image.block_at(entry.block);
    image.set(at + 6, image.word(at + 6) ^ 1);
    let store = reopen(&folder, &image);
    let check = |store: &Store| {
        let view = store.view().unwrap();
        assert_eq!(view.skipped.len(), 1, "{:?}", view.skipped);
        assert!(view.skipped[0].contains("segment-0000"));
        assert!(view.skipped[0].contains(&format!("block {}", entry.block)));
        let mut values = published();
        values.remove("a_total");
        values.extend(LATER.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(view_values(&view), values);
    };
    check(&store);
    drop(store);
    // Its cell is not given to another, and its bytes stay for whoever wants to repair them.
    let mut after = Image::read(folder.path(), 0);
    assert_eq!(after.word(at + 6), image.word(at + 6));
    assert_eq!(after.total(entry.cell), 11);
    after.reboot();
    let store = reopen(&folder, &after);
    check(&store);
    store.counter("new_total").unwrap().inc();
    assert_eq!(Image::read(folder.path(), 0).total(entry.cell), 11);
}

#[test]
fn the_index_is_built_anew() {
    for fill in [0, u64::MAX, 0x0000_0001_0000_0001] {
        let (folder, mut image) = cut();
        for slot in image.index_at()..image.registry_at() {
            image.set(slot, fill);
        }
        let store = reopen(&folder, &image);
        let before = store.health().unwrap().series;
        for (name, _) in LATER {
            store.counter(name).unwrap().inc();
        }
        store.counter("a_total").unwrap().inc();
        assert_eq!(store.health().unwrap().series, before);
        let values = store_values(&store);
        assert_eq!((values["a_total"], values["e_total"]), (2, 51));
        let index = |image: &Image| -> Vec<u64> {
            let slots = image.index_at()..image.registry_at();
            let mut slots: Vec<u64> = slots.map(|slot| image.word(slot)).collect();
            slots.sort_unstable();
            slots
        };
        let rebuilt = index(&Image::read(folder.path(), 0));
        assert_eq!(rebuilt.iter().filter(|slot| **slot != 0).count(), 18);
    }
}

#[test]
fn control_words_that_can_be_derived_are_derived() {
    for word in [
        image::TAIL,
        image::DURABLE_TAIL,
        image::SEGMENTS,
        image::EPOCH,
    ] {
        for value in [0, u64::MAX, 1 << 13] {
            let (folder, mut image) = cut();
            image.set(word, value);
            let store = reopen(&folder, &image);
            let mut all = published();
            all.extend(LATER.map(|(name, value)| (name.to_owned(), value)));
            assert_eq!(store_values(&store), all, "word {word} was {value:x}");
            assert_eq!(store.view().unwrap().epoch, 2);
        }
    }
}

#[test]
fn segments_that_were_not_counted_yet_are_found() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for i in 0..3000 {
        let text = i.to_string();
        // A family has at most 2,000 label sets.
        let name = ["m_total", "n_total"][i as usize / 1500];
        let counter = store.counter_with(name, &[("i", &text)]);
        counter.unwrap().add(i);
    }
    let before = store_values(&store);
    drop(store);
    let mut image = Image::read(folder.path(), 0);
    assert_eq!(image.sealed(image::SEGMENTS), 3);
    image.seal(image::SEGMENTS, 1);
    image.reboot();
    let store = reopen(&folder, &image);
    assert_eq!(store_values(&store), before);
    // The index of each segment is repaired, not only that of the first.
    let mut second = Image::read(folder.path(), 1);
    drop(store);
    for slot in second.index_at()..second.registry_at() {
        second.set(slot, 0);
    }
    second.write();
    let mut first = Image::read(folder.path(), 0);
    first.reboot();
    let store = reopen(&folder, &first);
    store
        .counter_with("m_total", &[("i", "1000")])
        .unwrap()
        .inc();
    assert_eq!(store.health().unwrap().series, 3004);
    assert_eq!(store_values(&store)["m_total,i=1000"], 1001);
}

#[test]
fn documents_that_a_power_cut_took_are_written_again_from_the_baselines() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    store.counter("a_total").unwrap().add(10);
    store.rotate(Rotate::Reset).unwrap();
    store.counter("a_total").unwrap().add(5);
    let rotation = store.rotate(Rotate::Reset).unwrap();
    drop(store);
    let written = fs::read(&rotation.path).unwrap();
    let epochs = folder.path().join("live/epochs.jsonl");
    let whole = fs::read_to_string(&epochs).unwrap();
    let one_line = whole.split_inclusive('\n').next().unwrap();

    for torn in [one_line.to_owned(), whole[..whole.len() - 5].to_owned()] {
        fs::write(&epochs, torn).unwrap();
        fs::remove_file(&rotation.path).unwrap();
        fs::remove_file(folder.path().join("metrics.json")).unwrap();
        let mut image = Image::read(folder.path(), 0);
        image.reboot();
        let store = reopen(&folder, &image);
        assert_eq!(fs::read(&rotation.path).unwrap(), written);
        assert_eq!(fs::read_to_string(&epochs).unwrap(), whole);
        assert_eq!(lines(folder.path()).len(), 2);
        assert_eq!(store_values(&store)["a_total"], 0);
        store.sync().unwrap();
        let published = Document::read(&folder.path().join("metrics.json")).unwrap();
        assert_eq!(document_values(&published), store_values(&store));
    }
}
