//! Gauges: values that go up and down, shared by all processes or a share of each.

use std::fmt;
use std::sync::Arc;

use crate::Result;
use crate::store::{HeldCells, OwnShare};
use crate::sync::{AtomicU64, Ordering};

use super::store::Inner;

/// A value that goes up and down and that all processes share.
///
/// The last store wins, whoever made it, and the value survives its writers. For something that each
/// process has of its own, such as requests in flight, take a [`ProcessGauge`].
#[derive(Clone)]
pub struct Gauge {
    pub(super) cells: HeldCells,
}

impl Gauge {
    /// Sets the value.
    #[inline]
    pub fn set(&self, value: f64) {
        self.cells
            .shared()
            .store(value.to_bits(), Ordering::Relaxed);
        self.cells.revive();
    }

    /// Adds to the value, or takes away from it.
    #[inline]
    pub fn add(&self, value: f64) {
        add(self.cells.shared(), value);
        self.cells.revive();
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

    /// The value now.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.cells.shared().load(Ordering::Relaxed))
    }

    /// What no other series of this process has as long as this handle lives.
    #[doc(hidden)]
    #[must_use]
    pub fn identity(&self) -> usize {
        self.cells.address()
    }
}

/// A gauge of which each live process has its own share.
///
/// What is read is the sum, the smallest, the largest or the number of the shares of all processes
/// that live: a process that ends takes its share with it, however it ends. All threads of a process
/// have one share together. A child that was forked has its own, from its first use on.
pub struct ProcessGauge {
    pub(super) share: OwnShare,
    pub(super) store: Arc<Inner>,
}

impl ProcessGauge {
    /// Sets this process' share.
    ///
    /// # Errors
    ///
    /// Only in a forked child's first use: when its share cannot be had.
    #[inline]
    pub fn set(&self, value: f64) -> Result<()> {
        let store = |cell: &AtomicU64| cell.store(value.to_bits(), Ordering::Relaxed);
        Ok(self.share.with(self.store.core(), store)?)
    }

    /// Adds to this process' share, or takes away from it.
    ///
    /// # Errors
    ///
    /// As [`ProcessGauge::set`].
    #[inline]
    pub fn add(&self, value: f64) -> Result<()> {
        Ok(self
            .share
            .with(self.store.core(), |cell| add(cell, value))?)
    }

    /// Adds 1.
    ///
    /// # Errors
    ///
    /// As [`ProcessGauge::set`].
    #[inline]
    pub fn inc(&self) -> Result<()> {
        self.add(1.0)
    }

    /// Takes 1 away.
    ///
    /// # Errors
    ///
    /// As [`ProcessGauge::set`].
    #[inline]
    pub fn dec(&self) -> Result<()> {
        self.add(-1.0)
    }
}

/// Adds to a floating-point number that others change as well.
pub(crate) fn add(cell: &AtomicU64, value: f64) {
    let mut before = cell.load(Ordering::Relaxed);
    loop {
        let after = (f64::from_bits(before) + value).to_bits();
        let order = (Ordering::Relaxed, Ordering::Relaxed);
        match cell.compare_exchange_weak(before, after, order.0, order.1) {
            Ok(_) => return,
            Err(now) => before = now,
        }
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge")
            .field("value", &self.value())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ProcessGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessGauge").finish_non_exhaustive()
    }
}
