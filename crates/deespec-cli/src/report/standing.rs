//! What a rule counts as, in the few words that test reports have for it.

use deespec::gate::{Explanation, Outcome, Verdict};

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
