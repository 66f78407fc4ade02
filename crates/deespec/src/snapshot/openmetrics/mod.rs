//! Reading what others expose: OpenMetrics 1.0 text, and Prometheus text 0.0.4.
//!
//! A pure, strict reader. The rules are those of
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/> and
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>: a text is taken as a whole or not
//! at all. What it says is gathered here, so that the import sees one point a label set and need not
//! know how a format spells it. But for sorting labels and points, time and memory are linear in the
//! length of the text; nothing recurses.
//!
//! **Which format.** A text with the line `# EOF` is OpenMetrics, any other is Prometheus text. An
//! OpenMetrics text that was cut off must not pass for Prometheus text, so that one is refused as soon
//! as it has something that only OpenMetrics knows.

mod document;
mod family;
mod line;
mod number;
mod point;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;

use thiserror::Error;

use crate::metric::{LabelSet, MetricError};

pub(crate) use document::{
    Converted, Created, PUSH_SERIES_MAX, convert, convert_pushed, convert_totals,
};
pub(crate) use line::selected;
pub(crate) use number::Number;

use family::Families;

/// Before the name of a counter with fractions in a push of ours, as a family without samples: where all its amounts are
/// whole no number tells that it has fractions.
pub(crate) const FRACTIONS: &str = "deespec_fractions_";

const END: &str = "# EOF";
const BLANKS: [char; 2] = [' ', '\t'];

/// What a text says, families in its order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub(crate) families: Vec<TextFamily>,
}

/// All points of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextFamily {
    /// As in the TYPE line; a counter's without `_total`, whichever format it came from. So a gauge
    /// of a Prometheus text can have the name of a counter, but no two families of one kind have.
    pub(crate) name: String,
    pub(crate) kind: TextKind,
    pub(crate) unit: Option<String>,
    pub(crate) help: Option<String>,
    /// In the order of the text; none for state sets and gauge histograms, of which only the grammar is
    /// checked.
    pub(crate) points: Vec<Point>,
    /// Whether a summary has quantiles, which are not among the points.
    pub(crate) has_quantiles: bool,
}

/// The types of OpenMetrics; Prometheus' `untyped` is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    Counter,
    Gauge,
    Histogram,
    Info,
    Unknown,
    Summary,
    StateSet,
    GaugeHistogram,
}

/// What a family says of one label set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    /// Without `le`, and without labels that have no value: those are the same as none.
    pub(crate) labels: LabelSet,
    pub(crate) value: PointValue,
    /// Seconds since 1970, finite.
    pub(crate) created: Option<f64>,
}

/// The labels of a line, sorted by name. What stands there without an escape is not copied.
pub(crate) type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// A value, by the kind of its family.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PointValue {
    Counter(Number),
    Gauge(f64),
    Histogram {
        /// Upper bounds, ascending up to infinity, and cumulative counts, never descending.
        buckets: Vec<(f64, u64)>,
        sum: Option<f64>,
        /// The same with all digits that stand there.
        wide: Option<Number>,
        /// The count of the last bucket.
        count: u64,
    },
    Info,
    Unknown(f64),
    Summary {
        sum: Option<Number>,
        count: Option<u64>,
    },
}

/// A text that is not lawful, and the line that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub(crate) struct TextError {
    /// Counted from one.
    pub(crate) line: usize,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenMetrics,
    Prometheus,
}

/// What is wrong with a line, before it is known which line that is.
#[derive(Debug)]
enum Fault {
    Wrong(String),
    /// Lawful in OpenMetrics only, so that the `# EOF` must have got lost.
    Foreign(&'static str),
    /// In a line before this one, which is the first to show it.
    Before(TextError),
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self::Wrong(reason)
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Self::Wrong(reason.to_owned())
    }
}

impl From<MetricError> for Fault {
    fn from(error: MetricError) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl Text {
    /// Reads a whole text with at most so many series.
    ///
    /// # Errors
    ///
    /// The first thing in it that is not lawful, or the first series too many; nothing behind it is read.
    pub(crate) fn parse(bytes: &[u8], most: usize) -> Result<Self, TextError> {
        let text = checked(bytes)?;
        let whole = text.strip_suffix('\n').unwrap_or(text);
        let lines = || (1..).zip(whole.split('\n'));
        let format = if lines().any(|(_, content)| content == END) {
            Format::OpenMetrics
        } else {
            Format::Prometheus
        };
        let last = lines().count();
        let is_cut = format == Format::Prometheus && whole.len() == text.len();
        let mut families = Families::new(format, most);
        for (line, content) in lines() {
            let read = if line == last && content == END {
                Ok(())
            } else if line == last && is_cut {
                Err("it does not end with a newline, so it may be cut off".into())
            } else {
                read(&mut families, line, content)
            };
            read.map_err(|fault| fault.at(line, last))?;
        }
        let families = families.finish()?;
        Ok(Self { families })
    }
}

impl Fault {
    fn at(self, line: usize, last: usize) -> TextError {
        match self {
            Self::Wrong(reason) => TextError { line, reason },
            Self::Foreign(what) => TextError {
                line: last,
                reason: format!(
                    "it ends without # EOF, though line {line} has {what}, which only OpenMetrics has"
                ),
            },
            Self::Before(error) => error,
        }
    }
}

fn read(families: &mut Families, line: usize, content: &str) -> Result<(), Fault> {
    let format = families.format();
    let content = match format {
        Format::OpenMetrics if content.is_empty() => {
            return Err("OpenMetrics has no empty lines".into());
        }
        Format::OpenMetrics if content == END => {
            return Err("nothing may stand behind # EOF".into());
        }
        Format::OpenMetrics => content,
        Format::Prometheus => content.trim_matches(BLANKS),
    };
    if content.is_empty() {
        Ok(())
    } else if content.starts_with('#') {
        families.metadata(line, line::metadata(format, content)?)
    } else {
        families.sample(line, line::sample(format, content)?)
    }
}

fn wrong(line: usize, reason: &str) -> TextError {
    let reason = reason.to_owned();
    TextError { line, reason }
}

/// Refuses what no line can be read of.
fn checked(bytes: &[u8]) -> Result<&str, TextError> {
    let newlines = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
    if bytes.is_empty() {
        return Err(wrong(1, "it is empty"));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        wrong(1 + newlines(before), "it is not UTF-8")
    })?;
    if text.starts_with('\u{feff}') {
        return Err(wrong(1, "it begins with a byte order mark"));
    }
    if let Some((before, _)) = text.split_once("\r\n") {
        let line = 1 + newlines(before.as_bytes());
        return Err(wrong(
            line,
            "it ends with CR LF; lines must end with LF alone",
        ));
    }
    Ok(text)
}
