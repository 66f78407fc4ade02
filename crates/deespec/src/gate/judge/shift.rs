//! A level that has moved.

use super::judged::{Alarm, Changed, Guard, Judged, Normal};
use super::series::Since;
use crate::gate::report::{LevelMean, Outcome};
use crate::gate::rules::Shift;
use crate::gate::statistics::shift::{self, Bad, Limits};
use crate::gate::statistics::{median, relative_spread};

/// A level that has moved for the better, and the probability of that by chance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Better {
    pub(super) changed: Changed,
    pub(super) p: f64,
}

/// What is found in the values since the level last moved: the judgement, with the move for the worse that it tells
/// of, or with a move for the better. That one is no alarm, but what comes is compared with it.
pub(super) fn judge(
    rule: &Shift,
    bad: Bad,
    since: &Since<'_>,
    window: usize,
) -> (Judged, Option<Better>) {
    let values = since.values;
    let value = values.last().copied();
    let need = rule.before + rule.after;
    if values.len() < need {
        let guard = Guard::TooFew("min.before", values.len() as u64, need as u64);
        return (Judged::kept(Outcome::NoData, value, guard), None);
    }
    let limits = limits(rule, bad, window);
    let (found, better) = shift::newest_either(values, &limits);
    let first = found.map_or(values.len() - rule.after, |found| found.index);
    let before = &values[first.saturating_sub(window)..first];
    let centre = median(before);
    let mut judged = Judged {
        n: Some(before.len() as u64),
        baseline: Some(Normal {
            centre,
            spread: relative_spread(before),
            model: "ranks",
            since: since.place(first.saturating_sub(window)),
        }),
        p: Some(found.map_or(1.0, |found| found.p)),
        ..Judged::new(Outcome::Pass, value)
    };
    let Some(found) = found else {
        let better = better.map(|found| Better {
            changed: changed(&found, since),
            p: found.p,
        });
        return (judged, better);
    };
    let effect = (found.after - found.before) / found.before.abs();
    let size = bad.sign() * (median(&values[found.index..]) - centre) / centre.abs();
    let is_fail = rule
        .fail
        .is_some_and(|fail| found.p < fail.p && size >= fail.by);
    judged.candidate = Some(if is_fail && rule.can_fail {
        Alarm::Fail
    } else {
        Alarm::Warn
    });
    judged.effect = Some(effect).filter(|effect| effect.is_finite());
    judged.lag_one = Some(found.lag_one);
    judged.change = Some(changed(&found, since));
    (judged, None)
}

fn limits(rule: &Shift, bad: Bad, window: usize) -> Limits {
    Limits {
        bad,
        p: rule.warn.p,
        by: rule.warn.by,
        before: rule.before,
        after: rule.after,
        window,
    }
}

fn changed(found: &shift::Shift, since: &Since<'_>) -> Changed {
    Changed {
        place: since.place(found.index),
        before: LevelMean {
            mean: found.before,
            n: found.runs_before,
        },
        after: LevelMean {
            mean: found.after,
            n: found.runs_after,
        },
    }
}
