//! Every single flipped bit of what is not a cell: never a wrong value in silence.

use std::collections::BTreeMap;

use deespec::{Error, Rotate, StoreError};
use tempfile::TempDir;

use crate::image::{self, Entry, Image, Kind};
use crate::support::{Values, folder, is_deep, quiet, view_values};

const LABELS: [(&str, &str); 2] = [("job", "nightly build"), ("outcome", "success")];

/// A store in its second epoch with some series, one of them several blocks long.
fn store() -> (TempDir, Image, Values) {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let long = "v".repeat(150);
    let count = |n: u64| {
        store.transactions().success.add(n);
        store.transactions().conflicts.add(n + 1);
        store.transactions().failed.add(n + 5);
        store.transactions().recoveries.add(n + 6);
        store.counter("a_total").unwrap().add(n + 2);
        store.counter_with("b_total", &LABELS).unwrap().add(n + 3);
        store
            .counter_with("c_total", &[("long", &long)])
            .unwrap()
            .add(n + 4);
    };
    count(100);
    store.rotate(Rotate::Reset).unwrap();
    count(10);
    let values = view_values(&store.sync().unwrap());
    drop(store);
    let image = Image::read(folder.path(), 0);
    assert_eq!(image.values(2), values);
    (folder, image, values)
}

/// What became of a flipped bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// A typed error with the path; nothing was written but the stripe's ticket.
    Refused,
    /// All values are right, and stay right while all series count on.
    Harmless,
    /// The view says that something cannot be read, and yet no value is missing or wrong.
    Reported,
    /// Series are missing, and the view says so; all others are right.
    Skipped,
}

/// Flips one bit and uses the store.
fn flip(root: &std::path::Path, whole: &Image, bit: usize, values: &Values) -> Outcome {
    let mut image = whole.clone();
    image.flip(bit);
    image.write();
    let used = quiet().open(root).and_then(|store| {
        let view = store.view()?;
        Ok((store, view))
    });
    let (store, before) = match used {
        Ok(used) => used,
        Err(error) => {
            let lawful = matches!(
                error,
                Error::Store(
                    StoreError::Damaged { .. }
                        | StoreError::NotASegment { .. }
                        | StoreError::NewerFormat { .. }
                )
            );
            let text = crate::support::told(&error, &image.path);
            assert!(lawful, "bit {bit}: {text}");
            let mut left = Image::read(root, 0);
            left.set(image::TICKET, image.word(image::TICKET));
            assert!(left == image, "bit {bit}: written in spite of {text}");
            return Outcome::Refused;
        }
    };
    let skipped = !before.skipped.is_empty();
    let check = |found: &Values, more: u64| {
        for (name, value) in found {
            let right = values.get(name).map(|value| value + more);
            let again = skipped && *value <= more;
            assert!(
                right == Some(*value) || again,
                "bit {bit}: {name} is {value}"
            );
        }
        assert!(
            skipped || found.len() == values.len(),
            "bit {bit}: {found:?}"
        );
    };
    check(&view_values(&before), 0);
    // Counting goes on, in the right cells; a series that was lost begins again.
    for name in deespec::TRANSACTIONS.into_iter().chain(["a_total"]) {
        store.counter(name).unwrap().inc();
    }
    store.counter_with("b_total", &LABELS).unwrap().inc();
    let long = "v".repeat(150);
    store
        .counter_with("c_total", &[("long", &long)])
        .unwrap()
        .inc();
    let after = store.view().unwrap();
    assert_eq!(after.skipped, before.skipped, "bit {bit}");
    check(&view_values(&after), 1);
    let more = |(name, value): (&String, &u64)| (name.clone(), value + 1);
    let complete = view_values(&after) == values.iter().map(more).collect();
    match (skipped, complete) {
        (false, _) => Outcome::Harmless,
        (true, true) => Outcome::Reported,
        (true, false) => Outcome::Skipped,
    }
}

/// The bits of a word that are flipped: all of them, or another eighth of them in each word.
fn bits(word: usize) -> impl ExactSizeIterator<Item = usize> {
    let (first, step) = if is_deep() { (0, 1) } else { (word % 8, 8) };
    (word * 64 + first..word * 64 + 64).step_by(step)
}

