//! How lines belong together: samples to families, and the samples of one label set to one point.

use std::collections::{HashMap, HashSet};

use crate::metric::LabelSet;

use super::super::document::bounded::too_many_series;
use super::line::{Metadata, Sample, excerpt};
use super::number::{count, counter, float, number, seconds};
use super::point::Gathering;
use super::{Fault, Format, Labels, TextError, TextFamily, TextKind};

/// Every suffix that some family's samples have.
const SUFFIXES: [&str; 9] = [
    "", "_total", "_created", "_bucket", "_count", "_sum", "_gcount", "_gsum", "_info",
];

/// The families of a text, as far as it has been read.
pub(super) struct Families {
    format: Format,
    done: Vec<TextFamily>,
    open: Option<Open>,
    /// The names of the families that are done and of their samples.
    taken: HashSet<String>,
    /// The counters that are done, by the name they have here.
    counters: HashSet<String>,
    /// How many label sets are done, with one for a family that has none.
    parts: usize,
    /// How many there may be.
    most: usize,
}

/// The family to which the next line may belong.
struct Open {
    /// Where it begins.
    line: usize,
    name: String,
    kind: Option<TextKind>,
    unit: Option<String>,
    help: Option<String>,
    has_samples: bool,
    has_quantiles: bool,
    series: Vec<(LabelSet, Gathering)>,
    /// Where each label set is among them.
    known: HashMap<LabelSet, u32>,
}

impl Families {
    /// Takes at most so many label sets.
    pub(super) fn new(format: Format, most: usize) -> Self {
        Self {
            format,
            most,
            done: Vec::new(),
            open: None,
            taken: HashSet::new(),
            counters: HashSet::new(),
            parts: 0,
        }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn finish(mut self) -> Result<Vec<TextFamily>, TextError> {
        self.close()?;
        Ok(self.done)
    }

    pub(super) fn metadata(&mut self, line: usize, metadata: Metadata<'_>) -> Result<(), Fault> {
        let (name, keyword) = match metadata {
            Metadata::Type { name, .. } => (name, "TYPE"),
            Metadata::Help { name, .. } => (name, "HELP"),
            Metadata::Unit { name, .. } => (name, "UNIT"),
            Metadata::Comment => return Ok(()),
        };
        let format = self.format;
        let open = match self.open.take_if(|open| open.name == name) {
            Some(open) => self.open.insert(open),
            None => self.begin(line, name)?,
        };
        // Prometheus asks this of TYPE only.
        if open.has_samples && (format == Format::OpenMetrics || keyword == "TYPE") {
            return Err(format!("# {keyword} {name} must stand before the samples").into());
        }
        let is_first = match metadata {
            Metadata::Type { word, .. } => open.kind.replace(kind(format, word)?).is_none(),
            Metadata::Help { text, .. } => open.help.replace(text).is_none(),
            Metadata::Unit { unit, .. } => {
                let is_suffix = name
                    .strip_suffix(unit)
                    .is_some_and(|rest| rest.ends_with('_'));
                if !unit.is_empty() && !is_suffix {
                    let unit = excerpt(unit);
                    return Err(format!("{name} does not end with _ and its unit {unit}").into());
                }
                open.unit.replace(unit.to_owned()).is_none()
            }
            Metadata::Comment => true,
        };
        let has_unit = open.unit.as_ref().is_some_and(|unit| !unit.is_empty());
        if has_unit && matches!(open.kind, Some(TextKind::Info | TextKind::StateSet)) {
            return Err(format!("{name} cannot have a unit: it is an info or a stateset").into());
        }
        if is_first {
            Ok(())
        } else {
            Err(format!("# {keyword} {name} stands twice").into())
        }
    }

    pub(super) fn sample(&mut self, line: usize, sample: Sample<'_>) -> Result<(), Fault> {
        let format = self.format;
        let rest = self
            .open
            .as_ref()
            .and_then(|open| sample.name.strip_prefix(&open.name));
        if let (Some(open), Some(suffix)) = (&mut self.open, rest) {
            if suffixes(format, open.kind()).contains(&suffix) {
                open.add(format, line, suffix, sample)?;
                return self.check_count();
            }
            // Without a type it may be the next family, whose name only begins like this one's.
            if let Some(kind) = open.kind
                && SUFFIXES.contains(&suffix)
            {
                return Err(misfit(format, kind, &open.name, sample.name));
            }
        }
        self.begin(line, sample.name)?
            .add(format, line, "", sample)?;
        self.check_count()
    }

    /// Fails when there is more than a document may have, before the rest is read.
    fn check_count(&self) -> Result<(), Fault> {
        let open = self.open.as_ref().map_or(0, |open| open.series.len());
        if self.parts + open > self.most {
            return Err(too_many_series(self.most).into());
        }
        Ok(())
    }

    fn begin(&mut self, line: usize, name: &str) -> Result<&mut Open, Fault> {
        self.close().map_err(Fault::Before)?;
        if self.parts >= self.most {
            return Err(too_many_series(self.most).into());
        }
        if self.taken.contains(name) {
            return Err(format!(
                "{name} has been before: the lines of a family must stand together and once"
            )
            .into());
        }
        Ok(self.open.insert(Open {
            line,
            name: name.to_owned(),
            kind: None,
            unit: None,
            help: None,
            has_samples: false,
            has_quantiles: false,
            series: Vec::new(),
            known: HashMap::new(),
        }))
    }

    /// Ends the open family.
    fn close(&mut self) -> Result<(), TextError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let kind = open.kind();
        let wrong = |reason| TextError {
            line: open.line,
            reason,
        };
        for suffix in suffixes(self.format, kind) {
            if !suffix.is_empty() && !self.taken.insert(format!("{}{suffix}", open.name)) {
                let name = &open.name;
                return Err(wrong(format!(
                    "the samples {name}{suffix} of {name} would have another family's name"
                )));
            }
        }
        self.taken.insert(open.name.clone());
        self.parts += open.series.len().max(1);
        let base = match (kind, open.name.strip_suffix("_total")) {
            (TextKind::Counter, Some(base))
                if self.format == Format::Prometheus && !base.is_empty() =>
            {
                base.to_owned()
            }
            _ => open.name.clone(),
        };
        if kind == TextKind::Counter && !self.counters.insert(base.clone()) {
            return Err(wrong(format!(
                "{base} and {base}_total are both counters; without _total they are the same"
            )));
        }
        drop(open.known);
        let points = open
            .series
            .into_iter()
            .map(|(labels, point)| point.finish(self.format, kind, labels));
        let is_given = |text: &String| !text.is_empty();
        self.done.push(TextFamily {
            name: base,
            kind,
            unit: open.unit.filter(is_given),
            help: open.help.filter(is_given),
            points: points.collect::<Result<_, _>>()?,
            has_quantiles: open.has_quantiles,
        });
        Ok(())
    }
}

