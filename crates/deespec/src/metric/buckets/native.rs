//! The layout of a native histogram: which cell holds a value, and where a cell begins and ends.
//!
//! The cells stand in ascending order of value:
//!
//! | cells | hold |
//! |---|---|
//! | 0 | everything below the cells that follow, down to -Inf |
//! | the negative cells, if they are kept | the mirror of the positive ones: the largest magnitude first |
//! | one | the zero bucket, both thresholds included |
//! | the positive cells | (lower, upper] |
//! | the last | everything above, up to +Inf |

use std::ops::Range;

use super::boundaries::{MANTISSA, bounds_below, mantissa};

const SIGN: u64 = 1 << 63;
/// What the stored exponent of 1.0 is.
const BIAS: i32 = 1023;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Native {
    /// The bits of the zero threshold, the lower bound of the lowest bucket.
    zero: u64,
    /// The bits of the upper bound of the highest bucket.
    top: u64,
    /// The Prometheus index of the lowest bucket.
    first: i32,
    /// How many buckets one side has.
    side: u32,
    /// Which cell is the zero bucket.
    zero_cell: u32,
    schema: i8,
    negative: bool,
}

/// Where the cells of a native histogram stand among all cells, for an encoder that knows spans of
/// Prometheus indices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NativeCells {
    /// The schema, from -4 to 8.
    pub(crate) schema: i8,
    /// The largest magnitude that the zero bucket holds.
    pub(crate) zero_threshold: f64,
    /// The cell of the zero bucket.
    pub(crate) zero: usize,
    /// The Prometheus index of the lowest bucket, on both sides.
    pub(crate) first_index: i32,
    /// The positive buckets: the first cell has the index `first_index`, each next cell one more.
    pub(crate) positive: Range<usize>,
    /// The negative buckets, **in falling order of index**: the last cell has the index
    /// `first_index`, each cell before it one more. Empty when the negative side is not kept.
    pub(crate) negative: Range<usize>,
    /// The cell of everything above the positive buckets.
    pub(crate) overflow: usize,
    /// The cell of everything below the negative buckets, or below the zero bucket.
    pub(crate) negative_overflow: usize,
    /// The Prometheus index as which both overflow cells are exposed: that of ±Inf, one above the
    /// bucket of the largest finite number.
    pub(crate) overflow_index: i32,
}

impl Native {
    /// The layout that reaches from the bucket of `smallest` to that of `largest`; both must be
    /// positive normal numbers in this order, and the schema from -4 to 8.
    pub(super) fn new(schema: i8, smallest: f64, largest: f64) -> Self {
        let first = index(smallest.to_bits(), schema);
        let last = index(largest.to_bits(), schema);
        Self {
            zero: bound(first - 1, schema).to_bits(),
            top: bound(last, schema).to_bits(),
            first,
            side: first.abs_diff(last) + 1,
            zero_cell: 1,
            schema,
            negative: false,
        }
    }

    pub(super) fn with_negative(mut self) -> Self {
        self.negative = true;
        self.zero_cell = self.side + 1;
        self
    }

    pub(super) fn len(&self) -> usize {
        // The zero bucket, one side or two, and an overflow at either end.
        self.zero_cell as usize + self.side as usize + 2
    }

    pub(super) fn schema(&self) -> i8 {
        self.schema
    }

    pub(super) fn keeps_negative(&self) -> bool {
        self.negative
    }

    pub(super) fn zero_threshold(&self) -> f64 {
        f64::from_bits(self.zero)
    }

    /// The upper bounds of the lowest and of the highest bucket: values that lead to an equal layout.
    pub(super) fn range(&self) -> (f64, f64) {
        (bound(self.first, self.schema), f64::from_bits(self.top))
    }

    #[inline]
    pub(super) fn index_of(&self, value: f64) -> usize {
        let magnitude = value.to_bits() & !SIGN;
        let zero_cell = self.zero_cell as usize;
        // As whole numbers, the bits of two magnitudes compare as the magnitudes do.
        if magnitude <= self.zero {
            return zero_cell;
        }
        let negative = value.is_sign_negative();
        if magnitude > self.top {
            return if negative { 0 } else { self.len() - 1 };
        }
        // The index of a subnormal number comes out too low. Such a number above the zero threshold
        // can only be in the lowest bucket.
        let place = (index(magnitude, self.schema) - self.first).max(0) as usize;
        if !negative {
            zero_cell + 1 + place
        } else if self.negative {
            zero_cell - 1 - place
        } else {
            0
        }
    }

