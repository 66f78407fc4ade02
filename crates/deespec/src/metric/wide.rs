//! Wide sums: numbers with fractions that are added up exactly, by many writers and in any order.
//!
//! Three cells that wrap. W has whole units. F has the fractions in steps of a billionth, modulo 2^64. C has
//! them again in steps of 1/1024, too coarse to be exact and too small ever to wrap: it tells how often F has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::protection::Protection;

/// Cells of a wide sum.
pub(crate) const WIDE_CELLS: u32 = 3;
/// Steps of F to one.
const BILLION: i128 = 1_000_000_000;
/// Steps of C to one.
const COARSE: i128 = 1024;
/// What F tells apart.
const TURN: i128 = 1 << 64;
/// Amounts are smaller than this, and so is what comes from outside in all: as far from the end of the cell of the units
/// as from its middle.
const AMOUNT_UNITS: u64 = 1 << 62;
const AMOUNT_MAX: f64 = AMOUNT_UNITS as f64;

/// A sum of amounts with fractions, exact to a billionth of one for each of them.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let store = deespec::Store::open(folder.path().join("var"))?;
/// let spent = store.fraction_counter("cpu_seconds_total")?;
/// for _ in 0..10 {
///     spent.add(0.1);
/// }
/// let view = store.view()?;
/// let total = view.sample("cpu_seconds_total", &[]).and_then(|sample| sample.total.fractions());
/// assert_eq!(total.map(|total| total.to_string()).as_deref(), Some("1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WideSum {
    billionths: i128,
}

impl WideSum {
    /// The amount, rounded to a billionth; `None` where it is no number, infinite, or 2^62 and more.
    #[must_use]
    pub fn of(amount: f64) -> Option<Self> {
        let [units, billionths, _] = amounts(amount)?;
        Some(Self {
            billionths: i128::from(units) * BILLION + i128::from(billionths),
        })
    }

    /// So many whole units.
    pub(crate) fn of_whole(units: u64) -> Option<Self> {
        (units < AMOUNT_UNITS).then(|| Self {
            billionths: i128::from(units) * BILLION,
        })
    }

    /// As whole units, where it is so many.
    pub(crate) fn to_whole(self) -> Option<u64> {
        let is_whole = self.billionths % BILLION == 0;
        u64::try_from(self.billionths / BILLION)
            .ok()
            .filter(|_| is_whole)
    }

    /// What the three cells hold: of all that F may mean, it is what is nearest to C.
    pub(crate) fn of_cells(cells: [u64; 3]) -> Self {
        let [units, fine, coarse] = cells;
        let fine = i128::from(fine);
        let near = i128::from(coarse.cast_signed()) * BILLION / COARSE;
        let window = match Protection::NearestWrap.stands() {
            true => TURN / 2,
            // It begins where the coarse cell is: what is rounded up there looks like a whole turn.
            false => TURN - 1,
        };
        let turns = (near - fine + window).div_euclid(TURN);
        Self {
            billionths: i128::from(units.cast_signed()) * BILLION + fine + turns * TURN,
        }
    }

    /// What the three cells in front of others hold in all and since the epoch began, where `both` tells these two of each.
    pub(crate) fn of_both(both: impl Fn(u32) -> [u64; 2]) -> [Self; 2] {
        let [units, fine, coarse] = [0, 1, 2].map(both);
        [0, 1].map(|which| Self::of_cells([units[which], fine[which], coarse[which]]))
    }

    /// What the cells hold when it was added to nothing.
    pub(crate) fn to_cells(self) -> [u64; 3] {
        let (units, rest) = (self.billionths / BILLION, self.billionths % BILLION);
        let coarse = (rest * COARSE + rest.signum() * BILLION / 2) / BILLION;
        [units as u64, rest as u64, coarse as u64]
    }

    /// As a floating-point number, the nearest there is.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        if self.billionths.unsigned_abs() <= 1 << 53 {
            return self.billionths as f64 / 1e9;
        }
        // One rounding and not two.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// As so many billionths: nothing is rounded.
    #[must_use]
    pub fn billionths(self) -> i128 {
        self.billionths
    }

    /// The least whole number that is not below it; 0 for what is below zero.
    pub(crate) fn whole(self) -> u64 {
        let whole = (self.billionths + BILLION - 1).div_euclid(BILLION);
        u64::try_from(whole.max(0)).unwrap_or(u64::MAX)
    }

    /// Whether nothing, or as much as was taken away, was added.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.billionths == 0
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.billionths < 0
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            billionths: self.billionths.wrapping_add(other.billionths),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            billionths: self.billionths.wrapping_sub(other.billionths),
        }
    }

    /// What is odd about a number that another program gave, as the end of a sentence about it.
    pub(crate) fn unlike(self, given: f64) -> Option<String> {
        let kept = self.to_f64();
        // Less is what summing up in floating point leaves.
        let differs = (kept - given).abs() > 1e-12 * given.abs();
        differs.then(|| format!("is kept as {kept}, in steps of 1e-9"))
    }

    /// Whether its units fit into their cell, and far from its end.
    pub(crate) fn fits(self) -> bool {
        (self.billionths / BILLION).unsigned_abs() < u128::from(AMOUNT_UNITS)
    }

    /// How many more units fit, in either direction.
    pub(crate) fn room(self) -> u64 {
        let units = self
            .billionths
            .unsigned_abs()
            .div_ceil(BILLION.unsigned_abs());
        let room = u128::from(AMOUNT_UNITS).saturating_sub(units);
        u64::try_from(room).unwrap_or(0)
    }
}

