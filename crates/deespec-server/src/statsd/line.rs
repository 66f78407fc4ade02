//! One line of the statsd protocol, with what its dialects have added: `name:1|c:2|c`, `name:1:2|c|@0.1|#tag:value,tag`, and
//! tags behind the name. Text only: no store and no socket, so that the fuzzer can have this file alone.

/// What a line says. All its values can be counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    /// The tags behind the name, as they stand there, without what is around them.
    pub(crate) beside: &'a str,
    first: Values<'a>,
    /// Of a line that says a type for each value.
    more: Vec<Values<'a>>,
    /// As they stand there, without the first `#`.
    pub(crate) tags: &'a str,
}

/// Values of one type and rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Values<'a> {
    pub(crate) kind: Kind,
    text: &'a str,
    /// How many events each value stands for.
    pub(crate) weight: f64,
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
    /// What stands behind its name are no tags.
    Tags,
}

/// Beyond it not every whole number has a floating-point form, and no count comes from outside.
const LARGEST: f64 = 9_007_199_254_740_992.0;
/// What events and service checks begin with. Their texts may read like values.
const NO_METRICS: [&str; 2] = ["_e{", "_sc|"];

impl<'a> Line<'a> {
    /// Reads a line without its end.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let text = std::str::from_utf8(bytes).map_err(|_| Wrong::Form)?;
        if NO_METRICS.iter().any(|start| text.starts_with(start)) {
            return Err(Wrong::Type);
        }
        let (name, rest) = text.split_once(':').ok_or(Wrong::Form)?;
        let (name, beside) = apart(name)?;
        let mut parts = rest.split('|');
        let mut last = Values::of(parts.next().unwrap_or_default());
        let (mut first, mut more, mut tags) = (None, Vec::new(), None);
        let mut next = last.typed(parts.next().ok_or(Wrong::Form)?)?;
        let mut has_rate = false;
        loop {
            if let Some(text) = next {
                let done = std::mem::replace(&mut last, Values::of(text));
                match first {
                    None => first = Some(done),
                    Some(_) => more.push(done),
                }
                next = last.typed(parts.next().ok_or(Wrong::Form)?)?;
                has_rate = false;
                continue;
            }
            let Some(part) = parts.next() else { break };
            if let Some(text) = part.strip_prefix('@') {
                if std::mem::replace(&mut has_rate, true) {
                    return Err(Wrong::Form);
                }
                next = last.sampled(text)?;
            } else if let Some(text) = part.strip_prefix('#') {
                if tags.replace(text).is_some() {
                    return Err(Wrong::Form);
                }
            } else if !["c:", "e:", "card:", "T"]
                .iter()
                .any(|start| part.starts_with(start))
            {
                // But for a client's container, cardinality and time, which change no count.
                return Err(Wrong::Form);
            }
        }
        if first.is_some() {
            more.push(last);
        }
        let line = Self {
            name,
            beside,
            first: first.unwrap_or(last),
            more,
            tags: tags.unwrap_or_default(),
        };
        // A line counts as a whole or not at all.
        let is_lawful = line.values().all(|values| values.are_lawful());
        is_lawful.then_some(line).ok_or(Wrong::Value)
    }

    /// What it says, in its order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Values<'a>> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// The names and values of its tags. One without a value says `true`.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let beside = self.beside.split(',').filter(|tag| !tag.is_empty());
        let beside = beside.map(|tag| tag.split_once('=').unwrap_or((tag, "true")));
        // Some clients write the sign in front of each of them.
        let tags = self.tags.split(',').map(|tag| tag.trim_start_matches('#'));
        let tags = tags.filter(|tag| !tag.is_empty());
        beside.chain(tags.map(|tag| tag.split_once(':').unwrap_or((tag, "true"))))
    }
}

/// A name and the tags behind it: `name,tag=value`, `name#tag=value` or `name[tag=value]`.
fn apart(name: &str) -> Result<(&str, &str), Wrong> {
    let Some(at) = name.find(['[', ']', '#', ',']) else {
        return Ok((name, ""));
    };
    let (name, beside) = name.split_at(at);
    let tags = match beside.strip_prefix('[') {
        Some(tags) => tags.strip_suffix(']').ok_or(Wrong::Tags)?,
        None => beside.get(1..).unwrap_or_default(),
    };
    let is_tag = |tag: &str| {
        tag.split_once('=')
            .is_some_and(|(name, _)| !name.is_empty())
    };
    let are_tags = tags.split(',').all(is_tag) && !tags.contains(['[', ']']);
    // A bracket that nothing has opened.
    match are_tags && !beside.starts_with(']') {
        true => Ok((name, tags)),
        false => Err(Wrong::Tags),
    }
}

