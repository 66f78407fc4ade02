//! Whether values drift: the slope of Theil and Sen, and the test of Mann and Kendall.
//!
//! Sources: Sen, *Estimates of the regression coefficient based on Kendall's tau*, J. Am. Stat. Assoc. 63 (1968);
//! Mann, *Nonparametric tests against trend*, Econometrica 13 (1945), with the correction of its variance for ties
//! (Kendall, *Rank Correlation Methods*) and for runs that depend on each other ([`super::autocorrelation`]).

use super::autocorrelation::{inflation, lag_one};
use super::normal_upper;
use super::ranks::doubled_ranks;

/// So many pairs tell the slope well enough, and soon.
const PAIRS: usize = 50_000;

/// The median of the slopes between all pairs of values, per run; 0 of fewer than two. Of more than some hundred values
/// the pairs at some distances stand for those at all.
///
/// ```
/// # use deespec::gate::statistics::trend::theil_sen;
/// // One value that is far off changes nothing.
/// assert_eq!(theil_sen(&[1.0, 3.0, 5.0, 99.0, 9.0]), 2.0);
/// ```
pub fn theil_sen(values: &[f64]) -> f64 {
    let n = values.len();
    let step = (n.saturating_mul(n) / 2).div_ceil(PAIRS).max(1);
    // From the largest on: these say most.
    let distances = (1..n).rev().step_by(step);
    let pairs = distances.flat_map(|distance| (distance..n).map(move |last| (last, distance)));
    let mut slopes: Vec<f64> = pairs
        .map(|(last, distance)| (values[last] - values[last - distance]) / distance as f64)
        .collect();
    let middle = slopes.len() / 2;
    if slopes.is_empty() {
        return 0.0;
    }
    let is_odd = slopes.len() % 2 == 1;
    let (below, upper, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(lower) if !is_odd => f64::midpoint(lower, *upper),
        _ => *upper,
    }
}

/// By how many pairs more go up than down, counted in n log n steps: how many ranks before each are lower or higher is
/// summed up in a tree (Fenwick, Softw. Pract. Exp. 24 (1994)).
fn rising_pairs(values: &[f64]) -> f64 {
    let ranks = doubled_ranks(values);
    let size = 2 * values.len();
    let mut tree = vec![0_usize; size + 1];
    let mut pairs = 0.0;
    for (before, &rank) in ranks.iter().enumerate() {
        let up_to = |mut place: usize| {
            let mut sum = 0;
            while place > 0 {
                sum += tree[place];
                place &= place - 1;
            }
            sum
        };
        let (lower, not_higher) = (up_to(rank - 1), up_to(rank));
        pairs += lower as f64 - (before - not_higher) as f64;
        let mut place = rank;
        while place <= size {
            tree[place] += 1;
            place += place & place.wrapping_neg();
        }
    }
    pairs
}

/// How surprising an increase as steady as this one is, if the order of the values says nothing: one-sided.
pub fn mann_kendall(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let s = rising_pairs(values);
    let spread = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted
        .chunk_by(|one, other| one == other)
        .map(|same| spread(same.len() as f64))
        .sum();
    let variance = (spread(n) - ties) / 18.0;
    if variance <= 0.0 {
        return 1.0;
    }
    // What is left without the trend says how much runs depend on each other. The slope is often that of one pair, of
    // which then just as much is left: without the last digits, or these would decide which of the two is larger.
    let slope = theil_sen(values);
    let range = sorted[sorted.len() - 1] - sorted[0];
    let rest: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(at, value)| ((value - values[0] - slope * at as f64) / range * 1e7).round())
        .collect();
    let variance = variance * inflation(lag_one(&rest, 1.0), values.len());
    let continuous = (s.abs() - 1.0).max(0.0).copysign(s);
    normal_upper(continuous / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RISING: [f64; 10] = [5.2, 5.1, 5.6, 5.3, 5.9, 6.1, 5.8, 6.4, 6.2, 6.9];

    /// `scipy.stats.theilslopes(x).slope`, SciPy 1.16.
    #[test]
    fn the_slope_is_that_of_scipy() {
        assert!((theil_sen(&RISING) - 0.175).abs() < 1e-12);
    }

    /// S = 35 and its variance 125 for ten values without ties, so z = 34 / √125.
    #[test]
    fn the_test_is_that_of_the_tables() {
        let expected = normal_upper(34.0 / 125.0_f64.sqrt());
        assert!(
            (mann_kendall(&RISING) - expected).abs() < 1e-12,
            "{}",
            mann_kendall(&RISING)
        );
        let falling: Vec<f64> = RISING.iter().rev().copied().collect();
        assert!(mann_kendall(&falling) > 0.99);
    }

    #[test]
    fn pairs_are_counted_as_one_by_one() {
        let values: Vec<f64> = (0..60).map(|run| f64::from(run * run % 17)).collect();
        let mut slowly = 0.0;
        for (index, value) in values.iter().enumerate() {
            for later in &values[index + 1..] {
                slowly += f64::from(i8::from(later > value) - i8::from(later < value));
            }
        }
        assert_eq!(rising_pairs(&values), slowly);
    }

    #[test]
    fn some_pairs_of_very_many_values_tell_the_slope() {
        let rising = |run: u32| 0.01 * f64::from(run) + f64::from(run * 37 % 101) / 101.0;
        let values: Vec<f64> = (0..20_000).map(rising).collect();
        assert!(
            (theil_sen(&values) - 0.01).abs() < 1e-5,
            "{}",
            theil_sen(&values)
        );
        assert!(mann_kendall(&values) < 1e-9);
    }

    #[test]
    fn the_last_digit_of_a_unit_changes_nothing() {
        // Of two runs exactly as much is left without the trend; in a tenth of the unit it is not the same by rounding.
        for seed in 0..200_u32 {
            let values: Vec<f64> = (0..15)
                .map(|run| 90.0 + f64::from((run * run * 31 + run * seed + seed * 7) % 101) / 7.0)
                .collect();
            let scaled: Vec<f64> = values.iter().map(|value| value * 0.1).collect();
            assert!(
                (mann_kendall(&values) - mann_kendall(&scaled)).abs() < 1e-12,
                "{seed}"
            );
        }
    }

    #[test]
    fn what_does_not_move_has_no_trend() {
        assert_eq!(
            (theil_sen(&[4.0; 20]), mann_kendall(&[4.0; 20])),
            (0.0, 1.0)
        );
        assert_eq!((theil_sen(&[]), mann_kendall(&[])), (0.0, 1.0));
    }
}
