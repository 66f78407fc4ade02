//! Arguments of the command line: labels, numbers, buckets, ages.
#![no_main]

use deespec::{Buckets, LabelSet};

#[path = "../../crates/deespec-cli/src/parse.rs"]
mod parse;

fn arguments(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok((name, value)) = parse::label(&text) {
        assert_eq!(format!("{name}={value}"), text);
        let labels = [(&*name, &*value)];
        // What is checked before a store is made is what a label set can hold.
        if deespec::check_series("a_total", &labels).is_ok() {
            let set: LabelSet = labels.into_iter().collect();
            assert_eq!(set.get(&name), Some(value.as_str()));
            assert!(name.len() <= 255 && value.len() <= 1024);
        }
    }
    if let Ok(number) = parse::number(&text) {
        let again = parse::number(&number.to_string()).expect("a number");
        assert!(again.to_bits() == number.to_bits() || again.is_nan() && number.is_nan());
    }
    if let Ok(value) = parse::observation(&text) {
        assert!(value.is_finite());
    }
    for buckets in [parse::classic(&text), parse::native(&text)] {
        buckets.into_iter().for_each(|buckets| check(&buckets));
    }
    if let Ok(step) = parse::resolution(&text) {
        assert!(step > 0.0 && step.is_finite());
    }
    let _ = parse::age(&text);
}

/// Buckets leave no gap, and tell apart what a message tells of them.
fn check(buckets: &Buckets) {
    let bounds: Vec<(f64, f64)> = (0..buckets.len())
        .map(|index| buckets.bounds(index))
        .collect();
    assert_eq!(
        bounds.first().map(|bucket| bucket.0),
        Some(f64::NEG_INFINITY)
    );
    assert_eq!(bounds.last().map(|bucket| bucket.1), Some(f64::INFINITY));
    assert!(bounds.windows(2).all(|pair| pair[0].1 == pair[1].0));
    assert!(bounds.iter().all(|(lower, upper)| lower < upper));
    assert!(!buckets.to_string().is_empty());
}

deespec_fuzz::target!(|input| arguments(input));
