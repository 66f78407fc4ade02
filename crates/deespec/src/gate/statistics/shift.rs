//! Whether the newest runs are of another level than those before them: a judgement at each run, of what was known
//! then.
//!
//! The last 2 to 12 runs are held against up to 50 before them, by two tests that must agree. The rank-sum test
//! bears skew, outliers, ties and two kinds of machine; a Student test of the logarithms tells how far off the
//! runs are, which ranks do not see, and lets a jump be found sooner. Neither counts runs that say the same
//! ([`inflation`]). `docs/design/0044-two-tests-find-a-shift.md` has the figures behind the constants.

use super::autocorrelation::{inflation, lag_one};
use super::ranks::rank_sum;
use super::sorted::Sorted;
use super::{mean, normal_quantile_upper, normal_upper, t_upper, variance};

/// The fewest and the most of the newest runs that are held against those before.
pub(crate) const LENGTHS: std::ops::RangeInclusive<usize> = 2..=12;
/// There are several lengths, and they are not independent: with this factor a limit on p is kept as the share of
/// runs that raise a false alarm.
const LOOKS: f64 = 2.0;
/// The rank test may be this much weaker where Student's test is this much stronger.
const HELP: f64 = 10.0;
/// Where the normal distribution is this much more doubtful, the exact test is not made.
const NEAR: f64 = 4.0;
/// So many standard deviations of the correlation between runs may be chance.
const DOUBT: f64 = 0.7;

/// Which way is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bad {
    /// More is worse.
    Up,
    /// Less is worse.
    Down,
}

impl Bad {
    /// 1 where more is worse, -1 where less is.
    pub fn sign(self) -> f64 {
        match self {
            Self::Up => 1.0,
            Self::Down => -1.0,
        }
    }

    /// The other way.
    pub fn turned(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// Whether a value is worse than a limit. NaN is not.
    pub fn is_beyond(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Up => value > limit,
            Self::Down => value < limit,
        }
    }
}

/// What counts as a shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Which way is bad.
    pub bad: Bad,
    /// The share of runs that may raise a false alarm.
    pub p: f64,
    /// The least change, as a share of the level before.
    pub by: f64,
    /// The fewest runs before.
    pub before: usize,
    /// The fewest runs after.
    pub after: usize,
    /// The most runs before that are looked at.
    pub window: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bad: Bad::Up,
            p: 0.001,
            by: 0.05,
            before: 10,
            after: 2,
            window: 50,
        }
    }
}

/// A shift, and what it was found from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The first run of the new level.
    pub index: usize,
    /// The mean before, of `runs_before` runs.
    pub before: f64,
    /// The mean since.
    pub after: f64,
    /// How many runs before were looked at.
    pub runs_before: usize,
    /// How many runs there are since.
    pub runs_after: usize,
    /// The probability of as much by chance at one run.
    pub p: f64,
    /// The correlation of one run with the next that was allowed for.
    pub lag_one: f64,
}

/// The shift that the newest run confirms, if it does: the most surprising length of the new level.
///
/// ```
/// # use deespec::gate::statistics::shift::{Limits, newest};
/// let steady: Vec<f64> = (0..30).map(|n| 100.0 + f64::from(n * 7 % 11)).collect();
/// assert_eq!(newest(&steady, &Limits::default()), None);
/// let slower = [steady, vec![131.0, 135.0, 129.0]].concat();
/// let shift = newest(&slower, &Limits::default()).unwrap();
/// assert_eq!((shift.index, shift.runs_after), (30, 3));
/// ```
pub fn newest(values: &[f64], limits: &Limits) -> Option<Shift> {
    newest_either(values, limits).0
}

