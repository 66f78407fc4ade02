//! Static thresholds: limits on the four transaction counters, from a `thresholds.json`, with the verdict on them
//! and its log lines. Everything here is exact; nothing learns.

mod config;
mod error;
mod judgement;
mod limits;
mod log;
mod object;
mod percent;

pub use error::ThresholdError;
pub use judgement::{Detail, DetailVerdict, Judgement, Measure};
pub use limits::Thresholds;
pub use log::{Level, LogLine};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Verdict;
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
