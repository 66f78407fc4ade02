//! What moves together: Spearman's rank correlation with its p-value.
//!
//! Source: Spearman, *The proof and measurement of association between two things*, Am. J. Psychol. 15 (1904); the
//! p-value is that of Student's t with n - 2 degrees of freedom.

use super::ranks::doubled_ranks;
use super::{mean, t_upper};

/// The rank correlation of two lists of the same length, from -1 to 1, with its two-sided p-value. `None` where there
/// are fewer than three pairs, or one list has no spread.
///
/// ```
/// # use deespec::gate::statistics::correlation::spearman;
/// let (rho, p) = spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 1.0, 4.0, 3.0, 5.0]).unwrap();
/// assert!((rho - 0.8).abs() < 1e-12 && (p - 0.104_088_039).abs() < 1e-8);
/// ```
pub fn spearman(one: &[f64], other: &[f64]) -> Option<(f64, f64)> {
    if one.len() != other.len() || one.len() < 3 {
        return None;
    }
    let off = |values: &[f64]| {
        let ranks: Vec<f64> = doubled_ranks(values)
            .into_iter()
            .map(|rank| rank as f64)
            .collect();
        let centre = mean(&ranks);
        ranks
            .into_iter()
            .map(|rank| rank - centre)
            .collect::<Vec<f64>>()
    };
    let (one, other) = (off(one), off(other));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let size = (product(&one, &one) * product(&other, &other)).sqrt();
    if size == 0.0 {
        return None;
    }
    let rho = (product(&one, &other) / size).clamp(-1.0, 1.0);
    let freedom = one.len() as f64 - 2.0;
    let t = rho.abs() * (freedom / (1.0 - rho * rho)).sqrt();
    Some((rho, 2.0 * t_upper(t, freedom)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.spearmanr(x, y)`, SciPy 1.16.
    #[test]
    fn the_correlation_is_that_of_scipy() {
        let x = [5.2, 5.1, 5.6, 5.3, 5.9, 6.1, 5.8, 6.4, 6.2, 6.9];
        let y = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.5];
        let (rho, p) = spearman(&x, &y).unwrap();
        assert!((rho - 0.689_037_199_650_587_6).abs() < 1e-12);
        assert!((p - 0.027_533_181_700_364_857).abs() < 1e-9, "{p}");
        assert!(spearman(&x, &[1.0; 10]).is_none());
        assert!(spearman(&x[..2], &y[..2]).is_none());
    }
}
