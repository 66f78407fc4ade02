//! A text as the document that an import adds to a store.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use crate::metric::{Family, HELP_MAX, LabelSet, TRANSACTIONS, Value};

use super::super::counts::TransactionCounts;
use super::super::document::bounded::SERIES_MAX;
use super::super::document::{Document, Series};
use super::super::error::DocumentError;
use super::super::outside;
use super::value::{odd_sums, value, with_fractions};
use super::{FRACTIONS, Text, TextFamily, TextKind};

/// The end of a text that was cut.
const CUT: &str = "…";
/// Most series of one push: as many as are counted at a time, and more than a part of `deespec push` has.
pub(crate) const PUSH_SERIES_MAX: usize = 16_384;
/// How many times of creation are kept where a few are enough.
const CREATED: usize = 64;

/// What a text holds for a store.
pub(crate) struct Converted {
    pub(crate) document: Document,
    /// Families of which the text says more than the type.
    pub(crate) families: Vec<Family>,
    /// What a store cannot hold, one sentence each.
    pub(crate) passed_over: Vec<String>,
    /// What a store holds otherwise than it stands there, or doubts, one sentence each.
    pub(crate) noted: Vec<String>,
    /// What does not fit into a store is passed over too: the file tells of many things, and was not
    /// made for a store.
    pub(crate) lenient: bool,
    /// When the first few series began, in seconds since 1970, where the text says so.
    pub(crate) created: Vec<Created>,
    /// It is bound by what can come from outside: no store has exposed it.
    pub(crate) outside: bool,
}

/// A name, a label set and when that series began.
pub(crate) type Created = (String, LabelSet, f64);

/// Reads the text at `path`; `wide` tells of which histograms the store keeps a wide sum.
///
/// # Errors
///
/// When it is not lawful, or says something that a store cannot count.
pub(crate) fn convert(
    bytes: &[u8],
    path: &Path,
    wide: impl Fn(&str) -> bool,
) -> Result<Converted, DocumentError> {
    // Every store exposes all of them, and no other program does.
    let is_exposed = |text: &Text| {
        let has = |name: &&str| text.families.iter().any(|family| family.name == **name);
        TRANSACTIONS.iter().all(has)
    };
    let outside = |text: &Text| !is_exposed(text);
    converted(bytes, path, SERIES_MAX, CREATED, outside, wide)
}

/// Reads what somebody pushes, whoever has exposed it: at most [`PUSH_SERIES_MAX`] series.
///
/// # Errors
///
/// As [`convert`].
pub(crate) fn convert_pushed(
    bytes: &[u8],
    path: &Path,
    wide: impl Fn(&str) -> bool,
) -> Result<Converted, DocumentError> {
    converted(bytes, path, PUSH_SERIES_MAX, CREATED, |_| true, wide)
}

/// Reads what somebody exposes, of which a difference may be pushed: its totals may be larger than what comes from
/// outside.
///
/// # Errors
///
/// As [`convert`].
pub(crate) fn convert_totals(bytes: &[u8], path: &Path) -> Result<Converted, DocumentError> {
    converted(bytes, path, SERIES_MAX, usize::MAX, |_| false, |_| false)
}

fn converted(
    bytes: &[u8],
    path: &Path,
    most: usize,
    created: usize,
    outside: impl FnOnce(&Text) -> bool,
    wide: impl Fn(&str) -> bool,
) -> Result<Converted, DocumentError> {
    let text = Text::parse(bytes, most).map_err(|source| DocumentError::Text {
        path: path.to_owned(),
        reason: source.to_string(),
    })?;
    let named = |family: &TextFamily| family.name.strip_prefix(FRACTIONS).map(str::to_owned);
    let marked: HashSet<String> = text.families.iter().filter_map(named).collect();
    let has_fractions = |name: &str, kind: TextKind| match kind {
        TextKind::Counter => marked.contains(name),
        TextKind::Histogram => marked.contains(name) || wide(name),
        _ => false,
    };
    let mut converted = Converted {
        document: Document::empty(),
        families: Vec::new(),
        passed_over: Vec::new(),
        noted: Vec::new(),
        lenient: true,
        created: Vec::new(),
        outside: outside(&text),
    };
    for family in text.families {
        let wrong = |reason: String| DocumentError::content(path, reason);
        converted
            .add(family, created, &has_fractions)
            .map_err(wrong)?;
    }
    let series = std::mem::take(&mut converted.document.series);
    converted.document.series = Document::checked(series, path)?;
    Ok(converted)
}

