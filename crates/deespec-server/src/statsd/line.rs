//! One line of the statsd protocol, with what DogStatsD has added: `name:1:2|c|@0.1|#tag:value,tag`. Text only: no
//! store and no socket, so that the fuzzer can have this file alone.

/// What a line says. All its values can be counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    values: &'a str,
    /// How many events each value stands for.
    pub(crate) weight: f64,
    /// As they stand there, without the `#`.
    pub(crate) tags: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    /// Milliseconds.
    Timing,
    Histogram,
}

/// One value of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    /// So many were counted.
    Count(u64),
    /// So many were, as far as a sample or a fraction tells.
    About(f64),
    Set(f64),
    Change(f64),
    /// In seconds, where it is a timing.
    Observe(f64),
}

/// Why a line cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It does not follow the protocol.
    Form,
    /// Its type is none that can be counted.
    Type,
    /// A number in it is none, or none that can be counted.
    Value,
}

/// Beyond it not every whole number has a floating-point form.
const LARGEST: f64 = 9_007_199_254_740_992.0;

impl<'a> Line<'a> {
    /// Reads a line without its end.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let text = std::str::from_utf8(bytes).map_err(|_| Wrong::Form)?;
        let (name, rest) = text.split_once(':').ok_or(Wrong::Form)?;
        let (values, rest) = rest.split_once('|').ok_or(Wrong::Form)?;
        let mut parts = rest.split('|');
        let kind = match parts.next() {
            Some("c") => Kind::Counter,
            Some("g") => Kind::Gauge,
            Some("ms") => Kind::Timing,
            Some("h" | "d") => Kind::Histogram,
            _ => return Err(Wrong::Type),
        };
        let (mut rate, mut tags) = (None, None);
        for part in parts {
            let before = if let Some(text) = part.strip_prefix('@') {
                rate.replace(text)
            } else if let Some(text) = part.strip_prefix('#') {
                tags.replace(text)
            } else if ["c:", "e:", "card:", "T"]
                .iter()
                .any(|start| part.starts_with(start))
            {
                // A client's container, cardinality and time change no count.
                None
            } else {
                return Err(Wrong::Form);
            };
            if before.is_some() {
                return Err(Wrong::Form);
            }
        }
        let rate = match rate {
            Some(text) => number(text).filter(|rate| *rate > 0.0 && *rate <= 1.0),
            None => Some(1.0),
        };
        let line = Self {
            name,
            kind,
            values,
            weight: 1.0 / rate.ok_or(Wrong::Value)?,
            tags: tags.unwrap_or_default(),
        };
        // A line counts as a whole or not at all.
        let is_lawful = line.weight <= LARGEST && line.read().all(|value| value.is_some());
        is_lawful.then_some(line).ok_or(Wrong::Value)
    }

    /// What it says, in its order.
    pub(crate) fn values(&self) -> impl Iterator<Item = Value> {
        self.read().flatten()
    }

    /// The names and values of its tags. One without a value says `true`.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let tags = self.tags.split(',').filter(|tag| !tag.is_empty());
        tags.map(|tag| tag.split_once(':').unwrap_or((tag, "true")))
    }

    fn read(&self) -> impl Iterator<Item = Option<Value>> {
        let values = self.values.split(':');
        values.map(|text| self.value(text))
    }

    fn value(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Counter if self.weight == 1.0 && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().ok().map(Value::Count)
            }
            Kind::Counter => {
                let count = number(text)? * self.weight;
                (0.0..=LARGEST)
                    .contains(&count)
                    .then_some(Value::About(count))
            }
            Kind::Gauge if text.starts_with(['+', '-']) => number(text).map(Value::Change),
            Kind::Gauge => number(text).map(Value::Set),
            Kind::Timing => number(text).map(|value| Value::Observe(value / 1000.0)),
            Kind::Histogram => number(text).map(Value::Observe),
        }
    }
}

