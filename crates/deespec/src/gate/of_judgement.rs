//! The verdict of static thresholds as a report, so that each format can tell of them. The words and the verdicts are
//! those of the judgement; nothing is judged anew.

use super::report::{Evidence, Explanation, Outcome, REPORT_SCHEMA, Report};
use super::rules::{Labels, Rules};
use super::{Detail, DetailVerdict, Judgement, Measure, Verdict};

impl From<&Judgement> for Report {
    /// One explanation for each check, with the ids of [`Rules::of_thresholds`].
    ///
    /// ```
    /// use deespec::TransactionCounts;
    /// use deespec::gate::{Report, Thresholds};
    ///
    /// let counts = TransactionCounts { success: 8923, failed: 1077, conflicts: 85, recoveries: 2 };
    /// let report = Report::from(&Thresholds::default().judge(&counts, &[]));
    /// assert_eq!(report.rules[0].rule, "success-rate");
    /// assert_eq!(report.rules[0].sentence, "Success rate 89.23% is below threshold 95.00%");
    /// ```
    fn from(judgement: &Judgement) -> Self {
        let rules = Rules::of_thresholds(judgement.config());
        let source = judgement.config().source();
        let details = judgement.details();
        let explain = |detail: &Detail| {
            let id = detail.check.replace('_', "-");
            let rule = rules.rules.iter().find(|rule| rule.id == id);
            let (value, limit) = (number(detail.value), number(detail.limit));
            let worse_when_more = id != "success-rate";
            let margin = value
                .zip(limit)
                .map(|(value, limit)| match worse_when_more {
                    true => limit - value,
                    false => value - limit,
                });
            Explanation {
                kind: rule.map_or("limit", |rule| rule.kind.name()),
                verdict: outcome(detail.verdict),
                effect: match detail.verdict {
                    DetailVerdict::Pass => Verdict::Pass,
                    DetailVerdict::Fail => Verdict::Fail,
                    DetailVerdict::Warn | DetailVerdict::Insufficient => Verdict::Warn,
                },
                metric: rule.map(|rule| rule.metric.to_string()).unwrap_or_default(),
                labels: Labels::new(),
                value,
                unit: if worse_when_more { "" } else { "ratio" }.to_owned(),
                limit,
                margin,
                evidence: Evidence::default(),
                confirm: None,
                guard: (detail.verdict == DetailVerdict::Insufficient)
                    .then(|| "min_total_commits".to_owned()),
                hidden_by: None,
                moved_together: Vec::new(),
                eta: None,
                sentence: detail.message.clone(),
                next_step: None,
                why: None,
                runbook: None,
                fingerprint: super::judge::fingerprint(&[&id]),
                config_at: None,
                muted: None,
                recent: value.into_iter().collect(),
                rule: id,
            }
        };
        // What the details do not say is said of the store.
        let told = |warning: &&String| details.iter().all(|detail| detail.message != **warning);
        Self {
            schema: REPORT_SCHEMA,
            verdict: judgement.verdict(),
            checked_at: judgement.checked_at.clone(),
            config: source.map(|path| path.display().to_string()),
            run: None,
            history_runs: 0,
            problems: judgement.warnings().iter().filter(told).cloned().collect(),
            rules: details.iter().map(explain).collect(),
        }
    }
}

fn outcome(verdict: DetailVerdict) -> Outcome {
    match verdict {
        DetailVerdict::Pass => Outcome::Pass,
        DetailVerdict::Warn => Outcome::Warn,
        DetailVerdict::Fail => Outcome::Fail,
        DetailVerdict::Insufficient => Outcome::NoData,
    }
}

/// A share as a rule has it, from 0 to 1.
fn number(measure: Measure) -> Option<f64> {
    match measure {
        Measure::Count(count) => Some(count as f64),
        Measure::Percent(percent) => Some(percent / 100.0),
        Measure::Undefined => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Thresholds;
    use crate::snapshot::TransactionCounts;

    #[test]
    fn a_report_of_thresholds_says_what_the_judgement_says() {
        let counts = TransactionCounts {
            success: 3,
            failed: 0,
            conflicts: 101,
            recoveries: 9,
        };
        let problems = ["The store is degraded".to_owned()];
        let judgement = Thresholds::default().judge(&counts, &problems);
        let report = Report::from(&judgement);
        let found: Vec<_> = report
            .rules
            .iter()
            .map(|rule| (rule.rule.as_str(), rule.kind, rule.verdict, rule.margin))
            .collect();
        let margin = 1.0 - 0.95;
        assert_eq!(
            found,
            [
                ("success-rate", "ratio", Outcome::NoData, Some(margin)),
                ("cas-conflicts", "limit", Outcome::Fail, Some(-1.0)),
                ("recovery-count", "limit", Outcome::Warn, Some(1.0)),
            ]
        );
        assert_eq!(
            (report.verdict, report.problems),
            (Verdict::Fail, problems.to_vec())
        );
        let ids = Rules::of_thresholds(&Thresholds::default()).rules;
        assert!(
            ids.iter()
                .zip(&report.rules)
                .all(|(rule, told)| rule.id == told.rule)
        );
    }
}