impl Converted {
    fn add(
        &mut self,
        family: TextFamily,
        created: usize,
        has_fractions: &dyn Fn(&str, TextKind) -> bool,
    ) -> Result<(), String> {
        let name = match family.kind {
            // A store has them without the suffix, and exposes those with labels beside them.
            TextKind::Counter if TRANSACTIONS.contains(&&*family.name) => family.name.clone(),
            TextKind::Counter => format!("{}_total", family.name),
            TextKind::Info => format!("{}_info", family.name),
            TextKind::Gauge | TextKind::Histogram | TextKind::Summary => family.name.clone(),
            kind => {
                self.passed_over.push(format!(
                    "{} is passed over: a store holds no {}",
                    family.name,
                    kind.as_str()
                ));
                return Ok(());
            }
        };
        if TRANSACTIONS.contains(&&*name) && family.kind != TextKind::Counter {
            self.passed_over.push(format!(
                "{name} is passed over: it is a counter, and not a {}",
                family.kind.as_str()
            ));
            return Ok(());
        }
        // One of a process' many metrics that cannot be held must not keep the others out.
        let outside = self.outside;
        let bounded = |value: Value| match outside {
            true => outside::check(&name, &value).map(|()| value),
            false => Ok(value),
        };
        let is_wide = has_fractions(&name, family.kind);
        let points = family.points.iter();
        let values = points.map(|point| bounded(value(point, is_wide)?));
        let values = match values.collect::<Result<Vec<Value>, String>>() {
            Ok(values) => values,
            Err(reason) => {
                self.passed_over
                    .push(format!("{name} is passed over: {reason}"));
                return Ok(());
            }
        };
        let has_fractions = values.iter().any(|value| value.fractions().is_some())
            || family.kind == TextKind::Counter && is_wide;
        if has_fractions && TRANSACTIONS.contains(&&*name) {
            self.passed_over
                .push(format!("{name} is passed over: it counts whole numbers"));
            return Ok(());
        }
        let values: Vec<Value> = match has_fractions {
            true => values.into_iter().map(with_fractions).collect(),
            false => values,
        };
        if has_fractions && values.iter().any(|value| value.fractions().is_none()) {
            self.passed_over.push(format!(
                "{name} is passed over: beside fractions only numbers below 2^62 can be added up"
            ));
            return Ok(());
        }
        match (family.has_quantiles, family.points.is_empty()) {
            (true, true) => self.passed_over.push(format!(
                "{name} is passed over: it has quantiles only, and a store holds the count and the sum"
            )),
            (true, false) => self.noted.push(format!(
                "the quantiles of {name} are left out: a store holds the count and the sum"
            )),
            (false, _) => {}
        }
        self.noted.extend(odd_sums(&name, &family.points, &values));
        self.document.series.reserve(values.len());
        for (point, value) in family.points.into_iter().zip(values) {
            if let Some(at) = point.created.filter(|_| self.created.len() < created) {
                let labels = point.labels.clone();
                self.created.push((name.clone(), labels, at));
            }
            if let (true, Some(place)) = (point.labels.is_empty(), self.transaction(&name)) {
                *place = value.counter().unwrap_or_default();
                continue;
            }
            self.document.series.push(Series {
                name: name.clone(),
                labels: point.labels,
                value,
            });
        }
        let Some(first) = self.document.series.last().filter(|last| last.name == name) else {
            return Ok(());
        };
        if family.help.is_some() || family.unit.is_some() {
            let help = family.help.unwrap_or_default();
            let shown = shortened(&help, HELP_MAX);
            if shown != help {
                self.passed_over.push(format!(
                    "the end of the help text of {} is passed over: a store holds {HELP_MAX} bytes",
                    family.name
                ));
            }
            let declared = Family::of_shape(name, first.value.shape()).with_help(shown);
            let unit = family.unit.unwrap_or_default();
            let with_unit = declared.clone().with_unit(&unit);
            if with_unit.check().is_err() && declared.check().is_ok() {
                self.passed_over.push(format!(
                    "the unit of {} is passed over: a store cannot hold it",
                    family.name
                ));
                self.families.push(declared);
            } else {
                self.families.push(with_unit);
            }
        }
        Ok(())
    }

    /// Where a document has the built-in counter of this name: at its top level.
    fn transaction(&mut self, name: &str) -> Option<&mut u64> {
        let index = TRANSACTIONS.iter().position(|four| *four == name)?;
        let TransactionCounts {
            success,
            failed,
            conflicts,
            recoveries,
        } = &mut self.document.transactions;
        [success, failed, conflicts, recoveries]
            .into_iter()
            .nth(index)
    }
}

