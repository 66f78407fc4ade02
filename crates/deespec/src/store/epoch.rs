//! Epochs: the sealed word that numbers the current one, and a record beside each baseline array
//! that says when, how, by whom and why its epoch began.

use crate::sync::Ordering;

use super::control::{EPOCH, RECORD_WORDS, record_at};
use super::error::StoreError;
use super::layout::{checksum, seal, unseal};
use super::segment::Segment;

/// Words of a record before its texts.
const FIXED: usize = 5;
/// Bytes that both texts of a record may have together.
const TEXT_MAX: usize = (RECORD_WORDS - FIXED) * 8;

/// How an epoch began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beginning {
    /// The store was made.
    Created,
    /// A rotation closed the epoch before.
    Rotation,
    /// A snapshot was restored.
    Restore,
}

impl Beginning {
    /// The word that `epochs.jsonl` uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Rotation => "rotation",
            Self::Restore => "restore",
        }
    }

    fn code(self) -> u64 {
        match self {
            Self::Created => 1,
            Self::Rotation => 2,
            Self::Restore => 3,
        }
    }

    fn from_code(code: u64) -> Option<Self> {
        [Self::Created, Self::Rotation, Self::Restore]
            .into_iter()
            .find(|b| b.code() == code)
    }
}

/// The beginning of one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) epoch: u32,
    /// Nanoseconds since 1970; also the time in the name of the closing snapshot before it.
    pub(crate) at_ns: u64,
    pub(crate) beginning: Beginning,
    /// The program and user that began it.
    pub(crate) by: String,
    pub(crate) why: String,
}

impl Record {
    /// Writes the record into its place; the caller holds the exclusive lock.
    pub(crate) fn write(&self, segment: &Segment) {
        let by = clip(&self.by, TEXT_MAX / 2);
        let why = clip(&self.why, TEXT_MAX - by.len());
        let mut words = vec![0; RECORD_WORDS];
        words[1] = u64::from(self.epoch);
        words[2] = self.at_ns;
        words[3] = self.beginning.code();
        words[4] = by.len() as u64 | (why.len() as u64) << 32;
        let text: Vec<u8> = by.bytes().chain(why.bytes()).collect();
        for (word, chunk) in words[FIXED..].iter_mut().zip(text.chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(bytes);
        }
        words[0] = u64::from(checksum(&words[1..]));
        let at = record_at(u64::from(self.epoch));
        for (word, value) in segment.words()[at..].iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Reads the record of `epoch`; `None` when it is damaged or of another epoch.
    pub(crate) fn read(segment: &Segment, epoch: u32) -> Option<Self> {
        Self::read_any(segment, u64::from(epoch)).filter(|record| record.epoch == epoch)
    }

    /// Reads the record that stands in the place of this parity.
    pub(crate) fn read_any(segment: &Segment, parity: u64) -> Option<Self> {
        let at = record_at(parity);
        let words: Vec<u64> = segment.words()[at..at + RECORD_WORDS]
            .iter()
            .map(|word| word.load(Ordering::Relaxed))
            .collect();
        if words[0] != u64::from(checksum(&words[1..])) {
            return None;
        }
        let text: Vec<u8> = words[FIXED..]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let (by, rest) = text.split_at_checked(words[4] as u32 as usize)?;
        let why = rest.get(..(words[4] >> 32) as usize)?;
        Some(Self {
            epoch: u32::try_from(words[1]).ok()?,
            at_ns: words[2],
            beginning: Beginning::from_code(words[3])?,
            by: String::from_utf8(by.to_vec()).ok()?,
            why: String::from_utf8(why.to_vec()).ok()?,
        })
    }
}

/// Shortens a text to at most `max` bytes, between two characters.
fn clip(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The number of the current epoch.
pub(crate) fn current(segment: &Segment) -> Result<u32, StoreError> {
    unseal(segment.load(EPOCH)).ok_or_else(|| {
        StoreError::damaged(segment.path(), "the word that numbers the epoch is wrong")
    })
}

/// What a cell counted since `epoch` began, and in all; both of the same moment.
pub(super) fn counted(segment: &Segment, epoch: u32, cell: u32) -> (u64, u64) {
    let total = segment.total(cell);
    (total.wrapping_sub(baseline(segment, epoch, cell)), total)
}

/// What a cell counted in the epoch before `epoch`, and in all until that ended.
pub(super) fn closed(segment: &Segment, epoch: u32, cell: u32) -> (u64, u64) {
    let end = baseline(segment, epoch, cell);
    let begin = baseline(segment, epoch.wrapping_sub(1), cell);
    (end.wrapping_sub(begin), end)
}

/// The total of a cell when `epoch` began.
pub(super) fn baseline(segment: &Segment, epoch: u32, cell: u32) -> u64 {
    let array = segment.baseline(u64::from(epoch), cell);
    array.load(Ordering::Relaxed)
}

/// Makes `epoch` the current one: the commit point of a rotation.
pub(crate) fn flip(segment: &Segment, epoch: u32) {
    segment.store(EPOCH, seal(epoch));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::Geometry;

    fn record(epoch: u32, why: &str) -> Record {
        Record {
            epoch,
            at_ns: 42,
            beginning: Beginning::Restore,
            by: "deespec restore (uid 1000)".into(),
            why: why.into(),
        }
    }

    #[test]
    fn two_records_stand_side_by_side() {
        let segment = Segment::in_memory(Geometry::of(0, 1));
        record(6, "one").write(&segment);
        record(7, "").write(&segment);
        assert_eq!(Record::read(&segment, 6), Some(record(6, "one")));
        assert_eq!(Record::read(&segment, 7), Some(record(7, "")));
        assert_eq!(Record::read(&segment, 8), None);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let segment = Segment::in_memory(Geometry::of(0, 1));
        record(2, &"ä".repeat(2000)).write(&segment);
        let why = Record::read(&segment, 2).unwrap().why;
        assert!(why.len() > 400 && why.chars().all(|c| c == 'ä'));
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes in an interpreter, and it has one thread")]
    fn a_flipped_bit_of_a_record_or_of_the_epoch_word_shows() {
        let segment = Segment::in_memory(Geometry::of(0, 1));
        record(2, "why").write(&segment);
        for bit in 0..RECORD_WORDS * 64 {
            let word = record_at(2) + bit / 64;
            let old = segment.load(word);
            segment.store(word, old ^ 1 << (bit % 64));
            assert_eq!(Record::read(&segment, 2), None, "bit {bit}");
            segment.store(word, old);
        }
        flip(&segment, 9);
        assert_eq!(current(&segment).unwrap(), 9);
        segment.store(EPOCH, segment.load(EPOCH) ^ 1);
        assert!(current(&segment).is_err());
    }
}