impl Open {
    fn kind(&self) -> TextKind {
        self.kind.unwrap_or(TextKind::Unknown)
    }

    /// Adds a sample whose name fits.
    fn add(
        &mut self,
        format: Format,
        line: usize,
        suffix: &str,
        sample: Sample<'_>,
    ) -> Result<(), Fault> {
        self.has_samples = true;
        if sample.has_exemplar && !matches!(suffix, "_total" | "_bucket") {
            return Err(format!("{} cannot have an exemplar", sample.name).into());
        }
        let kind = self.kind();
        if matches!(kind, TextKind::StateSet | TextKind::GaugeHistogram) {
            return Ok(());
        }
        if kind == TextKind::Summary && suffix.is_empty() {
            self.has_quantiles = true;
            return Ok(());
        }
        let mut labels = sample.labels;
        let bound = match kind {
            TextKind::Histogram => bound(suffix, &mut labels)?,
            _ => None,
        };
        labels.retain(|(_, value)| !value.is_empty());
        let labels = LabelSet::of_sorted(&labels);
        let point = self.point(format, line, sample.name, labels)?;
        let is_new = match (kind, suffix) {
            (_, "_created") => put(&mut point.created, seconds(sample.value)?),
            (TextKind::Summary, "_sum") => put(&mut point.several().wide, number(sample.value)?),
            (_, "_sum") => {
                let several = point.several();
                several.wide = number(sample.value).ok();
                put(&mut several.sum, float(sample.value)?)
            }
            (_, "_count") => put(&mut point.several().count, count(sample.value)?),
            (_, "_bucket") => {
                let bound = bound.ok_or("a bucket must have the label le")?;
                return point.several().bucket(bound, count(sample.value)?);
            }
            (TextKind::Counter, _) => put(&mut point.counter, counter(sample.value)?),
            (TextKind::Info, _) => {
                let value = float(sample.value)?;
                if value != 1.0 {
                    return Err(format!("{} must be 1", sample.name).into());
                }
                put(&mut point.value, value)
            }
            _ => put(&mut point.value, float(sample.value)?),
        };
        // What has times may say it again.
        if is_new || kind == TextKind::Summary {
            Ok(())
        } else {
            let name = sample.name;
            Err(format!("the sample {name} stands twice with the same labels").into())
        }
    }

