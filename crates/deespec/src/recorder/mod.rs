//! The `metrics` facade on top of the handles: a program that counts through its macros counts into
//! a store. Knows handles and words only; no file, no cell.
//!
//! One line switches a program that uses the [`metrics`] facade already:
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("var");
//! use deespec::{Store, recorder::Recorder};
//!
//! let store = Store::open(&path)?;
//! Recorder::new(&store).install()?;
//!
//! metrics::counter!("http.requests", "code" => "200").increment(3);
//! metrics::gauge!("requests_in_flight").set(2);
//! metrics::histogram!("request_seconds").record(0.25);
//!
//! let view = store.view()?;
//! assert_eq!(view.value("http_requests", &[("code", "200")]), Some(3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What becomes of what
//!
//! **Names.** A character that Prometheus does not allow becomes `_`: `http.requests` is
//! `http_requests`. Two names that become one count together. A name that begins with a digit gets `_`
//! in front, a label name that begins with `__` keeps one of them. A label value of more than 1,024
//! bytes, or a help text, is cut and ends with `…`. The four built-in counters are counted by their
//! names: `counter!("commit_success")`.
//!
//! **Counters.** `increment` is [`Counter::add`](crate::Counter::add). `absolute(v)` adds what `v`
//! exceeds the largest absolute value by that this process has given to the series before, whichever
//! thread or recorder gave it. So two processes that each report 10 make 20, and a process that was
//! started again begins at 0 and adds; a forked child goes on from its parent's value. Increments do
//! not enter into it: use one of the two for a series.
//!
//! **Gauges** are per process unless [`Recorder::gauges`] says otherwise: each process sets its own
//! share, others see the sum, and a process that ends takes its share with it. A forked child has a share
//! of its own from its first use on. A gauge that the store has already stays what it is, so
//! [`Store::declare`] chooses for one of them.
//!
//! **Histograms** have the buckets of [`Recorder::buckets_for`] or [`Recorder::buckets`], unless the
//! store has the histogram already.
//!
//! **Descriptions** become the family's declaration, before or after its first use. The first one
//! stays, whichever process gave it. A unit becomes the family's unit when the name ends in it
//! (`_seconds`, `_bytes_total`); else the help text says it, since values are never converted.
//!
//! # What is rejected
//!
//! The facade has no errors to return. What cannot be counted is therefore counted elsewhere, call by
//! call, in `deespec_recorder_rejected_total` with the labels `metric` and `reason`:
//!
//! | reason | |
//! |---|---|
//! | `name` | the name is empty or has more than 255 bytes |
//! | `labels` | too many labels, a name twice, not those that the family was declared with, `le` at a histogram |
//! | `kind` | the metric is of another kind |
//! | `value` | an observation that is not a number |
//! | `reserved` | the name begins with `deespec_`, as the metrics do in which DeeSpec tells of itself |
//! | `description` | a description that disagrees with an earlier one, or with the metric |
//! | `store` | the store could not take it: it is full, or its disk or lock fails. Without a `metric` |
//!
//! A series that was rejected because of the store is tried again ten seconds later at the earliest,
//! when a macro is called for it again. The other reasons stay until the program ends.
//!
//! # What it costs
//!
//! A macro looks its series up in a map of the recorder's own each time. A handle that is kept, such
//! as `let requests = metrics::counter!("requests");`, costs an indirect call more than DeeSpec's own.
//!
//! # When the program ends
//!
//! A recorder that is installed is never dropped, and keeps its store open. Nothing that was counted
//! is lost by that, but `metrics.json` may be up to a second old; [`Store::sync`] before the end
//! brings it up to date.

mod absolute;
mod cache;
mod choices;
mod handles;
mod lawful;
mod rejected;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Key, KeyName, Metadata, SharedString, Unit};
use thiserror::Error;

use crate::metric::lawful::metric_name;
use crate::metric::{Buckets, Family, Lawful, Shape, check_reserved};
use crate::store::StoreError;
use crate::{Result, Store};

use absolute::Origin;
use cache::{Cache, Slot};
use choices::Choices;
use handles::{Count, Observe, Set, SetShare};
use rejected::{Reason, Rejected};

