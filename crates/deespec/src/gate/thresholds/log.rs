//! Log lines as data: what a judgement has to say, for the caller to print as text or JSON.
//!
//! This room knows the form of a line, `LEVEL: message key=value …`, and what the lines of a
//! judgement are. It prints nothing.

use super::judgement::Judgement;
use crate::gate::Verdict;
use std::fmt::{self, Write as _};

/// How serious a log line is.
///
/// # Examples
///
/// ```
/// use deespec::gate::Level;
///
/// assert_eq!(Level::Warn.to_string(), "WARN");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing to do.
    Info,
    /// Someone should look.
    Warn,
    /// The gate fails because of this.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        })
    }
}

/// One log line. `Display` renders it as `LEVEL: message key=value …`, always one line:
/// control characters are shown as escapes.
///
/// # Examples
///
/// ```
/// use deespec::gate::{Level, LogLine};
///
/// let line = LogLine {
///     level: Level::Info,
///     message: "Metrics threshold check passed".to_owned(),
///     fields: vec![("total_commits", "1000".to_owned())],
/// };
/// assert_eq!(line.to_string(), "INFO: Metrics threshold check passed total_commits=1000");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How serious it is.
    pub level: Level,
    /// The sentence, without fields.
    pub message: String,
    /// Keys and values in the order in which they are shown.
    pub fields: Vec<(&'static str, String)>,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.level)?;
        on_one_line(f, &self.message)?;
        for (key, value) in &self.fields {
            write!(f, " {key}=")?;
            on_one_line(f, value)?;
        }
        Ok(())
    }
}

fn on_one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            // The two separators end a line for some readers, though they are no controls.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                write!(f, "{}", c.escape_default())?;
            }
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

impl Judgement {
    /// What to log: one line with the outcome, then one per failure and one per warning.
    ///
    /// The first line is of level `Error` exactly when the gate fails. A judgement with warnings
    /// and no failure starts with the line that says *passed*, and the warnings follow.
    ///
    /// # Examples
    ///
    /// ```
    /// use deespec::gate::Thresholds;
    /// use deespec::TransactionCounts;
    ///
    /// let counts = TransactionCounts { success: 975, failed: 25, conflicts: 85, recoveries: 0 };
    /// let lines = Thresholds::default().judge(&counts, &[]).log_lines();
    /// let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    /// assert_eq!(text, [
    ///     "INFO: Metrics threshold check passed success_rate=97.50% total_commits=1000",
    ///     "WARN: Threshold warning: CAS conflicts 85 approaching threshold 100",
    /// ]);
    /// ```
    pub fn log_lines(&self) -> Vec<LogLine> {
        let failed = self.verdict() == Verdict::Fail;
        let fields = if failed {
            vec![
                ("checks", self.failed_checks().len().to_string()),
                ("warnings", self.warnings().len().to_string()),
            ]
        } else if self.config().enabled() {
            let rate = self.success_rate_text();
            vec![
                (
                    "success_rate",
                    rate.map_or_else(|| "n/a".to_owned(), |rate| format!("{rate}%")),
                ),
                ("total_commits", self.total_commits().to_string()),
            ]
        } else {
            vec![]
        };
        let level = if failed { Level::Error } else { Level::Info };
        let mut lines = vec![LogLine {
            level,
            message: self.summary().to_owned(),
            fields,
        }];
        let mut add = |level, kind: &str, messages: &[String]| {
            lines.extend(messages.iter().map(|message| LogLine {
                level,
                message: format!("Threshold {kind}: {message}"),
                fields: vec![],
            }));
        };
        add(Level::Error, "failure", self.failed_checks());
        add(Level::Warn, "warning", self.warnings());
        lines
    }
}

#[cfg(test)]
mod tests {
    use crate::gate::Thresholds;
    use crate::snapshot::TransactionCounts;
    use std::path::Path;

    fn lines(config: &str, counts: [u64; 4], caveats: &[&str]) -> Vec<String> {
        let [success, failed, conflicts, recoveries] = counts;
        let caveats: Vec<String> = caveats.iter().map(ToString::to_string).collect();
        Thresholds::parse(config, Path::new("t.json"))
            .unwrap()
            .judge(
                &TransactionCounts {
                    success,
                    failed,
                    conflicts,
                    recoveries,
                },
                &caveats,
            )
            .log_lines()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_pass_is_one_line_with_the_rate_and_the_number_of_commits() {
        assert_eq!(
            lines("{}", [975, 25, 0, 0], &[]),
            ["INFO: Metrics threshold check passed success_rate=97.50% total_commits=1000"]
        );
    }

    #[test]
    fn a_failure_is_counted_and_then_explained() {
        assert_eq!(
            lines("{}", [8_923, 1_077, 0, 0], &[]),
            [
                "ERROR: Metrics threshold check failed checks=1 warnings=0",
                "ERROR: Threshold failure: Success rate 89.23% is below threshold 95.00%",
            ]
        );
    }

    #[test]
    fn failures_come_before_warnings_and_both_are_counted() {
        assert_eq!(
            lines("{}", [8_923, 1_077, 85, 11], &["2 entries were skipped"]),
            [
                "ERROR: Metrics threshold check failed checks=2 warnings=2",
                "ERROR: Threshold failure: Success rate 89.23% is below threshold 95.00%",
                "ERROR: Threshold failure: Recovery count 11 exceeds threshold 10",
                "WARN: Threshold warning: CAS conflicts 85 approaching threshold 100",
                "WARN: Threshold warning: 2 entries were skipped",
            ]
        );
    }

    #[test]
    fn warnings_alone_follow_the_line_that_says_passed() {
        assert_eq!(
            lines("{}", [1, 1, 0, 0], &[]),
            [
                "INFO: Metrics threshold check passed success_rate=50.00% total_commits=2",
                "WARN: Threshold warning: Insufficient data: 2 commits, 5 needed to judge the success rate",
            ]
        );
    }

    #[test]
    fn without_commits_the_rate_is_not_available() {
        assert_eq!(
            lines("{}", [0; 4], &[])[0],
            "INFO: Metrics threshold check passed success_rate=n/a total_commits=0"
        );
    }

    #[test]
    fn the_logged_rate_is_never_rounded_up_to_perfection() {
        assert_eq!(
            lines("{}", [999_999, 1, 0, 0], &[]),
            ["INFO: Metrics threshold check passed success_rate=99.9999% total_commits=1000000"]
        );
    }

    #[test]
    fn a_disabled_gate_says_so_and_still_lists_the_caveats() {
        let off = r#"{"enabled": false}"#;
        assert_eq!(
            lines(off, [0, 9, 999, 99], &[]),
            ["INFO: Metrics threshold check disabled"]
        );
        assert_eq!(
            lines(off, [0; 4], &["the store is degraded"]),
            [
                "INFO: Metrics threshold check disabled",
                "WARN: Threshold warning: the store is degraded",
            ]
        );
    }

    #[test]
    fn a_caveat_with_a_line_break_cannot_forge_a_second_line() {
        assert_eq!(
            lines(
                "{}",
                [9, 0, 0, 0],
                &["bad name \"a\nINFO: é\u{1b}\u{2028}\u{2029}\""]
            )[1],
            "WARN: Threshold warning: bad name \"a\\nINFO: é\\u{1b}\\u{2028}\\u{2029}\""
        );
    }
}
