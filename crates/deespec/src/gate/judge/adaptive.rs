//! One run against what the runs before it lead to expect, confirmed by others.

use super::judged::{Alarm, Guard, Judged, Normal};
use super::series::Since;
use crate::gate::report::{Confirm, Outcome};
use crate::gate::rules::{Adaptive, ModelChoice, Surprise};
use crate::gate::statistics::prediction::{Model, Prediction};
use crate::gate::statistics::shift::Bad;

/// Which of the newest runs are beyond.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beyond {
    /// The index of the first.
    pub(super) first: Option<usize>,
    /// Whether the newest one is.
    pub(super) is_newest: bool,
}

/// What is found in the values since the level last moved. Limits and intervals take long and decide nothing, so that
/// they are there only if they are told.
pub(super) fn judge(
    rule: &Adaptive,
    bad: Bad,
    since: &Since<'_>,
    window: usize,
    is_told: bool,
) -> (Judged, Beyond) {
    let values = since.values;
    let value = values.last().copied();
    let (k, of) = rule.confirm;
    let judged = of.min(values.len());
    // All runs before the newest one, odd ones among them: one outlier widens what is expected, so that others
    // must be odd in spite of it.
    let before = &values[..values.len().saturating_sub(1)];
    let first = before.len().saturating_sub(window);
    let before = &before[first..];
    let (have, need) = (before.len(), rule.runs.max(2));
    if have < need {
        let guard = Guard::TooFew("min.runs", have as u64, need as u64);
        return (
            Judged::kept(Outcome::NoData, value, guard),
            Beyond::default(),
        );
    }
    let Some(expected) = expectation(rule, before) else {
        return (
            Judged::kept(Outcome::NoData, value, Guard::NotACount),
            Beyond::default(),
        );
    };
    let newest = &values[values.len() - judged..];
    let tail = |value: f64| match bad {
        Bad::Up => expected.upper_tail(value),
        Bad::Down => expected.lower_tail(value),
    };
    let effect = |value: f64| match expected.centre {
        0.0 if value == 0.0 => 0.0,
        0.0 => f64::INFINITY.copysign(value),
        centre => (value - centre) / centre.abs(),
    };
    let is_beyond = |limits: &Surprise, value: f64| {
        bad.sign() * effect(value) >= limits.by
            && bad.sign() * effect(value) > 0.0
            && tail(value) < limits.alpha
    };
    let seen = newest
        .iter()
        .filter(|value| is_beyond(&rule.warn, **value))
        .count();
    let of_fail = rule.fail.filter(|_| rule.can_fail);
    let failing = of_fail.map_or(0, |limits| {
        newest
            .iter()
            .filter(|value| is_beyond(&limits, **value))
            .count()
    });
    let is_newest_beyond = value.is_some_and(|value| is_beyond(&rule.warn, value));
    let first_beyond = newest
        .iter()
        .position(|value| is_beyond(&rule.warn, *value));
    let candidate = match () {
        () if failing >= k => Some(Alarm::Fail),
        () if seen >= k => Some(Alarm::Warn),
        () => None,
    };
    let mut tails: Vec<f64> = newest.iter().map(|value| tail(*value)).collect();
    tails.sort_by(f64::total_cmp);
    let p = tails.get(k - 1).map(|tail| at_least(k, judged, *tail));
    let different = distinct(before);
    let is_too_even = expected.model != Model::Poisson && different < rule.distinct;
    let mut found = Judged {
        candidate,
        n: Some(before.len() as u64),
        limit: is_told.then(|| beyond(&expected, bad, rule.warn)).flatten(),
        baseline: Some(Normal {
            centre: expected.centre,
            spread: expected.spread,
            model: expected.model.as_str(),
            since: since.place(first),
        }),
        interval: is_told.then(|| {
            let alpha = rule.warn.alpha;
            (expected.quantile(alpha), expected.quantile(1.0 - alpha))
        }),
        p,
        effect: value.map(effect).filter(|effect| effect.is_finite()),
        lag_one: Some(expected.lag_one),
        confirm: Some(Confirm { k, of, seen }),
        ..Judged::new(Outcome::Pass, value)
    };
    if is_too_even && is_newest_beyond {
        found.outcome = Outcome::Inconclusive;
        found.candidate = None;
        found.guard = Some(Guard::TooFew(
            "min.distinct",
            different as u64,
            rule.distinct as u64,
        ));
    }
    let beyond = Beyond {
        first: first_beyond.map(|place| values.len() - judged + place),
        is_newest: is_newest_beyond,
    };
    (found, beyond)
}

/// The value from which on the rule calls a run beyond.
fn beyond(expected: &Prediction, bad: Bad, limits: Surprise) -> Option<f64> {
    let by = expected.centre + bad.sign() * limits.by * expected.centre.abs();
    let limit = match bad {
        Bad::Up => expected.quantile(1.0 - limits.alpha).max(by),
        Bad::Down => expected.quantile(limits.alpha).min(by),
    };
    limit.is_finite().then_some(limit)
}

fn expectation(rule: &Adaptive, before: &[f64]) -> Option<Prediction> {
    let model = match rule.model {
        ModelChoice::Auto => Model::of(before),
        ModelChoice::LogT => Model::LogNormal,
        ModelChoice::T => Model::Normal,
        ModelChoice::GammaPoisson => Model::Poisson,
    };
    Prediction::of(model, before, rule.floor)
}

/// The probability of at least k of n, each with this one: how surprising a confirmation is.
fn at_least(k: usize, n: usize, p: f64) -> f64 {
    let mut sum = 0.0;
    for seen in k..=n {
        let ways = (0..seen).fold(1.0, |ways, one| ways * (n - one) as f64 / (one + 1) as f64);
        sum += ways * p.powi(seen as i32) * (1.0 - p).powi((n - seen) as i32);
    }
    sum.min(1.0)
}

fn distinct(values: &[f64]) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    sorted.len()
}