/// A text of at most so many bytes, which shows where it was cut: between two characters.
fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let mut ends = (0..=max.saturating_sub(CUT.len())).rev();
    let kept = ends.find_map(|end| text.get(..end)).unwrap_or_default();
    Cow::Owned(format!("{kept}{CUT}"))
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

    fn of(text: &str) -> Result<Converted, DocumentError> {
        convert(text.as_bytes(), Path::new("m.txt"), |_| false)
    }

    #[test]
    fn each_kind_becomes_a_series_and_the_built_in_ones_stand_at_the_top() {
        let text = "# TYPE commit_success counter\ncommit_success_total 7\n\
                    # TYPE sent_bytes counter\n# UNIT sent_bytes bytes\n# HELP sent_bytes Sent.\n\
                    sent_bytes_total{to=\"a\"} 9007199254740992\n\
                    # TYPE depth gauge\ndepth -2.5\n\
                    # TYPE wait_seconds histogram\nwait_seconds_bucket{le=\"0.5\"} 2\n\
                    wait_seconds_bucket{le=\"+Inf\"} 3\nwait_seconds_count 3\nwait_seconds_sum 2.25\n\
                    # TYPE build info\nbuild_info{version=\"1\"} 1\n\
                    # TYPE odd summary\nodd_count 1\n# EOF\n";
        let found = of(text).unwrap();
        assert_eq!(found.document.transactions.success, 7);
        let series = |name: &str| {
            let same = |series: &&Series| series.name == name;
            found.document.series.iter().find(same).unwrap()
        };
        assert_eq!(series("sent_bytes_total").value, Value::Counter(1 << 53));
        assert_eq!(series("depth").value, Value::Gauge(-2.5));
        assert_eq!(&series("build_info").labels["version"], "1");
        let wait = series("wait_seconds").value.histogram().unwrap();
        assert_eq!((wait.counts(), wait.sum()), ([2, 1].as_slice(), 2.25));
        assert_eq!(found.families.len(), 1);
        assert_eq!(
            (found.families[0].unit(), found.families[0].help()),
            ("bytes", "Sent.")
        );
        assert_eq!(
            found.passed_over,
            ["odd is passed over: a summary without a sum and a count is nothing to add"]
        );
    }

    #[test]
    fn a_built_in_counter_with_labels_beside_it_stays_at_the_top() {
        let text = "# TYPE commit_success counter\n# HELP commit_success Commits.\n\
                    commit_success_total{by=\"x\"} 2\ncommit_success_total 7\n\
                    # TYPE commit_failed counter\ncommit_failed_total{by=\"x\"} 3\n# EOF\n";
        let found = of(text).unwrap();
        assert_eq!(found.document.transactions.success, 7);
        let series = found.document.series.iter();
        let series: Vec<_> = series
            .map(|it| (&*it.name, it.labels.len(), it.value.counter()))
            .collect();
        assert_eq!(
            series,
            [
                ("commit_failed", 1, Some(3)),
                ("commit_success", 1, Some(2))
            ]
        );
    }

    #[test]
    fn what_a_store_cannot_hold_of_a_declaration_is_cut_or_left_out() {
        let (fits, long) = ("ä".repeat(512), "ä".repeat(513));
        let unit = "u".repeat(64);
        let text = format!(
            "# TYPE a gauge\n# HELP a {fits}\na 1\n# TYPE b gauge\n# HELP b {long}\nb 1\n\
             # TYPE c_{unit} gauge\n# UNIT c_{unit} {unit}\n# HELP c_{unit} C.\nc_{unit} 1\n# EOF\n"
        );
        let found = of(&text).unwrap();
        let helps: Vec<_> = found.families.iter().map(Family::help).collect();
        assert_eq!(helps, [&fits, &*format!("{}…", "ä".repeat(510)), "C."]);
        assert!(found.families.iter().all(|family| family.check().is_ok()));
        assert_eq!(
            found.passed_over,
            [
                "the end of the help text of b is passed over: a store holds 1024 bytes".to_owned(),
                format!("the unit of c_{unit} is passed over: a store cannot hold it")
            ]
        );
    }

    #[test]
    fn what_cannot_be_counted_is_passed_over_with_its_name_and_a_cut_text_is_refused() {
        for (text, reason) in [
            (
                "# TYPE a counter\na_total 1e30\n",
                "a_total is passed over: 1000000000000000000000000000000 is not a number below",
            ),
            (
                "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\n",
                "a is passed over: a histogram without a sum",
            ),
            (
                "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n",
                "a is passed over: histogram buckets are not valid",
            ),
        ] {
            let text = format!("{text}# TYPE b counter\nb_total 7\n# EOF\n");
            let found = of(&text).unwrap();
            assert!(
                found.passed_over[0].starts_with(reason),
                "{:?}",
                found.passed_over
            );
            let names: Vec<&str> = found.document.series.iter().map(|s| &*s.name).collect();
            assert_eq!(names, ["b_total"]);
        }
        let cut = of("# TYPE a counter\na_tot").err().unwrap().to_string();
        assert!(
            cut.starts_with("m.txt is not a text that can be imported: line 2"),
            "{cut}"
        );
    }

    #[test]
    fn a_push_is_read_up_to_the_first_series_too_many() {
        let gauges = |count: usize, end: &str| {
            let series = (0..count).map(|number| format!("a{{n=\"{number}\"}} 1\n"));
            format!("# TYPE a gauge\n{}{end}", series.collect::<String>())
        };
        let pushed = |text: &str| convert_pushed(text.as_bytes(), Path::new("the push"), |_| false);
        let most = pushed(&gauges(PUSH_SERIES_MAX, "")).unwrap();
        assert_eq!(most.document.series.len(), PUSH_SERIES_MAX);
        // What stands behind it is no text at all.
        let refused = pushed(&gauges(PUSH_SERIES_MAX + 1, "{{{\n"));
        let refused = refused.err().unwrap().to_string();
        assert!(
            refused.contains("line 16386: it has more than the 16384 series"),
            "{refused}"
        );
        // A file that is imported may have more.
        assert!(of(&gauges(PUSH_SERIES_MAX + 1, "")).is_ok());
    }
}
