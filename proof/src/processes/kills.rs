//! Random kill -9.
//!
//! Ten writers use one store: six long-lived ones, some with two threads, two that fork children which
//! count on without them, and two that are started anew for each increment. They also observe and hold
//! a share of a per-process gauge. Beside them there are a rotator, a snapshotter, a reader and a
//! registrar of new label sets. Each increment is acknowledged through a pipe after it returned. Processes chosen at
//! random are killed at random moments and replaced at once. A store takes a thousand kills, then
//! everything is counted again and the next store begins, with the race of its making.
//!
//! Violations: a series that counts less, over all epochs, than was acknowledged, or more than one
//! on top for each thread that was killed; a histogram whose sum does not fit its count; a share of a
//! dead process, or more shares than writers; whatever `audit.rs` finds (an epoch that is missing or
//! doubled, a file that is left, a lock that is held, totals that do not add up); whatever
//! `reader.rs` sees; a view that shows more of an epoch than the epoch counted in the end; a
//! process that ends in any other way than it should.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deespec::Rotate;
use rustix::process::Pid;

use super::writer::{OBSERVED, OWN, OWN_NAME, REGISTERED, SHARED, WORK};
use crate::Result;
use crate::audit::{History, Values, audit, labelled, observed, sum};
use crate::child::{self, argument, output};
use crate::harness::{Bench, Outcome};
use crate::opening::options;
use crate::random::Random;

const KILLS_PER_STORE: u64 = 1000;
/// Label sets that the registrar chooses from: more than the first segment holds.
const NAMES: u64 = 1500;
/// Longest pause between two kills.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer { threads: u64, sync_ms: u64 },
    Forker,
    OneShot,
    Registrar,
    Rotator,
    Snapshotter,
    Reader,
}

const ROLES: [Role; 14] = [
    Role::Writer {
        threads: 1,
        sync_ms: 20,
    },
    Role::Writer {
        threads: 2,
        sync_ms: 20,
    },
    Role::Writer {
        threads: 1,
        sync_ms: 50,
    },
    Role::Writer {
        threads: 2,
        sync_ms: 1000,
    },
    Role::Writer {
        threads: 1,
        sync_ms: 1000,
    },
    Role::Writer {
        threads: 2,
        sync_ms: 1000,
    },
    Role::Forker,
    Role::Forker,
    Role::OneShot,
    Role::OneShot,
    Role::Registrar,
    Role::Rotator,
    Role::Snapshotter,
    Role::Reader,
];

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let wanted = bench.count([2000, 20_000, 100_000, 1_000_000]);
    let mut done = Done::default();
    let mut violations = Vec::new();
    for number in 1.. {
        let kills = KILLS_PER_STORE.min(wanted.saturating_sub(done.kills));
        if kills == 0 || !violations.is_empty() {
            break;
        }
        let root = bench.folder.join(format!("store-{number}"));
        let round = Round::new(root.clone(), kills, &mut bench.random);
        let tallies = round.run(&mut bench.random)?;
        done.kills += round.kills.load(Ordering::SeqCst);
        violations.extend(judge(&root, &tallies, &mut done)?);
        if violations.is_empty() {
            std::fs::remove_dir_all(&root)?;
        }
    }
    Ok(Outcome {
        done: format!(
            "{} kills, {} increments acknowledged, {} unacknowledged but counted, {} epochs, {} views",
            done.kills, done.acknowledged, done.extra, done.epochs, done.views
        ),
        violations,
    })
}

#[derive(Default)]
struct Done {
    kills: u64,
    acknowledged: u64,
    extra: u64,
    epochs: u64,
    views: u64,
}

/// One store and the processes that use it.
struct Round {
    root: PathBuf,
    wanted: u64,
    kills: AtomicU64,
    stop: AtomicBool,
    slots: Vec<Slot>,
}

struct Slot {
    role: Role,
    random: Mutex<Random>,
    /// The process that plays the role now; never one that was waited for already.
    pid: Mutex<Option<Pid>>,
}

/// What was heard from the processes of one slot.
#[derive(Default)]
struct Tally {
    acknowledged: Values,
    threads_killed: u64,
    views: u64,
    violations: Vec<String>,
    /// The rest of a message that was not read to its end.
    rest: VecDeque<u8>,
    seen: (u64, u64),
    /// The highest sum that was seen in each epoch.
    highest: BTreeMap<u64, u64>,
}

impl Round {
    fn new(root: PathBuf, wanted: u64, random: &mut Random) -> Self {
        let slot = |role| Slot {
            role,
            random: Mutex::new(Random(random.next())),
            pid: Mutex::new(None),
        };
        Self {
            root,
            wanted,
            kills: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            slots: ROLES.map(slot).into(),
        }
    }

