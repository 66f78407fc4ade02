//! The metrics of a store: looking them up, declaring and removing them.

use std::sync::Arc;

use crate::Result;
use crate::metric::{Aggregation, Buckets, Family, Shape};
use crate::store::{Core, Form, Holds, OwnShare};

use super::counter::Counter;
use super::gauge::{Gauge, ProcessGauge};
use super::histogram::Histogram;
use super::store::Store;

impl Store {
    /// The counter `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// When the name is not valid, or the store cannot take another series.
    pub fn counter(&self, name: &str) -> Result<Counter> {
        counter(self.core(), &self.holds, name, &[])
    }

    /// The counter `name` with these labels, in any order; it is made on first use. Finding one that
    /// exists takes no lock, and is fastest with the same labels in the same order as before.
    ///
    /// # Errors
    ///
    /// When the name or a label is not valid, or the store cannot take another series.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let failed = store.counter_with("jobs_total", &[("job", "backup"), ("outcome", "failure")])?;
    /// failed.inc();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn counter_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<Counter> {
        counter(self.core(), &self.holds, name, labels)
    }

    /// How many cells the series `name` with these labels has in each stripe: one, but for a histogram. `None` where this
    /// process knows of no such series; then a handle of it is had by taking the store's lock, and else without.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// assert_eq!(store.known_cells("jobs_total", &[("queue", "mail")]), None);
    /// store.counter_with("jobs_total", &[("queue", "mail")])?;
    /// assert_eq!(store.known_cells("jobs_total", &[("queue", "mail")]), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn known_cells(&self, name: &str, labels: &[(&str, &str)]) -> Option<u32> {
        self.core().known_cells(name, labels)
    }

    /// The gauge `name` without labels, which all processes share; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    pub fn gauge(&self, name: &str) -> Result<Gauge> {
        self.gauge_with(name, &[])
    }

    /// The gauge `name` with these labels, which all processes share; it is made on first use.
    ///
    /// # Errors
    ///
    /// When the name or a label is not valid, the metric is of another kind or was declared with
    /// other labels, or the store cannot take another series.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let depth = store.gauge_with("queue_depth", &[("queue", "mail")])?;
    /// depth.set(12.0);
    /// depth.dec();
    /// let view = store.view()?;
    /// let sample = view.sample("queue_depth", &[("queue", "mail")]);
    /// assert_eq!(sample.and_then(|sample| sample.value.gauge()), Some(11.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn gauge_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<Gauge> {
        let shape = (Form::Gauge, || Shape::Gauge);
        let handle = |cells| Gauge { cells };
        self.holds.series(self.core(), name, labels, shape, handle)
    }

    /// This process' share of the gauge `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::process_gauge_with`].
    pub fn process_gauge(&self, name: &str) -> Result<ProcessGauge> {
        self.process_gauge_with(name, &[])
    }

    /// This process' share of the gauge `name` with these labels, 0 at first. The gauge is made on
    /// first use; unless it was declared otherwise, others see the sum of all shares.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`], and when a lock in the store's folder cannot be had.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let in_flight = store.process_gauge("requests_in_flight")?;
    /// in_flight.set(3.0)?;
    /// let view = store.view()?;
    /// let sample = view.sample("requests_in_flight", &[]);
    /// assert_eq!(sample.and_then(|sample| sample.value.gauge()), Some(3.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process_gauge_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<ProcessGauge> {
        self.process_gauge_as(name, labels, Aggregation::default())
    }

    /// As [`Store::process_gauge_with`], with the aggregation of a gauge that is new.
    pub(crate) fn process_gauge_as(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        aggregation: Aggregation,
    ) -> Result<ProcessGauge> {
        let shape = Shape::ProcessGauge(aggregation);
        let cells = self.core().series(name, labels, &shape)?;
        Ok(ProcessGauge {
            share: OwnShare::new(self.core(), cells)?,
            store: Arc::clone(&self.inner),
        })
    }

    /// The histogram `name` without labels; it is made on first use.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    pub fn histogram(&self, name: &str) -> Result<Histogram> {
        self.histogram_with(name, &[])
    }

    /// The histogram `name` with these labels; it is made on first use, with the buckets that it was
    /// declared with or else [`Buckets::seconds`].
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let seconds = store.histogram_with("commit_seconds", &[("branch", "main")])?;
    /// seconds.observe(0.25);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn histogram_with(&self, name: &str, labels: &[(&str, &str)]) -> Result<Histogram> {
        let shape = (Form::Histogram, || Shape::Histogram(Buckets::default()));
        let handle = |cells| Histogram { cells };
        self.holds.series(self.core(), name, labels, shape, handle)
    }

    /// As [`Store::histogram_with`], with the buckets of a histogram that is new. One that the store has already
    /// keeps its own.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    pub fn histogram_as(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &Buckets,
    ) -> Result<Histogram> {
        let shape = (Form::Histogram, || Shape::Histogram(buckets.clone()));
        let handle = |cells| Histogram { cells };
        self.holds.series(self.core(), name, labels, shape, handle)
    }

    /// Says something by labels, such as the version of a program: an info metric is always 1.
    ///
    /// # Errors
    ///
    /// As [`Store::gauge_with`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// store.info("build_info", &[("version", "1.4.0")])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info(&self, name: &str, labels: &[(&str, &str)]) -> Result<()> {
        self.core().series(name, labels, &Shape::Info)?.revive();
        Ok(())
    }

    /// Declares a family: what all series of one name have in common. Every program that uses the
    /// family may declare it; saying the same again changes nothing.
    ///
    /// # Errors
    ///
    /// When the declaration is not valid, or disagrees with an earlier one, or with the series that
    /// there are already. The error names both.
    ///
    /// ```
    /// use deespec::Family;
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let sent = || Family::counter("sent_bytes_total").with_unit("bytes");
    /// store.declare(&sent().with_help("What was sent."))?;
    /// let error = store.declare(&sent()).unwrap_err();
    /// assert!(error.to_string().contains("declared with help \"What was sent.\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn declare(&self, family: &Family) -> Result<()> {
        Ok(self.core().declare(family)?)
    }

    /// Declares a family anew: unit, help text, labels and limit are those from now on, whatever was
    /// declared before. For a program whose next release says more, or other things, of a metric.
    ///
    /// Of programs that say different things the last one wins. The place in the store that each new
    /// declaration takes is given back by a compaction, so let not every start of two releases that
    /// disagree do this: [`Store::declare`] where nothing is new. Saying the same again takes none.
    ///
    /// # Errors
    ///
    /// When the declaration is not valid, the kind, the buckets or the aggregation are not those of
    /// the family, or series that there are have other labels than it says.
    ///
    /// ```
    /// use deespec::Family;
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// let sent = || Family::counter("sent_bytes_total").with_unit("bytes");
    /// store.declare(&sent().with_help("What was sent."))?;
    /// store.redeclare(&sent().with_help("Bytes that peers have acknowledged."))?;
    /// let help = store.family("sent_bytes_total").map(|family| family.help().to_owned());
    /// assert_eq!(help.as_deref(), Some("Bytes that peers have acknowledged."));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn redeclare(&self, family: &Family) -> Result<()> {
        Ok(self.core().redeclare(family)?)
    }

    /// What is declared about the series of this name; `None` while this process knows of none.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let store = deespec::Store::open(folder.path().join("var"))?;
    /// store.counter("jobs_total")?;
    /// let family = store.family("jobs_total");
    /// assert_eq!(family.map(|family| family.kind()), Some(deespec::Kind::Counter));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn family(&self, name: &str) -> Option<Family> {
        Some(Family::clone(&*self.core().family(name)?))
    }

    /// Removes a series from every view, until it is counted again: then it comes back with all that
    /// it ever counted, since nothing that was counted may be lost. `false` when there is none.
    ///
    /// Its place in the store is given back by a compaction.
    ///
    /// # Errors
    ///
    /// When it is one of the four built-in counters, or the store's lock cannot be had in time.
    pub fn remove(&self, name: &str, labels: &[(&str, &str)]) -> Result<bool> {
        let labels = labels.iter().copied().collect();
        Ok(self.core().remove(name, &labels)?)
    }
}

#[inline(always)]
pub(super) fn counter(
    core: &Core,
    holds: &Holds,
    name: &str,
    labels: &[(&str, &str)],
) -> Result<Counter> {
    let shape = (Form::Counter, || Shape::Counter);
    holds.series(core, name, labels, shape, |cells| Counter { cells })
}
