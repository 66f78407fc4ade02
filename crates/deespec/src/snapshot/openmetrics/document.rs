//! A text as the document that an import adds to a store.

use std::path::Path;

use crate::metric::{Buckets, Distribution, Family, TRANSACTIONS, Value};

use super::super::counts::TransactionCounts;
use super::super::document::{Document, Series};
use super::super::error::DocumentError;
use super::{Number, Point, PointValue, Text, TextFamily, TextKind};

/// What a text holds for a store.
pub(crate) struct Converted {
    pub(crate) document: Document,
    /// Families of which the text says more than the type.
    pub(crate) families: Vec<Family>,
    /// What a store cannot hold, one sentence each.
    pub(crate) passed_over: Vec<String>,
}

/// Reads the text at `path`.
///
/// # Errors
///
/// When it is not lawful, or says something that a store cannot count.
pub(crate) fn convert(bytes: &[u8], path: &Path) -> Result<Converted, DocumentError> {
    let text = Text::parse(bytes).map_err(|source| DocumentError::Text {
        path: path.to_owned(),
        reason: source.to_string(),
    })?;
    let mut converted = Converted {
        document: Document::empty(),
        families: Vec::new(),
        passed_over: Vec::new(),
    };
    for family in text.families {
        let wrong = |reason: String| DocumentError::content(path, reason);
        converted.add(family).map_err(wrong)?;
    }
    let series = std::mem::take(&mut converted.document.series);
    converted.document.series = Document::checked(series, path)?;
    Ok(converted)
}

impl Converted {
    fn add(&mut self, family: TextFamily) -> Result<(), String> {
        let name = match family.kind {
            TextKind::Counter if self.add_transaction(&family)? => return Ok(()),
            TextKind::Counter => format!("{}_total", family.name),
            TextKind::Info => format!("{}_info", family.name),
            TextKind::Gauge | TextKind::Histogram => family.name.clone(),
            kind => {
                self.passed_over.push(format!(
                    "{} is passed over: a store holds no {}",
                    family.name,
                    kind.as_str()
                ));
                return Ok(());
            }
        };
        for point in &family.points {
            let value = value(point).map_err(|reason| format!("{name}: {reason}"))?;
            self.document.series.push(Series {
                name: name.clone(),
                labels: point.labels.iter().cloned().collect(),
                value,
            });
        }
        let Some(first) = self.document.series.last().filter(|last| last.name == name) else {
            return Ok(());
        };
        if family.help.is_some() || family.unit.is_some() {
            let declared = Family::of_shape(name, first.value.shape())
                .with_help(family.help.unwrap_or_default())
                .with_unit(family.unit.unwrap_or_default());
            self.families.push(declared);
        }
        Ok(())
    }

    /// One of the four built-in counters stands at the top level of a document.
    fn add_transaction(&mut self, family: &TextFamily) -> Result<bool, String> {
        let Some(index) = TRANSACTIONS.iter().position(|name| *name == family.name) else {
            return Ok(false);
        };
        let [point] = family.points.as_slice() else {
            return Ok(false);
        };
        if !point.labels.is_empty() {
            return Ok(false);
        }
        let count = value(point)?.counter().unwrap_or_default();
        let TransactionCounts {
            success,
            failed,
            conflicts,
            recoveries,
        } = &mut self.document.transactions;
        *[success, failed, conflicts, recoveries][index] = count;
        Ok(true)
    }
}

fn value(point: &Point) -> Result<Value, String> {
    match &point.value {
        PointValue::Counter(Number::Whole(count)) => Ok(Value::Counter(*count)),
        PointValue::Counter(Number::Float(count)) => Err(format!(
            "{count} is not a whole number of at most 64 bits, and a counter counts whole numbers"
        )),
        PointValue::Gauge(value) | PointValue::Unknown(value) => Ok(Value::Gauge(*value)),
        PointValue::Info => Ok(Value::Info),
        PointValue::Histogram { buckets, sum, .. } => {
            let sum = sum.ok_or("a histogram without a sum cannot be added to another")?;
            histogram(buckets, sum).map(Value::Histogram)
        }
    }
}

