//! The rules, and what comes out of applying them: one verdict with its reasons.
//!
//! This room compares counts with limits in exact arithmetic and words the outcome. It may touch
//! the counts of `crate::snapshot`, the thresholds and `percent`.

use super::Thresholds;
use super::percent::{Decimal, Share};
use crate::gate::Verdict;
use crate::snapshot::TransactionCounts;
use serde::{Serialize, Serializer};
use std::cmp::Ordering;

/// How far above the limit, in points of percent, a success rate must be to give no warning.
const RATE_MARGIN: u128 = 2;

impl Thresholds {
    /// Judges `counts`, which a caller has read from a view or a snapshot.
    ///
    /// | | fail | warn |
    /// |---|---|---|
    /// | success rate | below the limit | less than 2 points above it, except at 100 % |
    /// | conflicts, recoveries | above the maximum | above 80 % of it |
    ///
    /// Comparisons are exact: a limit of 94.9 means 94.9, and a rate that equals it passes. With
    /// fewer commits than the minimum, or none at all, the success rate is not judged and that is
    /// a warning. Each of `caveats`, the reasons why the data may be incomplete, is a warning too.
    /// A gate that is not enabled makes no check and passes, whatever the caveats.
    ///
    /// # Examples
    ///
    /// ```
    /// use deespec::gate::{Thresholds, Verdict};
    /// use deespec::TransactionCounts;
    ///
    /// let thresholds = Thresholds::default();
    /// let counts = TransactionCounts { success: 100, failed: 0, conflicts: 0, recoveries: 0 };
    /// assert_eq!(thresholds.judge(&counts, &[]).verdict(), Verdict::Pass);
    ///
    /// let caveats = ["1 entry of the registry was skipped".to_owned()];
    /// assert_eq!(thresholds.judge(&counts, &caveats).verdict(), Verdict::Warn);
    /// ```
    pub fn judge(&self, counts: &TransactionCounts, caveats: &[String]) -> Judgement {
        let rate = Rate::new(self, counts);
        let details = if self.enabled() {
            let (conflicts, recoveries) = (counts.conflicts, counts.recoveries);
            vec![
                rate.judge(self),
                maximum(&CONFLICTS, conflicts, self.max_cas_conflicts()),
                maximum(&RECOVERIES, recoveries, self.max_recovery_count()),
            ]
        } else {
            vec![]
        };
        let messages = |of: Verdict| {
            let matching = details
                .iter()
                .filter(move |detail| detail.verdict.weight() == of);
            matching
                .map(|detail| detail.message.clone())
                .collect::<Vec<_>>()
        };
        let failed_checks = messages(Verdict::Fail);
        let mut warnings = messages(Verdict::Warn);
        warnings.extend_from_slice(caveats);

        let verdict = if !failed_checks.is_empty() {
            Verdict::Fail
        } else if self.enabled() && !warnings.is_empty() {
            Verdict::Warn
        } else {
            Verdict::Pass
        };
        Judgement {
            passed: verdict != Verdict::Fail,
            checked_at: None,
            verdict,
            config: self.clone(),
            failed_checks,
            warnings,
            success_rate: counts.success_rate_percent(),
            total_commits: counts.total_commits(),
            details,
            success_rate_text: rate.share.map(|share| share.text(&rate.marks)),
        }
    }
}

/// The outcome of [`Thresholds::judge`]. It serialises as the `thresholds` object of
/// `deespec doctor --json`.
///
/// The gate has no clock: set [`checked_at`](Self::checked_at) before serialising.
///
/// # Examples
///
/// ```
/// use deespec::gate::Thresholds;
/// use deespec::TransactionCounts;
///
/// let counts = TransactionCounts { success: 99, failed: 1, conflicts: 0, recoveries: 0 };
/// let mut judgement = Thresholds::default().judge(&counts, &[]);
/// judgement.checked_at = Some("2026-11-23T07:08:09Z".to_owned());
/// assert!(judgement.passed());
/// assert_eq!(judgement.success_rate(), Some(99.0));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    passed: bool,
    /// When the counts were judged, in RFC 3339; the caller fills it in. `null` in JSON until then.
    pub checked_at: Option<String>,
    verdict: Verdict,
    config: Thresholds,
    failed_checks: Vec<String>,
    warnings: Vec<String>,
    success_rate: Option<f64>,
    total_commits: u64,
    details: Vec<Detail>,
    #[serde(skip)]
    success_rate_text: Option<String>,
}