/// As [`newest`]; and the shift for the better that the newest run confirms by the same limits, if it does.
pub fn newest_either(values: &[f64], limits: &Limits) -> (Option<Shift>, Option<Shift>) {
    let (mut worse, mut better): (Option<Shift>, Option<Shift>) = (None, None);
    let mut sides: Option<(Sorted, Sorted)> = None;
    let mut is_first = true;
    // The normal distribution may take the exact p-value for several times as large.
    let least = normal_quantile_upper((limits.p * HELP * NEAR).min(0.5));
    let shortest = limits.after.max(*LENGTHS.start());
    for length in shortest..=shortest.max(*LENGTHS.end()) {
        let Some(index) = values.len().checked_sub(length) else {
            break;
        };
        let first = index.saturating_sub(limits.window);
        if index - first < limits.before {
            break;
        }
        // One run more is after, and one less before, than at the length before this one.
        let (before, after) = sides.get_or_insert_with(|| {
            let before = Sorted::of(&values[first..index]);
            (before, Sorted::of(&values[index + 1..]))
        });
        if !is_first {
            before.take(values[index]);
            if before.len() < index - first {
                before.add(values[first]);
            }
        }
        is_first = false;
        after.add(values[index]);
        let Some(way) = moved(before, after, limits.by) else {
            continue;
        };
        if way.sign() * before.rank_excess(after) < least {
            continue;
        }
        let found = held(&values[first..index], &values[index..], index, way);
        let best = match way == limits.bad {
            true => &mut worse,
            false => &mut better,
        };
        if best.is_none_or(|best| found.p < best.p) {
            *best = Some(found);
        }
    }
    let is_sure = |shift: &Shift| shift.p < limits.p;
    (worse.filter(is_sure), better.filter(is_sure))
}

/// Which way the level moved, if by as much as matters.
fn moved(before: &Sorted, after: &Sorted, by: f64) -> Option<Bad> {
    let (level, now) = (before.median(), after.median());
    let size = (now - level).abs();
    match size > 0.0 && size >= by * level.abs() {
        true if now > level => Some(Bad::Up),
        true => Some(Bad::Down),
        false => None,
    }
}

/// The newest runs against those before.
fn held(before: &[f64], after: &[f64], index: usize, way: Bad) -> Shift {
    let sign = way.sign();
    let turned = |values: &[f64]| values.iter().map(|value| sign * value).collect::<Vec<_>>();
    let (turned_before, turned_after) = (turned(before), turned(after));
    let r = lag_one(before, DOUBT);
    let by_rank = fewer(
        rank_sum(&turned_before, &turned_after),
        before.len(),
        after.len(),
        r,
    );
    let by_size = student(before, after, sign, r);
    let p = LOOKS * by_rank.min((by_size * HELP).max(by_rank / HELP));
    Shift {
        index,
        before: mean(before),
        after: mean(after),
        runs_before: before.len(),
        runs_after: after.len(),
        p: p.min(1.0),
        lag_one: r,
    }
}

/// The p-value as it is when the runs are worth fewer independent ones.
fn fewer(p: f64, n: usize, m: usize, r: f64) -> f64 {
    if r <= 0.0 || p >= 0.5 {
        return p;
    }
    let (before, after) = (n as f64, m as f64);
    let independent = 1.0 / before + 1.0 / after;
    let found = inflation(r, n) / before + inflation(r, m) / after;
    normal_upper(normal_quantile_upper(p.max(1e-300)) * (independent / found).sqrt())
}

