//! Looking up the metrics with wide sums.

use crate::Result;
use crate::metric::{Buckets, Shape};
use crate::store::Form;

use super::counter::FractionCounter;
use super::store::Store;
use super::sum_gauge::SumGauge;
use super::summary::Summary;
use super::wide_histogram::WideHistogram;

impl Store {
    /// The counter of amounts with fractions `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::fraction_counter_with`].
    pub fn fraction_counter(&self, name: &str) -> Result<FractionCounter> {
        self.fraction_counter_with(name, &[])
    }

    /// The counter of amounts with fractions `name` with these labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`]; and in a store of format version 1, which cannot hold it until it is compacted.
    #[inline(always)]
    pub fn fraction_counter_with(
        &self,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Result<FractionCounter> {
        let handle = |cells| FractionCounter { cells };
        let shape = (Form::FractionCounter, || Shape::FractionCounter);
        self.holds.series(self.core(), name, labels, shape, handle)
    }

    /// The summary `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::fraction_counter_with`].
    pub fn summary(&self, name: &str) -> Result<Summary> {
        self.summary_with(name, &[])
    }

    /// The summary `name` with these labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::fraction_counter_with`].
    #[inline(always)]
    pub fn summary_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<Summary> {
        let handle = |cells| Summary { cells };
        let shape = (Form::Summary, || Shape::Summary);
        self.holds.series(self.core(), name, labels, shape, handle)
    }

    /// The gauge with a wide sum `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::fraction_counter_with`].
    pub fn sum_gauge(&self, name: &str) -> Result<SumGauge> {
        self.sum_gauge_with(name, &[])
    }

    /// The gauge with a wide sum `name` with these labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::fraction_counter_with`].
    #[inline(always)]
    pub fn sum_gauge_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<SumGauge> {
        let handle = |cells| SumGauge { cells };
        let shape = (Form::SumGauge, || Shape::SumGauge);
        self.holds.series(self.core(), name, labels, shape, handle)
    }

    /// The histogram with a wide sum `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::fraction_counter_with`].
    pub fn wide_histogram(&self, name: &str) -> Result<WideHistogram> {
        self.wide_histogram_with(name, &[])
    }

    /// The histogram with a wide sum `name` with these labels; it is made on first use, with the buckets that it was declared
    /// with or else [`Buckets::seconds`].
    ///
    /// # Errors
    ///
    /// As [`Store::fraction_counter_with`].
    pub fn wide_histogram_with(
        &self,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Result<WideHistogram> {
        self.wide_histogram_as(name, labels, &Buckets::default())
    }

    /// As [`Store::wide_histogram_with`], with the buckets of a histogram that is new. One that the store has already
    /// keeps its own.
    ///
    /// # Errors
    ///
    /// As [`Store::fraction_counter_with`].
    pub fn wide_histogram_as(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &Buckets,
    ) -> Result<WideHistogram> {
        let (core, shape) = (
            self.core(),
            Shape::WideHistogram(buckets.clone().in_billionths()),
        );
        let asked = (Form::WideHistogram, || shape.clone());
        let cells = self.holds.series(core, name, labels, asked, |cells| cells);
        let cells = cells.map_err(|error: crate::StoreError| error)?;
        let buckets = core.sorting(name, shape, cells.count())?;
        Ok(WideHistogram { cells, buckets })
    }
}