/// A finite number in digits: infinities and what is not a number are no values.
fn number(text: &str) -> Option<f64> {
    let digits = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    let number = text.bytes().all(digits).then(|| text.parse().ok())?;
    number.filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(line: &str) -> Vec<Value> {
        Line::parse(line.as_bytes()).unwrap().values().collect()
    }

    #[test]
    fn a_line_has_a_name_values_and_a_type() {
        let line = Line::parse(b"jobs.done:3|c|@0.5|#queue:mail,urgent|c:abc|T1656581400").unwrap();
        assert_eq!(
            (line.name, line.kind, line.weight),
            ("jobs.done", Kind::Counter, 2.0)
        );
        let labels: Vec<_> = line.labels().collect();
        assert_eq!(labels, [("queue", "mail"), ("urgent", "true")]);
        assert_eq!(line.values().collect::<Vec<_>>(), [Value::About(6.0)]);
        let spare = Line::parse(b"a:1|c|#,k:v:w,").unwrap();
        assert_eq!(spare.labels().collect::<Vec<_>>(), [("k", "v:w")]);
    }

    #[test]
    fn a_value_is_what_its_type_says() {
        use Value::{About, Change, Count, Observe, Set};
        assert_eq!(values("a:1:2:3|c"), [Count(1), Count(2), Count(3)]);
        assert_eq!(values("a:18446744073709551615|c"), [Count(u64::MAX)]);
        assert_eq!(
            values("a:1e3:0.5:+2|c"),
            [About(1000.0), About(0.5), About(2.0)]
        );
        assert_eq!(
            values("a:5:+1.5:-2|g|@0.1"),
            [Set(5.0), Change(1.5), Change(-2.0)]
        );
        assert_eq!(values("a:250|ms"), [Observe(0.25)]);
        assert_eq!(values("a:250|h"), [Observe(250.0)]);
        assert_eq!(values("a:-0.5|d"), [Observe(-0.5)]);
    }

    #[test]
    fn what_cannot_be_counted_is_told_apart() {
        for (line, wrong) in [
            ("", Wrong::Form),
            ("a", Wrong::Form),
            ("a:1", Wrong::Form),
            ("a|c", Wrong::Form),
            ("a:1|c|x", Wrong::Form),
            ("a:1|c|", Wrong::Form),
            ("a:1|c|@1|@1", Wrong::Form),
            ("a:1|c|#a|#b", Wrong::Form),
            ("a:1|", Wrong::Type),
            ("a:x|s", Wrong::Type),
            ("_e{1,1}:a|b", Wrong::Type),
            ("a:1|C", Wrong::Type),
            ("a:|c", Wrong::Value),
            ("a:x|c", Wrong::Value),
            ("a:-1|c", Wrong::Value),
            ("a:1:x|c", Wrong::Value),
            ("a:18446744073709551616|c", Wrong::Value),
            ("a:1e16|c", Wrong::Value),
            ("a:1|c|@0", Wrong::Value),
            ("a:1|c|@1.1", Wrong::Value),
            ("a:1|c|@-1", Wrong::Value),
            ("a:1|ms|@1e-300", Wrong::Value),
            ("a:nan|g", Wrong::Value),
            ("a:inf|ms", Wrong::Value),
            ("a:-infinity|h", Wrong::Value),
            ("a:1e999|g", Wrong::Value),
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Err(wrong), "{line}");
        }
        assert_eq!(Line::parse(b"\xff:1|c"), Err(Wrong::Form));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            checked(&bytes);
        }

        #[test]
        fn what_looks_like_a_line_is_read_or_refused(
            line in "[a-c.:]{0,4}:[0-9.:eE+-]{0,6}\\|(c|g|ms|h|d|s)(\\|[@#cT][a-z0-9:.,]{0,6}){0,3}"
        ) {
            checked(line.as_bytes());
        }
    }

    /// Whatever is read can be counted.
    fn checked(bytes: &[u8]) {
        let Ok(line) = Line::parse(bytes) else { return };
        assert!(line.weight >= 1.0 && line.weight <= LARGEST);
        assert!(
            line.labels()
                .all(|(name, value)| !name.contains(',') && !value.contains(','))
        );
        assert!(line.values().count() >= 1);
        for value in line.values() {
            match value {
                Value::Count(_) => {}
                Value::About(count) => assert!((0.0..=LARGEST).contains(&count)),
                Value::Set(number) | Value::Change(number) | Value::Observe(number) => {
                    assert!(number.is_finite());
                }
            }
        }
    }
}