    fn point(
        &mut self,
        format: Format,
        line: usize,
        name: &str,
        labels: LabelSet,
    ) -> Result<&mut Gathering, Fault> {
        let count = self.series.len();
        let is_last = |(last, _): &(LabelSet, Gathering)| *last == labels;
        let at = match self.known.get(&labels) {
            _ if self.series.last().is_some_and(is_last) => count - 1,
            Some(&at) => at as usize,
            None => count,
        };
        if format == Format::OpenMetrics && at + 1 < count {
            return Err(format!(
                "the samples of {name} with these labels must stand together and once"
            )
            .into());
        }
        if at == count {
            self.known.insert(labels.clone(), at as u32);
            self.series.push((labels, Gathering::default()));
        }
        let point = &mut self.series[at].1;
        point.line = line;
        Ok(point)
    }
}

/// Fills a slot; `false` when it was full.
fn put<T>(slot: &mut Option<T>, value: T) -> bool {
    slot.replace(value).is_none()
}

/// Takes the bound of a bucket out of a histogram's labels.
fn bound(suffix: &str, labels: &mut Labels<'_>) -> Result<Option<f64>, Fault> {
    let Some(index) = labels.iter().position(|(name, _)| *name == "le") else {
        return Ok(None);
    };
    let (_, text) = labels.remove(index);
    if suffix != "_bucket" {
        return Err("only the buckets of a histogram can have the label le".into());
    }
    let bound = float(&text)?;
    if bound.is_nan() {
        return Err("the bound of a bucket cannot be NaN".into());
    }
    Ok(Some(bound))
}

/// The type that a word of a TYPE line means.
fn kind(format: Format, word: &str) -> Result<TextKind, Fault> {
    let (kind, foreign) = match word {
        "counter" => (TextKind::Counter, None),
        "gauge" => (TextKind::Gauge, None),
        "histogram" => (TextKind::Histogram, None),
        "summary" => (TextKind::Summary, None),
        "untyped" if format == Format::Prometheus => (TextKind::Unknown, None),
        "unknown" => (TextKind::Unknown, Some("the type unknown")),
        "info" => (TextKind::Info, Some("the type info")),
        "stateset" => (TextKind::StateSet, Some("the type stateset")),
        "gaugehistogram" => (TextKind::GaugeHistogram, Some("the type gaugehistogram")),
        _ => return Err(format!("{} is not a type of metric", excerpt(word)).into()),
    };
    if let (Format::Prometheus, Some(what)) = (format, foreign) {
        return Err(Fault::Foreign(what));
    }
    Ok(kind)
}

/// What stands behind a family's name in the names of its samples.
fn suffixes(format: Format, kind: TextKind) -> &'static [&'static str] {
    match (format, kind) {
        (Format::OpenMetrics, TextKind::Counter) => &["_total", "_created"],
        (Format::OpenMetrics, TextKind::Histogram) => &["_bucket", "_count", "_sum", "_created"],
        (Format::OpenMetrics, TextKind::Summary) => &["", "_count", "_sum", "_created"],
        (Format::Prometheus, TextKind::Histogram) => &["_bucket", "_count", "_sum"],
        (Format::Prometheus, TextKind::Summary) => &["", "_count", "_sum"],
        (_, TextKind::GaugeHistogram) => &["_bucket", "_gcount", "_gsum"],
        (_, TextKind::Info) => &["_info"],
        (_, TextKind::Counter | TextKind::Gauge | TextKind::StateSet | TextKind::Unknown) => &[""],
    }
}

/// What is wrong with a sample whose name begins like the open family's and does not fit its type.
fn misfit(format: Format, kind: TextKind, family: &str, sample: &str) -> Fault {
    let is_openmetrics = suffixes(Format::OpenMetrics, kind)
        .iter()
        .any(|suffix| sample.strip_prefix(family) == Some(suffix));
    if format == Format::Prometheus && is_openmetrics {
        return Fault::Foreign(if sample.ends_with("_created") {
            "a _created sample"
        } else {
            "a counter whose TYPE line leaves out _total"
        });
    }
    let names: Vec<String> = suffixes(format, kind)
        .iter()
        .map(|suffix| format!("{family}{suffix}"))
        .collect();
    let names = names.join(", ");
    format!("the sample {sample} does not fit the type of {family}, whose samples are {names}")
        .into()
}
