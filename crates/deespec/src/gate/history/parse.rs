//! From the text of a history to its runs: lines are read one by one, put into order, and what is said of one run
//! in several lines is put together.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::rules::{Status, Term};
use super::{ACCEPT_SCHEMA, Accepted, History, HistoryError, RUN_SCHEMA, Run};

/// One line that says something.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) at: Option<Timestamp>,
    pub(super) said: Said,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Run(Run),
    Accepted(Accepted),
}

impl Line<'_> {
    /// The run that it is about.
    pub(super) fn run(&self) -> &str {
        match &self.said {
            Said::Run(run) => &run.id,
            Said::Accepted(accepted) => &accepted.run,
        }
    }
}

/// What every line has, and what tells its form.
#[derive(Deserialize)]
struct Short {
    schema: Option<String>,
    run: Name,
    value: Option<f64>,
    values: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`run` must be a whole number or a text")]
enum Name {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
struct Full {
    at: Option<String>,
    #[serde(default)]
    branch: String,
    #[serde(default)]
    host_class: String,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    epoch: String,
    #[serde(default)]
    values: BTreeMap<String, Option<f64>>,
}

#[derive(Deserialize)]
struct Acceptance {
    rule: String,
    reason: String,
    at: String,
}

impl History {
    /// Reads lines of JSON, each of them a run or an accepted level. `path` stands in the errors.
    ///
    /// Runs are in the order of their times, those of equal time in the order of the lines; a run without a time comes
    /// before all that have one. What several lines say of one run, which is one with the same name, branch and kind
    /// of machine, is put together: of each value the later line counts, of the time the first one; a line without a
    /// time is earlier than all that have one. A value that is `null` was not measured.
    ///
    /// A line that ends too early was left by a writer that was killed. It is passed over, and [`History::skipped`]
    /// says so.
    ///
    /// # Errors
    ///
    /// For the first line that is no run, or is of a newer schema.
    pub fn parse(text: &str, path: &Path) -> Result<Self, HistoryError> {
        let (mut lines, skipped) = lines(text, path)?;
        // Stable: equal times, and none, leave the order of the file.
        lines.sort_by_key(|line| line.at);
        let mut history = Self {
            skipped,
            ..Self::default()
        };
        let mut places: HashMap<(String, String, String), usize> = HashMap::new();
        // Of each run its first line with a time, or else its first one.
        let mut firsts: Vec<(bool, usize)> = Vec::new();
        let mut names = Names::default();
        for (index, line) in lines.into_iter().enumerate() {
            let first = (line.at.is_some(), index);
            match line.said {
                Said::Accepted(accepted) => history.accepted.push(accepted),
                Said::Run(run) => {
                    let run = names.spelled(run);
                    let key = (run.id.clone(), run.branch.clone(), run.host_class.clone());
                    let place = *places.entry(key).or_insert(history.runs.len());
                    match history.runs.get_mut(place) {
                        Some(earlier) => {
                            if earlier.at.is_none() && run.at.is_some() {
                                firsts[place] = first;
                            }
                            earlier.add(run);
                        }
                        None => {
                            history.runs.push(run);
                            firsts.push(first);
                        }
                    }
                }
            }
        }
        let mut runs: Vec<_> = firsts.into_iter().zip(history.runs).collect();
        runs.sort_by_key(|(first, _)| *first);
        history.runs = runs.into_iter().map(|(_, run)| run).collect();
        Ok(history)
    }
}

impl Run {
    /// Takes over what a later line says of the same run.
    fn add(&mut self, later: Self) {
        self.at = self.at.or(later.at);
        self.status = later.status;
        if !later.epoch.is_empty() {
            self.epoch = later.epoch;
        }
        self.values.extend(later.values);
        self.value = later.value.or(self.value);
    }
}

/// The one spelling of each metric. The same few names stand in every line, so each is parsed once.
#[derive(Default)]
struct Names(HashMap<String, Option<String>>);

impl Names {
    fn spelled(&mut self, mut run: Run) -> Run {
        for name in run.values.keys() {
            // A plain name has but one spelling.
            if name.contains(['.', '{', '(', ' ']) && !self.0.contains_key(name) {
                let spelled = Term::parse(name).ok().map(|term| term.to_string());
                let other = spelled.filter(|spelled| spelled != name);
                self.0.insert(name.clone(), other);
            }
        }
        let is_other = |name: &String| matches!(self.0.get(name), Some(Some(_)));
        if run.values.keys().any(is_other) {
            let spelled = |(name, value)| match self.0.get(&name) {
                Some(Some(other)) => (other.clone(), value),
                _ => (name, value),
            };
            run.values = run.values.into_iter().map(spelled).collect();
        }
        run
    }
}

/// The lines in their order, and what was passed over.
pub(super) fn lines<'a>(
    text: &'a str,
    path: &Path,
) -> Result<(Vec<Line<'a>>, Vec<String>), HistoryError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    let mut skipped = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        match line(text) {
            Ok(line) => lines.push(line),
            Err(_) if is_torn(text) => skipped.push(format!(
                "{}:{}: this line ends too early, as a writer leaves it that was killed; it was passed over",
                path.display(),
                index + 1
            )),
            Err(wrong) => return Err(wrong.at(path, index + 1)),
        }
    }
    Ok((lines, skipped))
}

