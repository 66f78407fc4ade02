//! Percentages without floating point noise: a share of two counts, compared with a limit as
//! its author wrote it.
//!
//! 94.9 has no exact `f64`, and 29.0 / 100.0 * 100.0 is not 29.0. So a limit becomes the shortest
//! decimal that names its `f64`, which is what stands in the file (up to 15 digits), and a rate is
//! divided out digit by digit. This room is arithmetic only and knows no rule of the gate.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number, exact. Two digits at least are shown after the point.
// The derived order is the numeric one because the fraction has no trailing zeros.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal {
    whole: u128,
    /// Digits after the point, each 0 to 9, without trailing zeros.
    fraction: Vec<u8>,
}

impl Decimal {
    /// The shortest decimal that reads back as `value`, which must be finite and not negative.
    pub(super) fn from_f64(value: f64) -> Self {
        let text = value.abs().to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = |part: &str| part.bytes().map(|b| b - b'0').collect::<Vec<u8>>();
        let whole = digits(whole)
            .into_iter()
            .fold(0, |n: u128, d| n * 10 + u128::from(d));
        Self::new(whole, digits(fraction))
    }

    fn new(whole: u128, mut fraction: Vec<u8>) -> Self {
        while fraction.last() == Some(&0) {
            fraction.pop();
        }
        Self { whole, fraction }
    }

    /// This many points more.
    pub(super) fn plus(&self, points: u128) -> Self {
        Self {
            whole: self.whole + points,
            fraction: self.fraction.clone(),
        }
    }

    fn text(&self, decimals: usize) -> String {
        let mut text = format!("{}.", self.whole);
        let digits = self.fraction.iter().copied().chain(std::iter::repeat(0));
        text.extend(digits.take(decimals).map(|d| char::from(b'0' + d)));
        text
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(self.fraction.len().max(2)))
    }
}

/// A share of a whole, in percent, exact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    part: u64,
    of: u128,
}

impl Share {
    /// `part` of `of`, or nothing for 0 of 0.
    pub(super) fn new(part: u64, of: u128) -> Option<Self> {
        (of > 0).then_some(Self { part, of })
    }

    /// The percentage cut off after `decimals` digits: whole part, digits, and the remainder.
    fn divide(&self, decimals: usize) -> (u128, Vec<u8>, u128) {
        let percent = u128::from(self.part) * 100;
        let mut rest = percent % self.of;
        let mut fraction = Vec::with_capacity(decimals + 1);
        for _ in 0..decimals {
            rest *= 10;
            // A quotient of ten times a remainder is one digit.
            fraction.push(u8::try_from(rest / self.of).unwrap_or(9));
            rest %= self.of;
        }
        (percent / self.of, fraction, rest)
    }

    /// How the exact percentage compares with `limit`.
    pub(super) fn compare(&self, limit: &Decimal) -> Ordering {
        let (whole, fraction, rest) = self.divide(limit.fraction.len());
        let beyond = if rest > 0 {
            Ordering::Greater
        } else {
            Ordering::Equal
        };
        // The digits as they are, not trimmed: both sides have the same number of them.
        whole
            .cmp(&limit.whole)
            .then(fraction.cmp(&limit.fraction))
            .then(beyond)
    }

    fn rounded(&self, decimals: usize) -> Decimal {
        let (mut whole, mut fraction, rest) = self.divide(decimals);
        if rest * 2 >= self.of {
            let nines = fraction.iter().rev().take_while(|&&d| d == 9).count();
            let keep = fraction.len() - nines;
            fraction.truncate(keep);
            match fraction.last_mut() {
                Some(digit) => *digit += 1,
                None => whole += 1,
            }
        }
        Decimal::new(whole, fraction)
    }

