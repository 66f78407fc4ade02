//! A disk that fails: a write of the file system to it ends with an input/output error, once or from
//! then on, while two processes have the store open.
//!
//! Both count and publish; then one of the next writes fails, chosen at random, in the middle of an
//! operation chosen at random, or while the kernel writes pages back on its own. Both go on counting
//! and ask for publications. At last the disk is taken away and what it holds is opened as after a boot
//! (`judge.rs`), sound again.
//!
//! Violations: a process ends; an error does not name a path of the store; a count is missing from a
//! view of the living; once making cells durable has failed, any process that publishes, or is not told
//! that the store is degraded; whatever `cuts.rs` calls one, so above all a value that was called
//! durable and is not there, although the kernel called the `msync` after the error fine.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::cuts::write_back;
use super::ground::{self, Kind, Mounted, Task, apart};
use super::hand::Hand;
use super::image::Image;
use super::judges::{Judges, store_on};
use super::known::{Known, Note};
use super::orders::{self, Answer, Order};
use super::states::State;
use super::volatile::{Failing, Volatile};
use crate::Result;
use crate::harness::{Bench, Outcome};
use crate::random::Random;

/// Writes that pass before one fails, at most.
const PASS: u64 = 30;

pub(crate) fn lacks() -> Option<String> {
    ground::lacks_fuse(&[Kind::Ext4])
}

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let cases = bench.count([10, 150, 1000, 10_000]);
    apart("eio", bench, cases)
}

pub(crate) fn inside(task: &mut Task) -> Result<Outcome> {
    let memory = ground::memory()?;
    let papers = memory.path().join("papers");
    orders::write_papers(&papers, 2)?;
    let empty = memory.path().join("empty.img");
    Kind::Ext4.make(&empty)?;
    let empty = Image::load(&empty)?;
    let judges = Judges::start(memory.path(), &papers, &task.folder);
    let mut done = Done::default();
    for _ in 0..task.count {
        let mut case = Case {
            memory: memory.path(),
            known: Mutex::new(Known {
                failed: true,
                ..Known::default()
            }),
            story: String::new(),
            broken: false,
            violations: Vec::new(),
        };
        let image = case.run(&empty, &mut task.random, &mut done)?;
        let story = case.story;
        let told = case.violations.into_iter();
        done.violations
            .extend(told.map(|what| format!("{story}: {what}")));
        judges.judge(
            State {
                image,
                known: case
                    .known
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner),
                story,
                torn: false,
            },
            Kind::Ext4,
        );
    }
    let found = judges.end()?;
    done.violations.extend(found.violations);
    Ok(Outcome {
        done: format!(
            "{} disks, {} of which failed at {} writes, {} stores degraded, {} orders refused",
            task.count, done.failed, done.writes, done.degraded, done.refused
        ),
        violations: done.violations,
    })
}

#[derive(Default)]
struct Done {
    failed: u64,
    writes: u64,
    degraded: u64,
    refused: u64,
    violations: Vec<String>,
}

struct Case<'a> {
    memory: &'a Path,
    known: Mutex<Known>,
    story: String,
    /// Making cells durable has failed.
    broken: bool,
    violations: Vec<String>,
}

