//! Bucket layouts: how a histogram sorts its observations, and in which steps it keeps their sum.
//! Pure arithmetic; the cells themselves are the store's.

mod boundaries;
mod form;
mod native;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use native::Native;
use steps::steps_for;

use super::MetricError;

pub(crate) use form::Bounds;
pub(crate) use native::NativeCells;

/// Most bucket cells of one histogram.
const CELLS_MAX: usize = 4096;
/// Most bounds of classic buckets.
const BOUNDS_MAX: usize = 256;
/// How a histogram sorts its observations into bucket cells, and the steps in which it keeps their
/// sum. Cloning it is cheap.
///
/// Cells stand in ascending order of value, and every value has exactly one. [`Buckets::native`]
/// gives buckets of constant relative width, [`Buckets::classic`] any bounds. The default is
/// [`Buckets::seconds`].
///
/// ```
/// use deespec::Buckets;
///
/// let sizes = Buckets::native(2, 64.0, 1e9)?;
/// assert_eq!(sizes.schema(), Some(2));
/// let classic = Buckets::classic([0.1, 1.0, 10.0])?;
/// assert_eq!(classic.len(), 4);
/// assert_eq!(classic.bounds(1), (0.1, 1.0));
/// # Ok::<(), deespec::MetricError>(())
/// ```
///
/// # The sum
///
/// A histogram's sum is one signed 64-bit number of whole steps. It is therefore exact, whatever the
/// order of the additions, and never drifts: each observation is rounded once, to the nearest step.
/// It holds 2^63 steps in either direction, which is 292 years of summed time in steps of 1 ns. One
/// observation adds at most 2^62 steps (146 years at 1 ns). A sum that wraps is told by the buckets, see
/// [`Distribution::sum`](crate::Distribution::sum).
///
/// The step is 1e-9 when the smallest magnitude of interest is below 1 and at least 1e-6, and a
/// thousandth of the power of ten at or below it when it is smaller. From 1 on the step is 1e-6, or 1
/// when the largest magnitude is above 1e5; never so fine that the largest magnitude is more than 2^62
/// steps. The magnitudes are `smallest` and `largest` of native
/// buckets, and of classic ones the bounds nearest to zero and farthest from it, zero excepted.
/// [`Buckets::with_resolution`] sets another step.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    layout: Layout,
    steps_per_one: f64,
}

// No number in it is NaN: the constructors refuse it.
impl Eq for Buckets {}

#[derive(Debug, Clone, PartialEq)]
enum Layout {
    Native(Native),
    Classic(Arc<[f64]>),
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, MetricError> {
    Err(MetricError::Buckets {
        reason: reason.into(),
    })
}

impl Buckets {
    /// The largest magnitude of a finite bound.
    fn largest(&self) -> f64 {
        let bounds = [0, self.len().saturating_sub(1)].map(|cell| self.bounds(cell));
        let finite = bounds
            .iter()
            .flat_map(|(lower, upper)| [lower.abs(), upper.abs()]);
        finite.filter(|bound| bound.is_finite()).fold(0.0, f64::max)
    }
}

impl Buckets {
    /// The buckets of a Prometheus native histogram, from the bucket that holds `smallest` to the
    /// one that holds `largest`.
    ///
    /// `schema` is from -4 to 8. With base = 2^(2^-schema), bucket i holds the values in
    /// (base^(i-1), base^i]; the bounds are those of Prometheus, bit for bit
    /// (<https://prometheus.io/docs/specs/native_histograms/#standard-schemas>). Schema 3 has eight
    /// buckets to a doubling, each 9 % wider than the one before.
    ///
    /// A value whose magnitude is at most [`Buckets::zero_threshold`] goes to the zero bucket. What
    /// is above the highest bucket goes to an overflow bucket that ends at +Inf, and every value
    /// below the zero bucket to another, from -Inf, unless [`Buckets::with_negative`] refines it.
    /// Prometheus sees an overflow bucket under the index that it has for ±Inf: one above the
    /// bucket of the largest finite number.
    ///
    /// # Errors
    ///
    /// A schema that does not exist; `smallest` and `largest` that are not normal positive numbers
    /// in this order; more than 4096 bucket cells.
    ///
    /// ```
    /// let buckets = deespec::Buckets::native(0, 0.1, 100.0)?;
    /// assert_eq!(buckets.zero_threshold(), Some(0.0625));
    /// // -Inf..-0.0625, the zero bucket, eleven doublings up to 128, and 128..+Inf
    /// assert_eq!(buckets.len(), 14);
    /// assert!(deespec::Buckets::native(8, 1e-9, 1e9).is_err());
    /// # Ok::<(), deespec::MetricError>(())
    /// ```
    pub fn native(schema: i8, smallest: f64, largest: f64) -> Result<Self, MetricError> {
        if !(-4..=8).contains(&schema) {
            return refuse(format!("schema {schema} is not from -4 to 8"));
        }
        for (name, value) in [("smallest", smallest), ("largest", largest)] {
            if !value.is_normal() || value < 0.0 {
                return refuse(format!(
                    "{name} = {value:?} is not a normal positive number"
                ));
            }
        }
        if smallest > largest {
            return refuse(format!(
                "smallest = {smallest:?} is greater than largest = {largest:?}"
            ));
        }
        Self {
            layout: Layout::Native(Native::new(schema, smallest, largest)),
            steps_per_one: steps_for(smallest, largest),
        }
        .checked()
    }

