//! What dead processes leave behind: a scrape takes no longer for them, and the disk holds no more.
//!
//! Each process opens the store, counts, observes, holds a share of a gauge and ends: one half of them
//! by returning, the other by SIGKILL with everything open.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use deespec::exposition::prometheus;
use deespec::{Buckets, Counter, Family, Histogram, ProcessGauge, View};
use rustix::process::{Signal, getpid, kill_process};
use tempfile::TempDir;

use crate::Result;
use crate::measure::{self, Effort};
use crate::place::{self, Bench, Extent, extent};
use crate::samples::BOUNDS;
use crate::table::Figure::{Bytes, Files};
use crate::table::{HowMany, Line};

/// The roles of a process that ends by itself, and of one that is killed.
pub(crate) const ENDS: &str = "short life";
pub(crate) const IS_KILLED: &str = "short life, killed";

/// How much longer a scrape may take after any number of deaths: what one run differs from the next.
const TIME_AT_MOST: f64 = 1.2;

const REQUESTS: &str = "bench_requests_total";
const CODES: [&str; 5] = ["200", "301", "404", "418", "500"];
const SECONDS: &str = "bench_request_seconds";
const IN_FLIGHT: &str = "bench_in_flight";

/// How many deaths something is measured after, as its row says it; the first is none.
pub(crate) const AFTER: [&str; 3] = [
    "before any process died",
    "after some processes died",
    "after five times as many died",
];

/// So many deaths each of them is.
pub(crate) fn deaths(bench: &Bench) -> [usize; 3] {
    let some = bench.level.choose(1_000, 40, 2);
    [0, some, 5 * some]
}

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let untouched = Cemetery::new(bench)?;
    let before = untouched.extent()?;
    let mut cemetery = Cemetery::new(bench)?;
    for (dead, when) in deaths(bench).into_iter().zip(AFTER).skip(1) {
        cemetery.fill(bench, dead)?;
        let after = cemetery.extent()?;
        let pair = measure::against(
            bench.effort,
            |n| cemetery.scrape(n),
            |n| untouched.scrape(n),
        )?;
        let of = HowMany::of(dead, "processes");
        let what = format!("scrape {when} (all counted)");
        lines.push(Line::pair(what, AFTER[0], &pair, TIME_AT_MOST).of(of));
        let mut same = |what: &str, figure: fn(&Extent) -> crate::table::Figure| {
            let (reached, other) = (figure(&after), figure(&before));
            let ratio = reached.value() / other.value();
            let what = format!("{what} {when}");
            lines.push(Line::ratio(what, reached, AFTER[0], other, ratio, 1.0).of(of));
        };
        same("disk", |extent| Bytes(extent.allocated as f64));
        same("files", |extent| Files(extent.files as f64));
    }
    Ok(lines)
}

/// A store that many processes used and died; this one uses it too, and lives.
pub(crate) struct Cemetery {
    store: PathBuf,
    dead: usize,
    _alive: Life,
    _folder: TempDir,
}

impl Cemetery {
    pub(crate) fn new(bench: &Bench) -> Result<Self> {
        let folder = bench.on_disk()?;
        let store = folder.path().join("var");
        Ok(Self {
            _alive: Life::begin(&store)?,
            store,
            dead: 0,
            _folder: folder,
        })
    }

    /// Lets processes live and die until there were so many, as many at a time as there are cores.
    pub(crate) fn fill(&mut self, bench: &Bench, dead: usize) -> Result<()> {
        while self.dead < dead {
            let group = (dead - self.dead).min(bench.cores);
            let processes = (0..group)
                .map(|index| Mortal::start(&self.store, (self.dead + index) % 2 == 1))
                .collect::<Result<Vec<_>>>()?;
            for process in processes {
                process.wait()?;
            }
            self.dead += group;
        }
        self.check(&place::open(&self.store)?.view()?)
    }

    /// Nobody's counts may be lost, and nobody may be left of whom is dead.
    fn check(&self, view: &View) -> Result<()> {
        let lived = self.dead as u64 + 1;
        for code in CODES {
            let counted = view.value(REQUESTS, &[("code", code)]);
            if counted != Some(lived) {
                return Err(format!("{lived} processes counted {code}, not {counted:?}").into());
            }
        }
        let seconds = view.sample(SECONDS, &[]).map(|sample| &sample.value);
        let observed = seconds.and_then(|value| Some(value.histogram()?.count()));
        let in_flight = view.sample(IN_FLIGHT, &[]).map(|sample| &sample.value);
        let in_flight = in_flight.and_then(deespec::Value::gauge);
        if observed != Some(lived) || in_flight != Some(1.0) {
            let found = format!("{observed:?} observations, {in_flight:?} in flight");
            return Err(format!("{lived} processes, of which 1 lives: {found}").into());
        }
        Ok(())
    }

    /// From nothing, as somebody does who scrapes now and then: open the store, read, render.
    pub(crate) fn scrape(&self, times: u64) -> Result<()> {
        for _ in 0..times {
            let view = place::open(&self.store)?.view()?;
            std::hint::black_box(prometheus::encode(&view));
        }
        Ok(())
    }

    pub(crate) fn scrape_time(&self, effort: Effort) -> Result<f64> {
        measure::alone(effort, |n| self.scrape(n))
    }

    pub(crate) fn extent(&self) -> Result<Extent> {
        extent(&self.store)
    }
}

/// What a process has open.
struct Life {
    _requests: Vec<Counter>,
    _seconds: Histogram,
    _in_flight: ProcessGauge,
}

impl Life {
    fn begin(store: &Path) -> Result<Self> {
        let store = place::open(store)?;
        store.declare(&Family::histogram(SECONDS, Buckets::classic(BOUNDS)?))?;
        let requests: Vec<_> = CODES
            .iter()
            .map(|code| store.counter_with(REQUESTS, &[("code", code)]))
            .collect::<std::result::Result<_, _>>()?;
        requests.iter().for_each(Counter::inc);
        let seconds = store.histogram(SECONDS)?;
        seconds.observe(0.25);
        let in_flight = store.process_gauge(IN_FLIGHT)?;
        in_flight.set(1.0)?;
        Ok(Self {
            _requests: requests,
            _seconds: seconds,
            _in_flight: in_flight,
        })
    }
}

/// The whole life of a worker process in this role.
pub(crate) fn short_life(store: &Path, is_killed: bool) -> Result<()> {
    let _life = Life::begin(store)?;
    if is_killed {
        kill_process(getpid(), Signal::KILL)?;
    }
    Ok(())
}

/// A process that is going to die.
struct Mortal {
    process: Child,
    is_killed: bool,
}

impl Mortal {
    fn start(store: &Path, is_killed: bool) -> Result<Self> {
        let role = if is_killed { IS_KILLED } else { ENDS };
        let process = Command::new(std::env::current_exe()?)
            .args(["--worker", role])
            .arg(store)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { process, is_killed })
    }

    fn wait(mut self) -> Result<()> {
        let status = self.process.wait()?;
        let as_wanted = if self.is_killed {
            status.signal() == Some(Signal::KILL.as_raw())
        } else {
            status.success()
        };
        if as_wanted {
            Ok(())
        } else {
            Err(format!("a process with a short life: {status}").into())
        }
    }
}
