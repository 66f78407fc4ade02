//! The rules that a `thresholds.json` means, for whoever moves on to a `gate.toml`.

use super::{Kind, Limit, Metric, Ratio, Rule, Rules, Term};
use crate::gate::Thresholds;
use crate::gate::statistics::shift::Bad;
use crate::metric::TRANSACTIONS;

impl Rules {
    /// The rules that say what these thresholds say: `success-rate`, `cas-conflicts` and `recovery-count`; none where
    /// the thresholds are switched off.
    ///
    /// They do not judge alike in everything. Thresholds compare the success rate as it was counted, and fail 18 of 20
    /// where 95 % are asked for; a [`Ratio`] fails only where the counts leave no doubt, and says `inconclusive` of
    /// those. Conflicts and recoveries are judged alike.
    ///
    /// ```
    /// use deespec::gate::{Kind, Rules, Thresholds};
    ///
    /// let rules = Rules::of_thresholds(&Thresholds::default());
    /// assert_eq!(rules.rules.len(), 3);
    /// let Kind::Ratio(rate) = &rules.rules[0].kind else { panic!() };
    /// assert_eq!((rate.warn, rate.fail, rate.total), (Some(0.97), Some(0.95), 5));
    /// ```
    pub fn of_thresholds(thresholds: &Thresholds) -> Self {
        let mut rules = Self::default();
        if !thresholds.enabled() {
            return rules;
        }
        let percent = thresholds.success_rate_threshold();
        let [success, failed, conflicts, recoveries] = TRANSACTIONS.map(Term::counter);
        let rate = Rule {
            bad: Bad::Down,
            ..Rule::new(
                "success-rate",
                Metric::Share {
                    good: success,
                    bad: failed,
                },
                Kind::Ratio(Ratio {
                    warn: Some(share((percent + 2.0).min(100.0))),
                    fail: Some(share(percent)),
                    confidence: 0.95,
                    // Numbers beyond this are not exact in a file.
                    total: thresholds.min_total_commits().clamp(1, 1 << 53),
                    prove: false,
                }),
            )
        };
        let most = |id, metric, most: u64| {
            let most = most as f64;
            let limit = Limit {
                warn: Some(most * 4.0 / 5.0),
                fail: Some(most),
            };
            Rule::new(id, Metric::One(metric), Kind::Limit(limit))
        };
        rules.rules = vec![
            rate,
            most("cas-conflicts", conflicts, thresholds.max_cas_conflicts()),
            most(
                "recovery-count",
                recoveries,
                thresholds.max_recovery_count(),
            ),
        ];
        rules
    }
}

/// A percentage as a share, without rounding a second time: 94.9 is 0.949.
fn share(percent: f64) -> f64 {
    format!("{percent}e-2").parse().unwrap_or(percent / 100.0)
}
