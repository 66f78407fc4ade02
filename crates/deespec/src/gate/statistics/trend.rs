//! Whether values drift: the slope of Theil and Sen, and the test of Mann and Kendall.
//!
//! Sources: Sen, *Estimates of the regression coefficient based on Kendall's tau*, J. Am. Stat. Assoc. 63 (1968);
//! Mann, *Nonparametric tests against trend*, Econometrica 13 (1945), with the correction of its variance for ties
//! (Kendall, *Rank Correlation Methods*) and for runs that depend on each other ([`super::autocorrelation`]).

use super::autocorrelation::{inflation, lag_one};
use super::{median, normal_upper};

/// The median of the slopes between all pairs of values, per run; 0 of fewer than two.
///
/// ```
/// # use deespec::gate::statistics::trend::theil_sen;
/// // One value that is far off changes nothing.
/// assert_eq!(theil_sen(&[1.0, 3.0, 5.0, 99.0, 9.0]), 2.0);
/// ```
pub fn theil_sen(values: &[f64]) -> f64 {
    let pairs = (0..values.len())
        .flat_map(|first| (first + 1..values.len()).map(move |last| (first, last)));
    let slopes: Vec<f64> = pairs
        .map(|(first, last)| (values[last] - values[first]) / (last - first) as f64)
        .collect();
    match slopes.is_empty() {
        true => 0.0,
        false => median(&slopes),
    }
}

/// How surprising an increase as steady as this one is, if the order of the values says nothing: one-sided.
pub fn mann_kendall(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mut s = 0.0;
    for (index, value) in values.iter().enumerate() {
        let later = values[index + 1..]
            .iter()
            .map(|later| f64::from(i8::from(later > value) - i8::from(later < value)));
        s += later.sum::<f64>();
    }
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
    // What is left without the trend says how much runs depend on each other.
    let slope = theil_sen(values);
    let rest: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(at, value)| value - slope * at as f64)
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
    fn what_does_not_move_has_no_trend() {
        assert_eq!(
            (theil_sen(&[4.0; 20]), mann_kendall(&[4.0; 20])),
            (0.0, 1.0)
        );
        assert_eq!((theil_sen(&[]), mann_kendall(&[])), (0.0, 1.0));
    }
}
