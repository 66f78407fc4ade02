//! The statistics of learned rules: pure functions over numbers, with no file, no clock and no randomness.
//!
//! Each says where its formula is from, and its tests hold it against values that others have computed. What
//! they have in common: they are made for short histories (ten to some hundred runs) of measurements that are
//! skewed, rounded, of two kinds of machine, now and then far off, and not independent of each other. So they
//! work on ranks where they can, and where one run says something about the next they count fewer of them
//! ([`autocorrelation`]).

pub mod autocorrelation;
mod beta;
pub mod changes;
pub mod correlation;
pub mod multiplicity;
pub mod prediction;
#[cfg(test)]
mod properties;
pub mod proportion;
pub mod ranks;
pub mod shift;
mod sorted;
pub mod trend;

/// The mean; NaN of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The variance of the values as a sample, with n - 1; NaN of fewer than two.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares = values.iter().map(|value| (value - centre).powi(2));
    squares.sum::<f64>() / (values.len() as f64 - 1.0)
}

/// The median; NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The spread around the median as a share of it: the median distance, scaled to the standard deviation of normal
/// values (Hampel, J. Am. Stat. Assoc. 69 (1974)). 0 of nothing; infinite where the median is 0 and values are not.
pub fn relative_spread(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let centre = median(values);
    let distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    match 1.482_602_218_505_602 * median(&distances) {
        0.0 => 0.0,
        spread => spread / centre.abs(),
    }
}

/// The standard normal distribution's upper tail, 1 - Φ(z).
pub(crate) fn normal_upper(z: f64) -> f64 {
    0.5 * statrs::function::erf::erfc(z / std::f64::consts::SQRT_2)
}

/// The z whose upper tail is p, from 0 to 1 exclusive.
pub(crate) fn normal_quantile_upper(p: f64) -> f64 {
    std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * p)
}

/// The upper tail of Student's t distribution.
pub(crate) fn t_upper(t: f64, freedom: f64) -> f64 {
    if !t.is_finite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    let x = freedom / (freedom + t * t);
    let tail = 0.5 * beta::beta_reg(freedom / 2.0, 0.5, x);
    if t > 0.0 { tail } else { 1.0 - tail }
}

/// The t that a variable stays below with the probability p, from 0 to 1 exclusive.
pub(crate) fn t_quantile(p: f64, freedom: f64) -> f64 {
    let tail = p.min(1.0 - p);
    let x = statrs::function::beta::inv_beta_reg(freedom / 2.0, 0.5, 2.0 * tail);
    let size = (freedom * (1.0 - x) / x).sqrt();
    if p < 0.5 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.ppf(p, freedom)`, SciPy 1.16.
    #[test]
    fn quantiles_of_t_are_those_of_scipy() {
        for (p, freedom, expected) in [
            (0.975, 10.0, 2.2281388519649385),
            (0.99, 9.0, 2.821437925025808),
            (0.001, 30.0, -3.3851848668182165),
            (0.9995, 3.0, 12.923978636637424),
            (0.5, 7.0, 0.0),
        ] {
            let found = t_quantile(p, freedom);
            assert!((found - expected).abs() < 1e-7, "{p} {freedom}: {found}");
        }
    }
}
