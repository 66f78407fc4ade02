//! Random kill -9.
//!
//! Ten writers use one store: six long-lived ones, some with two threads, two that fork children which
//! count on without them, and two that are started anew for each increment. They also observe and hold
//! a share of a per-process gauge. Beside them there are a rotator, a snapshotter, a reader and a
//! registrar of new label sets; and two clients push through processes of theirs, one of them everything
//! through two at once. Each increment is acknowledged through a pipe after it returned, each push after
//! it was answered; a client that heard no answer sends it again. Processes chosen at random are killed at
//! random moments and replaced at once. A store takes a thousand kills, then everything is counted
//! again and the next store begins, with the race of its making. `tally.rs` listens and compares.
//!
//! Violations: a client's series that counts anything but each of its pushes once; another series that
//! counts less, over all epochs, than was acknowledged, or more than one on top for each thread that
//! was killed; a histogram whose sum does not fit its count; a share of a
//! dead process, or more shares than writers; whatever `audit.rs` finds (an epoch that is missing or
//! doubled, a file that is left, a lock that is held, totals that do not add up); whatever
//! `reader.rs` sees; a view that shows more of an epoch than the epoch counted in the end; a
//! process that ends in any other way than it should.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Pid;

use super::tally::{Done, Tally, judge};
use crate::Result;
use crate::child;
use crate::harness::{Bench, Outcome};
use crate::random::Random;

const KILLS_PER_STORE: u64 = 1000;
/// Label sets that the registrar chooses from: more than the first segment holds.
const NAMES: u64 = 1500;
/// Longest pause between two kills.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer { threads: u64, sync_ms: u64 },
    Forker,
    OneShot,
    Registrar,
    Rotator,
    Snapshotter,
    Reader,
    Pusher { client: u64 },
}

const ROLES: [Role; 17] = [
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
    // Two servers, to both of which a client sends the same.
    Role::Pusher { client: 0 },
    Role::Pusher { client: 0 },
    Role::Pusher { client: 1 },
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
            "{} kills, {} increments acknowledged, {} unacknowledged but counted, {} pushes, {} epochs, {} views",
            done.kills, done.acknowledged, done.extra, done.pushes, done.epochs, done.views
        ),
        violations,
    })
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
        let mut tally = Tally::of(slot.role);
        while tally.violations.is_empty() {
            let Some(mut child) = slot.start(index, self, tally.pushed.1 + 1)? else {
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
            // Whether a push was counted, its client finds out.
            Self::Pusher { .. } => 0,
        }
    }
}

impl Slot {
    /// Starts a process, unless the round is over. A client goes on with the push `next`, of which it has heard nothing.
    fn start(&self, index: usize, round: &Round, next: u64) -> Result<Option<Child>> {
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
            Role::Pusher { client } => ("pusher", vec![client, next]),
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