    /// Buckets that end at these bounds, as in a classic Prometheus histogram: each bucket holds the
    /// values that are greater than the bound before it and at most its own (`le`). One more bucket,
    /// up to +Inf, follows the last bound; the first begins at -Inf. A bound of +Inf at the end is
    /// accepted and dropped.
    ///
    /// # Errors
    ///
    /// Bounds that are not finite and strictly ascending; none of them, or more than 256.
    ///
    /// ```
    /// let buckets = deespec::Buckets::classic([0.1, 1.0, f64::INFINITY])?;
    /// assert_eq!(buckets.classic_bounds(), Some(&[0.1, 1.0][..]));
    /// assert_eq!(buckets.bounds(2), (1.0, f64::INFINITY));
    /// assert!(deespec::Buckets::classic([1.0, 1.0]).is_err());
    /// # Ok::<(), deespec::MetricError>(())
    /// ```
    pub fn classic(bounds: impl IntoIterator<Item = f64>) -> Result<Self, MetricError> {
        // One more than is lawful, and one for +Inf: an endless iterator is refused too.
        // Adding zero turns -0.0, which nobody wants to read, into 0.0.
        let mut bounds: Vec<f64> = bounds
            .into_iter()
            .take(BOUNDS_MAX + 2)
            .map(|b| b + 0.0)
            .collect();
        if bounds.last() == Some(&f64::INFINITY) {
            bounds.pop();
        }
        if bounds.is_empty() {
            return refuse("there is no finite bound");
        }
        if bounds.len() > BOUNDS_MAX {
            return refuse(format!("there are more than {BOUNDS_MAX} bounds"));
        }
        if let Some(bound) = bounds.iter().find(|bound| !bound.is_finite()) {
            return refuse(format!("the bound {bound:?} is not finite"));
        }
        if let Some((one, next)) = bounds
            .iter()
            .zip(&bounds[1..])
            .find(|(one, next)| one >= next)
        {
            return refuse(format!(
                "the bound {next:?} follows {one:?}, they must ascend"
            ));
        }
        let magnitudes = || {
            bounds
                .iter()
                .map(|bound| bound.abs())
                .filter(|bound| *bound > 0.0)
        };
        let smallest = magnitudes().reduce(f64::min).unwrap_or(1.0);
        let largest = magnitudes().fold(smallest, f64::max);
        Ok(Self {
            steps_per_one: steps_for(smallest, largest),
            layout: Layout::Classic(bounds.into()),
        })
    }

    /// The default: durations in seconds, from a microsecond to 28 hours with a relative width of
    /// 9 %, summed in nanoseconds. It is `Buckets::native(3, 1e-6, 1e5)`: 296 buckets in 299 cells.
    ///
    /// ```
    /// use deespec::Buckets;
    ///
    /// assert_eq!(Buckets::seconds(), Buckets::native(3, 1e-6, 1e5)?);
    /// assert_eq!(Buckets::seconds().resolution(), 1e-9);
    /// # Ok::<(), deespec::MetricError>(())
    /// ```
    #[must_use]
    pub fn seconds() -> Self {
        Self {
            layout: Layout::Native(Native::new(3, 1e-6, 1e5)),
            steps_per_one: 1e9,
        }
    }

    /// These buckets with a negative side that mirrors the positive one, so that negative values are
    /// told apart too: the mirrored bucket holds [-upper, -lower). What is below the lowest of them
    /// goes to the overflow bucket at -Inf. Classic buckets stay as they are; their bounds may be
    /// negative.
    ///
    /// # Errors
    ///
    /// More than 4096 bucket cells.
    ///
    /// ```
    /// let celsius = deespec::Buckets::native(3, 0.1, 100.0)?.with_negative()?;
    /// assert_eq!(celsius.bounds(0), (f64::NEG_INFINITY, -celsius.bounds(celsius.len() - 1).0));
    /// # Ok::<(), deespec::MetricError>(())
    /// ```
    pub fn with_negative(mut self) -> Result<Self, MetricError> {
        if let Layout::Native(native) = self.layout {
            self.layout = Layout::Native(native.with_negative());
        }
        self.checked()
    }

