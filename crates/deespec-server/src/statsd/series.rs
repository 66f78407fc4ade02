//! Which series a line means, and the thread that makes new ones: it may wait for the store's lock, so that whoever counts
//! what is known need not.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{io, thread};

use deespec::{
    Buckets, Counter, Family, FractionCounter, Gauge, Histogram, Lawful, Shape, Store, SumGauge,
    Summary, TRANSACTIONS, WideHistogram,
};

use super::line::{Kind, Line};
use super::rejected::Reason;
use crate::config::New;
use crate::error::Error;

const SERIES: &str = "deespec_statsd_series_total";
const SERIES_HELP: &str = "Series that statsd clients have made.";
const CELLS: &str = "deespec_statsd_cells_total";
const CELLS_HELP: &str = "Cells of the series that statsd clients have made, in each stripe.";
/// What the names of durations end in.
const SECONDS: &str = "_seconds";
/// What the sample of a counter ends in, and its name may.
const TOTAL: &str = "_total";

/// What counts a series.
pub(super) enum Handle {
    Counter(Counter),
    /// Where the counter was declared to have fractions.
    Fractions(FractionCounter),
    Gauge(Gauge),
    /// Where the gauge was declared to be a sum.
    Sum(SumGauge),
    Histogram(Histogram),
    /// Where the histogram was declared to have a wide sum.
    Wide(WideHistogram),
    /// Where a summary was declared.
    Summary(Summary),
}

impl Handle {
    /// How much may be counted in all.
    pub(super) fn room(&self) -> u64 {
        match self {
            Self::Counter(counter) => counter.room(),
            Self::Fractions(counter) => counter.room(),
            Self::Summary(summary) => summary.room(),
            Self::Gauge(_) => u64::MAX,
            Self::Sum(gauge) => gauge.room(),
            Self::Wide(histogram) => histogram.room(),
            Self::Histogram(histogram) => histogram.room(),
        }
    }

    /// What no other series has.
    pub(super) fn identity(&self) -> usize {
        match self {
            Self::Counter(counter) => counter.identity(),
            Self::Fractions(counter) => counter.identity(),
            Self::Summary(summary) => summary.identity(),
            Self::Gauge(gauge) => gauge.identity(),
            Self::Sum(gauge) => gauge.identity(),
            Self::Wide(histogram) => histogram.identity(),
            Self::Histogram(histogram) => histogram.identity(),
        }
    }
}

/// A series by its lawful name and labels.
pub(super) struct Wanted {
    kind: Kind,
    name: String,
    labels: Lawful,
}

impl Wanted {
    /// The series of the values of this kind, unless no line can mean it.
    pub(super) fn new(line: &Line<'_>, kind: Kind) -> Result<Self, Reason> {
        let labels = Lawful::new(line.name, line.labels());
        let mut name = labels.name().to_owned();
        if kind == Kind::Timing && !name.is_empty() && !name.ends_with(SECONDS) {
            name.push_str(SECONDS);
        }
        let base = name.strip_suffix(TOTAL).unwrap_or(&name);
        if deespec::check_reserved(&name).is_err() || TRANSACTIONS.contains(&base) {
            return Err(Reason::Reserved);
        }
        let lawful = deespec::check_series(&name, &labels.labels());
        lawful.map_err(|error| Reason::from(&error))?;
        Ok(Self { kind, name, labels })
    }

    /// How many cells it has; `None` where only the lock tells whether it can be had.
    fn cells(&self, store: &Store) -> Option<u32> {
        store.known_cells(&self.name, &self.labels.labels())
    }

    /// Its handle, which is had without the lock where it is known.
    fn handle(&self, store: &Store, sizes: &Buckets) -> Result<Handle, Reason> {
        let (name, labels) = (self.name.as_str(), self.labels.labels());
        let family = store.family(name);
        let handle = match (self.kind, family.as_ref().map(Family::shape)) {
            (Kind::Counter, Some(Shape::FractionCounter)) => {
                let counter = store.fraction_counter_with(name, &labels);
                counter.map(Handle::Fractions)
            }
            (Kind::Timing | Kind::Histogram, Some(Shape::Summary)) => {
                store.summary_with(name, &labels).map(Handle::Summary)
            }
            (Kind::Timing | Kind::Histogram, Some(Shape::WideHistogram(_))) => {
                let histogram = store.wide_histogram_with(name, &labels);
                histogram.map(Handle::Wide)
            }
            (Kind::Gauge, Some(Shape::SumGauge)) => {
                store.sum_gauge_with(name, &labels).map(Handle::Sum)
            }
            (Kind::Counter, _) => store.counter_with(name, &labels).map(Handle::Counter),
            (Kind::Gauge, _) => store.gauge_with(name, &labels).map(Handle::Gauge),
            (Kind::Timing | Kind::Histogram, _) => {
                let buckets = match name.ends_with(SECONDS) {
                    true => &Buckets::seconds(),
                    false => sizes,
                };
                let histogram = store.histogram_as(name, &labels, buckets);
                histogram.map(Handle::Histogram)
            }
        };
        handle.map_err(Reason::from)
    }
}

