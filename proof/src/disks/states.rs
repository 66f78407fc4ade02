//! The states that a power cut could have left a disk in: everything that was written up to the last
//! flush, and of what was written after it none, all, some, some in another order, or some of it torn.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};

use super::image::Image;
use super::known::Known;
use super::volatile::Record;
use crate::random::Random;

/// What a disk writes at once or not at all, at least.
const SECTOR: usize = 512;
const PAGE: usize = 4096;
/// How often another moment is tried for each state that is wanted, since many are the same.
const TRIES: u64 = 6;

/// What a disk went through.
pub(crate) struct Log {
    pub(crate) base: Image,
    /// What was known before.
    pub(crate) known: Known,
    pub(crate) records: Vec<Record>,
}

/// What one cut left.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) image: Image,
    pub(crate) known: Known,
    pub(crate) story: String,
    /// Writes were torn into sectors.
    pub(crate) torn: bool,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    None,
    All,
    Some,
    Reordered,
    TornPages,
    TornSectors,
}

const MODES: [Mode; 8] = [
    Mode::None,
    Mode::All,
    Mode::Some,
    Mode::Some,
    Mode::Some,
    Mode::Reordered,
    Mode::TornPages,
    Mode::TornSectors,
];

impl Log {
    /// Calls `each` with up to `wanted` states, no two of them the same; gives how many there were.
    pub(crate) fn states(
        &self,
        wanted: u64,
        random: &mut Random,
        each: &mut dyn FnMut(State),
    ) -> u64 {
        let mut replay = Replay {
            durable: self.base.clone(),
            pending: Vec::new(),
            known: self.known.clone(),
            flushes: 0,
        };
        let mut points = self.points(wanted * TRIES, random).into_iter().peekable();
        let mut seen = HashSet::new();
        let mut found = 0;
        // Moments that are left out are to lie anywhere in the log, not at its end.
        let mut left = points.len() as u64;
        for (at, record) in self.records.iter().enumerate() {
            replay.step(record);
            while points.next_if_eq(&at).is_some() {
                let wish = random.below(left) < (wanted - found).saturating_mul(TRIES / 2);
                left -= 1;
                if found < wanted && wish {
                    let mode = MODES[random.below(MODES.len() as u64) as usize];
                    let (image, mark) = replay.cut(mode, random);
                    if seen.insert((replay.flushes, mark)) {
                        found += 1;
                        let known = replay.known.clone();
                        let story = format!("cut {at} of {}, {mode:?}", self.records.len());
                        each(State {
                            image,
                            known,
                            story,
                            torn: matches!(mode, Mode::TornSectors),
                        });
                    }
                }
            }
        }
        found
    }

    /// Moments in their order: a third of them right behind something that was promised.
    fn points(&self, wanted: u64, random: &mut Random) -> Vec<usize> {
        let notes = self.records.iter().enumerate();
        let notes: Vec<usize> = notes
            .filter(|(_, record)| matches!(record, Record::Note(_)))
            .map(|(at, _)| at)
            .collect();
        let any = self.records.len().max(1) as u64;
        let mut points: Vec<usize> = (0..wanted)
            .map(|_| match notes.len() as u64 {
                some @ 1.. if random.below(3) == 0 => notes[random.below(some) as usize],
                _ => random.below(any) as usize,
            })
            .collect();
        points.sort_unstable();
        points
    }
}

struct Replay<'a> {
    durable: Image,
    pending: Vec<(u64, &'a [u8])>,
    known: Known,
    flushes: u64,
}

impl<'a> Replay<'a> {
    fn step(&mut self, record: &'a Record) {
        match record {
            Record::Write { offset, bytes } => self.pending.push((*offset, bytes)),
            Record::Flush => {
                for (offset, bytes) in self.pending.drain(..) {
                    self.durable.write(offset, bytes);
                }
                self.flushes += 1;
            }
            Record::Note(note) => self.known.learn(note),
        }
    }

    /// What is left of the disk, and a mark by which two cuts between the same flushes differ.
    fn cut(&self, mode: Mode, random: &mut Random) -> (Image, u64) {
        let mut image = self.durable.clone();
        let mut mark = DefaultHasher::new();
        // Nearly all and nearly none of it as often as half.
        let share = 1 + random.below(9);
        let mut chosen: Vec<_> = self.pending.iter().enumerate().collect();
        chosen.retain(|_| match mode {
            Mode::None => false,
            Mode::All => true,
            _ => random.below(10) < share,
        });
        if matches!(mode, Mode::Reordered) {
            for at in (1..chosen.len()).rev() {
                chosen.swap(at, random.below(at as u64 + 1) as usize);
            }
        }
        for (number, (offset, bytes)) in chosen {
            let unit = match mode {
                Mode::TornPages => PAGE,
                Mode::TornSectors => SECTOR,
                _ => bytes.len().max(1),
            };
            let tears = unit < bytes.len() && random.below(2) == 0;
            for (unit, begin) in bytes.chunks(unit).zip((*offset..).step_by(unit)) {
                if !tears || random.below(2) == 0 {
                    image.write(begin, unit);
                    mark.write_u64(number as u64);
                    mark.write_u64(begin);
                }
            }
        }
        (image, mark.finish())
    }
}
