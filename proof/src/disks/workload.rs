//! The work that is done while the disk fails: several processes count, publish, rotate, restore,
//! import, take pushes and remove at the same time; in between the store is closed and rebuilt.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::hand::Hand;
use super::known::Note;
use super::orders::Order;
use crate::random::Random;
use crate::{Result, child};

/// Processes that work at once.
pub(crate) const HANDS: u64 = 3;
/// Documents that can be imported; whoever starts a workload has written them before.
pub(crate) const IMPORTS: u64 = 40;
/// Label sets that are registered, and histograms: together more than a segment holds.
const NAMES: u64 = 200;
const STEPS: u64 = 6;
/// Orders that each process carries out before they come together.
const ORDERS: u64 = 12;

pub(crate) struct Workload {
    root: PathBuf,
    hands: Vec<Hand>,
    /// What is imported or raised next, and what passes away.
    imports: AtomicU64,
    numbers: AtomicU64,
}

/// What hears what is said; the disk's log, or whoever knows.
pub(crate) type Listener<'a> = &'a (dyn Fn(Note) + Sync);

/// Whether an error of the store is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Sound,
    Failing,
}

impl Workload {
    /// Starts the processes, which have no store open yet.
    pub(crate) fn start(root: &Path, papers: &Path) -> Result<Self> {
        let hands = (0..HANDS).map(|_| Hand::start(root, papers));
        Ok(Self {
            root: root.to_owned(),
            hands: hands.collect::<Result<_>>()?,
            imports: AtomicU64::new(0),
            numbers: AtomicU64::new(1),
        })
    }

    /// Lets everybody work for so many rounds, or until the disk fails. `nudge` is called again and
    /// again meanwhile.
    pub(crate) fn rounds(
        &mut self,
        rounds: u64,
        disk: Disk,
        random: &mut Random,
        listener: Listener<'_>,
        nudge: &mut dyn FnMut(&mut Random) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..rounds {
            let (imports, numbers) = (&self.imports, &self.numbers);
            let seeds: Vec<u64> = self.hands.iter().map(|_| random.next()).collect();
            let alike = std::thread::scope(|scope| -> Result<bool> {
                let working: Vec<_> = (0..)
                    .zip(&mut self.hands)
                    .zip(seeds)
                    .map(|((number, hand), seed)| {
                        scope.spawn(move || {
                            let mut one = One {
                                number,
                                imports,
                                numbers,
                                random: Random(seed),
                            };
                            one.work(hand, disk, listener)
                        })
                    })
                    .collect();
                while working.iter().any(|one| !one.is_finished()) {
                    nudge(random)?;
                }
                let mut sound = true;
                for one in working {
                    sound &= one.join().map_err(|_| "a thread panicked")??;
                }
                Ok(sound)
            })?;
            if !alike {
                break;
            }
            if random.below(3) == 0 && !self.rebuild(disk, listener)? {
                break;
            }
        }
        Ok(())
    }

    /// Closes the store everywhere and rebuilds it.
    fn rebuild(&mut self, disk: Disk, listener: Listener<'_>) -> Result<bool> {
        for hand in &mut self.hands {
            lawful(hand, Order::Close, disk, listener)?;
        }
        let Some(hand) = self.hands.first_mut() else {
            return Ok(false);
        };
        lawful(hand, Order::Compact, disk, listener)
    }

    /// Everybody dies at once; gives how many had died of something else.
    pub(crate) fn kill(self) -> Result<u64> {
        let mut died = 0;
        for hand in self.hands {
            died += u64::from(!child::was_killed(hand.kill()?));
        }
        Ok(died)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn hand(&mut self, number: usize) -> Result<&mut Hand> {
        Ok(self.hands.get_mut(number).ok_or("no such hand")?)
    }
}

/// Carries out one order; gives whether the disk did what it was told.
fn lawful(hand: &mut Hand, order: Order, disk: Disk, listener: Listener<'_>) -> Result<bool> {
    let answer = match hand.act(order.clone(), listener) {
        // The file system may have gone from under what is mapped.
        Err(_) if disk == Disk::Failing => return Ok(false),
        answer => answer?,
    };
    match answer.error {
        Some(error) if disk == Disk::Sound => Err(format!("{order:?}: {error}").into()),
        error => Ok(error.is_none()),
    }
}

/// What one process does in one round.
struct One<'a> {
    number: u64,
    imports: &'a AtomicU64,
    numbers: &'a AtomicU64,
    random: Random,
}

impl One<'_> {
    fn work(&mut self, hand: &mut Hand, disk: Disk, listener: Listener<'_>) -> Result<bool> {
        lawful(hand, Order::Open, disk, listener)?;
        for _ in 0..ORDERS {
            for order in self.orders() {
                if !lawful(hand, order, disk, listener)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn orders(&mut self) -> Vec<Order> {
        let hand = self.number;
        let few = 1 + self.random.below(9);
        let next = |numbers: &AtomicU64| numbers.fetch_add(1, Ordering::Relaxed);
        match self.random.below(112) {
            0..15 => vec![Order::Count { by: few }],
            15..30 => vec![Order::Own { hand, by: few }],
            30..42 => {
                let from = self.random.below(NAMES);
                vec![Order::Register {
                    from,
                    to: from + few,
                }]
            }
            42..48 => vec![Order::Observe {
                step: self.random.below(STEPS),
                times: few,
            }],
            48..54 => vec![Order::Set {
                hand,
                value: next(self.numbers),
            }],
            54..62 => vec![Order::Flush],
            62..75 => vec![Order::Sync],
            75..80 => vec![Order::Snapshot],
            80..86 => vec![Order::Rotate {
                keep: self.random.below(3) == 0,
            }],
            86..89 => vec![Order::Restore],
            89..94 => {
                let done = self.imports.load(Ordering::Relaxed);
                let again = done > 0 && self.random.below(4) == 0;
                let number = match again {
                    true => self.random.below(done),
                    false => next(self.imports),
                };
                vec![Order::Import {
                    number: number.min(IMPORTS - 1),
                }]
            }
            94..98 => {
                let number = next(self.numbers);
                vec![
                    Order::Pass { hand, number },
                    Order::Sync,
                    Order::Remove { hand, number },
                ]
            }
            98..110 => {
                let push = Order::Push {
                    writer: hand,
                    number: next(self.numbers),
                    by: few,
                };
                // Now and then the answer is lost on its way to the client.
                let times = 1 + usize::from(self.random.below(3) == 0);
                vec![push; times]
            }
            _ => vec![Order::Redeclare {
                number: next(self.numbers),
            }],
        }
    }
}
