//! What little data say about a share: intervals around k of n.
//!
//! Sources: Clopper and Pearson, *The use of confidence or fiducial limits*, Biometrika 26 (1934), which never
//! promises more than it keeps and is used to fail; Wilson, *Probable inference*, J. Am. Stat. Assoc. 22 (1927),
//! which is shorter and is shown.

use super::beta::beta_reg;

use super::normal_quantile_upper;

/// The Clopper-Pearson interval of k of n: the two bounds of the share, each missed with a probability of at most
/// (1 - confidence) / 2. From 0 to 1 where n is 0.
///
/// ```
/// # use deespec::gate::statistics::proportion::clopper_pearson;
/// let (lower, upper) = clopper_pearson(19, 20, 0.95);
/// assert!((lower - 0.751_268).abs() < 1e-6 && (upper - 0.998_735).abs() < 1e-6);
/// ```
pub fn clopper_pearson(k: u64, n: u64, confidence: f64) -> (f64, f64) {
    let tail = (1.0 - confidence) / 2.0;
    (lower(k, n, tail), 1.0 - lower(n.saturating_sub(k), n, tail))
}

/// The one-sided bounds: the share is surely not below the first, and surely not above the second, each with this
/// confidence on its own.
pub fn clopper_pearson_bounds(k: u64, n: u64, confidence: f64) -> (f64, f64) {
    clopper_pearson(k, n, 2.0 * confidence - 1.0)
}

/// The share at which k or more of n have just this probability.
fn lower(k: u64, n: u64, tail: f64) -> f64 {
    if k == 0 || n == 0 {
        return 0.0;
    }
    let (a, b) = (k as f64, (n - k.min(n)) as f64 + 1.0);
    // P(X >= k) = I_p(k, n - k + 1) grows with p.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        match beta_reg(a, b, middle) < tail {
            true => low = middle,
            false => high = middle,
        }
    }
    f64::midpoint(low, high)
}

/// The Wilson interval of k of n.
///
/// ```
/// # use deespec::gate::statistics::proportion::wilson;
/// let (lower, upper) = wilson(19, 20, 0.95);
/// assert!((lower - 0.763_869).abs() < 1e-6 && (upper - 0.991_119).abs() < 1e-6);
/// ```
pub fn wilson(k: u64, n: u64, confidence: f64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let z = normal_quantile_upper((1.0 - confidence) / 2.0);
    let (n, share) = (n as f64, k as f64 / n as f64);
    let centre = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    (
        ((centre - spread) / whole).max(0.0),
        ((centre + spread) / whole).min(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(k, n).proportion_ci(0.95, method=…)`, SciPy 1.16.
    #[test]
    fn intervals_are_those_of_scipy() {
        for (k, n, exact, score) in SCIPY {
            let found = clopper_pearson(k, n, 0.95);
            assert!(
                (found.0 - exact.0).abs() < 1e-9 && (found.1 - exact.1).abs() < 1e-9,
                "{k}/{n} {found:?}"
            );
            let found = wilson(k, n, 0.95);
            assert!(
                (found.0 - score.0).abs() < 1e-9 && (found.1 - score.1).abs() < 1e-9,
                "{k}/{n} {found:?}"
            );
        }
    }

    #[test]
    fn fifty_nine_clean_commits_prove_95_percent_and_58_do_not() {
        assert!(clopper_pearson_bounds(59, 59, 0.95).0 >= 0.95);
        assert!(clopper_pearson_bounds(58, 58, 0.95).0 < 0.95);
    }

    #[test]
    fn nothing_says_nothing() {
        assert_eq!(clopper_pearson(0, 0, 0.95), (0.0, 1.0));
        assert_eq!(wilson(0, 0, 0.95), (0.0, 1.0));
    }

    type Interval = (f64, f64);
    const SCIPY: [(u64, u64, Interval, Interval); 5] = [
        (0, 5, (0.0, 0.5218237501049814), (0.0, 0.43448246478317476)),
        (
            19,
            20,
            (0.7512672372279723, 0.998734910502044),
            (0.763868806553258, 0.9911185511992047),
        ),
        (5, 5, (0.47817624989501856, 1.0), (0.5655175352168251, 1.0)),
        (
            950,
            1000,
            (0.9346095120845064, 0.9626646023953394),
            (0.9346861797557491, 0.9618697376072511),
        ),
        (
            3,
            70000,
            (8.83826077113606e-06, 0.0001252415987470715),
            (1.457540073399912e-05, 0.00012600915313628098),
        ),
    ];
}