impl<'a> Values<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            kind: Kind::Counter,
            text,
            weight: 1.0,
        }
    }

    /// Takes the type; gives the values behind it, which have one of their own.
    fn typed(&mut self, part: &'a str) -> Result<Option<&'a str>, Wrong> {
        let (kind, next) = with_next(part);
        self.kind = match kind {
            "c" => Kind::Counter,
            "g" => Kind::Gauge,
            "ms" => Kind::Timing,
            "h" | "d" => Kind::Histogram,
            _ => return Err(Wrong::Type),
        };
        Ok(next)
    }

    /// As [`Values::typed`], with the rate.
    fn sampled(&mut self, part: &'a str) -> Result<Option<&'a str>, Wrong> {
        let (rate, next) = with_next(part);
        let rate = number(rate).filter(|rate| *rate > 0.0 && *rate <= 1.0);
        self.weight = 1.0 / rate.ok_or(Wrong::Value)?;
        Ok(next)
    }

    /// What they say, in their order.
    pub(crate) fn read(&self) -> impl Iterator<Item = Value> {
        self.texts().filter_map(|text| self.value(text))
    }

    fn are_lawful(&self) -> bool {
        self.weight <= LARGEST && self.texts().all(|text| self.value(text).is_some())
    }

    fn texts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text.split(':')
    }

    fn value(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Counter if self.weight == 1.0 && text.bytes().all(|b| b.is_ascii_digit()) => {
                let count = text.parse().ok();
                count
                    .filter(|count| *count <= LARGEST as u64)
                    .map(Value::Count)
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

/// A type or a rate, and the values that stand behind it.
fn with_next(part: &str) -> (&str, Option<&str>) {
    match part.split_once(':') {
        Some((part, next)) => (part, Some(next)),
        None => (part, None),
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
        let line = Line::parse(line.as_bytes()).unwrap();
        line.values().flat_map(Values::read).collect()
    }

    #[test]
    fn a_line_has_a_name_values_and_a_type() {
        let line = Line::parse(b"jobs.done:3|c|@0.5|#queue:mail,urgent|c:abc|T1656581400").unwrap();
        let first = line.values().next().unwrap();
        assert_eq!(
            (line.name, first.kind, first.weight),
            ("jobs.done", Kind::Counter, 2.0)
        );
        let labels: Vec<_> = line.labels().collect();
        assert_eq!(labels, [("queue", "mail"), ("urgent", "true")]);
        assert_eq!(first.read().collect::<Vec<_>>(), [Value::About(6.0)]);
        let spare = Line::parse(b"a:1|c|#,k:v:w,").unwrap();
        assert_eq!(spare.labels().collect::<Vec<_>>(), [("k", "v:w")]);
    }

    #[test]
    fn a_value_is_what_its_type_says() {
        use Value::{About, Change, Count, Observe, Set};
        assert_eq!(values("a:1:2:3|c"), [Count(1), Count(2), Count(3)]);
        assert_eq!(values("a:9007199254740992|c"), [Count(1 << 53)]);
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
    fn each_value_may_have_its_type_and_its_rate() {
        use Value::{About, Change, Count, Observe, Set};
        assert_eq!(values("a:1|c:2|c"), [Count(1), Count(2)]);
        assert_eq!(values("a:1:2|c:3|c|#x:y"), [Count(1), Count(2), Count(3)]);
        assert_eq!(values("a:1|c|@0.5:3|c"), [About(2.0), Count(3)]);
        assert_eq!(values("a:1|c:3|c|@0.5"), [Count(1), About(6.0)]);
        assert_eq!(values("a:5|g:+7|g"), [Set(5.0), Change(7.0)]);
        assert_eq!(values("a:1|c:100|ms|c:abc"), [Count(1), Observe(0.1)]);
    }

    #[test]
    fn tags_may_stand_behind_the_name() {
        for line in [
            "a,b=c,d=e:1|c",
            "a#b=c,d=e:1|c",
            "a[b=c,d=e]:1|c",
            "a,b=c:1|c|#d:e",
        ] {
            let line = Line::parse(line.as_bytes()).unwrap();
            assert_eq!(line.name, "a");
            let labels: Vec<_> = line.labels().collect();
            assert_eq!(labels, [("b", "c"), ("d", "e")]);
        }
        let line = Line::parse(b"a:1|c|#b:c,#d:e,#f").unwrap();
        let labels: Vec<_> = line.labels().collect();
        assert_eq!(labels, [("b", "c"), ("d", "e"), ("f", "true")]);
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
            ("a:9007199254740993|c", Wrong::Value),
            ("a:18446744073709551616|c", Wrong::Value),
            ("a:1|c:9007199254740993|c", Wrong::Value),
            ("_e{1,3}:5|c", Wrong::Type),
            ("_sc|a|0|m:5|c", Wrong::Type),
            ("a:1|c:2", Wrong::Form),
            ("a:1|c:2|s", Wrong::Type),
            ("a:1|c|@0.5:2", Wrong::Form),
            ("a,:1|c", Wrong::Tags),
            ("a,b:1|c", Wrong::Tags),
            ("a#=b:1|c", Wrong::Tags),
            ("a[b=c:1|c", Wrong::Tags),
            ("ab=c]:1|c", Wrong::Tags),
            ("a[b=c]d:1|c", Wrong::Tags),
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
            line in "[a-c.:,#=\\[\\]]{0,6}(:[0-9.:eE+-]{0,6}\\|(c|g|ms|h|d|s)){1,3}(\\|[@#cT][a-z0-9:.,]{0,6}){0,3}"
        ) {
            checked(line.as_bytes());
        }
    }

    /// Whatever is read can be counted.
    fn checked(bytes: &[u8]) {
        let Ok(line) = Line::parse(bytes) else { return };
        assert!(
            line.labels()
                .all(|(name, value)| !name.contains(',') && !value.contains(','))
        );
        for values in line.values() {
            assert!(values.weight >= 1.0 && values.weight <= LARGEST);
            assert!(values.read().count() >= 1);
        }
        for value in line.values().flat_map(Values::read) {
            match value {
                Value::Count(count) => assert!(count <= LARGEST as u64),
                Value::About(count) => assert!((0.0..=LARGEST).contains(&count)),
                Value::Set(number) | Value::Change(number) | Value::Observe(number) => {
                    assert!(number.is_finite());
                }
            }
        }
    }
}
