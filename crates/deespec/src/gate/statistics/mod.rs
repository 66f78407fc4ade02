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
    sorted::Sorted::of(values).median()
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

/// The t that a variable stays below with the probability p, from 0 to 1 exclusive. Found by halving: Newton's steps
/// leave the range where p is very small.
pub(crate) fn t_quantile(p: f64, freedom: f64) -> f64 {
    let tail = p.min(1.0 - p);
    let mut high = 1.0;
    while t_upper(high, freedom) > tail && high < 1e300 {
        high *= 2.0;
    }
    let mut low = if high > 1.0 { high / 2.0 } else { 0.0 };
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        match t_upper(middle, freedom) > tail {
            true => low = middle,
            false => high = middle,
        }
    }
    let size = if tail == 0.5 {
        0.0
    } else {
        f64::midpoint(low, high)
    };
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
            (0.99, 1.0, 31.82051595375758),
            (0.9999, 1.0, 3183.0987571537103),
            (0.999999, 49.0, 5.390798999251813),
            (0.99, 2000.0, 2.3282138419397724),
            (0.999, 100_000.0, 3.090313809427237),
            (1e-9, 999_999.0, -5.997862455766336),
            (1e-15, 20.0, -21.839805480321765),
            (0.999999, 300.0, 4.848514301103872),
            (0.6, 100_000.0, 0.2533477771571799),
        ] {
            let found = t_quantile(p, freedom);
            assert!(
                (found - expected).abs() < 1e-7 * expected.abs().max(1.0),
                "{p} {freedom}: {found}"
            );
        }
    }

    #[test]
    fn each_quantile_of_t_is_found_and_has_its_tail() {
        for freedom in [1.0, 1.3, 2.0, 5.5, 9.0, 49.0, 500.0, 1e4, 1e6] {
            for p in [
                1e-100,
                1e-30,
                1e-12,
                1e-6,
                0.01,
                0.3,
                0.5,
                0.7,
                0.999,
                1.0 - 1e-12,
            ] {
                let t = t_quantile(p, freedom);
                let tail = match t < 0.0 {
                    true => t_upper(-t, freedom),
                    false => 1.0 - t_upper(t, freedom),
                };
                assert!((tail / p - 1.0).abs() < 1e-6, "{p} {freedom}: {t} {tail}");
            }
        }
    }

    #[test]
    fn no_probability_is_too_small() {
        for freedom in [1.0, 3.0, 60.0, 1e6] {
            assert!(t_quantile(5e-324, freedom).is_sign_negative());
            assert!(t_quantile(1.0 - f64::EPSILON / 2.0, freedom) > 8.0);
        }
    }
}
