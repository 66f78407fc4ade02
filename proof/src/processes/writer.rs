//! The roles that count. Each increment is acknowledged after it returned, with one write of its
//! own to the pipe: what the parent reads was counted.
//!
//! - `writer ROOT SLOT THREADS COUNTS SYNC_MS`: a process with threads, which ends after so many
//!   increments in each; one byte for one increment.
//! - `forker ROOT SLOT COUNTS`: a process with a background thread that forks two children without an
//!   exec, as pre-forking servers do it; all three count so often.
//! - `one-shot ROOT SLOT`: opens, counts once and ends, without a background thread.
//! - `registrar ROOT NAMES SEED`: counts label sets chosen at random, most of them new at first; two
//!   bytes for one increment, the number of the label set.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use deespec::Store;
use fork::Fork;
use rustix::process::{Signal, WaitOptions, getpid, kill_process, wait};

use crate::child::{argument, output};
use crate::opening::options;
use crate::random::Random;
use crate::{Result, ui};

/// Acknowledges an increment of `commit_success`, which all writers share.
pub(crate) const SHARED: u8 = b's';
/// Acknowledges an increment of the series that is the writer's own.
pub(crate) const OWN: u8 = b'o';
/// Acknowledges an observation.
pub(crate) const OBSERVED: u8 = b'h';
/// The histogram that all writers share, and what they observe.
pub(crate) const WORK: (&str, f64) = ("work_seconds", 0.25);
/// The gauge in which each writer has a share of 1.
pub(crate) const WRITERS: &str = "writers";
/// The series of each writer, by the label `writer`.
pub(crate) const OWN_NAME: &str = "own_total";
/// The series of the registrar, by the label `id`.
pub(crate) const REGISTERED: &str = "registered_total";

pub(crate) fn long_lived(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let slot: String = argument(arguments, 1)?;
    let threads: u64 = argument(arguments, 2)?;
    let counts: u64 = argument(arguments, 3)?;
    let every = Duration::from_millis(argument(arguments, 4)?);
    let store = options().background_sync(Some(every)).open(root)?;
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| count(&store, &slot, counts, true)))
            .collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}

pub(crate) fn forker(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let slot: String = argument(arguments, 1)?;
    let counts: u64 = argument(arguments, 2)?;
    let every = Duration::from_millis(5);
    let store = options().background_sync(Some(every)).open(root)?;
    // The children begin while the parent's handles are in use.
    count(&store, &slot, 3, false)?;
    for _ in 0..2 {
        if let Fork::Child = fork::fork()? {
            let counted = count(&store, &slot, counts, false).and_then(|()| Ok(store.sync()?));
            if let Err(error) = &counted {
                ui::complain(&ui::chain(error.as_ref()));
            }
            // An exit would run what is not safe in the child of a process with threads: the standard
            // library may be in the middle of starting one, with a mutex that nobody gives back here.
            let end = if counted.is_ok() {
                Signal::KILL
            } else {
                Signal::ABORT
            };
            return Ok(kill_process(getpid(), end)?);
        }
    }
    count(&store, &slot, counts, false)?;
    while let Ok(Some((_, status))) = wait(WaitOptions::empty()) {
        if status.terminating_signal() != Some(Signal::KILL.as_raw()) {
            return Err(format!("a forked child ended with {status:?}").into());
        }
    }
    Ok(())
}

pub(crate) fn one_shot(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let store = options().open(root)?;
    count(&store, &argument::<String>(arguments, 1)?, 1, true)
}

/// Counts and acknowledges; with a share of the gauge where there are never more such processes than
/// slots for them.
fn count(store: &Store, slot: &str, counts: u64, shares: bool) -> Result<()> {
    let mut acknowledge = output()?;
    let own = store.counter_with(OWN_NAME, &[("writer", slot)])?;
    let shared = &store.transactions().success;
    let work = store.histogram(WORK.0)?;
    let share = shares.then(|| store.process_gauge(WRITERS)).transpose()?;
    for number in 0..counts {
        share.as_ref().map_or(Ok(()), |share| share.set(1.0))?;
        match number % 3 {
            0 => {
                shared.inc();
                acknowledge.write_all(&[SHARED])?;
            }
            1 => {
                own.inc();
                acknowledge.write_all(&[OWN])?;
            }
            _ => {
                work.observe(WORK.1);
                acknowledge.write_all(&[OBSERVED])?;
            }
        }
    }
    Ok(())
}

pub(crate) fn registrar(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let names: u64 = argument(arguments, 1)?;
    let mut random = Random(argument(arguments, 2)?);
    let store = options().open(root)?;
    let mut acknowledge = output()?;
    loop {
        let id = u16::try_from(random.below(names))?;
        let counter = store.counter_with(REGISTERED, &[("id", &id.to_string())])?;
        counter.inc();
        acknowledge.write_all(&id.to_le_bytes())?;
        // Load only: new names are to come during the whole run.
        std::thread::sleep(random.moment(Duration::from_millis(4)));
    }
}
