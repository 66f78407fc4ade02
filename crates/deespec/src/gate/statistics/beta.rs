//! The regularised incomplete beta function, of which the tails of shares, counts and Student's t are made; for large
//! parameters, too: a store counts to many millions.
//!
//! Sources: small ones are left to `statrs`, whose continued fraction ends after 140 steps. Then the same fraction
//! with more of them (Lentz, Appl. Opt. 15 (1976)), and in front of it the binomial probability as Loader computes
//! it (*Fast and accurate computation of binomial probabilities*, 2000), since logarithms of gamma functions lose all
//! their digits against each other. For the largest the normal approximation of Peizer and Pratt (J. Am. Stat.
//! Assoc. 63 (1968)), which is off by less than one in a million there.

use super::normal_upper;

/// Up to here `statrs` has steps enough.
const SMALL: f64 = 500.0;
/// From here on the approximation is better than it needs to be.
const LARGE: f64 = 1e5;
/// The fraction needs some multiple of the root of the smaller parameter.
const STEPS: u32 = 20_000;

/// I_x(a, b), for a and b above 0 and x from 0 to 1; NaN otherwise.
pub(super) fn beta_reg(a: f64, b: f64, x: f64) -> f64 {
    let is_lawful =
        a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() && (0.0..=1.0).contains(&x);
    match () {
        () if !is_lawful => f64::NAN,
        () if x == 0.0 || x == 1.0 => x,
        () if a.max(b) <= SMALL => statrs::function::beta::beta_reg(a, b, x),
        () if a.min(b) >= LARGE => normal_upper(peizer_pratt(a, b, x)),
        () if x < (a + 1.0) / (a + b + 2.0) => front(a, b, x) / a * fraction(a, b, x),
        () => 1.0 - front(b, a, 1.0 - x) / b * fraction(b, a, 1.0 - x),
    }
}

/// ((1 + u) ln(1 + u) - u) / u², which is 1/2 at 0, for u of -1 or more.
fn bent(u: f64) -> f64 {
    if u.abs() < 0.1 {
        let term = |k: i32| (-u).powi(k) / f64::from((k + 1) * (k + 2));
        return (0..18).rev().map(term).sum();
    }
    if u <= -1.0 {
        return 1.0;
    }
    ((1.0 + u) * u.ln_1p() - u) / u / u
}

/// ln Γ(n + 1) less Stirling's formula for it.
fn stirling_error(n: f64) -> f64 {
    if n > 15.0 {
        let n2 = n * n;
        return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / n2) / n2) / n;
    }
    let formula = (n + 0.5) * n.ln() - n + 0.5 * std::f64::consts::TAU.ln();
    statrs::function::gamma::ln_gamma(n + 1.0) - formula
}

/// x^a (1 - x)^b / B(a, b).
fn front(a: f64, b: f64, x: f64) -> f64 {
    let (n, y) = (a + b, 1.0 - x);
    let off = a * y - b * x;
    let far = |expected: f64, off: f64| expected * (off / expected).powi(2) * bent(off / expected);
    let exponent = stirling_error(n)
        - stirling_error(a)
        - stirling_error(b)
        - far(n * x, off)
        - far(n * y, -off);
    (a / n * b / std::f64::consts::TAU).sqrt() * exponent.exp()
}

/// The continued fraction, from its front on.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away = |value: f64| if value.abs() < 1e-290 { 1e-290 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) / (a + 1.0) * x);
    let mut found = d;
    for step in 1..STEPS {
        let m = f64::from(step);
        let even = m / (a - 1.0 + 2.0 * m) * (b - m) / (a + 2.0 * m) * x;
        let odd = -(a + m) / (a + 2.0 * m) * (a + b + m) / (a + 1.0 + 2.0 * m) * x;
        let mut change = 1.0;
        for part in [even, odd] {
            d = 1.0 / away(1.0 + part * d);
            c = away(1.0 + part / c);
            change = c * d;
            found *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    found
}

/// The z whose upper tail I_x(a, b) is.
fn peizer_pratt(a: f64, b: f64, x: f64) -> f64 {
    let (n, y) = (a + b - 1.0, 1.0 - x);
    let off = (a - 0.5) * y - (b - 0.5) * x;
    let moved = off + 1.0 / 6.0 - x / 3.0 + 0.02 * (y / a - x / b + (y - 0.5) / (n + 1.0));
    let spread = bent(off / n / x) / n / x + bent(-off / n / y) / n / y;
    moved * (2.0 / (1.0 + 1.0 / (6.0 * n)) * spread).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.special.betainc(a, b, x)`, SciPy 1.16.
    #[test]
    fn it_is_that_of_scipy_at_all_sizes() {
        for (a, b, x, expected) in SCIPY {
            let found = beta_reg(a, b, x);
            let off = (found / expected - 1.0).abs();
            assert!(off < 2e-6, "{a} {b} {x}: {found} {expected} {off}");
        }
    }

    #[test]
    fn where_one_way_ends_the_other_one_goes_on() {
        for border in [SMALL, LARGE] {
            for x in [0.3, 0.45, 0.5, 0.51] {
                let share = border.sqrt() * (x - 0.5) / 10.0;
                let place = 0.5 + share / border.sqrt() / border.sqrt();
                let at = |size: f64| beta_reg(size, size, place);
                let (here, there) = (at(border * (1.0 - 1e-9)), at(border * (1.0 + 1e-9)));
                assert!(
                    (here / there - 1.0).abs() < 1e-6,
                    "{border} {x}: {here} {there}"
                );
            }
        }
    }

    #[test]
    fn what_is_beyond_numbers_is_borne() {
        assert_eq!(beta_reg(1.7e308, 5.0, 0.1), 0.0);
        assert_eq!(beta_reg(5.0, 1.7e308, 0.1), 1.0);
        assert_eq!(beta_reg(1e300, 1e290, 0.5), 0.0);
        assert!(
            beta_reg(f64::INFINITY, 1.0, 0.5).is_nan() && beta_reg(1.0, 1.0, f64::NAN).is_nan()
        );
        assert_eq!(
            (beta_reg(2.0, 3.0, 0.0), beta_reg(2.0, 3.0, 1.0)),
            (0.0, 1.0)
        );
    }

    const SCIPY: [(f64, f64, f64, f64); 17] = [
        (3.0, 4.0, 0.4, 0.45568000000000003),
        (600.0, 400.0, 0.61, 0.7398549584138354),
        (950.5, 51.0, 0.95, 0.536084331706381),
        (5000.0, 5000.0, 0.5, 0.4999999999999997),
        (5000.0, 5000.0, 0.49, 0.02274203232457443),
        (99000.0, 1000.5, 0.9905, 0.9475508660274921),
        (3.0, 1000000000000.0, 2e-12, 0.3233235838180193),
        (2.5, 1000000000.0, 1e-08, 0.998750269499068),
        (90000.0, 1000000000.0, 9.05e-05, 0.9546604353374472),
        (100000.0, 100000.0, 0.501, 0.8144532554424424),
        (1000000.0, 1000000.0, 0.4995, 0.07864957758093089),
        (500000000.0, 500000000.0, 0.50002, 0.8970483923664859),
        (500000000000.0, 500000000000.0, 0.500001, 0.9772493712370768),
        (999999000.0, 1001.0, 0.999999, 0.5084093668057097),
        (1000000.0, 200000.0, 0.8333, 0.46076022445265147),
        (1000000.0, 200000.0, 0.836, 0.9999999999999982),
        (40.5, 10000000.0, 5e-06, 0.9252506824699696),
    ];
}