/// What one counter of what statsd has made says, and how much it may.
struct Bound {
    made: Counter,
    most: u64,
}

impl Bound {
    fn is_reached(&self) -> bool {
        self.made.total() >= self.most
    }
}

/// Makes series, as many as may be.
struct Maker {
    store: Store,
    sizes: Buckets,
    series: Bound,
    cells: Bound,
}

impl Maker {
    fn make(&self, wanted: &Wanted) -> Result<Handle, Reason> {
        let is_new = wanted.cells(&self.store).is_none();
        if is_new && (self.series.is_reached() || self.cells.is_reached()) {
            return Err(Reason::Limit);
        }
        let handle = wanted.handle(&self.store, &self.sizes)?;
        // What is beyond the limit of a family is counted by a series that it shares with others.
        if let Some(cells) = wanted.cells(&self.store).filter(|_| is_new) {
            self.series.made.inc();
            self.cells.made.add(u64::from(cells));
        }
        Ok(handle)
    }
}

/// A series that is asked for, by the key under which its lines wait.
type Asked = (Box<str>, Wanted);
/// What came of it.
pub(super) type Made = (Box<str>, Result<Handle, Reason>);

/// The series of a store, for one socket.
pub(super) struct SeriesSource {
    store: Store,
    sizes: Buckets,
    asked: Sender<Asked>,
    made: Receiver<Made>,
    /// Readable when something was made.
    woken: Arc<UnixDatagram>,
}

impl SeriesSource {
    /// Starts the thread that makes series. It ends when this is dropped and it waits for nothing.
    pub(super) fn start(store: &Store, new: New) -> Result<Self, Error> {
        let sizes = Buckets::native(2, 1e-6, 1e12).map_err(deespec::StoreError::from);
        let sizes = sizes.map_err(|error| Error::StatsdCounters(error.into()))?;
        let bound = |name, help, most| {
            // Another version may have said it in other words.
            let _ = store.declare(&Family::counter(name).with_help(help));
            let made = store.counter(name).map_err(Error::StatsdCounters)?;
            Ok::<_, Error>(Bound { made, most })
        };
        let maker = Maker {
            series: bound(SERIES, SERIES_HELP, new.series)?,
            cells: bound(CELLS, CELLS_HELP, new.cells)?,
            store: store.clone(),
            sizes: sizes.clone(),
        };
        let (asked, asks) = channel::<Asked>();
        let (makes, made) = channel();
        let (woken, wake) = woken_by().map_err(Error::Runtime)?;
        let work = move || {
            for (key, wanted) in asks {
                if makes.send((key, maker.make(&wanted))).is_err() {
                    break;
                }
                // Where it is full, there is enough to wake by.
                let _ = wake.send(&[1]);
            }
        };
        let thread = thread::Builder::new().name("deespec-series".to_owned());
        thread.spawn(work).map_err(Error::Runtime)?;
        Ok(Self {
            store: store.clone(),
            sizes,
            asked,
            made,
            woken: Arc::new(woken),
        })
    }

    /// What becomes readable when [`SeriesSource::made`] has something.
    pub(super) fn woken(&self) -> Arc<UnixDatagram> {
        Arc::clone(&self.woken)
    }

    /// The handle of a series that is known already, else `None`: it is asked for.
    pub(super) fn known(&self, key: &str, wanted: Wanted) -> Option<Result<Handle, Reason>> {
        if wanted.cells(&self.store).is_some() {
            return Some(wanted.handle(&self.store, &self.sizes));
        }
        let asked = self.asked.send((key.into(), wanted));
        asked.err().map(|_| Err(Reason::Store))
    }

    /// What was made since the last time.
    pub(super) fn made(&self) -> Vec<Made> {
        while self.woken.recv(&mut [0; 1]).is_ok() {}
        self.made.try_iter().collect()
    }
}

/// Two ends, of which the first becomes readable by what the second sends.
fn woken_by() -> io::Result<(UnixDatagram, UnixDatagram)> {
    let (woken, wake) = UnixDatagram::pair()?;
    woken.set_nonblocking(true)?;
    wake.set_nonblocking(true)?;
    Ok((woken, wake))
}
