//! Declarations by several at once, and one that a kill cut short.

use deespec::{Buckets, Family};

use super::sent;
use crate::image::{self, Image};
use crate::support::{expected, folder, quiet, store_values};
use crate::{limits, roles};

#[test]
fn processes_that_declare_the_same_at_once_share_one_declaration() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let said = roles::race(&["declare same"; 3], folder.path()).concat();
    assert_eq!(said, vec!["declared"; 600]);
    let image = Image::read(folder.path(), 0);
    for number in 0..200 {
        let name = format!("family_{number}_total");
        assert_eq!(image.families_of(&name).len(), 1);
        assert_eq!(store.view().unwrap().family(&name).unwrap().help(), "same");
    }
}

#[test]
fn of_processes_that_declare_different_things_at_once_one_is_heard_and_the_other_told() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let said = roles::race(&["declare one", "declare two"], folder.path());
    let view = store.view().unwrap();
    for number in 0..200 {
        let family = view.family(&format!("family_{number}_total")).unwrap();
        for (mine, said) in ["one", "two"].iter().zip(&said) {
            if family.help() == *mine {
                assert_eq!(said[number], "declared");
            } else {
                let both = said[number].contains("\"one\"") && said[number].contains("\"two\"");
                assert!(both, "{}", said[number]);
            }
        }
    }
}

#[test]
fn of_processes_that_redeclare_different_things_at_once_the_last_one_is_heard() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for number in 0..100 {
        limits::add(&store, &format!("family_{number}_total"), 7);
    }
    let said = roles::race(&["redeclare one", "redeclare two"], folder.path());
    assert_eq!(said.concat(), vec!["declared"; 200]);
    let again = quiet().open(folder.path()).unwrap();
    let view = again.view().unwrap();
    assert_eq!(view.skipped, Vec::<String>::new());
    for number in 0..100 {
        let name = format!("family_{number}_total");
        let family = view.family(&name).unwrap();
        assert!(["one", "two"].contains(&family.help()), "{family:?}");
        for store in [&store, &again] {
            assert_eq!(store.family(&name).as_ref(), Some(family));
            store.declare(family).unwrap();
        }
    }
    let image = Image::read(folder.path(), 0);
    let families = image.families_of("family_0_total");
    let stand = families.iter().filter(|entry| entry.state >> 63 == 0);
    assert_eq!(stand.map(|entry| entry.state).collect::<Vec<_>>(), [1]);
    assert_eq!(view.series.len(), 100);
}

#[test]
fn a_declaration_that_a_kill_cut_short_is_taken_back_or_completed() {
    let declared = || sent().with_help("one").with_limit(3);
    let prepare = || {
        let folder = folder();
        let store = quiet().open(folder.path()).unwrap();
        store.counter("sent_bytes_total").unwrap().add(4);
        drop(store);
        let before = Image::read(folder.path(), 0);
        quiet()
            .open(folder.path())
            .unwrap()
            .declare(&declared())
            .unwrap();
        (folder, before)
    };
    // Killed before the tail: the entry and its slot are there and do not count.
    let (folder, before) = prepare();
    let mut image = Image::read(folder.path(), 0);
    let [first, _] = &image.families_of("sent_bytes_total")[..] else {
        panic!()
    };
    let state = image.block_at(first.block) + 5;
    image.set(image::TAIL, before.word(image::TAIL));
    image.set(state, 1);
    image.write();
    let store = quiet().open(folder.path()).unwrap();
    assert!(
        !store
            .view()
            .unwrap()
            .family("sent_bytes_total")
            .unwrap()
            .is_declared()
    );
    store.declare(&declared()).unwrap();
    assert_eq!(
        store.view().unwrap().family("sent_bytes_total"),
        Some(&declared())
    );

    // Killed before the first one was superseded: both stand until somebody declares.
    let (folder, _) = prepare();
    image = Image::read(folder.path(), 0);
    image.set(state, 1);
    image.write();
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(
        store_values(&store),
        expected([0; 4], &[("sent_bytes_total", 4)])
    );
    for number in 0..2 {
        limits::add(&store, "sent_bytes_total", number);
    }
    let two = sent().with_help("two").with_limit(3);
    let heard = [declared(), two]
        .into_iter()
        .find(|family| store.declare(family).is_ok());
    let heard = heard.expect("nobody can declare it any more");
    let other = quiet().open(folder.path()).unwrap();
    for store in [&store, &other] {
        assert_eq!(
            store.view().unwrap().family("sent_bytes_total"),
            Some(&heard)
        );
        store.declare(&heard).unwrap();
    }
    let image = Image::read(folder.path(), 0);
    let stand = image.families_of("sent_bytes_total").into_iter();
    let stand: Vec<_> = stand.filter(|entry| entry.state >> 63 == 0).collect();
    assert_eq!(stand.len(), 1, "{stand:?}");
    assert_eq!(stand[0].state, 3, "the series that there are already");
    limits::add(&store, "sent_bytes_total", 9);
    assert_eq!(
        store_values(&store)["deespec_overflow_total,family=sent_bytes_total"],
        1
    );
}

#[test]
fn a_declaration_and_a_first_use_at_once_are_one_family() {
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    let other = quiet().open(folder.path()).unwrap();
    let barrier = std::sync::Barrier::new(2);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let user = scope.spawn(|| {
            for number in 0..300 {
                let name = format!("work_{number}");
                barrier.wait();
                // No panic here: the other thread waits at the barrier.
                match other.histogram(&name) {
                    Ok(histogram) => histogram.observe(0.5),
                    Err(error) => failed.lock().unwrap().push(error.to_string()),
                }
            }
        });
        for number in 0..300 {
            let buckets = Buckets::classic([1.0]).unwrap();
            let name = format!("work_{number}");
            barrier.wait();
            if let Err(error) = store.declare(&Family::histogram(&name, buckets)) {
                // The first use was first.
                let text = error.to_string();
                if !text.contains("buckets")
                    || !store.histogram(&name).unwrap().buckets().is_native()
                {
                    failed.lock().unwrap().push(text);
                }
            }
        }
        user.join().unwrap();
    });
    assert_eq!(failed.into_inner().unwrap(), Vec::<String>::new());
    let series = store.view().unwrap().series;
    assert_eq!(series.len(), 300);
    for sample in series {
        assert_eq!(sample.value.histogram().unwrap().count(), 1);
    }
}
