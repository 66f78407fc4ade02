//! What a rule counts as, in the few words that test reports have for it.

use deespec::gate::{Explanation, Outcome, Report, Verdict};

/// How a rule stands where a format knows of passing, failing and skipping only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Passed,
    Warned,
    Failed,
    /// It could not judge, and that does not count as a failure.
    Skipped,
    /// It would say something, and somebody asked it not to.
    Muted,
}

/// The report with what its rules count as in the whole: with `fail_on = "warn"` the warning of a rule is what the
/// gate fails for, and with `fail_on = "never"` nothing is. Otherwise a test report would pass where the gate fails.
pub(super) fn counted(report: &Report) -> Report {
    let worst = report.rules.iter().map(|rule| rule.effect).max();
    let mut counted = report.clone();
    for rule in &mut counted.rules {
        if Some(rule.effect) == worst && rule.effect != Verdict::Pass {
            rule.effect = report.verdict;
        }
    }
    counted
}

/// A rule that could not judge has not passed, whatever the policy makes of it: it is skipped, or it fails.
pub(super) fn standing(rule: &Explanation) -> Standing {
    match (rule.effect, rule.verdict) {
        (_, verdict) if rule.muted.is_some() && verdict != Outcome::Pass => Standing::Muted,
        (Verdict::Fail, _) => Standing::Failed,
        (_, Outcome::NoData | Outcome::Inconclusive) => Standing::Skipped,
        (Verdict::Warn, _) => Standing::Warned,
        (Verdict::Pass, _) => Standing::Passed,
    }
}

/// The rules that count and are not hidden by another, the worst first, and those alike as in the file.
pub(super) fn worst_first(rules: &[Explanation]) -> Vec<&Explanation> {
    let mut counted: Vec<&Explanation> = rules
        .iter()
        .filter(|rule| rule.effect != Verdict::Pass && rule.hidden_by.is_none())
        .collect();
    counted.sort_by_key(|rule| std::cmp::Reverse((rule.effect, rule.verdict.severity())));
    counted
}