    fn checked(self) -> Result<Self, MetricError> {
        match self.len() {
            0..=CELLS_MAX => Ok(self),
            len => refuse(format!(
                "they would need {len} bucket cells, at most {CELLS_MAX} are allowed; take a lower schema or a shorter range"
            )),
        }
    }

    /// The number of bucket cells, the zero bucket and the overflow buckets among them.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there are always at least two")]
    pub fn len(&self) -> usize {
        match &self.layout {
            Layout::Native(native) => native.len(),
            Layout::Classic(bounds) => bounds.len() + 1,
        }
    }

    /// The bounds of a bucket cell, in the unit of the observations. A positive or classic bucket
    /// holds its upper bound and not its lower one; a negative bucket of a native histogram holds
    /// its lower bound and not its upper one; the zero bucket holds both. An infinite bound belongs
    /// to its bucket. An index beyond the last cell is taken for the last.
    ///
    /// ```
    /// let buckets = deespec::Buckets::native(0, 1.0, 4.0)?;
    /// assert_eq!(buckets.bounds(1), (-0.5, 0.5));
    /// assert_eq!(buckets.bounds(3), (1.0, 2.0));
    /// # Ok::<(), deespec::MetricError>(())
    /// ```
    #[must_use]
    pub fn bounds(&self, index: usize) -> (f64, f64) {
        match &self.layout {
            Layout::Native(native) => native.bounds(index),
            Layout::Classic(bounds) => {
                let last = bounds.len();
                let lower = index.min(last).checked_sub(1).and_then(|i| bounds.get(i));
                let upper = bounds.get(index);
                (
                    lower.copied().unwrap_or(f64::NEG_INFINITY),
                    upper.copied().unwrap_or(f64::INFINITY),
                )
            }
        }
    }

    /// The cell that counts this value. Nobody should ask for NaN; it gets some cell.
    #[inline]
    pub(crate) fn index_of(&self, value: f64) -> usize {
        match &self.layout {
            Layout::Native(native) => native.index_of(value),
            Layout::Classic(bounds) => bounds.partition_point(|bound| *bound < value),
        }
    }

    /// Whether these are the buckets of a native histogram.
    #[must_use]
    pub fn is_native(&self) -> bool {
        matches!(self.layout, Layout::Native(_))
    }

    /// The schema of a native histogram, from -4 to 8.
    #[must_use]
    pub fn schema(&self) -> Option<i8> {
        match &self.layout {
            Layout::Native(native) => Some(native.schema()),
            Layout::Classic(_) => None,
        }
    }

    /// The largest magnitude that the zero bucket of a native histogram holds: the lower bound of
    /// its lowest positive bucket.
    #[must_use]
    pub fn zero_threshold(&self) -> Option<f64> {
        match &self.layout {
            Layout::Native(native) => Some(native.zero_threshold()),
            Layout::Classic(_) => None,
        }
    }

    /// The upper bounds of classic buckets, without +Inf.
    #[must_use]
    pub fn classic_bounds(&self) -> Option<&[f64]> {
        match &self.layout {
            Layout::Native(_) => None,
            Layout::Classic(bounds) => Some(bounds),
        }
    }

    /// Where the cells of a native histogram stand.
    pub(crate) fn native_cells(&self) -> Option<NativeCells> {
        match &self.layout {
            Layout::Native(native) => Some(native.cells()),
            Layout::Classic(_) => None,
        }
    }

    /// The bounds to show in a text format that knows classic buckets only: each upper bound (`le`)
    /// with the number of cells at or below it, so that the sum over that many cells is the
    /// cumulative count. They ascend, do not depend on what was observed, and leave +Inf out, which
    /// is the whole count.
    ///
    /// Of a native histogram these are the zero threshold, every power of two that is a bound, and
    /// the highest bound; with a negative side, its mirror before them. A mirrored bucket does not
    /// hold its upper bound, so the numbers just below the powers stand for them there.
    ///
    /// ```
    /// let buckets = deespec::Buckets::native(1, 0.8, 4.0)?;
    /// let bounds: Vec<f64> = buckets.text_bounds().into_iter().map(|(le, _)| le).collect();
    /// assert_eq!(bounds, [0.7071067811865475, 1.0, 2.0, 4.0]);
    /// # Ok::<(), deespec::MetricError>(())
    /// ```
    #[must_use]
    pub fn text_bounds(&self) -> Vec<(f64, usize)> {
        match &self.layout {
            Layout::Native(native) => native.text_bounds(),
            Layout::Classic(bounds) => bounds.iter().copied().zip(1..).collect(),
        }
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self::seconds()
    }
}