/// Whether a write has ended within the line. A file system may have left zeros behind it.
fn is_torn(text: &str) -> bool {
    let is_short =
        |text: &str| serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof());
    // A number that lacks its last digits is wrong, and not short, to the parser.
    text.contains('\0') || is_short(text) || is_short(&format!("{text}0"))
}

/// What is wrong with a line.
enum Wrong {
    Json(serde_json::Error),
    Time(String),
    Schema(String),
}

impl From<serde_json::Error> for Wrong {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl Wrong {
    fn at(self, path: &Path, line: usize) -> HistoryError {
        let path = path.to_owned();
        match self {
            Self::Schema(found) => HistoryError::Schema { path, line, found },
            Self::Json(error) => {
                // The parser has seen but one line.
                let reason = error
                    .to_string()
                    .replace("expected f64", "expected a number")
                    .replace(" at line 1 column ", " at column ");
                HistoryError::Line { path, line, reason }
            }
            Self::Time(found) => {
                let reason = format!(
                    "`at` must be a time such as \"2026-11-28T10:00:00Z\", found {found:?}"
                );
                HistoryError::Line { path, line, reason }
            }
        }
    }
}

fn line(text: &str) -> Result<Line<'_>, Wrong> {
    let short: Short = serde_json::from_str(text)?;
    let id = match short.run {
        Name::Number(number) => number.to_string(),
        Name::Text(text) => text,
    };
    match short.schema.as_deref() {
        None if short.values.is_none() => Ok(Line {
            text,
            at: None,
            said: Said::Run(Run {
                id,
                value: short.value,
                ..Run::default()
            }),
        }),
        None | Some(RUN_SCHEMA) => {
            let full: Full = serde_json::from_str(text)?;
            let at = full.at.map(time).transpose()?;
            let measured = |(name, value): (_, Option<f64>)| Some((name, value?));
            Ok(Line {
                text,
                at,
                said: Said::Run(Run {
                    id,
                    at: at.map(seconds),
                    branch: full.branch,
                    host_class: full.host_class,
                    status: full.status,
                    epoch: full.epoch,
                    values: full.values.into_iter().filter_map(measured).collect(),
                    value: short.value,
                }),
            })
        }
        Some(ACCEPT_SCHEMA) => {
            let found: Acceptance = serde_json::from_str(text)?;
            let at = time(found.at)?;
            Ok(Line {
                text,
                at: Some(at),
                said: Said::Accepted(Accepted {
                    rule: found.rule,
                    run: id,
                    reason: found.reason,
                    at: at.to_string(),
                }),
            })
        }
        Some(found) => Err(Wrong::Schema(found.to_owned())),
    }
}

fn time(text: String) -> Result<Timestamp, Wrong> {
    text.parse().map_err(|_| Wrong::Time(text))
}

/// Seconds since 1970. A double holds microseconds until the year 2255.
fn seconds(at: Timestamp) -> f64 {
    at.as_microsecond() as f64 / 1e6
}