    fn run(&self, random: &mut Random) -> Result<Vec<Tally>> {
        std::thread::scope(|scope| {
            let keepers: Vec<_> = (0..self.slots.len())
                .map(|index| scope.spawn(move || self.keep(index)))
                .collect();
            while self.kills.load(Ordering::SeqCst) < self.wanted && !self.stopped() {
                // Load only: the kills are to come at moments that nobody can foresee.
                std::thread::sleep(random.moment(PAUSE));
                self.slots[random.below(self.slots.len() as u64) as usize].kill();
            }
            self.stop.store(true, Ordering::SeqCst);
            self.slots.iter().for_each(Slot::kill);
            let tally = |keeper: std::thread::ScopedJoinHandle<'_, Result<Tally>>| {
                keeper.join().map_err(|_| "a keeper panicked")?
            };
            keepers.into_iter().map(tally).collect()
        })
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Keeps one role played, and listens to whoever plays it.
    fn keep(&self, index: usize) -> Result<Tally> {
        let kept = self.keep_on(index);
        if !kept.as_ref().is_ok_and(|tally| tally.violations.is_empty()) {
            self.stop.store(true, Ordering::SeqCst);
        }
        kept
    }

    fn keep_on(&self, index: usize) -> Result<Tally> {
        let slot = &self.slots[index];
        let mut tally = Tally::default();
        while tally.violations.is_empty() {
            let Some(mut child) = slot.start(index, self)? else {
                break;
            };
            let mut pipe = child.stdout.take().ok_or("no pipe")?;
            let mut buffer = vec![0; 64 << 10];
            loop {
                let read = pipe.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                tally.hear(slot.role, index, &buffer[..read]);
            }
            let mut complaint = String::new();
            if let Some(mut pipe) = child.stderr.take() {
                pipe.read_to_string(&mut complaint)?;
            }
            slot.pid
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            let status = child.wait()?;
            tally.rest.clear();
            if child::was_killed(status) {
                self.kills.fetch_add(1, Ordering::SeqCst);
                tally.threads_killed += slot.role.counting_threads();
            }
            // Also what a forked child says whose parent was killed.
            if !(child::was_killed(status) || status.success()) || !complaint.is_empty() {
                let what = format!("{:?} ended with {status}: {complaint}", slot.role);
                tally.violations.push(what);
            }
        }
        Ok(tally)
    }
}

impl Role {
    /// Threads that may each have counted one that was not acknowledged.
    fn counting_threads(self) -> u64 {
        match self {
            Self::Writer { threads, .. } => threads,
            // Its children live on without it, and end by themselves.
            Self::Forker | Self::OneShot | Self::Registrar => 1,
            Self::Rotator | Self::Snapshotter | Self::Reader => 0,
        }
    }
}

impl Slot {
    /// Starts a process, unless the round is over.
    fn start(&self, index: usize, round: &Round) -> Result<Option<Child>> {
        let mut pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        if round.stopped() {
            return Ok(None);
        }
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, more) = match self.role {
            Role::Writer { threads, sync_ms } => {
                let counts = 1 + random.below(20_000);
                ("writer", vec![index as u64, threads, counts, sync_ms])
            }
            Role::Forker => {
                let counts = 1 + random.below(2000);
                ("forker", vec![index as u64, counts])
            }
            Role::OneShot => ("one-shot", vec![index as u64]),
            Role::Registrar => ("registrar", vec![NAMES, random.next()]),
            Role::Rotator => ("rotator", vec![random.next()]),
            Role::Snapshotter => ("snapshotter", vec![]),
            Role::Reader => ("reader", vec![]),
        };
        let mut command = child::role(name)?;
        command.arg(&round.root).stdin(Stdio::null());
        command.args(more.iter().map(u64::to_string));
        let child = command.spawn()?;
        *pid = Some(Pid::from_child(&child));
        Ok(Some(child))
    }

    fn kill(&self) {
        let pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *pid {
            // The process may have ended, but nobody has waited for it, so it is still this one.
            let _ = child::kill_pid(pid);
        }
    }
}