/// What an amount adds to each of the three cells; `None` where it is none.
#[inline]
pub(crate) fn amounts(amount: f64) -> Option<[i64; 3]> {
    // NaN is not less either.
    if amount.abs() < AMOUNT_MAX {
        let whole = amount.trunc();
        let rest = amount - whole;
        Some([
            whole as i64,
            (rest * BILLION as f64).round() as i64,
            (rest * COARSE as f64).round() as i64,
        ])
    } else {
        None
    }
}

/// To its last digit: `1.5`, `-0.000000001`, `3`.
impl fmt::Display for WideSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.billionths.unsigned_abs();
        let billion = BILLION.unsigned_abs();
        if self.billionths < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", magnitude / billion)?;
        let rest = magnitude % billion;
        if rest != 0 {
            let digits = format!("{rest:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// As [`WideSum`] is displayed, and as nobody else writes it: what reads is spelled in one way only.
impl FromStr for WideSum {
    type Err = NotASum;

    fn from_str(text: &str) -> Result<Self, NotASum> {
        let read = || {
            let magnitude = text.strip_prefix('-').unwrap_or(text);
            let (units, digits) = magnitude.split_once('.').unwrap_or((magnitude, ""));
            let units: i128 = units.parse().ok()?;
            let billionths: i128 = format!("{digits:0<9}").parse().ok()?;
            let sum = Self {
                billionths: units.checked_mul(BILLION)?.checked_add(billionths)?,
            };
            let sum = match text.starts_with('-') {
                true => Self::default().minus(sum),
                false => sum,
            };
            (sum.fits() && sum.to_string() == text).then_some(sum)
        };
        read().ok_or(NotASum)
    }
}

/// As its text: a JSON number may be rounded by whoever reads it.
impl Serialize for WideSum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WideSum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sum is a number below 2^62 with at most nine digits behind the point")]
pub struct NotASum;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn added(cells: &mut [u64; 3], amount: f64) {
        for (cell, add) in cells.iter_mut().zip(amounts(amount).unwrap()) {
            *cell = cell.wrapping_add(add.cast_unsigned());
        }
    }

    #[test]
    fn a_sum_is_exact_whatever_its_size_and_order() {
        let mut cells = [0; 3];
        (0..3_000_000).for_each(|_| added(&mut cells, 0.1));
        assert_eq!(WideSum::of_cells(cells).to_string(), "300000");
        added(&mut cells, 1e15);
        added(&mut cells, 0.001);
        assert_eq!(WideSum::of_cells(cells).to_string(), "1000000000300000.001");
        added(&mut cells, -1e15);
        assert_eq!(WideSum::of_cells(cells).to_f64(), 300_000.001);
    }

    #[test]
    fn fractions_that_wrap_are_told_also_between_the_additions() {
        // Nearly 2^64 billionths, and beyond, either way.
        for sign in [1.0, -1.0] {
            let many = 36_893_488_147_u64;
            let add = |amount: i64, times: u64| amount.cast_unsigned().wrapping_mul(times);
            let [_, fine, coarse] = amounts(sign * 0.5).unwrap();
            for times in [many / 2, many, many + 1, 3 * many, 1 << 40] {
                let cells = [0, add(fine, times), add(coarse, times)];
                let whole = WideSum::of_cells(cells).to_f64();
                assert_eq!(whole, sign * times as f64 / 2.0);
                // Killed before the third.
                let torn = [0, cells[1].wrapping_add(fine.cast_unsigned()), cells[2]];
                let ahead = WideSum::of_cells(torn).to_f64();
                assert_eq!(ahead, sign * (times + 1) as f64 / 2.0);
            }
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for none in [
            f64::NAN,
            f64::INFINITY,
            -f64::INFINITY,
            AMOUNT_MAX,
            -AMOUNT_MAX,
        ] {
            assert_eq!(WideSum::of(none), None);
        }
        assert!(WideSum::of(AMOUNT_MAX.next_down()).is_some());
        for (amount, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.6, "1.6"),
            (-2.5, "-2.5"),
            (-0.000_000_001, "-0.000000001"),
            (0.4e-9, "0"),
            (0.999_999_999_9, "1"),
        ] {
            assert_eq!(WideSum::of(amount).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_text_that_nobody_wrote_is_no_sum() {
        for text in [
            "",
            "-",
            "-0",
            "+1",
            "01",
            "1.",
            ".5",
            "1.50",
            "1.0",
            "1e3",
            "0.0000000001",
            "1 ",
            "1.-5",
            "1.+5",
            "4611686018427387904",
            "99999999999999999999999999999999999999",
        ] {
            assert_eq!(text.parse::<WideSum>(), Err(NotASum), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn cells_and_documents_give_back_the_sum(amounts in proptest::collection::vec(-1e9..1e9_f64, 0..50)) {
            let mut cells = [0; 3];
            let mut sum = WideSum::default();
            for amount in amounts {
                added(&mut cells, amount);
                sum = sum.plus(WideSum::of(amount).unwrap());
            }
            prop_assert_eq!(WideSum::of_cells(cells), sum);
            prop_assert_eq!(WideSum::of_cells(sum.to_cells()), sum);
            prop_assert_eq!(sum.to_string().parse(), Ok(sum));
            let text: f64 = sum.to_string().parse().unwrap();
            prop_assert_eq!(text, sum.to_f64());
        }
    }
}
