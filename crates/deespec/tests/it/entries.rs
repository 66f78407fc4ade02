//! The bytes of every kind of entry, as `docs/format.md` has them.

use deespec::{Aggregation, Buckets, Family, Rotate, Value};
use serde_json::json;

use crate::image::{Held, Image, Kind};
use crate::support::{MOMENT_NS, folder, moment, quiet};

#[test]
fn each_kind_is_stored_as_its_format_says() {
    let folder = folder();
    let options = quiet().stripes(2).fixed_clock(moment(0));
    let store = options.open(folder.path()).unwrap();
    let classic = Buckets::classic([0.5, 2.0]).unwrap();
    let native = Buckets::native(0, 1.0, 8.0).unwrap();
    for family in [
        Family::counter("c_total")
            .with_help("Ä.")
            .with_labels(["z", "a"]),
        Family::gauge("g_bytes").with_unit("bytes").with_limit(9),
        Family::process_gauge("p", Aggregation::Min),
        Family::histogram("h", classic.with_resolution(0.25).unwrap()),
        Family::histogram("n", native.with_negative().unwrap()),
        Family::info("i"),
        Family::sum_gauge("s"),
        Family::wide_histogram("w", Buckets::classic([0.5, 1e9]).unwrap()),
    ] {
        store.declare(&family).unwrap();
    }
    let count = |times: u64| {
        let labels = [("z", "2"), ("a", "1")];
        store.counter_with("c_total", &labels).unwrap().add(times);
        store.gauge("g_bytes").unwrap().set(times as f64 / 4.0);
        let histogram = store.histogram("h").unwrap();
        [0.5, 0.75, 1e9]
            .into_iter()
            .take(times as usize)
            .for_each(|v| histogram.observe(v));
        store.histogram("n").unwrap().observe(-3.0);
        store.sum_gauge("s").unwrap().sub(2.75);
        let wide = store.wide_histogram("w").unwrap();
        (0..times).for_each(|_| assert!(wide.observe(1e12) && wide.observe(0.25)));
    };
    count(3);
    store.rotate(Rotate::Reset).unwrap();
    count(2);
    let share = store.process_gauge("p").unwrap();
    share.set(6.5).unwrap();
    store.info("i", &[("version", "1.0")]).unwrap();
    store.counter("implicit_total").unwrap();
    store.flush().unwrap();

    let image = Image::read(folder.path(), 0);
    let kinds: Vec<(Kind, &str, usize)> = [
        (Kind::Counter, "c_total,a=1,z=2", 1),
        (Kind::Gauge, "g_bytes", 1),
        (Kind::Histogram, "h", 1 + 3),
        // Below all, -8 to -0.5 in four, near zero, four, above all.
        (Kind::Histogram, "n", 1 + 11),
        (Kind::SumGauge, "s", 3),
        (Kind::WideHistogram, "w", 3 + 3),
        (Kind::ProcessGauge, "p", 2),
        (Kind::Info, "i,version=1.0", 1),
        (Kind::Counter, "implicit_total", 1),
    ]
    .into();
    let entries = image.series();
    let found = entries[4..]
        .iter()
        .map(|e| (e.kind, e.key.as_str(), e.cells));
    assert_eq!(found.collect::<Vec<_>>(), kinds);
    // Cells are handed out in the order of the entries and none is left out.
    let mut next = 0;
    for entry in image.entries() {
        assert_eq!((entry.cell, entry.created_ns), (next, MOMENT_NS));
        next += entry.cells;
        let slots = image.slots() as u64;
        let mut slot = entry.hash % slots;
        let wanted = entry.hash >> 32 << 32 | (entry.block as u64 + 1);
        while image.word(image.index_at() + slot as usize) != wanted {
            assert_ne!(image.word(image.index_at() + slot as usize), 0, "{entry:?}");
            slot = (slot + 1) % slots;
        }
    }
    assert_eq!(image.tail(crate::image::TAIL).1, next);

    let declaration = |name: &str| {
        let [family] = &image.families_of(name)[..] else {
            panic!("{name}");
        };
        (family.declaration.clone().unwrap(), family.state)
    };
    let declared = [
        (
            "c_total",
            json!({"type": "counter", "help": "Ä.", "labels": ["a", "z"], "declared": true}),
        ),
        (
            "g_bytes",
            json!({"type": "gauge", "unit": "bytes", "limit": 9, "declared": true}),
        ),
        (
            "p",
            json!({"type": "process_gauge", "aggregation": "min", "declared": true}),
        ),
        (
            "h",
            json!({"type": "histogram", "declared": true,
                   "buckets": {"classic": [0.5, 2.0], "steps_per_one": 4.0}}),
        ),
        (
            "n",
            json!({"type": "histogram", "declared": true, "buckets": {"native":
                   {"schema": 0, "smallest": 1.0, "largest": 8.0, "negative": true},
                   "steps_per_one": 1e6}}),
        ),
        ("i", json!({"type": "info", "declared": true})),
        ("s", json!({"type": "sum_gauge", "declared": true})),
        (
            "w",
            json!({"type": "wide_histogram", "declared": true,
                   "buckets": {"classic": [0.5, 1e9], "steps_per_one": 1e9}}),
        ),
        ("implicit_total", json!({"type": "counter"})),
    ];
    for (name, json) in declared {
        assert_eq!(
            without_points(declaration(name).0),
            without_points(json),
            "{name}"
        );
        assert_eq!(declaration(name).1, 1);
    }

    let held = image.held(2);
    assert_eq!(held["c_total,a=1,z=2"], Held::Counter(2));
    assert_eq!(held["g_bytes"], Held::Gauge(0.5));
    // 0.5 and 0.75 are 2 and 3 steps of a quarter.
    assert_eq!(held["h"], Held::Histogram(5, vec![1, 1, 0]));
    let mut counts = vec![0; 11];
    counts[2] = 1;
    assert_eq!(held["n"], Held::Histogram(-3_000_000, counts));
    // Both times, whatever epoch began.
    let (units, billionths, parts) = (-2 * 2, -750_000_000 * 2, -768 * 2);
    assert_eq!(held["s"], Held::Wide(vec![units, billionths, parts]));
    // Two of each in the epoch: units, billionths and parts of 1024, then the buckets.
    let wide = vec![2_000_000_000_000, 500_000_000, 512, 2, 0, 2];
    assert_eq!(held["w"], Held::Wide(wide));
    let Held::Shares(shares) = &held["p"] else {
        panic!()
    };
    assert_eq!((shares.len(), shares[0].1), (1, 6.5));
    assert_ne!(shares[0].0, 0);
    assert_eq!(held["i,version=1.0"], Held::Info);

    // The library sees the same.
    for sample in store.view().unwrap().series {
        let key = crate::support::key(&sample.name, sample.labels.iter());
        let same = match (&held[&key], &sample.value) {
            (Held::Counter(held), Value::Counter(seen)) => held == seen,
            (Held::Gauge(held), Value::Gauge(seen)) => held == seen,
            (Held::Shares(held), Value::Processes(seen)) => held.len() as u64 == seen.count,
            (Held::Wide(_), Value::Sum(seen)) => seen.to_string() == "-5.5",
            (Held::Wide(cells), Value::Histogram(seen)) => {
                let counts = seen.counts().iter().map(|count| count.cast_signed());
                let sum = seen.wide_sum().map(|sum| sum.to_string());
                cells[3..].iter().copied().eq(counts) && sum.as_deref() == Some("2000000000000.5")
            }
            (Held::Histogram(steps, counts), Value::Histogram(seen)) => {
                (*steps, &counts[..]) == (seen.steps(), seen.counts())
            }
            (Held::Info, Value::Info) => true,
            _ => false,
        };
        assert!(same, "{key}: {:?}, {:?}", held[&key], sample.value);
    }
}

/// 1 and 1.0 are the same number in JSON.
fn without_points(json: serde_json::Value) -> String {
    json.to_string()
        .replace(".0,", ",")
        .replace(".0}", "}")
        .replace(".0]", "]")
}
