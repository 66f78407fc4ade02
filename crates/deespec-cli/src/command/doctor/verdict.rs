//! The verdict of the gate on what the doctor looked at: by the rules of a `gate.toml`, or by thresholds.

use std::borrow::Cow;
use std::path::Path;

use deespec::gate::{Explanation, Judgement, Level, LogLine, Outcome, Report, Rules, Verdict};
use deespec::{Store, TransactionCounts};
use serde::Serialize;

use super::Examination;
use crate::command::gate::configuration::InForce;
use crate::command::gate::judging::{self, Present};
use crate::exit::Failure;

/// What the gate says.
pub(crate) enum Judged {
    Thresholds(Judgement),
    Rules { report: Report, summary: Summary },
}

/// The `thresholds` object of a verdict by rules: what a script reads, whatever the gate judged by.
#[derive(Serialize)]
pub(crate) struct Summary {
    passed: bool,
    checked_at: Option<String>,
    verdict: Verdict,
    config: Config,
    failed_checks: Vec<String>,
    warnings: Vec<String>,
    success_rate: Option<f64>,
    total_commits: u64,
    details: Vec<Detail>,
}

#[derive(Serialize)]
struct Config {
    source: Option<String>,
}

/// A rule in the words of a check.
#[derive(Serialize)]
struct Detail {
    check: String,
    kind: &'static str,
    value: Option<f64>,
    limit: Option<f64>,
    /// How far the value is within the limit; negative beyond it.
    margin: Option<f64>,
    verdict: Outcome,
    message: String,
}

/// The verdict on what was looked at, now.
pub(crate) fn judge(
    in_force: &InForce,
    store: &Store,
    examined: &Examination,
    present: &Present,
) -> Result<Judged, Failure> {
    match in_force {
        InForce::Thresholds(thresholds) => {
            let mut judgement = thresholds.judge(&examined.view.transactions, &examined.problems);
            judgement.checked_at = Some(format!("{:.0}", jiff::Timestamp::now()));
            Ok(Judged::Thresholds(judgement))
        }
        InForce::Rules(rules) => by_rules(rules, store, examined, present),
    }
}

fn by_rules(
    rules: &Rules,
    store: &Store,
    examined: &Examination,
    present: &Present,
) -> Result<Judged, Failure> {
    let report = judging::judge(rules, store, &examined.view, present, &examined.problems)?;
    Ok(summed_up(report, &examined.view.transactions))
}

/// The verdict of rules for which no store means no data.
pub(super) fn without_store(
    rules: &Rules,
    path: &Path,
    present: &Present,
) -> Result<Judged, Failure> {
    let report = judging::without_store(rules, path, present)?;
    Ok(summed_up(report, &TransactionCounts::default()))
}

fn summed_up(report: Report, counts: &TransactionCounts) -> Judged {
    let of = |effect: Verdict| {
        let rules = report
            .rules
            .iter()
            .filter(move |rule| rule.effect == effect);
        rules.map(|rule| format!("{}: {}", rule.rule, rule.sentence))
    };
    let detail = |rule: &Explanation| Detail {
        check: rule.rule.clone(),
        kind: rule.kind,
        value: rule.value,
        limit: rule.limit,
        margin: rule.margin,
        verdict: rule.verdict,
        message: rule.sentence.clone(),
    };
    let summary = Summary {
        passed: report.verdict != Verdict::Fail,
        checked_at: report.checked_at.clone(),
        verdict: report.verdict,
        config: Config {
            source: report.config.clone(),
        },
        failed_checks: of(Verdict::Fail).collect(),
        warnings: of(Verdict::Warn)
            .chain(report.problems.iter().cloned())
            .collect(),
        success_rate: counts.success_rate_percent(),
        total_commits: counts.total_commits(),
        details: report.rules.iter().map(detail).collect(),
    };
    Judged::Rules { report, summary }
}

impl Judged {
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Thresholds(judgement) => judgement.verdict(),
            Self::Rules { report, .. } => report.verdict,
        }
    }

    /// As each format tells it.
    pub(crate) fn report(&self) -> Cow<'_, Report> {
        match self {
            Self::Thresholds(judgement) => Cow::Owned(Report::from(judgement)),
            Self::Rules { report, .. } => Cow::Borrowed(report),
        }
    }

    /// One line with the outcome, then one for each failure and each warning.
    pub(crate) fn log_lines(&self) -> Vec<LogLine> {
        let (report, summary) = match self {
            Self::Thresholds(judgement) => return judgement.log_lines(),
            Self::Rules { report, summary } => (report, summary),
        };
        let is_failed = report.verdict == Verdict::Fail;
        let (level, message) = match is_failed {
            true => (Level::Error, "Gate check failed"),
            false => (Level::Info, "Gate check passed"),
        };
        let mut lines = vec![LogLine {
            level,
            message: message.to_owned(),
            fields: vec![
                ("rules", report.rules.len().to_string()),
                ("failures", summary.failed_checks.len().to_string()),
                ("warnings", summary.warnings.len().to_string()),
            ],
        }];
        let mut add = |level, kind: &str, messages: &[String]| {
            lines.extend(messages.iter().map(|message| LogLine {
                level,
                message: format!("Gate {kind}: {message}"),
                fields: Vec::new(),
            }));
        };
        add(Level::Error, "failure", &summary.failed_checks);
        add(Level::Warn, "warning", &summary.warnings);
        lines
    }
}
