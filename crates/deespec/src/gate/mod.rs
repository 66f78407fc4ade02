//! The static gate: limits on the four transaction counters, and the verdict on them.
//!
//! This room holds pure functions over counts that someone else has read. It may touch
//! `crate::snapshot` for the counts and nothing else of the library: no file, no clock, no
//! printing. The caller reads the configuration file, says what time it is, and prints the
//! log lines.
//!
//! # Example
//!
//! ```
//! use deespec::gate::{Thresholds, Verdict};
//! use deespec::TransactionCounts;
//! use std::path::Path;
//!
//! let thresholds = Thresholds::parse(
//!     r#"{ "success_rate_threshold": 95.0, "max_cas_conflicts": 100 }"#,
//!     Path::new(".deespec/thresholds.json"),
//! )?;
//! let counts = TransactionCounts { success: 8923, failed: 1077, conflicts: 85, recoveries: 2 };
//! let judgement = thresholds.judge(&counts, &[]);
//!
//! assert_eq!(judgement.verdict(), Verdict::Fail);
//! assert_eq!(judgement.failed_checks(), ["Success rate 89.23% is below threshold 95.00%"]);
//! assert_eq!(judgement.warnings(), ["CAS conflicts 85 approaching threshold 100"]);
//! # Ok::<(), deespec::gate::ThresholdError>(())
//! ```

mod config;
mod error;
mod judgement;
mod log;
mod object;
mod percent;
mod thresholds;

pub use error::ThresholdError;
pub use judgement::{Detail, DetailVerdict, Judgement, Measure};
pub use log::{Level, LogLine};
pub use thresholds::Thresholds;

use serde::Serialize;
use std::fmt;

/// What the gate says to CI, from best to worst, so that the worse of two is their `max`.
///
/// # Examples
///
/// ```
/// use deespec::gate::Verdict;
///
/// assert_eq!(Verdict::Pass.max(Verdict::Warn), Verdict::Warn);
/// assert_eq!(Verdict::Fail.to_string(), "fail");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check was made and is well within its limit, or the gate is switched off.
    Pass,
    /// No limit is broken, but one is near, or there was too little data to judge.
    Warn,
    /// At least one limit is broken.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::TransactionCounts;
    use std::path::Path;

    /// The rules again, in whole numbers only: the rate's limit comes in hundredths of a percent.
    fn expected(limit: u64, most: u64, least: u64, counts: &TransactionCounts) -> Verdict {
        let total = counts.success + counts.failed;
        let share = counts.success * 10_000;
        let rate = if total == 0 || total < least {
            Verdict::Warn
        } else if share < limit * total {
            Verdict::Fail
        } else if counts.failed > 0 && share < (limit + 200) * total {
            Verdict::Warn
        } else {
            Verdict::Pass
        };
        let maximum = |value: u64| {
            if value > most {
                Verdict::Fail
            } else if value * 10 > most * 8 {
                Verdict::Warn
            } else {
                Verdict::Pass
            }
        };
        let verdicts = [rate, maximum(counts.conflicts), maximum(counts.recoveries)];
        if verdicts.contains(&Verdict::Fail) {
            Verdict::Fail
        } else if verdicts.contains(&Verdict::Warn) {
            Verdict::Warn
        } else {
            Verdict::Pass
        }
    }

    #[test]
    fn every_small_rate_against_every_limit_gets_the_verdict_of_whole_number_arithmetic() {
        let mut seen = [0u32; 3];
        for limit in (0..=10_000).step_by(10).chain([9_499, 9_501, 9_999]) {
            let text = format!(
                r#"{{"success_rate_threshold": {}.{:02}, "min_total_commits": 3}}"#,
                limit / 100,
                limit % 100
            );
            let thresholds = Thresholds::parse(&text, Path::new("t")).unwrap();
            let small = (0..=24).flat_map(|total| (0..=total).map(move |ok| (ok, total)));
            let round = (0..=20)
                .map(|k| (limit + 20 * k, 10_000))
                .filter(|(ok, of)| ok <= of);
            let near = [0, 1, 199, 200, 201]
                .into_iter()
                .flat_map(|d: u64| [(limit + d, 10_000), ((limit + d).saturating_sub(1), 10_000)])
                .filter(|(ok, of)| ok <= of);
            for (success, total) in small.chain(round).chain(near) {
                let counts = TransactionCounts {
                    success,
                    failed: total - success,
                    conflicts: 0,
                    recoveries: 0,
                };
                let verdict = thresholds.judge(&counts, &[]).verdict();
                assert_eq!(
                    verdict,
                    expected(limit, 10, 3, &counts),
                    "{success} of {total} against {limit} hundredths"
                );
                seen[verdict as usize] += 1;
            }
        }
        assert!(seen.iter().all(|&n| n > 1_000), "one-sided loop: {seen:?}");
    }

    #[test]
    fn every_small_count_against_every_maximum_gets_the_verdict_of_whole_number_arithmetic() {
        for most in 0..=30 {
            let text = format!(r#"{{"max_cas_conflicts": {most}, "max_recovery_count": {most}}}"#);
            let thresholds = Thresholds::parse(&text, Path::new("t")).unwrap();
            for conflicts in 0..=32 {
                for recoveries in 0..=32 {
                    let counts = TransactionCounts {
                        success: 50,
                        failed: 0,
                        conflicts,
                        recoveries,
                    };
                    assert_eq!(
                        thresholds.judge(&counts, &[]).verdict(),
                        expected(9_500, most, 5, &counts),
                        "{conflicts} and {recoveries} against {most}"
                    );
                }
            }
        }
    }
}
