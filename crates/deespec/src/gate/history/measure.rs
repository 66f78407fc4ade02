//! What the terms of rules are worth in a view or a document: pure functions over what somebody else has read.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::metric::{Distribution, LabelSet, Observations, TRANSACTIONS, Value};
use crate::snapshot::{Document, View};

use super::super::rules::{Part, Rules, Term};

/// A series with its name and labels.
type Series<'a> = (&'a str, &'a LabelSet, &'a Value);

impl Term {
    /// What the term is worth in the view; `None` where it has no such series, or nothing was observed.
    ///
    /// All series of the name that have the labels are taken together: counters are summed, and so are gauges; histograms
    /// are merged. A rate is per second from the epoch's beginning to the moment of the view, and there is none
    /// where that is no time.
    #[must_use]
    pub fn measure(&self, view: &View) -> Option<f64> {
        let from = view
            .series
            .partition_point(|sample| sample.name < self.name);
        let named = view.series[from..]
            .iter()
            .take_while(|sample| sample.name == self.name);
        let built_in = view.samples().take(TRANSACTIONS.len());
        let built_in = built_in.filter(|sample| {
            sample.name == self.name
                && sample.labels.is_empty()
                && TRANSACTIONS.contains(&&*sample.name)
        });
        let series = built_in
            .chain(named)
            .map(|sample| (&*sample.name, &sample.labels, &sample.value));
        let elapsed = view.last_update.duration_since(view.epoch_started);
        self.of(series, elapsed.ok().map(|elapsed| elapsed.as_secs_f64()))
    }

    /// What the term is worth in the document, as [`Term::measure`] says. A rate is per second from the epoch's beginning to
    /// the moment when the document was taken; without these times there is none.
    #[must_use]
    pub fn measure_document(&self, document: &Document) -> Option<f64> {
        let four = &document.transactions;
        let four = [four.success, four.failed, four.conflicts, four.recoveries];
        let built_in = TRANSACTIONS.iter().zip(four.map(Value::Counter));
        let built_in: Vec<(&str, LabelSet, Value)> = built_in
            .map(|(name, value)| (*name, LabelSet::default(), value))
            .collect();
        let built_in = built_in
            .iter()
            .filter(|(name, ..)| *name == self.name)
            .map(|(name, labels, value)| (*name, labels, value));
        let from = document
            .series
            .partition_point(|series| series.name < self.name);
        let named = document.series[from..]
            .iter()
            .take_while(|series| series.name == self.name)
            .map(|series| (&*series.name, &series.labels, &series.value));
        self.of(built_in.chain(named), elapsed(document))
    }

    fn of<'a>(
        &self,
        series: impl Iterator<Item = Series<'a>>,
        elapsed: Option<f64>,
    ) -> Option<f64> {
        let has_labels = |labels: &LabelSet| {
            let mut wanted = self.labels.iter();
            wanted.all(|(key, value)| labels.get(key).is_some_and(|found| found == value))
        };
        let values = series
            .filter(|(_, labels, _)| has_labels(labels))
            .map(|(_, _, value)| value);
        let value = self.part.of(&values.collect::<Vec<_>>())?;
        let value = match self.rate {
            true => value / elapsed.filter(|elapsed| *elapsed > 0.0)?,
            false => value,
        };
        Some(value).filter(|value| value.is_finite())
    }
}

impl Part {
    /// This part of all values together, which are of one kind.
    fn of(self, values: &[&Value]) -> Option<f64> {
        let histograms: Vec<&Distribution> = values
            .iter()
            .filter_map(|value| value.histogram())
            .collect();
        let summaries: Vec<Observations> =
            values.iter().filter_map(|value| value.summary()).collect();
        if !summaries.is_empty() {
            let all = summaries
                .iter()
                .fold(Observations::default(), |all, one| all.plus(*one));
            let (count, sum) = (all.count as f64, all.sum.to_f64());
            return match self {
                Self::Count => Some(count),
                Self::Sum => Some(sum),
                Self::Value | Self::Mean => Some(sum / count),
                Self::Quantile(_) => None,
            };
        }
        let (first, others) = match histograms.split_first() {
            None if self == Self::Value => return plain(values),
            None => return None,
            Some(split) => split,
        };
        let count = || -> f64 { histograms.iter().map(|found| found.count() as f64).sum() };
        let sum = || -> f64 { histograms.iter().map(|found| found.sum()).sum() };
        match self {
            Self::Count => Some(count()),
            Self::Sum => Some(sum()),
            // Nothing by nothing is no number, and the caller takes it for that.
            Self::Value | Self::Mean => Some(sum() / count()),
            Self::Quantile(q) => {
                let merged = others
                    .iter()
                    .try_fold((*first).clone(), |all, one| all.plus(one))?;
                Some(merged.quantile(q)?.value)
            }
        }
    }
}

/// The sum of counters, or of gauges.
fn plain(values: &[&Value]) -> Option<f64> {
    let numbers = values.iter().filter_map(|value| match value {
        Value::Counter(count) => Some(*count as f64),
        Value::Fractions(sum) => Some(sum.to_f64()),
        other => other.gauge(),
    });
    let numbers: Vec<f64> = numbers.collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum())
}

/// The seconds from the beginning of a document's epoch to its own moment.
fn elapsed(document: &Document) -> Option<f64> {
    let time = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
    let until = time(&document.taken_at).or_else(|| time(&document.last_update))?;
    let elapsed = until - time(&document.epoch_started)?;
    Some(elapsed.as_secs_f64())
}

impl Rules {
    /// What all terms of all rules are worth in the view, by their text. One that is worth nothing is not in it.
    #[must_use]
    pub fn measure(&self, view: &View) -> BTreeMap<String, f64> {
        self.measured(|term| term.measure(view))
    }

    /// What all terms of all rules are worth in the document, as [`Rules::measure`].
    #[must_use]
    pub fn measure_document(&self, document: &Document) -> BTreeMap<String, f64> {
        self.measured(|term| term.measure_document(document))
    }

    fn measured(&self, measure: impl Fn(&Term) -> Option<f64>) -> BTreeMap<String, f64> {
        let terms = self.rules.iter().flat_map(|rule| rule.metric.terms());
        let values = terms.filter_map(|term| Some((term.to_string(), measure(term)?)));
        values.collect()
    }
}