/// Flips the bits of these words; counts the outcomes of each word.
fn flip_words(choose: impl Fn(&Image) -> Vec<usize>) -> BTreeMap<usize, BTreeMap<Outcome, usize>> {
    let (folder, whole, values) = store();
    let mut outcomes: BTreeMap<usize, BTreeMap<Outcome, usize>> = BTreeMap::new();
    for word in choose(&whole) {
        for bit in bits(word) {
            let outcome = flip(folder.path(), &whole, bit, &values);
            *outcomes
                .entry(word)
                .or_default()
                .entry(outcome)
                .or_default() += 1;
        }
    }
    outcomes
}

/// Each of these words has this outcome, whichever of its bits is flipped.
fn all_are(outcomes: &BTreeMap<usize, BTreeMap<Outcome, usize>>, outcome: Outcome) {
    for (word, found) in outcomes {
        let all = BTreeMap::from([(outcome, bits(*word).len())]);
        assert_eq!(*found, all, "word {word}");
    }
}

#[test]
fn every_bit_of_the_header_is_guarded() {
    all_are(&flip_words(|_| (0..10).collect()), Outcome::Refused);
}

#[test]
fn the_rest_of_the_header_page_is_not_used() {
    all_are(
        &flip_words(|_| (10..image::PAGE).collect()),
        Outcome::Harmless,
    );
}

#[test]
fn each_control_word_is_guarded_or_carries_no_counts() {
    let mut outcomes = flip_words(|_| (image::PAGE..2 * image::PAGE).collect());
    let mut take = |words: std::ops::Range<usize>| {
        let later = outcomes.split_off(&words.end);
        let taken = outcomes.split_off(&words.start);
        outcomes.extend(later);
        taken
    };
    // Guarded by a checksum of their own: a flipped bit is noticed and the word derived anew.
    for word in [image::TAIL, image::EPOCH, image::SEGMENTS] {
        all_are(&take(word..word + 1), Outcome::Harmless);
    }
    // Guarded, and without a second copy: the record of the current epoch.
    let record_2 = image::RECORDS..image::RECORDS + image::RECORD_WORDS;
    all_are(&take(record_2), Outcome::Refused);
    // Not guarded, or not needed to read: no flipped bit makes a count wrong. What one can do:
    // DURABLE_TAIL     guarded; a wrong one counts as "nothing is known to be durable"
    // BOOT             one more recovery, which changes nothing
    // PENDING          one more completion of work that is complete
    // DEGRADED         a false alarm; and the one bit of a true alarm can be lost
    // FLUSHED_AT       a wrong durable lag
    // PUBLISHED_AT     a wrong time of the last publication
    // PUBLISHED_STATE  one publication too many
    // WAITING          a reader waits for some milliseconds
    // TICKET           another stripe for the next process
    // the record of the epoch before: its closing snapshot, if unfinished, lacks `epoch_started`
    let known = [
        image::DURABLE_TAIL,
        image::BOOT,
        image::PENDING,
        image::DEGRADED,
        image::FLUSHED_AT,
        image::PUBLISHED_AT,
        image::PUBLISHED_STATE,
        image::WAITING,
        image::TICKET,
    ];
    assert!(known.iter().all(|word| outcomes.contains_key(word)));
    all_are(&outcomes, Outcome::Harmless);
}

#[test]
fn every_bit_of_the_registry_is_guarded() {
    let blocks = |image: &Image, from: usize, to: usize| -> Vec<usize> {
        (image.block_at(from)..image.block_at(to)).collect()
    };
    // Bit by bit, in entries of series and of families alike: all words but the state are guarded.
    let of = |families: bool, states: bool| {
        move |image: &Image| -> Vec<usize> {
            let entries = image.entries().into_iter();
            let entries = entries.filter(|entry| (entry.kind == Kind::Family) == families);
            let entries: Vec<Entry> = entries.collect();
            assert_eq!(entries.len(), 7);
            let words = entries.iter().flat_map(|entry| {
                let state = image.block_at(entry.block) + 5;
                let all = blocks(image, entry.block, entry.block + entry.blocks);
                all.into_iter()
                    .filter(move |word| (*word == state) == states)
            });
            words.collect()
        }
    };
    all_are(&flip_words(of(false, false)), Outcome::Skipped);
    // A series is read as its own entry says where its family's is damaged.
    all_are(&flip_words(of(true, false)), Outcome::Reported);
    // What a state decides is what is shown and where new label sets go, not what was counted.
    all_are(&flip_words(of(false, true)), Outcome::Harmless);
    all_are(&flip_words(of(true, true)), Outcome::Harmless);
    let behind = |image: &Image| {
        let (end, _) = image.tail(image::TAIL);
        blocks(image, end, end + 3)
    };
    all_are(&flip_words(behind), Outcome::Harmless);
}

