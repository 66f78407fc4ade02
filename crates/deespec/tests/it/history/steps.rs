//! Steps in any order: after each the history is what the files say.

use std::fs;

use deespec::{Document, Retention, Rotate, Store};
use proptest::prelude::*;

use crate::support::{folder, quiet};

use super::{anew, everything, from_files, parts, said, settle};

#[derive(Debug, Clone)]
enum Step {
    Count(u64),
    Set(f64),
    Observe(f64),
    Inform,
    Remove,
    Snapshot,
    Rotate,
    Restore(prop::sample::Index),
    Prune(usize),
    /// Writes over a snapshot, in place or by another file.
    Change(prop::sample::Index, bool),
    Damage(prop::sample::Index),
    Copy(prop::sample::Index, u32),
    Ask,
    LoseArchive,
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => prop_oneof![0_u64..5, Just(u64::from(u32::MAX))].prop_map(Step::Count),
        2 => prop_oneof![any::<f64>(), -3.0..3.0, Just(f64::NAN)].prop_map(Step::Set),
        2 => prop_oneof![0.0..9.0, Just(1e-9), Just(1e9)].prop_map(Step::Observe),
        1 => Just(Step::Inform),
        1 => Just(Step::Remove),
        6 => Just(Step::Snapshot),
        2 => Just(Step::Rotate),
        1 => index().prop_map(Step::Restore),
        1 => (0_usize..6).prop_map(Step::Prune),
        2 => (index(), any::<bool>()).prop_map(|(index, place)| Step::Change(index, place)),
        1 => index().prop_map(Step::Damage),
        2 => (index(), any::<u32>()).prop_map(|(index, ns)| Step::Copy(index, ns)),
        4 => Just(Step::Ask),
        1 => Just(Step::LoseArchive),
        1 => Just(Step::Compact),
    ]
}

fn take(store: &Store, step: &Step) {
    let names = store.snapshots().unwrap();
    let chosen = |index: &prop::sample::Index| {
        let name = (!names.is_empty()).then(|| names[index.index(names.len())]);
        name.map(|name| store.snapshot_path(name))
    };
    match step {
        Step::Count(count) => {
            let labels = [("queue", "mail")];
            store
                .counter_with("jobs_total", &labels)
                .unwrap()
                .add(*count);
            store.transactions().success.inc();
        }
        Step::Set(value) => store.gauge("depth").unwrap().set(*value),
        Step::Observe(value) => store.histogram("wait_seconds").unwrap().observe(*value),
        Step::Inform => store.info("build_info", &[("version", "1")]).unwrap(),
        Step::Remove => drop(store.remove("depth", &[]).unwrap()),
        Step::Snapshot => drop(store.snapshot().unwrap()),
        Step::Rotate => drop(store.rotate(Rotate::Reset).unwrap()),
        Step::Restore(index) => {
            if let Some(path) = chosen(index) {
                // A damaged one is refused.
                let _ = store.restore(&path, "", true);
            }
        }
        Step::Prune(keep) => {
            drop(store.prune(&Retention::default().max_count(*keep)).unwrap());
        }
        Step::Change(index, in_place) => {
            let Some(path) = chosen(index) else { return };
            let Ok(mut document) = Document::read(&path) else {
                return;
            };
            document.transactions.success += 1;
            let target = match in_place {
                true => path.clone(),
                false => path.with_extension("new"),
            };
            fs::write(&target, document.to_json()).unwrap();
            fs::rename(target, path).unwrap();
        }
        Step::Damage(index) => {
            if let Some(path) = chosen(index) {
                fs::write(path, "{").unwrap();
            }
        }
        Step::Copy(index, ns) => {
            if let Some(path) = chosen(index) {
                let name = format!("metrics_20260101_000000_{:09}.json", ns % 1_000_000_000);
                fs::copy(&path, path.with_file_name(name)).unwrap();
            }
        }
        Step::Ask => {
            let history = store.history(&everything()).unwrap();
            assert_eq!(history.unsaved, None);
            assert_eq!(said(&history), from_files(store));
        }
        Step::LoseArchive => drop(fs::remove_dir_all(store.path().join("history"))),
        Step::Compact => {
            let archive = store.compact_snapshots().unwrap();
            assert_eq!(archive.unsaved, None);
            assert_eq!(archive.snapshots + archive.unreadable.len(), names.len());
            assert_eq!(parts(store).len(), usize::from(archive.snapshots > 0));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_history_is_what_the_snapshots_say(steps in proptest::collection::vec(step(), 1..60)) {
        let folder = folder();
        let store = quiet().open(folder.path().join("var")).unwrap();
        for step in &steps {
            take(&store, step);
        }
        let wanted = from_files(&store);
        prop_assert_eq!(&anew(&store), &wanted);
        for name in ["snapshots", "history"] {
            let folder = store.path().join(name);
            if folder.exists() {
                settle(&folder);
            }
        }
        for _ in 0..2 {
            prop_assert_eq!(&said(&store.history(&everything()).unwrap()), &wanted);
        }
        let _ = fs::remove_dir_all(store.path().join("history"));
        prop_assert_eq!(&anew(&store), &wanted);
        // From the archive alone.
        prop_assert_eq!(&anew(&store), &wanted);
    }
}
