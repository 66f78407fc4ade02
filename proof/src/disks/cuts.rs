//! Simulated power cuts.
//!
//! Three processes work with a store (see `workload.rs`) on a file system that lies on a disk with a
//! volatile write cache (`volatile.rs`). Everything is logged in its order: each write, each flush, and
//! what the processes were told to do and said that they had done. From that log the states are made
//! that a power cut could have left (`states.rs`): all writes up to the last flush, and of the later
//! ones none, all, some, some in another order, or some of them torn into pages or sectors. Each state
//! is mounted, so that the journal is replayed, and opened as after a boot (`judge.rs`). From some of
//! the states another log is made, of the mounting and the repair, and cut as well.
//!
//! Violations: a file that cannot be read, a part that is skipped, whatever `audit.rs` finds; a series
//! that counts less, in all or in an epoch, than was published before the cut, by an answer or by a
//! `metrics.json` that is there; one that counts more than was ever counted; a snapshot that was
//! acknowledged and is gone or different; an epoch that is older than one that was published, or more
//! or fewer rotations and restores than were acknowledged and begun; an import that is there in part,
//! not at all though acknowledged, or twice when it is done again; a push that is there in part, not at all though
//! it was answered, or not exactly once when its client sends it again; a store that does not work on.
//!
//! The power is never really cut: what a disk that lies about its flushes does is not shown.

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Advice, fadvise};

use super::ground::{self, Kind, Mounted, Task, apart};
use super::image::Image;
use super::judge::forget_boot;
use super::judges::{Judges, store_on};
use super::known::Known;
use super::orders::{self, Order};
use super::pushes::Pushed;
use super::states::{Log, State};
use super::volatile::Volatile;
use super::workload::{Disk, IMPORTS, Workload};
use crate::Result;
use crate::harness::{Bench, Outcome};
use crate::random::Random;

/// States of one workload, and how many of them are begun with again.
const STATES: u64 = 250;
const AGAIN: u64 = 5;
/// States of each repair.
const REPAIRS: u64 = 10;
const ROUNDS: u64 = 4;
const PAGE: u64 = 4096;
/// One workload of so many is done on xfs.
const XFS: u64 = 5;
/// Longest pause between two moments at which pages are written without having to be.
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) fn lacks() -> Option<String> {
    ground::lacks_fuse(&[Kind::Ext4, Kind::Xfs])
}

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let states = bench.count([60, 1000, 10_000, 100_000]);
    apart("cuts", bench, states)
}

pub(crate) fn inside(task: &mut Task) -> Result<Outcome> {
    let memory = ground::memory()?;
    let papers = memory.path().join("papers");
    orders::write_papers(&papers, IMPORTS)?;
    let judges = Judges::start(memory.path(), &papers, &task.folder);
    let mut cuts = Cuts {
        task,
        memory: memory.path(),
        writes: 0,
        repairs: 0,
    };
    let (mut done, mut workloads) = (0, 0);
    let mut failed = Vec::new();
    while done < cuts.task.count && failed.is_empty() {
        let wanted = STATES.min(cuts.task.count - done);
        let kind = match workloads % XFS == XFS - 1 {
            true => Kind::Xfs,
            false => Kind::Ext4,
        };
        match cuts.workload(wanted, kind, &judges) {
            // One that has too little to tell apart must not be asked for ever.
            Ok(found) => done += found.max(1),
            Err(error) => failed.push(crate::ui::chain(error.as_ref())),
        }
        workloads += 1;
    }
    let found = judges.end()?;
    let (judged, unlawful) = (found.judged, found.violations.len());
    failed.extend(found.violations);
    Ok(Outcome {
        done: format!(
            "{judged} states after simulated cuts of {workloads} workloads with {} writes, {} of them after a second cut, {unlawful} unlawful ({} more that the file system did not survive)",
            cuts.writes, cuts.repairs, found.unmounted
        ),
        violations: failed,
    })
}

struct Cuts<'a> {
    task: &'a mut Task,
    memory: &'a Path,
    writes: usize,
    repairs: u64,
}