#[test]
fn no_bit_of_the_index_can_make_a_value_wrong() {
    // Empty slots too: the one behind each used one, where a search ends.
    let used = |image: &Image| -> Vec<usize> {
        let slots = image.index_at()..image.registry_at() - 1;
        let used = slots.filter(|slot| image.word(*slot) != 0);
        used.flat_map(|slot| [slot, slot + 1]).collect()
    };
    let outcomes = flip_words(used);
    assert!(outcomes.len() > 9);
    for found in outcomes.values() {
        let only: Vec<&Outcome> = found.keys().collect();
        assert_eq!(only, [&Outcome::Harmless]);
    }
}

#[test]
fn a_series_that_the_index_lost_is_counted_as_one() {
    let (folder, whole, mut values) = store();
    let mut image = whole.clone();
    for slot in image.index_at()..image.registry_at() {
        image.set(slot, 0);
    }
    image.write();
    let store = quiet().open(folder.path()).unwrap();
    store.counter_with("b_total", &LABELS).unwrap().add(5);
    *values
        .get_mut("b_total,job=nightly build,outcome=success")
        .unwrap() += 5;
    assert_eq!(crate::support::store_values(&store), values);
    let snapshot = store.snapshot().unwrap().path;
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    assert_eq!(crate::support::document_values(&closing), values);
    store.counter_with("b_total", &LABELS).unwrap().add(7);
    store.restore(&snapshot, "", false).unwrap();
    assert_eq!(crate::support::store_values(&store), values);
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    assert_eq!(crate::support::document_values(&closing), values);
}

#[test]
fn a_whole_page_of_garbage_in_the_registry_hides_only_its_own_series() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for i in 0..400 {
        let i = i.to_string();
        store.counter_with("a_total", &[("i", &i)]).unwrap().inc();
    }
    drop(store);
    let whole = Image::read(folder.path(), 0);
    for fill in [0x00, 0xff, 0x5a] {
        let mut image = whole.clone();
        let page = (image.registry_at() + 2 * image::PAGE) * 8;
        image.bytes[page..page + image::PAGE_BYTES].fill(fill);
        image.write();
        let store = quiet().open(folder.path()).unwrap();
        let view = store.view().unwrap();
        assert_eq!(view.skipped.len(), 1, "{:?}", view.skipped);
        assert!(view.skipped[0].contains(&image.path.display().to_string()));
        let document = deespec::Document::read(&store.snapshot().unwrap().path).unwrap();
        assert_eq!(document.partial, view.skipped);
        assert_eq!(store.sync().unwrap().to_document().partial, view.skipped);
        assert_eq!(store.health().unwrap().problems, view.skipped);
        let values = view_values(&view);
        assert!((330..400).contains(&values.len()), "{}", values.len());
        let counted = values
            .iter()
            .filter(|(name, _)| name.starts_with("a_total"));
        assert!(counted.clone().all(|(_, value)| *value == 1));
    }
}

#[test]
fn a_turn_that_a_kill_cut_short_is_never_taken_for_the_current_epoch() {
    let (folder, whole, values) = store();
    let mut image = whole.clone();
    // Killed after the record of epoch 3 and its baselines were written, before the flip.
    let (two, three) = (image::RECORDS, image::RECORDS + image::RECORD_WORDS);
    for word in 2..image::RECORD_WORDS {
        image.set(three + word, image.word(two + word));
    }
    image.set(three + 1, 3);
    let words: Vec<u64> = (1..128).map(|word| image.word(three + word)).collect();
    image.set(three, u64::from(image::crc(&words)));
    for cell in 0..image.tail(image::TAIL).1 {
        image.set(image.baseline_at(1) + cell, image.total(cell));
    }
    image.set(image::PENDING, 1);
    image.write();
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(crate::support::store_values(&store), values);
    drop(store);

    let settled = Image::read(folder.path(), 0);
    assert_eq!(settled.word(image::PENDING), 0);
    for bit in 0..64 {
        let mut image = settled.clone();
        image.flip(image::EPOCH * 64 + bit);
        image.write();
        let store = quiet().open(folder.path()).unwrap();
        let view = store.view().unwrap();
        assert_eq!(
            (view.epoch, view_values(&view)),
            (2, values.clone()),
            "bit {bit}"
        );
    }
}
