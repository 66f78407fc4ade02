//! A level that drifts: the Theil-Sen slope, and whether Mann and Kendall's test believes it.

use super::judged::{Alarm, Guard, Judged};
use crate::gate::report::{EtaFound, Outcome};
use crate::gate::rules::{Slope, Trend};
use crate::gate::statistics::median;
use crate::gate::statistics::shift::Bad;
use crate::gate::statistics::trend::{mann_kendall, theil_sen};

/// From the values since the level last moved, the newest last.
pub(super) fn judge(trend: &Trend, bad: Bad, since: &[f64]) -> Judged {
    let values = &since[since.len().saturating_sub(trend.over)..];
    let value = values.last().copied();
    let (have, need) = (values.len(), trend.runs.max(3));
    if have < need {
        let guard = Guard::TooFew("min.runs", have as u64, need as u64);
        return Judged::kept(Outcome::NoData, value, guard);
    }
    let slope = theil_sen(values);
    let centre = median(values);
    let turned: Vec<f64> = values.iter().map(|value| bad.sign() * value).collect();
    let p = mann_kendall(&turned);
    let share = match centre {
        0.0 if slope == 0.0 => 0.0,
        0.0 => f64::INFINITY.copysign(slope),
        _ => slope / centre.abs(),
    };
    let worsens = |limit: &Slope| p < limit.p && bad.sign() * share >= limit.slope;
    // Where the line through the middle stands now.
    let now = centre + slope * (have as f64 - 1.0) / 2.0;
    let eta = trend.eta.and_then(|eta| {
        let way = bad.sign() * (eta.to - now);
        let speed = bad.sign() * slope;
        (speed > 0.0 && p < trend.warn.p).then(|| EtaFound {
            to: eta.to,
            runs: (way / speed).max(0.0),
        })
    });
    let is_soon = eta
        .zip(trend.eta)
        .is_some_and(|(found, eta)| found.runs <= eta.within);
    let candidate = match () {
        () if trend.can_fail && trend.fail.as_ref().is_some_and(worsens) => Some(Alarm::Fail),
        () if worsens(&trend.warn) || is_soon => Some(Alarm::Warn),
        () => None,
    };
    Judged {
        candidate,
        n: Some(have as u64),
        limit: trend.eta.map(|eta| eta.to),
        p: Some(p),
        effect: Some(share).filter(|share| share.is_finite()),
        slope: Some(slope),
        eta,
        ..Judged::new(Outcome::Pass, value)
    }
}