impl Judgement {
    /// Whether no limit is broken. A judgement that warns has passed too: see
    /// [`verdict`](Self::verdict).
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// Pass, warn or fail.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The outcome in one sentence: `Metrics threshold check passed`, `… failed` or `… disabled`.
    pub fn summary(&self) -> &'static str {
        if !self.config.enabled() {
            "Metrics threshold check disabled"
        } else if self.passed {
            "Metrics threshold check passed"
        } else {
            "Metrics threshold check failed"
        }
    }

    /// The thresholds that were applied.
    pub fn config(&self) -> &Thresholds {
        &self.config
    }

    /// One message per broken limit.
    pub fn failed_checks(&self) -> &[String] {
        &self.failed_checks
    }

    /// One message per limit that is near, one if data are insufficient, then the caveats.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The success rate in percent; `None` without commits. There also when it was not judged.
    pub fn success_rate(&self) -> Option<f64> {
        self.success_rate
    }

    /// The success rate as people should see it, without the percent sign: two digits after the
    /// point, or as many more as keep it apart from the limit and from 100.
    pub fn success_rate_text(&self) -> Option<&str> {
        self.success_rate_text.as_deref()
    }

    /// The number of commits, good and bad.
    pub fn total_commits(&self) -> u64 {
        self.total_commits
    }

    /// One entry per check, in fixed order: success rate, conflicts, recoveries. Empty when the
    /// gate is disabled.
    pub fn details(&self) -> &[Detail] {
        &self.details
    }
}

/// One check of a judgement.
///
/// # Examples
///
/// ```
/// use deespec::gate::{DetailVerdict, Measure, Thresholds};
/// use deespec::TransactionCounts;
///
/// let counts = TransactionCounts { success: 9, failed: 0, conflicts: 101, recoveries: 0 };
/// let judgement = Thresholds::default().judge(&counts, &[]);
/// let detail = &judgement.details()[1];
/// assert_eq!(detail.check, "cas_conflicts");
/// assert_eq!(detail.value, Measure::Count(101));
/// assert_eq!(detail.verdict, DetailVerdict::Fail);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Detail {
    /// Which check: `success_rate`, `cas_conflicts` or `recovery_count`.
    pub check: &'static str,
    /// What was measured.
    pub value: Measure,
    /// What it was compared with.
    pub limit: Measure,
    /// The outcome of this check alone.
    pub verdict: DetailVerdict,
    /// The outcome in words.
    pub message: String,
}

/// The outcome of one check.
///
/// # Examples
///
/// ```
/// use deespec::gate::{DetailVerdict, Thresholds};
/// use deespec::TransactionCounts;
///
/// let counts = TransactionCounts { success: 1, failed: 1, conflicts: 0, recoveries: 0 };
/// let judgement = Thresholds::default().judge(&counts, &[]);
/// assert_eq!(judgement.details()[0].verdict, DetailVerdict::Insufficient);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DetailVerdict {
    /// Well within the limit.
    Pass,
    /// Within the limit, but near it.
    Warn,
    /// The limit is broken.
    Fail,
    /// Not judged: too little data. A judgement counts this as a warning.
    Insufficient,
}

impl DetailVerdict {
    fn weight(self) -> Verdict {
        match self {
            Self::Pass => Verdict::Pass,
            Self::Warn | Self::Insufficient => Verdict::Warn,
            Self::Fail => Verdict::Fail,
        }
    }
}

