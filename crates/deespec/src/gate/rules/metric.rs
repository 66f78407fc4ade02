//! What a rule judges: a metric by its name, a part of it, its rate, or the share of two.

use std::fmt;

use super::Labels;

/// What a rule judges.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// One value.
    One(Term),
    /// The share of good ones: good / (good + bad).
    Share {
        /// What went well.
        good: Term,
        /// What did not.
        bad: Term,
    },
}

impl Metric {
    /// Its terms: one, or the two of a share.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        let (first, second) = match self {
            Self::One(term) => (term, None),
            Self::Share { good, bad } => (good, Some(bad)),
        };
        std::iter::once(first).chain(second)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(term) => term.fmt(f),
            Self::Share { good, bad } => write!(f, "{good} / ({good} + {bad})"),
        }
    }
}

/// One value of a view or of a run: `NAME`, `NAME.p99`, `NAME{label="value"}`, `rate(NAME)`.
///
/// ```
/// use deespec::gate::{Part, Term};
///
/// let term = Term::parse("rate(jobs_total{kind=\"nightly\"})")?;
/// assert_eq!((term.name.as_str(), term.rate), ("jobs_total", true));
/// assert_eq!(term.labels["kind"], "nightly");
/// assert_eq!(Term::parse("commit_seconds.p99")?.part, Part::Quantile(0.99));
/// assert_eq!(term.to_string(), "rate(jobs_total{kind=\"nightly\"})");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The metric's name.
    pub name: String,
    /// The labels that its series must have; all series where there is none.
    pub labels: Labels,
    /// Which part of it.
    pub part: Part,
    /// Whether it is divided by the seconds of the epoch.
    pub rate: bool,
    /// All of that as one text: runs know their values by it.
    text: String,
}

/// Which part of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    /// The value of a counter or a gauge; of a histogram, the mean.
    Value,
    /// How many a histogram has observed.
    Count,
    /// The sum of what a histogram has observed.
    Sum,
    /// The mean of what a histogram has observed.
    Mean,
    /// A quantile of a histogram, from 0 to 1.
    Quantile(f64),
}

impl Term {
    /// A counter of this name, which is a lawful one.
    pub(super) fn counter(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            labels: Labels::new(),
            part: Part::Value,
            rate: false,
            text: name.to_owned(),
        }
    }

    /// Reads a term.
    ///
    /// # Errors
    ///
    /// What is wrong, in words that begin with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let inner = text
            .trim()
            .strip_prefix("rate(")
            .and_then(|rest| rest.strip_suffix(')'));
        let rate = inner.is_some();
        let inner = inner.unwrap_or(text).trim();
        let (inner, labels) = match inner.split_once('{') {
            None => (inner.to_owned(), Labels::new()),
            Some((name, rest)) => {
                let (labels, part) = selected(rest).ok_or_else(|| {
                    format!("{text:?}: labels are written as NAME{{key=\"value\"}}")
                })?;
                (format!("{name}{part}"), labels)
            }
        };
        let (name, part) = match inner.split_once('.') {
            None => (inner.as_str(), Part::Value),
            Some((name, part)) => {
                let part = Part::parse(part).ok_or_else(|| {
                    format!(
                        "{text:?}: the part behind the dot must be count, sum, mean or a quantile \
                         such as p99, found {part:?}"
                    )
                })?;
                (name, part)
            }
        };
        let first = name.chars().next();
        let is_name = first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        if !is_name {
            return Err(format!(
                "{text:?}: a metric is NAME, NAME.p99, NAME{{key=\"value\"}} or rate(NAME), and a name has letters, digits, _ and :"
            ));
        }
        let mut term = Self {
            name: name.to_owned(),
            labels,
            part,
            rate,
            text: String::new(),
        };
        term.text = term.to_text();
        Ok(term)
    }

    /// The term as one text, always spelled alike: runs know their values by it.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn to_text(&self) -> String {
        let mut text = self.name.clone();
        if !self.labels.is_empty() {
            // The three characters that Prometheus escapes, and no other.
            let escaped = |value: &str| {
                value
                    .replace('\\', "\\\\")
                    .replace('"', "\\\"")
                    .replace('\n', "\\n")
            };
            let pairs = self
                .labels
                .iter()
                .map(|(key, value)| format!("{key}=\"{}\"", escaped(value)));
            text += &format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
        }
        match self.part {
            Part::Value => {}
            Part::Count => text += ".count",
            Part::Sum => text += ".sum",
            Part::Mean => text += ".mean",
            // 0.999 is p99.9: rounded, since 100 times a fraction seldom is a short one.
            Part::Quantile(q) => text += &format!(".p{}", (q * 1e8).round() / 1e6),
        }
        match self.rate {
            true => format!("rate({text})"),
            false => text,
        }
    }
}

/// The labels before a `}`, and what stands behind it.
fn selected(text: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind.trim()));
        }
        let (key, value) = rest.split_once('=')?;
        let value = value.trim_start().strip_prefix('"')?;
        let mut unescaped = String::new();
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next()? {
                (_, '\\') => match chars.next()?.1 {
                    'n' => unescaped.push('\n'),
                    other => unescaped.push(other),
                },
                (place, '"') => break place,
                (_, other) => unescaped.push(other),
            }
        };
        if key.trim().is_empty() || labels.insert(key.trim().to_owned(), unescaped).is_some() {
            return None;
        }
        rest = value[end + 1..].trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "count" => Some(Self::Count),
            "sum" => Some(Self::Sum),
            "mean" => Some(Self::Mean),
            _ => {
                let digits = text.strip_prefix('p')?;
                let is_number = !digits.is_empty()
                    && digits.len() <= 8
                    && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
                // Behind two digits a fraction follows, as in p999; p100 is the largest.
                let percent: f64 = match digits {
                    "100" => 100.0,
                    _ if is_number && digits.len() > 2 && !digits.contains('.') => {
                        format!("{}.{}", &digits[..2], &digits[2..]).parse().ok()?
                    }
                    _ if is_number => digits.parse().ok()?,
                    _ => return None,
                };
                (percent <= 100.0).then_some(Self::Quantile(percent / 100.0))
            }
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        for text in [
            "commits",
            "commit_seconds.p99",
            "commit_seconds.p99.9",
            "commit_seconds.p5",
            "commit_seconds.mean",
            "rate(jobs_total)",
            "jobs{a=\"b\",c=\"d e\"}.count",
            "jobs{a=\"\\\"\\\\\\n\t}\"}",
        ] {
            let term = Term::parse(text).unwrap();
            assert_eq!(term.to_string(), text);
            assert_eq!(Term::parse(&term.to_string()).unwrap(), term);
        }
        assert_eq!(Term::parse("x.p999").unwrap().to_string(), "x.p99.9");
        assert_eq!(Term::parse("x.p100").unwrap().part, Part::Quantile(1.0));
        assert!(Term::parse("x{}").unwrap().labels.is_empty());
    }

    #[test]
    fn what_is_no_term_is_refused_with_its_text() {
        for text in [
            "",
            "9x",
            "a b",
            "x.p",
            "x.p101.0",
            "x.max",
            "x{a}",
            "x{a=b}",
            "x{a=\"b\"",
            "x{a=\"b\" c=\"d\"}",
            "x{a=\"b\",a=\"c\"}",
            "rate(x",
            "rate(rate(x))",
            "x.p9\u{663}",
        ] {
            let error = Term::parse(text).unwrap_err();
            assert!(error.starts_with(&format!("{text:?}: ")), "{error}");
        }
    }
}