fn histogram(cumulative: &[(f64, u64)], sum: f64) -> Result<Distribution, String> {
    let bounds = cumulative.iter().map(|(bound, _)| *bound);
    let buckets = Buckets::classic(bounds).map_err(|error| error.to_string())?;
    let mut below = 0;
    let count = |(_, upto): &(f64, u64)| {
        let count = upto.wrapping_sub(below);
        below = *upto;
        count
    };
    let counts: Vec<u64> = cumulative.iter().map(count).collect();
    let steps = buckets
        .steps_of_sum(sum)
        .ok_or_else(|| format!("the sum {sum} is too large to be kept"))?;
    Ok(Distribution::new(buckets, counts.into(), steps))
}

impl TextKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info metric",
            Self::Unknown => "metric of unknown type",
            Self::Summary => "summary",
            Self::StateSet => "state set",
            Self::GaugeHistogram => "gauge histogram",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str) -> Result<Converted, DocumentError> {
        convert(text.as_bytes(), Path::new("m.txt"))
    }

    #[test]
    fn each_kind_becomes_a_series_and_the_built_in_ones_stand_at_the_top() {
        let text = "# TYPE commit_success counter\ncommit_success_total 7\n\
                    # TYPE sent_bytes counter\n# UNIT sent_bytes bytes\n# HELP sent_bytes Sent.\n\
                    sent_bytes_total{to=\"a\"} 18446744073709551615\n\
                    # TYPE depth gauge\ndepth -2.5\n\
                    # TYPE wait_seconds histogram\nwait_seconds_bucket{le=\"0.5\"} 2\n\
                    wait_seconds_bucket{le=\"+Inf\"} 3\nwait_seconds_count 3\nwait_seconds_sum 2.25\n\
                    # TYPE build info\nbuild_info{version=\"1\"} 1\n\
                    # TYPE odd summary\nodd_count 1\n# EOF\n";
        let found = converted(text).unwrap();
        assert_eq!(found.document.transactions.success, 7);
        let series = |name: &str| {
            let same = |series: &&Series| series.name == name;
            found.document.series.iter().find(same).unwrap()
        };
        assert_eq!(series("sent_bytes_total").value, Value::Counter(u64::MAX));
        assert_eq!(series("depth").value, Value::Gauge(-2.5));
        assert_eq!(series("build_info").labels["version"], "1");
        let wait = series("wait_seconds").value.histogram().unwrap();
        assert_eq!((wait.counts(), wait.sum()), ([2, 1].as_slice(), 2.25));
        assert_eq!(found.families.len(), 1);
        assert_eq!(
            (found.families[0].unit(), found.families[0].help()),
            ("bytes", "Sent.")
        );
        assert_eq!(
            found.passed_over,
            ["odd is passed over: a store holds no summary"]
        );
    }

    #[test]
    fn what_cannot_be_counted_is_an_error_that_names_it() {
        for (text, reason) in [
            (
                "# TYPE a counter\na_total 1.5\n# EOF\n",
                "a_total: 1.5 is not a whole number",
            ),
            (
                "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\n# EOF\n",
                "a: a histogram without a sum",
            ),
            (
                "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n# EOF\n",
                "a: histogram buckets are not valid",
            ),
        ] {
            let error = converted(text)
                .err()
                .map(|error| error.to_string())
                .unwrap();
            assert!(
                error.starts_with("m.txt") && error.contains(reason),
                "{error}"
            );
        }
        let cut = converted("# TYPE a counter\na_tot")
            .err()
            .unwrap()
            .to_string();
        assert!(
            cut.starts_with("m.txt is not a text that can be imported: line 2"),
            "{cut}"
        );
    }
}