    /// The percentage with two digits after the point, or with as many more as it takes to stand
    /// on the same side of each of `marks` as the exact value does.
    pub(super) fn text(&self, marks: &[Decimal]) -> String {
        let mut decimals = 2;
        loop {
            let shown = self.rounded(decimals);
            if marks
                .iter()
                .all(|mark| shown.cmp(mark) == self.compare(mark))
            {
                return shown.text(decimals);
            }
            // Ends: a share that differs from a mark does so in some digit, and one that does
            // not has that mark's number of digits.
            decimals += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(part: u64, of: u128) -> Share {
        Share::new(part, of).unwrap()
    }

    #[test]
    fn a_limit_is_the_decimal_that_was_written() {
        for (value, shown) in [
            (94.9, "94.90"),
            (0.0, "0.00"),
            (-0.0, "0.00"),
            (100.0, "100.00"),
            (99.999, "99.999"),
            (1e-7, "0.0000001"),
        ] {
            assert_eq!(Decimal::from_f64(value).to_string(), shown);
        }
    }

    #[test]
    fn two_points_are_added_to_the_last_digit() {
        let sum = |limit: f64| Decimal::from_f64(limit).plus(2);
        assert_eq!(sum(94.9), Decimal::from_f64(96.9));
        assert_eq!(sum(0.1), Decimal::from_f64(2.1));
        assert_eq!(sum(98.0).to_string(), "100.00");
    }

    #[test]
    fn a_share_equals_its_decimal_and_differs_from_both_neighbours() {
        let limit = Decimal::from_f64(96.9);
        assert_eq!(share(969, 1_000).compare(&limit), Ordering::Equal);
        let of = 1_000_000_000_000_000_000;
        assert_eq!(
            share(969_000_000_000_000_001, of).compare(&limit),
            Ordering::Greater
        );
        assert_eq!(
            share(968_999_999_999_999_999, of).compare(&limit),
            Ordering::Less
        );
    }

    #[test]
    fn the_largest_counts_do_not_overflow() {
        let most = u128::from(u64::MAX);
        let full = share(u64::MAX, most);
        assert_eq!(full.compare(&Decimal::from_f64(100.0)), Ordering::Equal);
        let half = share(u64::MAX, most * 2);
        assert_eq!(half.compare(&Decimal::from_f64(50.0)), Ordering::Equal);
        let hundred = Decimal::from_f64(100.0);
        let nearly = share(u64::MAX - 1, most);
        assert_eq!(nearly.text(&[hundred]), "99.99999999999999999");
        assert_eq!(
            share(1, most * 2).compare(&Decimal::from_f64(5e-324)),
            Ordering::Greater
        );
    }

    #[test]
    fn nothing_of_nothing_is_no_share() {
        assert!(Share::new(0, 0).is_none());
    }

    #[test]
    fn text_is_rounded_half_up_and_carries() {
        for (part, of, shown) in [
            (8_923, 10_000, "89.23"),
            (2, 3, "66.67"),
            (1, 3, "33.33"),
            (12_345, 100_000, "12.35"),
            (94_996, 100_000, "95.00"),
            (99_999, 100_000, "100.00"),
            (9_999, 100_000, "10.00"),
            (0, 7, "0.00"),
        ] {
            assert_eq!(share(part, of).text(&[]), shown);
        }
    }

    #[test]
    fn text_grows_until_it_is_on_the_right_side_of_each_mark() {
        let marks = [Decimal::from_f64(95.0), Decimal::from_f64(100.0)];
        assert_eq!(share(94_996, 100_000).text(&marks), "94.996");
        assert_eq!(share(95_004, 100_000).text(&marks), "95.004");
        assert_eq!(share(999_996, 1_000_000).text(&marks), "99.9996");
        assert_eq!(share(95, 100).text(&marks), "95.00");
        // 94.13 would look better than the limit that it fails.
        assert_eq!(
            share(941_255, 1_000_000).text(&[Decimal::from_f64(94.126)]),
            "94.1255"
        );
        assert_eq!(
            share(94_126, 100_000).text(&[Decimal::from_f64(94.126)]),
            "94.126"
        );
    }
}
