//! Lines of the statsd protocol.
#![no_main]

#[path = "../../crates/deespec-server/src/statsd/line.rs"]
mod line;

use line::{Line, Value};

/// Whatever is read can be counted.
fn statsd(input: &[u8]) {
    for text in input.split(|byte| *byte == b'\n') {
        let Ok(line) = Line::parse(text) else {
            continue;
        };
        let labels: Vec<(&str, &str)> = line.labels().collect();
        let series = deespec::Lawful::new(line.name, labels.iter().copied());
        assert_eq!(series.labels().len(), labels.len());
        assert!(line.values().count() >= 1 && line.weight >= 1.0);
        for value in line.values() {
            let number = match value {
                Value::Count(_) => continue,
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
