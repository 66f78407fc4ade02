//! What the static thresholds say, as a report: who has no `gate.toml` gets the same forms.

use deespec::gate::{
    Detail, DetailVerdict, Evidence, Explanation, Judgement, Labels, Measure, Outcome,
    REPORT_SCHEMA, Report, Verdict,
};

use super::words::hash;

/// The same verdict in the words of rules, with the ids that `deespec gate rules` gives them.
pub(crate) fn of_judgement(judgement: &Judgement) -> Report {
    let details = judgement.details();
    let is_told = |warning: &&String| details.iter().any(|detail| detail.message == **warning);
    let problems = judgement.warnings().iter();
    let problems = problems.filter(|warning| !is_told(warning)).cloned();
    let source = judgement.config().source();
    Report {
        schema: REPORT_SCHEMA,
        verdict: judgement.verdict(),
        checked_at: judgement.checked_at.clone(),
        config: source.map(|path| path.display().to_string()),
        run: None,
        history_runs: 0,
        problems: problems.collect(),
        rules: details
            .iter()
            .map(|detail| explained(detail, judgement.total_commits()))
            .collect(),
    }
}

fn explained(detail: &Detail, total: u64) -> Explanation {
    let is_share = detail.check == "success_rate";
    let (kind, metric) = if is_share {
        ("ratio", "commit_success / (commit_success + commit_failed)")
    } else {
        ("limit", detail.check)
    };
    let (verdict, effect) = match detail.verdict {
        DetailVerdict::Pass => (Outcome::Pass, Verdict::Pass),
        DetailVerdict::Warn => (Outcome::Warn, Verdict::Warn),
        DetailVerdict::Fail => (Outcome::Fail, Verdict::Fail),
        DetailVerdict::Insufficient => (Outcome::NoData, Verdict::Warn),
    };
    let [value, limit] = [detail.value, detail.limit].map(number);
    let rule = detail.check.replace('_', "-");
    // A share is bad where it is low, the others where they are high.
    let sign = if is_share { -1.0 } else { 1.0 };
    Explanation {
        fingerprint: hash(&rule),
        rule,
        kind,
        verdict,
        effect,
        metric: metric.to_owned(),
        labels: Labels::new(),
        value,
        unit: String::new(),
        limit,
        margin: value
            .zip(limit)
            .map(|(value, limit)| sign * (limit - value)),
        evidence: Evidence {
            n: is_share.then_some(total),
            ..Evidence::default()
        },
        confirm: None,
        guard: None,
        hidden_by: None,
        moved_together: Vec::new(),
        eta: None,
        sentence: detail.message.clone(),
        next_step: None,
        why: None,
        runbook: None,
        config_at: None,
        muted: None,
        recent: value.into_iter().collect(),
    }
}

fn number(measure: Measure) -> Option<f64> {
    match measure {
        // Beyond 2^53 the last digits are lost; the sentence has them all.
        Measure::Count(count) => Some(count as f64),
        Measure::Percent(percent) => Some(percent / 100.0),
        Measure::Undefined => None,
    }
}
