//! One name, one kind: what is used as another kind than it has is an error that names both, and
//! nothing is left behind by it.

use deespec::{Error, MetricError, Store, StoreError};

use crate::support::{folder, quiet, tree};

type Use = fn(&Store, &[(&str, &str)]) -> deespec::Result<()>;

const KINDS: [(&str, Use); 9] = [
    ("counter", |store, labels| {
        store.counter_with("name", labels).map(|it| it.inc())
    }),
    ("gauge", |store, labels| {
        store.gauge_with("name", labels).map(|it| it.set(1.5))
    }),
    ("per-process gauge", |store, labels| {
        store.process_gauge_with("name", labels).map(drop)
    }),
    ("histogram", |store, labels| {
        store
            .histogram_with("name", labels)
            .map(|it| it.observe(0.5))
    }),
    ("info", |store, labels| store.info("name", labels)),
    ("counter with fractions", |store, labels| {
        store.fraction_counter_with("name", labels).map(|it| {
            it.add(0.5);
        })
    }),
    ("summary", |store, labels| {
        store.summary_with("name", labels).map(|it| {
            it.observe(0.5);
        })
    }),
    ("gauge with a wide sum", |store, labels| {
        store.sum_gauge_with("name", labels).map(|it| it.inc())
    }),
    ("histogram with a wide sum", |store, labels| {
        store.wide_histogram_with("name", labels).map(|it| {
            it.observe(0.5);
        })
    }),
];

#[test]
fn a_name_is_of_one_kind_whatever_the_labels() {
    for (existing, first) in KINDS {
        let folder = folder();
        let store = quiet().open(folder.path()).unwrap();
        first(&store, &[("a", "b")]).unwrap();
        let other = quiet().open(folder.path()).unwrap();
        let series = store.view().unwrap().series;
        let before = (series, tree(folder.path()));
        for (wanted, second) in KINDS.into_iter().filter(|(kind, _)| *kind != existing) {
            for labels in [&[][..], &[("a", "b")], &[("a", "c")]] {
                for store in [&store, &other] {
                    let error = second(store, labels).unwrap_err();
                    let text = error.to_string();
                    let Error::Store(StoreError::Metric(MetricError::Kind { .. })) = error else {
                        panic!("{text}");
                    };
                    let says = format!("is a {existing} and cannot be used as a {wanted}");
                    let says = says.replace("a info", "an info metric");
                    assert!(text.contains("\"name\"") && text.contains(&says), "{text}");
                }
            }
        }
        let after = (store.view().unwrap().series, tree(folder.path()));
        assert_eq!(after, before, "{existing}");
        first(&other, &[("a", "c")]).unwrap();
        assert_eq!(store.view().unwrap().series.len(), 2);
    }
}

#[test]
fn the_built_in_counters_are_counters() {
    let folder = folder();
    let store = quiet().open(folder.path()).unwrap();
    for name in deespec::TRANSACTIONS {
        assert!(store.gauge(name).is_err());
        assert!(store.histogram_with(name, &[("a", "b")]).is_err());
        assert!(store.declare(&deespec::Family::gauge(name)).is_err());
        store.counter(name).unwrap().inc();
    }
    assert_eq!(store.view().unwrap().transactions.total_commits(), 2);
    assert_eq!(store.health().unwrap().series, 4);
}