pub use choices::{Gauges, Matcher};

/// Why a recorder cannot be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecorderError {
    /// The facade takes one recorder in the life of a program.
    #[error("this program has installed a recorder of the metrics facade already")]
    Installed,
}

/// A recorder of the [`metrics`] facade that counts into a store; see the [module](self).
///
/// The choices are made first, then it is installed, or used by `metrics::with_local_recorder`.
/// Several recorders on one store count together.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let store = deespec::Store::open(folder.path().join("var"))?;
/// use deespec::Buckets;
/// use deespec::recorder::{Gauges, Matcher, Recorder};
///
/// Recorder::new(&store)
///     .gauges(Gauges::Shared)
///     .buckets_for(Matcher::Suffix("_bytes"), Buckets::native(2, 64.0, 1e9)?)
///     .install()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recorder {
    store: Store,
    choices: Choices,
    retry: Duration,
    origin: Origin,
    rejected: Arc<Rejected>,
    counters: Cache<metrics::Counter>,
    gauges: Cache<metrics::Gauge>,
    histograms: Cache<metrics::Histogram>,
}

impl Recorder {
    /// A recorder that counts into `store`.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            choices: Choices::default(),
            retry: Duration::from_secs(10),
            origin: Origin::of(store),
            rejected: Arc::new(Rejected::new(store)),
            counters: Cache::default(),
            gauges: Cache::default(),
            histograms: Cache::default(),
        }
    }

    /// How gauges are stored that the store does not have yet; [`Gauges::default`] unless said.
    #[must_use]
    pub fn gauges(mut self, gauges: Gauges) -> Self {
        self.choices.gauges = gauges;
        self
    }

    /// The buckets of histograms that the store does not have yet; [`Buckets::seconds`] unless said.
    #[must_use]
    pub fn buckets(mut self, buckets: Buckets) -> Self {
        self.choices.buckets = buckets;
        self
    }

    /// The buckets of those histograms whose name matches. A full name is stronger than a prefix, a
    /// prefix is stronger than a suffix, and of two of a sort the longer one is; of two equal ones
    /// the last.
    #[must_use]
    pub fn buckets_for(mut self, names: Matcher<'_>, buckets: Buckets) -> Self {
        self.choices.add(names, buckets);
        self
    }

    /// How soon a series is tried again that the store could not take; for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn retry(mut self, after: Duration) -> Self {
        self.retry = after;
        self
    }

    /// Makes it the recorder of the whole program.
    ///
    /// # Errors
    ///
    /// When the program has a recorder already, or the store cannot take the counter of what is
    /// rejected.
    pub fn install(self) -> Result<()> {
        self.rejected.check()?;
        metrics::set_global_recorder(self).map_err(|_| RecorderError::Installed.into())
    }

    fn counter(&self, series: &Lawful, key: &Key) -> Result<metrics::Counter> {
        let counter = self.store.counter_with(&series.name, &series.labels())?;
        let count = Count::new(counter, key, self.origin);
        Ok(metrics::Counter::from_arc(Arc::new(count)))
    }

    fn gauge(&self, series: &Lawful) -> Result<metrics::Gauge> {
        let stored = || match self.store.family(&series.name)?.shape() {
            Shape::Gauge => Some(Gauges::Shared),
            Shape::ProcessGauge(aggregation) => Some(Gauges::PerProcess(*aggregation)),
            _ => None,
        };
        let first = stored().unwrap_or(self.choices.gauges);
        self.gauge_as(series, first).or_else(|error| {
            // Another process may have made the gauge in between, in the other way.
            match stored() {
                Some(now) if now != first => self.gauge_as(series, now),
                _ => Err(error),
            }
        })
    }

    fn gauge_as(&self, series: &Lawful, gauges: Gauges) -> Result<metrics::Gauge> {
        let (name, labels) = (&series.name, series.labels());
        Ok(match gauges {
            Gauges::Shared => {
                let gauge = self.store.gauge_with(name, &labels)?;
                metrics::Gauge::from_arc(Arc::new(Set(gauge)))
            }
            Gauges::PerProcess(aggregation) => {
                let gauge = self.store.process_gauge_as(name, &labels, aggregation)?;
                let rejected = Arc::clone(&self.rejected);
                metrics::Gauge::from_arc(Arc::new(SetShare { gauge, rejected }))
            }
        })
    }

    fn histogram(&self, series: &Lawful, key: &Key) -> Result<metrics::Histogram> {
        let (name, labels) = (&series.name, series.labels());
        let buckets = self.choices.buckets_of(name);
        let histogram = self.store.histogram_as(name, &labels, buckets)?;
        let observe = Observe::new(histogram, key, &self.rejected);
        Ok(metrics::Histogram::from_arc(Arc::new(observe)))
    }

    /// The slot of a series that was just looked up: its handle, or `lost` around what counts the
    /// calls that go nowhere.
    fn slot<H>(
        &self,
        key: &Key,
        find: impl FnOnce(&Lawful) -> Result<H>,
        lost: impl FnOnce(Arc<handles::Lost>) -> H,
    ) -> Slot<H> {
        let series = lawful::series(key);
        self.rejected.prepare();
        match outside(&series.name).and_then(|()| find(&series)) {
            Ok(handle) => Slot {
                handle,
                again: None,
            },
            Err(error) => {
                let reason = Reason::of(&error);
                let counter = self.rejected.counter(&series.name, reason);
                let later = Instant::now().checked_add(self.retry);
                let again = later.filter(|_| reason == Reason::Store);
                Slot {
                    handle: lost(Arc::new(handles::Lost(counter))),
                    again,
                }
            }
        }
    }

    fn describe(&self, name: &KeyName, chosen: &Shape, unit: Option<Unit>, text: &str) {
        let name = metric_name(name.as_str());
        let (unit, help) = lawful::declaration(&name, unit, text);
        if unit.is_empty() && help.is_empty() {
            return;
        }
        self.rejected.prepare();
        let declared = match check_reserved(&name) {
            Ok(()) => self.declare(&name, chosen, unit, &help),
            Err(_) => Err(Reason::Reserved),
        };
        if let Err(reason) = declared {
            self.rejected.count(&name, reason, 1);
        }
    }

    /// Declares the family unless it is declared already, in whatever shape it is stored.
    fn declare(&self, name: &str, chosen: &Shape, unit: &str, help: &str) -> Result<(), Reason> {
        let kind = chosen.kind();
        // Twice, since another process may have made or declared the family in between.
        for _ in 0..2 {
            let known = self.store.family(name);
            if let Some(known) = &known
                && known.is_declared()
            {
                let same = known.kind() == kind && known.unit() == unit && known.help() == help;
                return same.then_some(()).ok_or(Reason::Description);
            }
            let shape = match known {
                Some(known) if known.kind() == kind => known.shape().clone(),
                _ => chosen.clone(),
            };
            let family = Family::declare(name, shape).with_unit(unit).with_help(help);
            match self.store.declare(&family) {
                Ok(()) => return Ok(()),
                Err(error) if Reason::of(&error) == Reason::Store => return Err(Reason::Store),
                Err(_) => {}
            }
        }
        Err(Reason::Description)
    }
}

/// The callers of the facade are whatever a program is linked with: what DeeSpec tells of itself is not theirs.
fn outside(name: &str) -> Result<()> {
    check_reserved(name).map_err(|error| StoreError::from(error).into())
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, &Shape::Counter, unit, &description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.describe(&key, &self.choices.gauges.shape(), unit, &description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        let name = metric_name(key.as_str());
        let buckets = self.choices.buckets_of(&name).clone();
        self.describe(&key, &Shape::Histogram(buckets), unit, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        self.counters.find(key, || {
            let find = |series: &Lawful| self.counter(series, key);
            self.slot(key, find, metrics::Counter::from_arc)
        })
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        self.gauges.find(key, || {
            let find = |series: &Lawful| self.gauge(series);
            self.slot(key, find, metrics::Gauge::from_arc)
        })
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        self.histograms.find(key, || {
            let find = |series: &Lawful| self.histogram(series, key);
            self.slot(key, find, metrics::Histogram::from_arc)
        })
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("store", &self.store)
            .field("choices", &self.choices)
            .finish_non_exhaustive()
    }
}