    pub(super) fn bounds(&self, cell: usize) -> (f64, f64) {
        let (zero, top) = (self.zero_threshold(), f64::from_bits(self.top));
        let zero_cell = self.zero_cell as usize;
        let lowest = if self.negative { -top } else { -zero };
        if cell == zero_cell {
            (-zero, zero)
        } else if cell == 0 {
            (f64::NEG_INFINITY, lowest)
        } else if cell >= self.len() - 1 {
            (top, f64::INFINITY)
        } else {
            let index = self.first + cell.abs_diff(zero_cell) as i32 - 1;
            let (lower, upper) = (bound(index - 1, self.schema), bound(index, self.schema));
            if cell > zero_cell {
                (lower, upper)
            } else {
                (-upper, -lower)
            }
        }
    }

    pub(super) fn cells(&self) -> NativeCells {
        let (zero, end) = (self.zero_cell as usize, self.len() - 1);
        NativeCells {
            schema: self.schema,
            zero_threshold: self.zero_threshold(),
            zero,
            first_index: self.first,
            positive: zero + 1..end,
            negative: 1..zero,
            overflow: end,
            negative_overflow: 0,
            overflow_index: index(f64::MAX.to_bits(), self.schema) + 1,
        }
    }

    /// See [`Buckets::text_bounds`](super::Buckets::text_bounds).
    pub(super) fn text_bounds(&self) -> Vec<(f64, usize)> {
        let octave = 1 << self.schema.max(0);
        let side = self.side as i32;
        // Levels are counted from the zero threshold, level 0, to the highest bound.
        let levels: Vec<usize> = (0..=side)
            .filter(|level| *level == 0 || *level == side || (self.first - 1 + level) % octave == 0)
            .map(|level| level as usize)
            .collect();
        let magnitude = |level: usize| bound(self.first - 1 + level as i32, self.schema);
        let zero_cell = self.zero_cell as usize;
        let mut bounds = Vec::with_capacity(2 * levels.len());
        if self.negative {
            // A mirrored bucket ends just before its upper bound, and `le` would include the bound.
            // The number below it is the largest that is in.
            let below = |level: &usize| (-magnitude(*level)).next_down();
            let levels = levels.iter().rev().filter(|level| below(level).is_finite());
            bounds.extend(levels.map(|level| (below(level), zero_cell - level)));
        }
        bounds.extend(
            levels
                .iter()
                .map(|level| (magnitude(*level), zero_cell + 1 + level)),
        );
        bounds
    }
}

/// The Prometheus index of the bucket (base^(index-1), base^index] that holds a normal number,
/// given by its bits.
#[inline]
fn index(bits: u64, schema: i8) -> i32 {
    let (finer, coarser) = (schema.max(0) as u8, schema.min(0).unsigned_abs());
    let octave = (bits >> 52) as i32 - BIAS;
    let place = bounds_below(bits & MANTISSA, finer) as i32;
    // Below schema 0 a bucket holds several octaves; the shift must round upwards.
    ((octave << finer) + place + (1 << coarser) - 1) >> coarser
}

/// The upper bound of the bucket with this Prometheus index.
fn bound(index: i32, schema: i8) -> f64 {
    let (finer, coarser) = (schema.max(0) as u8, schema.min(0).unsigned_abs());
    let octave = (index << coarser) >> finer;
    let k = index & ((1 << finer) - 1);
    let mantissa = if coarser == 0 {
        mantissa(k as usize, finer)
    } else {
        0
    };
    if octave > BIAS {
        // 2^1024 is no number. As in Prometheus the highest bucket ends with the largest number
        // there is, so that infinity alone is beyond.
        return f64::MAX;
    }
    if octave > -BIAS {
        return f64::from_bits(((octave + BIAS) as u64) << 52 | mantissa);
    }
    // The lower bound of the bucket of the smallest normal number is a subnormal one.
    let scale = f64::from_bits(1 << (octave + BIAS + 51).max(0));
    f64::from_bits((BIAS as u64) << 52 | mantissa) * scale
}
