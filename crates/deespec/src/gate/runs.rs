//! The values of a metric over runs, read from lines of JSON. This room reads text that somebody else has opened.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The measurements of one metric, run by run, in the order of the file.
///
/// ```
/// use deespec::gate::Runs;
/// use std::path::Path;
///
/// let text = "{\"run\": 1, \"value\": 2.5}\n{\"run\": 2, \"value\": null}\n{\"run\": \"v3\", \"value\": 2.7}\n";
/// let runs = Runs::parse(text, Path::new("bench.jsonl"))?;
/// assert_eq!(runs.values(), [2.5, 2.7]);
/// assert_eq!((runs.place(1), runs.name(1)), (2, "v3"));
/// # Ok::<(), deespec::gate::RunsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Runs {
    values: Vec<f64>,
    places: Vec<usize>,
    names: Vec<String>,
    lines: usize,
}

/// Why a history of runs cannot be read. The message names the file and the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// A line is no JSON object with `run` and `value`.
    #[error("{}: line {line} is no run, such as {{\"run\": 7, \"value\": 1.5}}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Line {
    run: Name,
    value: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`run` must be a whole number or a text")]
enum Name {
    Number(u64),
    Text(String),
}

impl Runs {
    /// Reads a line of JSON for each run. A run whose value is `null` was not measured and is passed over; keys
    /// besides `run` and `value` are, too.
    ///
    /// # Errors
    ///
    /// [`RunsError::Line`] for the first line that is no run.
    pub fn parse(text: &str, path: &Path) -> Result<Self, RunsError> {
        let mut runs = Self::default();
        for (index, text) in text.lines().enumerate() {
            if text.trim().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_str(text).map_err(|error| RunsError::Line {
                path: path.to_owned(),
                line: index + 1,
                reason: without_line(&error),
            })?;
            if let Some(value) = line.value {
                runs.values.push(value);
                runs.places.push(runs.lines);
                runs.names.push(match line.run {
                    Name::Number(number) => number.to_string(),
                    Name::Text(text) => text,
                });
            }
            runs.lines += 1;
        }
        Ok(runs)
    }

    /// What was measured, in the unit of the metric.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Which of all runs, counted from 0, the value at this index is of: later by those that were not measured.
    /// For the index behind the last one, how many runs there are.
    pub fn place(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or(self.lines)
    }

    /// What the run of the value at this index is called; empty where there is none.
    pub fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// How many runs were not measured.
    pub fn missing(&self) -> usize {
        self.lines - self.values.len()
    }
}

/// The parser's words with the column alone: it has seen but one line.
fn without_line(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace(" at line 1 column ", " at column ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_run_is_named() {
        for (text, line, part) in [
            ("{\"run\": 1, \"value\": 1}\n\n{\"run\": 2}x", 3, "trailing"),
            ("{\"value\": 1}", 1, "run"),
            ("{\"run\": 1, \"value\": \"fast\"}", 1, "invalid type"),
            ("{\"run\": 1, \"value\": 1e999}", 1, "out of range"),
            ("{\"run\": 1.5, \"value\": 1}", 1, "whole number or a text"),
            ("[]", 1, "invalid"),
        ] {
            let error = Runs::parse(text, Path::new("h.jsonl"))
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with(&format!("h.jsonl: line {line} ")) && error.contains(part),
                "{error}"
            );
        }
    }

    #[test]
    fn nothing_is_no_runs() {
        let runs = Runs::parse("\n", Path::new("h.jsonl")).unwrap();
        assert_eq!(
            (runs.values().len(), runs.missing(), runs.place(0)),
            (0, 0, 0)
        );
    }
}
