//! Gauges of which each live process has a share, with real processes that end in every way.

use std::collections::BTreeSet;
use std::fs;

use deespec::{Aggregation, Family, Rotate};

use crate::image::{Held, Image};
use crate::puppet::{Puppet, count_and_sum, shares};
use crate::support::{folder, quiet};

#[test]
fn of_twenty_processes_of_which_seven_are_killed_thirteen_are_counted() {
    let folder = folder();
    let store = quiet().stripes(2).open(folder.path()).unwrap();
    store
        .declare(&Family::process_gauge("load", Aggregation::Max))
        .unwrap();
    let mut puppets: Vec<Puppet> = (0..20).map(|_| Puppet::of(folder.path())).collect();
    for (index, puppet) in puppets.iter_mut().enumerate() {
        puppet.tell(&format!("set load {}", 1 << index));
    }
    let all = shares(&store.view().unwrap(), "load");
    assert_eq!((all.count, all.sum), (20, f64::from((1 << 20) - 1)));
    assert_eq!((all.min, all.max), (1.0, f64::from(1 << 19)));
    let killed = [0, 3, 4, 9, 12, 18, 19];
    for index in killed {
        puppets[index].kill();
    }
    // The very next view, from a process that had a look before and from one that had not.
    let left: u32 = (0..20)
        .filter(|i| !killed.contains(i))
        .map(|i| 1 << i)
        .sum();
    for store in [&store, &quiet().open(folder.path()).unwrap()] {
        let view = store.view().unwrap();
        let now = shares(&view, "load");
        assert_eq!((now.count, now.sum), (13, f64::from(left)));
        assert_eq!((now.min, now.max), (2.0, f64::from(1 << 17)));
        let sample = view.sample("load", &[]).unwrap();
        assert_eq!(sample.value.gauge(), Some(f64::from(1 << 17)));
    }
    for (index, puppet) in puppets.into_iter().enumerate() {
        if !killed.contains(&index) {
            assert!(puppet.end().success());
        }
    }
    let none = shares(&store.view().unwrap(), "load");
    assert_eq!((none.count, none.sum), (0, 0.0));
    assert!(none.min.is_nan() && none.max.is_nan());
    let sample = store.view().unwrap().sample("load", &[]).unwrap().clone();
    assert_eq!(sample.value.gauge(), None);
}

#[test]
fn each_aggregation_is_what_others_see() {
    for (aggregation, value) in [
        (Aggregation::Sum, 5.0),
        (Aggregation::Min, 2.0),
        (Aggregation::Max, 3.0),
        (Aggregation::Count, 2.0),
    ] {
        let folder = folder();
        let store = quiet().open(folder.path()).unwrap();
        store
            .declare(&Family::process_gauge("load", aggregation))
            .unwrap();
        let mut puppet = Puppet::of(folder.path());
        puppet.tell("set load 3");
        let own = store.process_gauge("load").unwrap();
        own.set(2.0).unwrap();
        let sample = store.sync().unwrap().sample("load", &[]).unwrap().clone();
        assert_eq!(sample.value.gauge(), Some(value));
        let text = fs::read_to_string(folder.path().join("metrics.json")).unwrap();
        let written = format!(
            r#"{{"processes":2,"sum":5.0,"min":2.0,"max":3.0,"aggregation":"{}"}}"#,
            aggregation.as_str()
        );
        assert!(text.contains(&written), "{text}");
    }
}

#[test]
fn a_process_has_one_share_whatever_its_handles_stores_and_threads() {
    let folder = folder();
    let store = quiet().stripes(4).open(folder.path()).unwrap();
    let again = quiet().open(folder.path()).unwrap();
    let gauges = [
        store.process_gauge("load").unwrap(),
        store.process_gauge("load").unwrap(),
        again.process_gauge("load").unwrap(),
        again.clone().process_gauge("load").unwrap(),
    ];
    std::thread::scope(|scope| {
        for gauge in &gauges {
            for _ in 0..2 {
                scope.spawn(|| {
                    (0..1000).for_each(|_| gauge.inc().unwrap());
                    (0..500).for_each(|_| gauge.dec().unwrap());
                });
            }
        }
    });
    assert_eq!(count_and_sum(&store, "load"), (1, 4000.0));
    gauges[3].set(7.0).unwrap();
    assert_eq!(count_and_sum(&again, "load"), (1, 7.0));
    let mut puppet = Puppet::of(folder.path());
    puppet.tell("set load 10");
    puppet.tell("open");
    puppet.tell("set-elsewhere load 20");
    assert_eq!(count_and_sum(&again, "load"), (2, 27.0));
}

