//! Lines of the statsd protocol.
#![no_main]

#[path = "../../crates/deespec-server/src/statsd/line.rs"]
mod line;

use line::{Line, Value, Values};

/// Whatever is read can be counted.
fn statsd(input: &[u8]) {
    for text in input.split(|byte| *byte == b'\n') {
        let Ok(line) = Line::parse(text) else {
            continue;
        };
        let labels: Vec<(&str, &str)> = line.labels().collect();
        let series = deespec::Lawful::new(line.name, labels.iter().copied());
        assert_eq!(series.labels().len(), labels.len());
        assert!(line.values().all(|values| values.read().count() >= 1 && values.weight >= 1.0));
        for value in line.values().flat_map(Values::read) {
            let number = match value {
                Value::Count(count) => {
                    assert!(deespec::check_count(count).is_ok());
                    continue;
                }
                Value::About(number) => {
                    assert!(number >= 0.0);
                    number
                }
                Value::Set(number) | Value::Change(number) | Value::Observe(number) => number,
            };
            assert!(number.is_finite());
        }
    }
}

deespec_fuzz::target!(|input| statsd(input));