/// A measured value or its limit. In JSON a number, or `null`.
///
/// # Examples
///
/// ```
/// use deespec::gate::{Measure, Thresholds};
/// use deespec::TransactionCounts;
///
/// let counts = TransactionCounts { success: 0, failed: 0, conflicts: 3, recoveries: 0 };
/// let judgement = Thresholds::default().judge(&counts, &[]);
/// assert_eq!(judgement.details()[0].value, Measure::Undefined);
/// assert_eq!(judgement.details()[0].limit, Measure::Percent(95.0));
/// assert_eq!(judgement.details()[1].value, Measure::Count(3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// How many.
    Count(u64),
    /// A share in percent, 0 to 100.
    Percent(f64),
    /// There is none: the success rate of no commits.
    Undefined,
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Count(count) => to.serialize_u64(count),
            Self::Percent(percent) => to.serialize_f64(percent),
            Self::Undefined => to.serialize_none(),
        }
    }
}

/// The success rate beside its limit.
struct Rate {
    /// In 128 bits: the sum of two counters may not fit in 64.
    total: u128,
    percent: Option<f64>,
    share: Option<Share>,
    limit: Decimal,
    /// At or above this there is no warning. Never above 100, or a strict limit would warn for ever.
    calm: Decimal,
    /// What the rate must not look equal to unless it is: the limit, `calm`, and 100.
    marks: [Decimal; 3],
}

impl Rate {
    fn new(thresholds: &Thresholds, counts: &TransactionCounts) -> Self {
        let total = u128::from(counts.success) + u128::from(counts.failed);
        let limit = Decimal::from_f64(thresholds.success_rate_threshold());
        let full = Decimal::from_f64(100.0);
        let calm = limit.plus(RATE_MARGIN).min(full.clone());
        let marks = [limit.clone(), calm.clone(), full];
        let share = Share::new(counts.success, total);
        Self {
            total,
            percent: counts.success_rate_percent(),
            share,
            limit,
            calm,
            marks,
        }
    }

    fn judge(&self, thresholds: &Thresholds) -> Detail {
        let least = thresholds.min_total_commits().max(1);
        let (verdict, message) = match self.share {
            Some(share) if self.total >= u128::from(least) => self.compare(share),
            _ => {
                let (total, s) = (self.total, if self.total == 1 { "" } else { "s" });
                let message = format!(
                    "Insufficient data: {total} commit{s}, {least} needed to judge the success rate"
                );
                (DetailVerdict::Insufficient, message)
            }
        };
        Detail {
            check: "success_rate",
            value: self.percent.map_or(Measure::Undefined, Measure::Percent),
            limit: Measure::Percent(thresholds.success_rate_threshold()),
            verdict,
            message,
        }
    }

    fn compare(&self, share: Share) -> (DetailVerdict, String) {
        let (verdict, relation) = if share.compare(&self.limit) == Ordering::Less {
            (DetailVerdict::Fail, "is below")
        } else if share.compare(&self.calm) == Ordering::Less {
            (DetailVerdict::Warn, "approaching")
        } else {
            (DetailVerdict::Pass, "meets")
        };
        let (rate, limit) = (share.text(&self.marks), &self.limit);
        (
            verdict,
            format!("Success rate {rate}% {relation} threshold {limit}%"),
        )
    }
}

/// The words for a counter that has a maximum.
struct Counted {
    check: &'static str,
    name: &'static str,
    exceeds: &'static str,
}

const CONFLICTS: Counted = Counted {
    check: "cas_conflicts",
    name: "CAS conflicts",
    exceeds: "exceed",
};
const RECOVERIES: Counted = Counted {
    check: "recovery_count",
    name: "Recovery count",
    exceeds: "exceeds",
};

fn maximum(counted: &Counted, value: u64, most: u64) -> Detail {
    let (verdict, relation) = if value > most {
        (DetailVerdict::Fail, counted.exceeds)
    // More than 80 %: five times the value against four times the maximum, both whole.
    } else if u128::from(value) * 5 > u128::from(most) * 4 {
        (DetailVerdict::Warn, "approaching")
    } else {
        (DetailVerdict::Pass, "within")
    };
    Detail {
        check: counted.check,
        value: Measure::Count(value),
        limit: Measure::Count(most),
        verdict,
        message: format!("{} {value} {relation} threshold {most}", counted.name),
    }
}

#[cfg(test)]
#[path = "judgement_tests.rs"]
mod tests;