impl Tally {
    fn hear(&mut self, role: Role, index: usize, bytes: &[u8]) {
        match role {
            Role::Writer { .. } | Role::Forker | Role::OneShot => {
                let own = labelled(OWN_NAME, "writer", &index.to_string());
                let work = observed(WORK.0, WORK.1);
                for (byte, key) in [(SHARED, "commit_success"), (OWN, &own), (OBSERVED, &work)] {
                    let heard = bytes.iter().filter(|heard| **heard == byte).count() as u64;
                    *self.acknowledged.entry(key.to_owned()).or_default() += heard;
                }
            }
            Role::Registrar => {
                self.rest.extend(bytes);
                while self.rest.len() >= 2 {
                    let id: Vec<u8> = self.rest.drain(..2).collect();
                    let id = u16::from_le_bytes([id[0], id[1]]);
                    let key = labelled(REGISTERED, "id", &id.to_string());
                    *self.acknowledged.entry(key).or_default() += 1;
                }
            }
            Role::Reader => {
                self.rest.extend(bytes);
                while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = self.rest.drain(..=end).collect();
                    self.hear_line(String::from_utf8_lossy(&line).trim_end());
                }
            }
            Role::Rotator | Role::Snapshotter => {}
        }
    }

    /// A line of the reader: what is seen by one that was started later must not go back either.
    fn hear_line(&mut self, line: &str) {
        let seen = line
            .split_once(' ')
            .and_then(|(epoch, sum)| Some((epoch.parse::<u64>().ok()?, sum.parse::<u64>().ok()?)));
        match seen {
            Some(seen) if !line.starts_with('!') => {
                if seen < self.seen {
                    let before = self.seen;
                    let what = format!("readers saw (epoch, sum) {before:?} and then {seen:?}");
                    self.violations.push(what);
                }
                self.seen = seen;
                // Within an epoch the last one is the highest, or it was reported just now.
                self.highest.insert(seen.0, seen.1);
                self.views += 1;
            }
            _ => self.violations.push(line.to_owned()),
        }
    }
}

/// Compares what was acknowledged with what the store counts.
fn judge(root: &Path, tallies: &[Tally], done: &mut Done) -> Result<Vec<String>> {
    let mut violations: Vec<String> = tallies
        .iter()
        .flat_map(|tally| tally.violations.iter().cloned())
        .collect();
    let mut audit = audit(root, &History::default());
    for tally in tallies {
        audit.compare_seen(&tally.highest);
    }
    violations.extend(audit.violations.iter().cloned());
    let mut acknowledged = Values::new();
    let mut slack = Values::new();
    for tally in tallies {
        for (key, heard) in &tally.acknowledged {
            *acknowledged.entry(key.clone()).or_default() += heard;
            *slack.entry(key.clone()).or_default() += tally.threads_killed;
        }
        done.views += tally.views;
    }
    for key in audit.counted.keys().chain(acknowledged.keys()) {
        let counted = audit.count(key);
        let heard = acknowledged.get(key).copied().unwrap_or(0);
        // A series of which nothing was heard may have been made by a thread that was killed.
        let all: u64 = tallies.iter().map(|tally| tally.threads_killed).sum();
        let slack = slack.get(key).copied().unwrap_or(all);
        if counted < heard || counted > heard + slack {
            violations.push(format!(
                "{key} counts {counted}, {heard} were acknowledged and {slack} may be on top"
            ));
        }
    }
    if let Some((count, steps)) = audit.observed.get(WORK.0) {
        // A thread that is killed between the two additions leaves a sum without a count.
        let all: u64 = tallies.iter().map(|tally| tally.threads_killed).sum();
        let step = (WORK.1 * 1e9) as i64;
        let summed = u64::try_from(steps / step).unwrap_or(u64::MAX);
        if steps % step != 0 || summed < *count || summed > count + all {
            violations.push(format!("{count} observations sum up to {steps} steps"));
        }
    }
    let counted = sum(&audit.counted);
    let heard = sum(&acknowledged);
    let threads: u64 = tallies.iter().map(|tally| tally.threads_killed).sum();
    if counted < heard || counted > heard + threads {
        violations.push(format!(
            "{counted} in all, {heard} acknowledged, {threads} threads killed"
        ));
    }
    if audit.epoch < 2 {
        violations.push("no epoch was ever closed".into());
    }
    done.acknowledged += heard;
    done.extra += counted.saturating_sub(heard);
    done.epochs += audit.epoch;
    Ok(violations)
}

/// Closes epochs, and now and then only takes a snapshot.
pub(crate) fn rotator(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let mut random = Random(argument(arguments, 1)?);
    let store = options().open(root)?;
    let mut out = output()?;
    loop {
        let keep = random.below(4) == 0;
        store.rotate(if keep {
            Rotate::KeepCounters
        } else {
            Rotate::Reset
        })?;
        out.write_all(b".")?;
    }
}

/// Takes snapshots and publishes in turns.
pub(crate) fn snapshotter(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let store = options().open(root)?;
    let mut out = output()?;
    loop {
        store.snapshot()?;
        out.write_all(b".")?;
        store.sync()?;
    }
}