#[test]
fn a_share_lives_as_long_as_the_process_has_the_store_open() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let mut puppet = Puppet::of(folder.path());
    puppet.tell("set-briefly load 3");
    assert_eq!(count_and_sum(&store, "load"), (1, 3.0), "no handle is left");
    puppet.tell("set load 4");
    puppet.tell("drop-handles");
    assert_eq!(count_and_sum(&store, "load"), (1, 4.0), "the store is open");
    puppet.tell("set load 5");
    puppet.tell("drop-stores");
    assert_eq!(count_and_sum(&store, "load"), (1, 5.0), "a handle is left");
    puppet.tell("drop-handles");
    assert_eq!(count_and_sum(&store, "load"), (0, 0.0));
    puppet.tell("open");
    assert_eq!(count_and_sum(&store, "load"), (0, 0.0));
    puppet.tell("set load 6");
    assert_eq!(count_and_sum(&store, "load"), (1, 6.0));
}

#[test]
fn a_number_is_never_given_twice() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let mut numbers = BTreeSet::new();
    for round in 0..40 {
        let mut puppet = Puppet::of(folder.path());
        puppet.tell("set load 1");
        let held = Image::read(folder.path(), 0).held(1);
        let Held::Shares(shares) = &held["load"] else {
            panic!("{held:?}")
        };
        // The one before was killed and nobody has read since: its share is taken over.
        assert_eq!((shares.len(), shares[0].1), (1, 1.0));
        assert!(
            numbers.insert(shares[0].0),
            "round {round}: {}",
            shares[0].0
        );
        puppet.kill();
    }
    assert_eq!(count_and_sum(&store, "load"), (0, 0.0));
    let held = Image::read(folder.path(), 0).held(1);
    assert_eq!(
        held["load"],
        Held::Shares(Vec::new()),
        "the reader frees it"
    );
}

#[test]
fn processes_that_came_and_went_leave_nothing() {
    let folder = folder();
    let store = quiet().stripes(1).open(folder.path()).unwrap();
    let mut first = Puppet::of(folder.path());
    first.tell("set load 1");
    let state = || {
        let names = fs::read_dir(folder.path().join("live")).unwrap();
        let sizes = names.map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name(), entry.metadata().unwrap().len())
        });
        let sizes: BTreeSet<_> = sizes.collect();
        let image = Image::read(folder.path(), 0);
        let entries = image.series();
        (sizes, entries.len(), store.view().unwrap().series.len())
    };
    // Groups of four, so that the entry of one share is outgrown once.
    let group = || {
        let mut puppets: Vec<_> = (0..4).map(|_| Puppet::of(folder.path())).collect();
        for puppet in &mut puppets {
            puppet.begin("set load 5");
        }
        puppets.iter_mut().for_each(|puppet| drop(puppet.hear()));
        puppets
    };
    drop(group());
    let before = state();
    for round in 0..75 {
        let mut puppets = group();
        if round % 5 == 0 {
            assert_eq!(count_and_sum(&store, "load"), (5, 21.0));
        }
        puppets.iter_mut().for_each(Puppet::kill);
    }
    assert_eq!(count_and_sum(&store, "load"), (1, 1.0));
    assert_eq!(state(), before);
}

#[test]
fn more_processes_than_shares_of_one_entry_add_entries_and_not_series() {
    let folder = folder();
    let store = quiet().stripes(1).open(folder.path()).unwrap();
    let mut puppets: Vec<Puppet> = (0..12).map(|_| Puppet::of(folder.path())).collect();
    for (index, puppet) in puppets.iter_mut().enumerate() {
        puppet.tell(&format!("set load {}", index + 1));
        let count = index as u64 + 1;
        let sum = (count * (count + 1) / 2) as f64;
        assert_eq!(count_and_sum(&store, "load"), (count, sum));
    }
    let image = Image::read(folder.path(), 0);
    let entries = image.series().into_iter();
    let cells: Vec<_> = entries
        .filter(|entry| entry.key == "load")
        .map(|entry| entry.cells)
        .collect();
    assert_eq!(cells, [2, 4, 8, 16]);
    assert_eq!(image.families_of("load")[0].state, 1, "one label set");
    assert_eq!(store.view().unwrap().series.len(), 1);
    assert_eq!(store.health().unwrap().series, 5);
    // A rotation, a snapshot and a reopening do not concern them.
    let closing = store.rotate(Rotate::Reset).unwrap().closing;
    assert_eq!(closing.series.len(), 1);
    store
        .restore(&store.snapshot().unwrap().path, "", false)
        .unwrap();
    assert_eq!(count_and_sum(&store, "load"), (12, 78.0));
    puppets[0].kill();
    let again = quiet().open(folder.path()).unwrap();
    assert_eq!(count_and_sum(&again, "load"), (11, 77.0));
}

