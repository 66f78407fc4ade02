//! How much one run says about the next, and how many runs it therefore takes to know as much as from
//! independent ones.
//!
//! Source: Bayley and Hammersley, *The "effective" number of independent observations in an autocorrelated time
//! series*, J. R. Stat. Soc. Suppl. 8 (1946): the variance of a mean of n values is `inflation(r, n)` times that of
//! independent ones. For large n this is (1 + r) / (1 - r).

use super::mean;
use super::ranks::doubled_ranks;

/// The largest that is believed; a series that only wanders has none.
const MOST: f64 = 0.95;

/// The correlation of each value with the one before it, on ranks so that a value far off does not decide it,
/// with its bias of about -1/n taken away; at least 0 and at most 0.95.
///
/// What may be chance is not believed: of independent values the estimate has a standard deviation of 1/√n,
/// and `doubt` times that is taken from it.
pub fn lag_one(values: &[f64], doubt: f64) -> f64 {
    if values.len() < 4 {
        return 0.0;
    }
    let ranks: Vec<f64> = doubled_ranks(values)
        .into_iter()
        .map(|rank| rank as f64)
        .collect();
    let centre = mean(&ranks);
    let off: Vec<f64> = ranks.iter().map(|rank| rank - centre).collect();
    let squares: f64 = off.iter().map(|off| off * off).sum();
    if squares == 0.0 {
        return 0.0;
    }
    let together: f64 = off.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let n = values.len() as f64;
    (together / squares + 1.0 / n - doubt / n.sqrt()).clamp(0.0, MOST)
}

/// By how much the variance of a mean of n values is larger than if they were independent.
///
/// ```
/// # use deespec::gate::statistics::autocorrelation::inflation;
/// assert_eq!(inflation(0.0, 50), 1.0);
/// assert!((inflation(0.5, 100_000) - 3.0).abs() < 1e-3);
/// ```
pub fn inflation(r: f64, n: usize) -> f64 {
    let length = n as f64;
    if r <= 0.0 || n < 2 {
        return 1.0;
    }
    // The sum over all lags in closed form: 1 + 2 Σ (1 - k/n) r^k.
    let edge = (1.0 - r.powf(length)) / (length * (1.0 - r));
    1.0 + 2.0 * r / (1.0 - r) * (1.0 - edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_form_is_the_sum_over_all_lags() {
        for r in [0.1_f64, 0.5, 0.9] {
            for n in [2, 3, 7, 40] {
                let lags = (1..n).map(|k| (1.0 - k as f64 / n as f64) * r.powi(k as i32));
                let sum = 1.0 + 2.0 * lags.sum::<f64>();
                assert!((inflation(r, n) - sum).abs() < 1e-12, "{r} {n}: {sum}");
            }
        }
    }

    #[test]
    fn what_goes_up_and_down_has_none_and_what_lingers_has_much() {
        let swings: Vec<f64> = (0..40).map(|n| f64::from(n % 2)).collect();
        assert_eq!(lag_one(&swings, 0.0), 0.0);
        let lingers: Vec<f64> = (0..40).map(|n| f64::from(n / 10)).collect();
        assert!(lag_one(&lingers, 0.0) > 0.8);
        assert_eq!(lag_one(&[3.0; 40], 0.0), 0.0);
        assert_eq!(lag_one(&[1.0, 2.0], 0.0), 0.0);
    }
}