impl Cuts<'_> {
    /// Logs one workload and has its states judged; gives how many there were.
    fn workload(&mut self, wanted: u64, kind: Kind, judges: &Judges) -> Result<u64> {
        let empty = self.memory.join("empty.img");
        kind.make(&empty)?;
        let base = Image::load(&empty)?;
        let log = self.record(base, Known::default(), kind, &mut |work, disk, random| {
            let root = work.root().to_owned();
            work.rounds(
                ROUNDS,
                Disk::Sound,
                random,
                &|note| disk.note(note),
                &mut |random| {
                    // Load only: the kernel is to write pages back while nobody has asked for it.
                    std::thread::sleep(random.moment(PAUSE));
                    write_back(&root, random)
                },
            )
        })?;
        let repairs = (AGAIN * REPAIRS).min(wanted / 5);
        let every = (wanted / AGAIN).max(1);
        let mut again: Vec<State> = Vec::new();
        let mut number = 0;
        let mut random = Random(self.task.random.next());
        let mut found = log.states(wanted - repairs, &mut random, &mut |state| {
            if number % every == every / 2 && !state.torn {
                again.push(state.clone());
            }
            number += 1;
            judges.judge(state, kind);
        });
        let each = repairs / (again.len() as u64).max(1);
        for state in again {
            let story = format!("{}, repaired", state.story);
            let pushes = state.known.pushes.clone();
            let log = self
                .record(state.image, state.known, kind, &mut |work, disk, _| {
                    repair(work, disk, &pushes)
                })
                .map_err(|error| format!("{story}: {error}"))?;
            let second = log.states(each, &mut random, &mut |mut state| {
                state.story = format!("{story}, {}", state.story);
                judges.judge(state, kind);
            });
            self.repairs += second;
            found += second;
        }
        Ok(found)
    }

    /// Lets processes work on a disk with this content, kills them, and gives the log.
    fn record(
        &mut self,
        base: Image,
        known: Known,
        kind: Kind,
        work: &mut dyn FnMut(&mut Workload, &Volatile, &mut Random) -> Result<()>,
    ) -> Result<Log> {
        let disk = Volatile::serve(base.clone(), &self.memory.join("served"))?;
        let point = self.memory.join("worked");
        let mounted = Mounted::image(&disk.path(), &point, kind)?;
        let papers = self.memory.join("papers");
        let mut workload = Workload::start(&store_on(&point), &papers)?;
        let worked = work(&mut workload, &disk, &mut self.task.random);
        workload.kill()?;
        // What is written by the unmounting is no state of interest.
        let length = disk.logged();
        mounted.unmount()?;
        let mut records = disk.end()?;
        worked?;
        records.truncate(length);
        self.writes += records.len();
        Ok(Log {
            base,
            known,
            records,
        })
    }
}

/// Has the kernel begin to write some pages of the store to the disk, without a flush.
pub(super) fn write_back(root: &Path, random: &mut Random) -> Result<()> {
    let name = format!("live/segment-{:04}", random.below(2));
    if let Ok(file) = File::open(root.join(name)) {
        // As often as not only the page that says how much of the others is in use.
        let (page, pages) = match random.below(2) {
            0 => (1, 1),
            _ => (random.below(30), 8),
        };
        fadvise(
            &file,
            page * PAGE,
            NonZeroU64::new(pages * PAGE),
            Advice::DontNeed,
        )?;
    }
    Ok(())
}

/// What the first processes after a boot do. Clients send again what they pushed last.
fn repair(work: &mut Workload, disk: &Volatile, pushes: &BTreeMap<u64, Pushed>) -> Result<()> {
    forget_boot(work.root())?;
    let clients = (0..).zip(pushes).flat_map(|(hand, (writer, pushed))| {
        let push = |number, by| Order::Push {
            writer: *writer,
            number,
            by,
        };
        let last = pushed.last.as_ref();
        let sent = last.map(|last| [push(last.number, last.by), push(last.number + 1, 2)]);
        let sent = sent.into_iter().flatten();
        sent.map(move |push| (hand % 2, push))
    });
    let steps = [(0, Order::Open), (1, Order::Open)]
        .into_iter()
        .chain(clients)
        .chain([
            (0, Order::Sync),
            (1, Order::Own { hand: 1, by: 2 }),
            (1, Order::Flush),
            (0, Order::Count { by: 3 }),
            (0, Order::Rotate { keep: false }),
            (1, Order::Sync),
        ]);
    for (hand, order) in steps {
        let answer = work
            .hand(hand)?
            .act(order.clone(), &|note| disk.note(note))?;
        if let Some(error) = answer.error {
            return Err(format!("{order:?}: {error}").into());
        }
    }
    Ok(())
}
