//! The second page of a segment: the few words that change. All but the tail are used in the
//! first segment only.

use super::layout::{Geometry, PAGE, checksum};

/// How much of the registry and of the cells is in use; the commit point of a registration.
pub(crate) const TAIL: usize = PAGE;
/// The tail up to which entries are known to be durable: damage below it is not a power cut's.
pub(crate) const DURABLE_TAIL: usize = PAGE + 1;
/// A digest of where the store lay when that place was last looked at.
pub(crate) const PLACE: usize = PAGE + 2;
/// What that place promises, sealed.
pub(crate) const PLACE_CLASS: usize = PAGE + 3;
/// The epoch number, sealed; the commit point of a rotation.
pub(crate) const EPOCH: usize = PAGE + 8;
/// How many segments there are, sealed.
pub(crate) const SEGMENTS: usize = PAGE + 9;
/// The boot in which the store was last recovered (two words).
pub(crate) const BOOT: usize = PAGE + 10;
/// Not 0 while the holder of the exclusive lock is in the middle of several steps.
pub(crate) const PENDING: usize = PAGE + 12;
/// Not 0 once making the cells durable has failed.
pub(crate) const DEGRADED: usize = PAGE + 13;
/// When the last complete flush began, in nanoseconds since 1970.
pub(crate) const FLUSHED_AT: usize = PAGE + 14;
/// When metrics.json was last published, in nanoseconds since 1970.
pub(crate) const PUBLISHED_AT: usize = PAGE + 15;
/// The sum over all cells, and the epoch, as metrics.json shows them.
pub(crate) const PUBLISHED_STATE: usize = PAGE + 16;
/// Until when somebody who waits for the lock asks others to come later, in ns since 1970.
pub(crate) const WAITING: usize = PAGE + 17;
/// Until when somebody who waits for the exclusive lock asks readers to let him go first, in ns since 1970.
pub(crate) const ALONE: usize = PAGE + 18;
/// How often somebody got the exclusive lock while there was a wish in `ALONE`.
pub(crate) const TURNS: usize = PAGE + 19;
/// The next stripe to hand out; on a cache line of its own.
pub(crate) const TICKET: usize = PAGE + 24;
/// Words of one epoch record.
pub(crate) const RECORD_WORDS: usize = 128;

/// First word of the epoch record that epochs of this parity use.
pub(crate) fn record_at(parity: u64) -> usize {
    PAGE + 64 + (parity & 1) as usize * RECORD_WORDS
}

/// How much of a segment is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tail {
    /// Registry blocks.
    pub(crate) blocks: u32,
    /// Cells of each stripe.
    pub(crate) cells: u32,
}

impl Tail {
    /// One word: 24 bits of blocks, 24 bits of cells, 16 bits of checksum.
    pub(crate) fn encode(self) -> u64 {
        let value = u64::from(self.blocks & 0xff_ffff) | u64::from(self.cells & 0xff_ffff) << 24;
        value | u64::from(checksum(&[value]) & 0xffff) << 48
    }

    /// Whether a segment of these sizes has so much.
    pub(crate) fn fits(self, geometry: Geometry) -> bool {
        self.blocks as usize <= geometry.blocks() && self.cells <= geometry.cells
    }

    /// `None` when a bit of the word was changed.
    pub(crate) fn decode(word: u64) -> Option<Self> {
        let tail = Self {
            blocks: word as u32 & 0xff_ffff,
            cells: (word >> 24) as u32 & 0xff_ffff,
        };
        (tail.encode() == word).then_some(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `docs/format.md` has them, in bytes: other programs, and older ones, look there.
    #[test]
    fn each_word_stands_where_the_format_says() {
        let words = [
            (TAIL, 4096),
            (DURABLE_TAIL, 4104),
            (PLACE, 4112),
            (PLACE_CLASS, 4120),
            (EPOCH, 4160),
            (SEGMENTS, 4168),
            (BOOT, 4176),
            (PENDING, 4192),
            (DEGRADED, 4200),
            (FLUSHED_AT, 4208),
            (PUBLISHED_AT, 4216),
            (PUBLISHED_STATE, 4224),
            (WAITING, 4232),
            (ALONE, 4240),
            (TURNS, 4248),
            (TICKET, 4288),
            (record_at(0), 4608),
            (record_at(1), 5632),
            (record_at(2), 4608),
        ];
        for (word, offset) in words {
            assert_eq!(word * 8, offset);
        }
    }

    #[test]
    fn a_tail_decodes_to_itself_and_shows_each_flipped_bit() {
        for tail in [
            Tail::default(),
            Tail {
                blocks: 2,
                cells: 1,
            },
            Tail {
                blocks: 1 << 21,
                cells: 1 << 20,
            },
        ] {
            assert_eq!(Tail::decode(tail.encode()), Some(tail));
            for bit in 0..64 {
                assert_eq!(
                    Tail::decode(tail.encode() ^ 1 << bit),
                    None,
                    "{tail:?}, bit {bit}"
                );
            }
        }
    }
}
