//! What a program may choose: how gauges are stored, and the buckets of histograms.

use crate::metric::{Aggregation, Buckets, Shape, lawful};

/// How the gauges of a program are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gauges {
    /// One value that all processes share: the last `set` wins, and it survives its writers.
    Shared,
    /// Each live process has its own value; what others see is made of all of them.
    PerProcess(Aggregation),
}

impl Default for Gauges {
    /// Per process, and others see the sum: right for what a process has of its own, such as
    /// requests in flight.
    fn default() -> Self {
        Self::PerProcess(Aggregation::Sum)
    }
}

impl Gauges {
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Shared => Shape::Gauge,
            Self::PerProcess(aggregation) => Shape::ProcessGauge(aggregation),
        }
    }
}

/// Which names are meant, in the spelling of the program or that of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matcher<'a> {
    /// This name.
    Full(&'a str),
    /// Names that begin like this.
    Prefix(&'a str),
    /// Names that end like this.
    Suffix(&'a str),
}

/// The order is that of their strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Suffix,
    Prefix,
    Full,
}

#[derive(Debug)]
struct Rule {
    part: Part,
    text: String,
    buckets: Buckets,
}

impl Rule {
    fn matches(&self, name: &str) -> bool {
        match self.part {
            Part::Full => name == self.text,
            Part::Prefix => name.starts_with(&self.text),
            Part::Suffix => name.ends_with(&self.text),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Choices {
    pub(super) gauges: Gauges,
    pub(super) buckets: Buckets,
    rules: Vec<Rule>,
}

impl Choices {
    pub(super) fn add(&mut self, names: Matcher<'_>, buckets: Buckets) {
        let (part, text) = match names {
            Matcher::Full(name) => (Part::Full, lawful::metric_name(name)),
            Matcher::Prefix(prefix) => (Part::Prefix, lawful::metric_name(prefix)),
            // The first character of a suffix is not the first of the name.
            Matcher::Suffix(suffix) => (Part::Suffix, lawful::name_part(suffix)),
        };
        self.rules.push(Rule {
            part,
            text,
            buckets,
        });
    }

    /// The buckets of a new histogram of this name.
    pub(super) fn buckets_of(&self, name: &str) -> &Buckets {
        let matching = self.rules.iter().filter(|rule| rule.matches(name));
        let strongest = matching.max_by_key(|rule| (rule.part, rule.text.len()));
        strongest.map_or(&self.buckets, |rule| &rule.buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_rule_gives_the_buckets() {
        let buckets = |bound| Buckets::classic([bound]).unwrap();
        let mut choices = Choices::default();
        let rules = [
            (Matcher::Full("http.seconds"), 1.0),
            (Matcher::Prefix("http."), 2.0),
            (Matcher::Suffix("seconds"), 3.0),
            (Matcher::Suffix(".queue_seconds"), 4.0),
            (Matcher::Prefix("9"), 5.0),
            (Matcher::Suffix("seconds"), 6.0),
        ];
        for (names, bound) in rules {
            choices.add(names, buckets(bound));
        }
        for (name, bound) in [
            ("http_seconds", 1.0),
            ("http_queue_seconds", 2.0),
            ("db_queue_seconds", 4.0),
            ("_99th", 5.0),
            ("db_seconds", 6.0),
        ] {
            assert_eq!(choices.buckets_of(name), &buckets(bound), "{name}");
        }
        assert_eq!(choices.buckets_of("bytes"), &Buckets::seconds());
    }
}