/// Student's test with the spread of the runs before alone: what comes after may have another.
fn student(before: &[f64], after: &[f64], sign: f64, r: f64) -> f64 {
    let is_positive = before.iter().chain(after).all(|value| *value > 0.0);
    let on_scale = |values: &[f64]| match is_positive {
        true => values.iter().map(|value| value.ln()).collect(),
        false => values.to_vec(),
    };
    let (before, after): (Vec<f64>, Vec<f64>) = (on_scale(before), on_scale(after));
    let (n, m) = (before.len(), after.len());
    let spread = variance(&before) * (inflation(r, n) / n as f64 + inflation(r, m) / m as f64);
    if spread <= 0.0 {
        // No spread at all: the ranks decide alone.
        return 1.0;
    }
    let freedom = n as f64 / inflation(r, n) - 1.0;
    t_upper(
        sign * (mean(&after) - mean(&before)) / spread.sqrt(),
        freedom.max(3.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::statistics::median;

    /// Numbers that look random: the fractional parts of multiples of the golden ratio, summed to be bell-shaped.
    fn noise(n: usize) -> f64 {
        let part = |k: usize| (k as f64 * 0.618_033_988_749_895).fract() - 0.5;
        part(n * 7 + 1) + part(n * n + 3) + part(n * 31 + 11)
    }

    fn series(length: usize, at: usize, factor: f64) -> Vec<f64> {
        let value = |n: usize| (100.0 + 5.0 * noise(n)) * if n >= at { factor } else { 1.0 };
        (0..length).map(value).collect()
    }

    #[test]
    fn a_large_shift_is_found_within_five_runs_and_where_it_began() {
        let all = series(40, 30, 1.2);
        let found = (31..=40).find_map(|runs| newest(&all[..runs], &Limits::default()));
        let found = found.unwrap();
        assert_eq!(found.index, 30);
        assert!(found.runs_after <= 5 && found.p < 0.001, "{found:?}");
    }

    #[test]
    fn what_gets_better_or_moves_a_little_is_no_shift() {
        for factor in [0.7, 1.0, 1.02] {
            let all = series(45, 30, factor);
            for runs in 12..=all.len() {
                assert_eq!(
                    newest(&all[..runs], &Limits::default()),
                    None,
                    "{factor} {runs}"
                );
            }
        }
        let down = Limits {
            bad: Bad::Down,
            ..Limits::default()
        };
        let all = series(45, 30, 0.7);
        assert!(
            (31..=45)
                .any(|runs| newest(&all[..runs], &down).is_some_and(|shift| shift.index == 30))
        );
    }

    #[test]
    fn too_few_runs_and_no_spread_are_borne() {
        assert_eq!(newest(&[], &Limits::default()), None);
        assert_eq!(newest(&[1.0; 9], &Limits::default()), None);
        assert_eq!(newest(&[7.0; 60], &Limits::default()), None);
        let jumped = [vec![7.0; 40], vec![9.0; 3]].concat();
        assert_eq!(
            newest(&jumped, &Limits::default()).map(|shift| shift.index),
            Some(40)
        );
    }

    #[test]
    fn as_many_runs_as_are_asked_for_must_be_after() {
        let all = series(60, 30, 1.3);
        let limits = Limits {
            after: 15,
            ..Limits::default()
        };
        let found = (31..=50).find_map(|runs| newest(&all[..runs], &limits));
        assert!(found.is_some_and(|shift| shift.runs_after == 15));
    }

    #[test]
    fn one_run_far_off_is_no_shift() {
        let mut all = series(40, 40, 1.0);
        all[35] = 400.0;
        for runs in 12..=all.len() {
            assert_eq!(newest(&all[..runs], &Limits::default()), None, "{runs}");
        }
    }

    /// Each length by itself, and the exact test for all.
    fn slowly(values: &[f64], limits: &Limits) -> Option<Shift> {
        let found = LENGTHS.filter_map(|length| {
            let index = values.len().checked_sub(length)?;
            let before = &values[index.saturating_sub(limits.window)..index];
            let after = &values[index..];
            let moved = limits.bad.sign() * (median(after) - median(before));
            let is_large = moved > 0.0 && moved >= limits.by * median(before).abs();
            let is_asked = length >= limits.after && before.len() >= limits.before && is_large;
            is_asked.then(|| held(before, after, index, limits.bad))
        });
        let best = found.reduce(|best, one| if one.p < best.p { one } else { best })?;
        (best.p < limits.p).then_some(best)
    }

    proptest::proptest! {
        #[test]
        fn what_is_left_out_for_speed_would_not_have_been_found(
            values in proptest::collection::vec(0u16..400, 12..90),
            (at, factor, steps) in (0usize..40, 1.0f64..1.8, 1u16..60),
            (p, window) in (1e-4f64..0.02, 12usize..50),
        ) {
            let begin = values.len().saturating_sub(at.min(14));
            let shifted: Vec<f64> = values
                .iter()
                .enumerate()
                .map(|(run, value)| {
                    let level = 1000.0 + f64::from(value / steps * steps);
                    if run >= begin { level * factor } else { level }
                })
                .collect();
            for bad in [Bad::Up, Bad::Down] {
                let limits = Limits { bad, p, window, ..Limits::default() };
                proptest::prop_assert_eq!(newest(&shifted, &limits), slowly(&shifted, &limits));
                let turned = Limits { bad: bad.turned(), ..limits };
                proptest::prop_assert_eq!(newest_either(&shifted, &limits).1, slowly(&shifted, &turned));
            }
        }
    }
}