impl Case<'_> {
    /// Gives what the disk holds in the end.
    fn run(&mut self, empty: &Image, random: &mut Random, done: &mut Done) -> Result<Image> {
        let disk = Volatile::serve(empty.clone(), &self.memory.join("served"))?;
        let point = self.memory.join("worked");
        let mounted = Mounted::image(&disk.path(), &point, Kind::Ext4)?;
        let root = store_on(&point);
        let papers = self.memory.join("papers");
        let mut hands = [Hand::start(&root, &papers)?, Hand::start(&root, &papers)?];
        let worked = self.work(&mut hands, &disk, &root, random, done);
        for hand in hands {
            hand.kill()?;
        }
        let failed = disk.failed();
        done.writes += failed;
        done.failed += u64::from(failed > 0);
        mounted.unmount()?;
        let image = disk.image();
        disk.end()?;
        worked?;
        Ok(image)
    }

    fn work(
        &mut self,
        hands: &mut [Hand; 2],
        disk: &Volatile,
        root: &Path,
        random: &mut Random,
        done: &mut Done,
    ) -> Result<()> {
        let sound = [
            (0, Order::Open),
            (1, Order::Open),
            (0, Order::Own { hand: 0, by: 3 }),
            (1, Order::Own { hand: 1, by: 4 }),
            (0, Order::Observe { step: 0, times: 2 }),
            (0, Order::Sync),
            (1, Order::Snapshot),
            (0, Order::Own { hand: 0, by: 1 }),
            (1, Order::Own { hand: 1, by: 1 }),
            (1, Order::Set { hand: 1, value: 7 }),
            (0, push(0, 1)),
            (1, push(1, 1)),
        ];
        for (hand, order) in sound {
            if let Some(error) = self.act(&mut hands[hand], &order)?.error {
                return Err(format!("{order:?}: {error}").into());
            }
        }
        let pass = random.below(PASS).min(random.below(PASS));
        let failing = match random.below(2) {
            0 => Failing::Once(pass),
            _ => Failing::From(pass),
        };
        let order = chosen(random);
        self.story = format!("{failing:?}, {order:?}");
        disk.fail(failing);
        if random.below(4) == 0 {
            write_back(root, random)?;
        }
        let after = [
            (0, order),
            // The client has heard no answer, and asks another process.
            (1, push(0, 2)),
            // Nothing is counted in between: what was lost stays lost.
            (1, Order::Sync),
            (1, Order::Sync),
            (0, Order::Sync),
            (0, Order::Own { hand: 0, by: 2 }),
            (1, Order::Own { hand: 1, by: 2 }),
            (1, Order::Observe { step: 3, times: 1 }),
            (0, Order::Examine),
            (1, Order::Examine),
            (1, Order::Snapshot),
            (0, Order::Rotate { keep: false }),
            (1, Order::Flush),
        ];
        for (hand, order) in after {
            let answer = match self.act(&mut hands[hand], &order) {
                Ok(answer) => answer,
                Err(error) => {
                    self.violations.push(crate::ui::chain(error.as_ref()));
                    break;
                }
            };
            done.refused += u64::from(answer.error.is_some());
            self.check(&order, &answer, root);
        }
        done.degraded += u64::from(self.broken);
        Ok(())
    }

    fn act(&self, hand: &mut Hand, order: &Order) -> Result<Answer> {
        hand.act(order.clone(), &|note: Note| {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.learn(&note);
        })
    }

    fn check(&mut self, order: &Order, answer: &Answer, root: &Path) {
        let root = root.display().to_string();
        if let Some(error) = &answer.error {
            if !error.contains(&root) {
                self.violations
                    .push(format!("{order:?}: the error names no path: {error}"));
            }
            // A segment that an observation makes is not in use yet.
            let is_new = matches!(order, Order::Observe { .. });
            if error.contains("cannot make durable") && error.contains("/live/segment-") && !is_new
            {
                self.broken = true;
            }
        }
        if *order == Order::Examine {
            self.look(answer);
            return;
        }
        let publishes = matches!(
            order,
            Order::Sync
                | Order::Flush
                | Order::Snapshot
                | Order::Rotate { .. }
                | Order::Push { .. }
        );
        if self.broken && publishes {
            match &answer.error {
                // It was counted while the disk was sound.
                None if matches!(order, Order::Push { .. }) && !answer.counted => {}
                None => self.violations.push(format!(
                    "{order:?} succeeded after cells could not be made durable"
                )),
                Some(_) if !answer.degraded => self.violations.push(format!(
                    "{order:?} was refused, but the store is not degraded"
                )),
                Some(_) => {}
            }
        }
    }

    /// What was counted is seen by the living, whatever the disk does.
    fn look(&mut self, answer: &Answer) {
        if answer.degraded != self.broken {
            let (found, broken) = (answer.degraded, self.broken);
            self.violations
                .push(format!("degraded is {found} where broken is {broken}"));
        }
        let Some(shown) = &answer.shown else {
            let error = answer.error.as_deref().unwrap_or_default();
            self.violations.push(format!("no view: {error}"));
            return;
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let lost: Vec<String> = [orders::own(0), orders::own(1)]
            .into_iter()
            .filter(|key| shown.totals.get(key) != known.begun.get(key))
            .collect();
        drop(known);
        for key in lost {
            let found = shown.totals.get(&key);
            self.violations
                .push(format!("{key} is {found:?} in a view"));
        }
    }
}

fn push(writer: u64, number: u64) -> Order {
    let by = 3;
    Order::Push { writer, number, by }
}

/// What is being done when the disk fails.
fn chosen(random: &mut Random) -> Order {
    match random.below(10) {
        0 => Order::Flush,
        1 | 2 => Order::Sync,
        3 => Order::Snapshot,
        4 => Order::Rotate { keep: false },
        5 => Order::Restore,
        6 => Order::Import { number: 0 },
        7 | 8 => push(0, 2),
        _ => Order::Observe { step: 3, times: 2 },
    }
}
