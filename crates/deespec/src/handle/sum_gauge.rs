//! Gauges with a wide sum: the handles through which many processes add to one gauge and take away from it.

use std::fmt;

use crate::metric::{MetricError, WideSum};
use crate::store::HeldCells;

use super::counter::{add_wide, wide};

/// A gauge that is the sum of what all processes add to it and take away from it, such as bytes that are queued.
///
/// The sum is as exact as that of a [`FractionCounter`](crate::FractionCounter), in any order, and others see a gauge: no
/// rotation begins it anew. What a killed process has added stays; for something that ends with its process, take a
/// [`ProcessGauge`](crate::ProcessGauge).
///
/// Nobody can set it: whoever sets a sum would have to know what others add to it at the same moment, and would lose that.
/// For a gauge that one program sets, take a [`Gauge`](crate::Gauge).
#[derive(Clone)]
pub struct SumGauge {
    pub(super) cells: HeldCells,
}

impl SumGauge {
    /// What no other series of this process has as long as this handle lives.
    #[doc(hidden)]
    #[must_use]
    pub fn identity(&self) -> usize {
        self.cells.address()
    }

    /// Adds an amount, or takes away what is below zero; `false` where it is none: no number, or 2^62 and more in either
    /// direction. Such a one changes nothing.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let queued = store.sum_gauge("queued_bytes")?;
    /// assert!(queued.add(0.3) && queued.sub(0.1) && queued.sub(0.2));
    /// assert!(queued.value().is_zero());
    /// assert!(!queued.add(f64::NAN));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn add(&self, amount: f64) -> bool {
        let is_one = add_wide(self.cells.all_mine(), amount, 1);
        if is_one {
            self.cells.revive();
        }
        is_one
    }

    /// Takes an amount away; `false` as for [`add`](Self::add).
    #[inline]
    pub fn sub(&self, amount: f64) -> bool {
        self.add(-amount)
    }

    /// Adds 1.
    #[inline]
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Takes 1 away.
    #[inline]
    pub fn dec(&self) {
        self.add(-1.0);
    }

    /// Adds an amount that somebody else has told, or takes away what is below zero: only as long as the sum stays far from
    /// its end. Reads all stripes, which costs more than [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// [`MetricError::Amount`] or [`MetricError::Exhausted`]; nothing is added then.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let queued = store.sum_gauge("queued_bytes")?;
    /// assert!(queued.try_add(4e18).is_ok());
    /// assert!(queued.try_add(4e18).is_err() && queued.try_add(f64::INFINITY).is_err());
    /// assert!(queued.try_sub(4e18).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_add(&self, amount: f64) -> Result<(), MetricError> {
        let sum = wide(
            amount,
            "a gauge with a wide sum takes numbers below 2^62, in either direction",
        )?;
        if !self.value().plus(sum).fits() {
            return Err(MetricError::Exhausted);
        }
        self.add(amount);
        Ok(())
    }

    /// Takes away an amount that somebody else has told.
    ///
    /// # Errors
    ///
    /// As [`try_add`](Self::try_add).
    pub fn try_sub(&self, amount: f64) -> Result<(), MetricError> {
        self.try_add(-amount)
    }

    /// What it is now. Reads all stripes, which costs more than [`add`](Self::add).
    #[must_use]
    pub fn value(&self) -> WideSum {
        WideSum::of_cells([0, 1, 2].map(|cell| self.cells.total(cell)))
    }

    /// How many whole units may be added or taken away from outside, as it is now. Reads all stripes, which costs more than
    /// [`add`](Self::add).
    #[must_use]
    pub fn room(&self) -> u64 {
        self.value().room()
    }
}

impl fmt::Debug for SumGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SumGauge")
            .field("value", &self.value())
            .finish_non_exhaustive()
    }
}
