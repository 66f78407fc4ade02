//! File systems that are shut down while a store on them is in use.
//!
//! Three processes work with a store (see `workload.rs`) on ext4 or xfs. At a random moment the file
//! system is told to stop without writing its log (`FS_IOC_SHUTDOWN`, flag 2), as if the power of its
//! disk had failed: nothing that was not durable gets there any more. The processes go on until they
//! notice, and are killed. Then the file system is mounted again, which replays its log, and the store
//! is opened as after a boot and compared with what the processes were told (`judge.rs`), through
//! pipes: their answers do not lie on the disk that went.
//!
//! Violations: as in `cuts.rs`. How the processes end does not matter: where a file system is gone, the
//! kernel ends whoever uses what is mapped of it.
//!
//! The file system tells in what order its blocks are written, not a disk: that is what `cuts` adds.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::cuts::write_back;
use super::ground::{self, Kind, Mounted, Task, apart, program, run as run_program};
use super::image::Image;
use super::judges::{Judges, store_on};
use super::known::Known;
use super::orders;
use super::states::State;
use super::workload::{Disk, IMPORTS, Workload};
use crate::Result;
use crate::harness::{Bench, Outcome};
use crate::random::Random;

/// What is shut down in turns.
const KINDS: [Kind; 2] = [Kind::Ext4, Kind::Xfs];
const ROUNDS: u64 = 3;
/// When it is shut down: after so many pauses at most, none of them longer than this.
const PAUSES: u64 = 100;
const PAUSE: Duration = Duration::from_millis(4);
/// Workloads that run at once.
const AT_ONCE: u64 = 2;

pub(crate) fn lacks() -> Option<String> {
    ground::lacks(&KINDS, &["xfs_io"])
}

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let times = bench.count([8, 200, 2000, 20_000]);
    apart("shutdown", bench, times)
}

pub(crate) fn inside(task: &mut Task) -> Result<Outcome> {
    let memory = ground::memory()?;
    let papers = memory.path().join("papers");
    orders::write_papers(&papers, IMPORTS)?;
    let judges = Judges::start(memory.path(), &papers, &task.folder);
    let count = task.count;
    let died = std::thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let one = One {
                    number,
                    memory: memory.path(),
                    judges: &judges,
                    died: 0,
                };
                let random = Random(task.random.next());
                let times = count / AT_ONCE + u64::from(number < count % AT_ONCE);
                scope.spawn(move || one.all(times, random))
            })
            .collect();
        let mut died = 0;
        for one in running {
            died += one.join().map_err(|_| "a thread panicked")??;
        }
        Ok::<u64, Box<dyn std::error::Error + Send + Sync>>(died)
    })?;
    let found = judges.end()?;
    Ok(Outcome {
        done: format!(
            "{} file systems (ext4, xfs) shut down under 3 processes each, of which {died} in all were ended by the kernel",
            found.judged
        ),
        violations: found.violations,
    })
}

struct One<'a> {
    number: u64,
    memory: &'a Path,
    judges: &'a Judges,
    /// Processes that did not live until they were killed.
    died: u64,
}

impl One<'_> {
    fn all(mut self, times: u64, mut random: Random) -> Result<u64> {
        let mut empty = Vec::new();
        for kind in KINDS {
            let path = self.memory.join(format!("empty-{}.img", self.number));
            kind.make(&path)?;
            empty.push((kind, Image::load(&path)?));
        }
        for ((kind, empty), _) in empty.iter().cycle().zip(0..times) {
            self.one(*kind, empty, &mut random)?;
        }
        Ok(self.died)
    }

    fn one(&mut self, kind: Kind, empty: &Image, random: &mut Random) -> Result<()> {
        let image = self.memory.join(format!("worked-{}.img", self.number));
        let point = self.memory.join(format!("worked-{}", self.number));
        empty.save(&image)?;
        let mounted = Mounted::image(&image, &point, kind)?;
        let root = store_on(&point);
        let mut workload = Workload::start(&root, &self.memory.join("papers"))?;
        let known = Mutex::new(Known {
            failed: true,
            ..Known::default()
        });
        let pauses = random.below(PAUSES);
        let mut paused = 0;
        let worked = workload.rounds(
            ROUNDS,
            Disk::Failing,
            random,
            &|note| {
                known
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .learn(&note);
            },
            &mut |random| {
                // Load only: the end is to come at a moment that nobody can foresee.
                std::thread::sleep(random.moment(PAUSE));
                paused += 1;
                match paused > pauses {
                    true if paused == pauses + 1 => shut_down(&point),
                    true => Ok(()),
                    false => write_back(&root, random),
                }
            },
        );
        if paused <= pauses {
            shut_down(&point)?;
        }
        self.died += workload.kill()?;
        worked?;
        mounted.unmount()?;
        let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let state = State {
            image: Image::load(&image)?,
            known,
            story: format!("shut down after {} pauses", paused.min(pauses)),
            torn: false,
        };
        self.judges.judge(state, kind);
        Ok(())
    }
}

/// Stops the file system without a last write of its log.
fn shut_down(point: &Path) -> Result<()> {
    let mut command = Command::new(program("xfs_io").ok_or("no xfs_io")?);
    // `-F`: also one that is not xfs; without a word more, the log is not flushed.
    run_program(command.args(["-F", "-x", "-c", "shutdown"]).arg(point))?;
    Ok(())
}
