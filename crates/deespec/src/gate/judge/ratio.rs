//! A share, with its uncertainty: of few attempts little is known, and that is said.
//!
//! What is compared with a limit is the one-sided Clopper-Pearson bound: it never errs more often than its
//! confidence says. What is shown is the Wilson interval, which is nearer.

use super::judged::{Guard, Judged};
use crate::gate::report::Outcome;
use crate::gate::rules::Ratio;
use crate::gate::statistics::proportion::{clopper_pearson_bounds, wilson};
use crate::gate::statistics::shift::Bad;

/// From how many were good, and how many bad. Where less is worse, the good share is judged; where more is
/// worse, the bad one.
pub(super) fn judge(ratio: &Ratio, bad: Bad, good: f64, failed: f64) -> Judged {
    let (Some(good), Some(failed)) = (whole(good), whole(failed)) else {
        return Judged::kept(Outcome::NoData, None, Guard::NotACount);
    };
    let total = good.saturating_add(failed);
    let counted = match bad {
        Bad::Down => good,
        Bad::Up => failed,
    };
    let share = (total > 0).then(|| counted as f64 / total as f64);
    let least = ratio.total.max(1);
    if total < least {
        return Judged {
            n: Some(total),
            limit: ratio.fail.or(ratio.warn),
            ..Judged::kept(
                Outcome::NoData,
                share,
                Guard::TooFew("min.total", total, least),
            )
        };
    }
    let (lower, upper) = clopper_pearson_bounds(counted, total, ratio.confidence);
    let (best, worst) = match bad {
        Bad::Down => (upper, lower),
        Bad::Up => (lower, upper),
    };
    let point = counted as f64 / total as f64;
    let is_beyond =
        |place: f64, limit: Option<f64>| limit.is_some_and(|limit| bad.is_beyond(place, limit));
    // The strictest limit that the share must keep.
    let outermost = ratio.fail.or(ratio.warn);
    let (outcome, limit) = match () {
        () if is_beyond(best, ratio.fail) => (Outcome::Fail, ratio.fail),
        () if is_beyond(best, ratio.warn) => (Outcome::Warn, ratio.warn),
        () if ratio.prove && is_beyond(worst, outermost) => (Outcome::Inconclusive, outermost),
        () if !ratio.prove && is_beyond(point, outermost) => (Outcome::Inconclusive, outermost),
        // Beyond the limit for warnings, but not surely: within the other one.
        () if is_beyond(point, ratio.warn) => (Outcome::Pass, outermost),
        () => (Outcome::Pass, ratio.warn.or(ratio.fail)),
    };
    Judged {
        n: Some(total),
        limit,
        interval: Some(wilson(counted, total, ratio.confidence)),
        ..Judged::new(outcome, share)
    }
}

/// A count as it was; `None` for what is none.
fn whole(value: f64) -> Option<u64> {
    let is_count = value >= 0.0 && value.fract() == 0.0 && value < 2f64.powi(63);
    is_count.then_some(value as u64)
}