#[test]
fn a_process_whose_locks_were_dropped_is_counted_again_from_its_next_use() {
    let folder = folder();
    let store = quiet().stripes(1).open(folder.path()).unwrap();
    let mut puppet = Puppet::of(folder.path());
    puppet.tell("set load 3");
    // Closing any descriptor of the file drops all of a process' locks on it.
    puppet.tell("touch");
    assert_eq!(count_and_sum(&store, "load"), (0, 0.0));
    // Another process takes the share that looks free.
    let mut other = Puppet::of(folder.path());
    other.tell("set load 10");
    assert_eq!(count_and_sum(&store, "load"), (1, 10.0));
    for round in 1..=3 {
        puppet.tell(&format!("set load {round}"));
        assert_eq!(count_and_sum(&store, "load"), (2, 10.0 + f64::from(round)));
    }
    // Taken over without a reader in between, where no other share is free.
    let mut filler = Puppet::of(folder.path());
    filler.tell("set load 0");
    puppet.tell("touch");
    let mut third = Puppet::of(folder.path());
    third.tell("set load 100");
    puppet.tell("set load 5");
    assert_eq!(count_and_sum(&store, "load"), (4, 115.0));
    for owner in [&mut other, &mut third, &mut puppet] {
        owner.tell("add load 1");
    }
    let now = shares(&store.view().unwrap(), "load");
    assert_eq!((now.count, now.sum, now.max), (4, 118.0, 101.0));
}

#[test]
fn a_thread_that_closes_the_store_does_not_end_the_share_of_one_that_opens_it() {
    let folder = folder();
    let store = quiet().stripes(1).open(folder.path()).unwrap();
    drop(store);
    let mut puppets = [(); 2].map(|()| Puppet::of(folder.path()));
    std::thread::scope(|scope| {
        for puppet in &mut puppets {
            scope.spawn(|| {
                for round in 0..400 {
                    let store = quiet().open(folder.path()).unwrap();
                    let own = store.process_gauge("load").unwrap();
                    own.set(1.0).unwrap();
                    // Another process looks whether this one is still there.
                    assert_eq!(puppet.tell("see load"), "1 1", "round {round}");
                }
            });
        }
    });
}

#[test]
fn an_owner_that_no_process_can_be_is_dead() {
    let folder = folder();
    let store = quiet().stripes(1).open(folder.path()).unwrap();
    store.process_gauge("load").unwrap().set(3.0).unwrap();
    drop(store);
    let whole = Image::read(folder.path(), 0);
    let owner = whole.stripe_at(0) + whole.entry_of("load").cell;
    for bit in 0..64 {
        let mut image = whole.clone();
        image.flip(owner * 64 + bit);
        image.write();
        let store = quiet().open(folder.path()).unwrap();
        assert_eq!(count_and_sum(&store, "load"), (0, 0.0), "bit {bit}");
        store.process_gauge("load").unwrap().set(2.0).unwrap();
        assert_eq!(count_and_sum(&store, "load"), (1, 2.0));
    }
}

#[test]
fn a_reboot_ends_every_share() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    let own = store.process_gauge("load").unwrap();
    own.set(5.0).unwrap();
    store.sync().unwrap();
    drop((store, own));
    let mut image = Image::read(folder.path(), 0);
    let entry = image.entry_of("load");
    image.set(image.stripe_at(0) + entry.cell, 1);
    image.set(image.stripe_at(0) + entry.cell + 1, 9.0_f64.to_bits());
    image.reboot();
    image.write();
    let store = quiet().open(folder.path()).unwrap();
    assert_eq!(count_and_sum(&store, "load"), (0, 0.0));
    let recovered = Image::read(folder.path(), 0);
    assert_eq!(recovered.held(1)["load"], Held::Shares(Vec::new()));
    store.process_gauge("load").unwrap().set(2.0).unwrap();
    assert_eq!(count_and_sum(&store, "load"), (1, 2.0));
}
