//! Where everything stands in a segment: the header, and the word offsets that follow from it.
//! `docs/format.md` is the same as a table; it is changed first.

use crc32fast::Hasher;

use super::control::Tail;
use crate::protection::Protection;

/// Bytes of a page in the format, whatever the machine's own page size is.
pub(crate) const PAGE_BYTES: usize = 4096;
/// 64-bit words of a page.
pub(crate) const PAGE: usize = PAGE_BYTES / 8;
/// The bytes `DEESPEC\0` in the byte order of the machine that made the file.
const MAGIC: u64 = u64::from_le_bytes(*b"DEESPEC\0");
/// Highest format version (of the bytes in `live/`) that is read, and the one that is written.
pub const FORMAT_VERSION: u32 = 2;
/// Words of the header that its checksum covers.
const HEADER_WORDS: usize = 9;
/// Words of one block of the registry (64 bytes).
pub(crate) const BLOCK: usize = 8;
/// Cells of the first segment; each further one has four times as many.
const FIRST_CELLS: u32 = 512;
/// No segment has more cells than this.
const MAX_CELLS: u32 = 1 << 20;
/// Most segments of a store: 16 of them hold over ten million series.
pub(crate) const MAX_SEGMENTS: usize = 16;
/// Most stripes of a store.
pub(crate) const MAX_STRIPES: u32 = 64;

/// The sizes of one segment, from which every offset follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Stripes that writers use; the ledger stripe comes on top.
    pub(crate) stripes: u32,
    /// Cells in each stripe.
    pub(crate) cells: u32,
}

impl Geometry {
    /// The sizes of segment number `index` in a store with `stripes` stripes.
    pub(crate) fn of(index: u32, stripes: u32) -> Self {
        let cells = FIRST_CELLS
            .saturating_mul(4u32.saturating_pow(index))
            .min(MAX_CELLS);
        Self { stripes, cells }
    }

    /// Slots of the hash index: a power of two, at most half full.
    pub(crate) fn slots(self) -> usize {
        self.cells as usize * 2
    }

    /// 64-byte blocks of the registry.
    pub(crate) fn blocks(self) -> usize {
        self.cells as usize * 2
    }

    pub(crate) fn index_at(self) -> usize {
        2 * PAGE
    }

    pub(crate) fn registry_at(self) -> usize {
        self.index_at() + self.slots()
    }

    /// All blocks and cells.
    pub(crate) fn all(self) -> Tail {
        Tail {
            blocks: self.blocks() as u32,
            cells: self.cells,
        }
    }

    /// First word of the baseline array that epochs of this parity use.
    pub(crate) fn baseline_at(self, parity: u64) -> usize {
        self.registry_at() + self.blocks() * BLOCK + (parity & 1) as usize * self.cells as usize
    }

    /// First word of a stripe; number `stripes` is the ledger stripe.
    #[inline]
    pub(crate) fn stripe_at(self, stripe: u32) -> usize {
        let arrays = self.registry_at() + self.blocks() * BLOCK + 2 * self.cells as usize;
        arrays + stripe as usize * self.cells as usize
    }

    pub(crate) fn words(self) -> usize {
        self.stripe_at(self.stripes + 1)
    }

    pub(crate) fn bytes(self) -> u64 {
        self.words() as u64 * 8
    }
}

/// What the maker of a store accepted of the place where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Consent {
    /// Any file system, also one that is not known to keep the promises.
    pub(crate) any: bool,
    /// That a full disk may end a program at an increment.
    pub(crate) full_disk: bool,
    /// That the end of a daemon may lose counts.
    pub(crate) daemon: bool,
}

impl Consent {
    fn flags(self) -> u32 {
        u32::from(self.any) | u32::from(self.full_disk) << 1 | u32::from(self.daemon) << 2
    }

    fn of_flags(flags: u32) -> Self {
        let bit = |number: u32| flags >> number & 1 == 1;
        Self {
            any: bit(0),
            full_disk: bit(1),
            daemon: bit(2),
        }
    }
}

/// What a segment says of itself in its first page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) index: u32,
    pub(crate) store_id: [u64; 2],
    pub(crate) geometry: Geometry,
    /// What the store's maker accepted.
    pub(crate) consent: Consent,
    pub(crate) created_ns: u64,
    /// The format version; that of all segments of a store.
    pub(crate) version: u32,
}

/// Why a file is not a segment that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderError {
    NotASegment,
    ForeignByteOrder,
    Newer { found: u32 },
    Damaged(&'static str),
}

impl Header {
    pub(crate) fn encode(&self) -> [u64; HEADER_WORDS + 1] {
        let geometry = self.geometry;
        let mut words = [
            MAGIC,
            u64::from(self.version) | u64::from(self.index) << 32,
            self.store_id[0],
            self.store_id[1],
            u64::from(geometry.stripes) | u64::from(self.consent.flags()) << 32,
            u64::from(geometry.cells),
            geometry.slots() as u64 | (geometry.blocks() as u64) << 32,
            self.created_ns,
            0,
            0,
        ];
        words[HEADER_WORDS] = u64::from(checksum(&words[..HEADER_WORDS]));
        words
    }

    /// Reads a header; `file_bytes` is the length of the file that it stands in.
    pub(crate) fn decode(words: &[u64], file_bytes: u64) -> Result<Self, HeaderError> {
        let Some(words) = words.first_chunk::<{ HEADER_WORDS + 1 }>() else {
            return Err(HeaderError::NotASegment);
        };
        if words[0] == MAGIC.swap_bytes() {
            return Err(HeaderError::ForeignByteOrder);
        }
        if words[0] != MAGIC {
            return Err(HeaderError::NotASegment);
        }
        let version = words[1] as u32;
        if version > FORMAT_VERSION {
            return Err(HeaderError::Newer { found: version });
        }
        if words[HEADER_WORDS] != u64::from(checksum(&words[..HEADER_WORDS])) {
            return Err(HeaderError::Damaged("the checksum of the header is wrong"));
        }
        let index = (words[1] >> 32) as u32;
        let stripes = words[4] as u32;
        let geometry = Geometry::of(index, stripes);
        let sizes = geometry.slots() as u64 | (geometry.blocks() as u64) << 32;
        let lawful = version > 0
            && (index as usize) < MAX_SEGMENTS
            && stripes.is_power_of_two()
            && stripes <= MAX_STRIPES
            && words[5] == u64::from(geometry.cells)
            && words[6] == sizes;
        if !lawful {
            return Err(HeaderError::Damaged("the header holds impossible sizes"));
        }
        if file_bytes != geometry.bytes() {
            return Err(HeaderError::Damaged(
                "the file's length does not match its header",
            ));
        }
        Ok(Self {
            index,
            store_id: [words[2], words[3]],
            geometry,
            consent: Consent::of_flags((words[4] >> 32) as u32),
            created_ns: words[7],
            version,
        })
    }
}

/// CRC-32 (ISO 3309, as in zlib) over words in little-endian byte order.
pub(crate) fn checksum(words: &[u64]) -> u32 {
    if !Protection::Checksum.stands() {
        return 0;
    }
    let mut hasher = Hasher::new();
    for word in words {
        hasher.update(&word.to_le_bytes());
    }
    hasher.finalize()
}

/// A number of 32 bits with its own checksum beside it in one word, so that a flipped bit shows.
pub(crate) fn seal(value: u32) -> u64 {
    u64::from(value) | u64::from(checksum(&[u64::from(value)])) << 32
}

/// The number that [`seal`] put into `word`, or `None` when a bit of it was changed. A word of
/// ones seals the highest number, but is rather what a broken disk gives: that number is not used.
pub(crate) fn unseal(word: u64) -> Option<u32> {
    (seal(word as u32) == word && word != u64::MAX).then_some(word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            index: 1,
            store_id: [7, 9],
            geometry: Geometry::of(1, 4),
            consent: Consent {
                full_disk: true,
                ..Consent::default()
            },
            created_ns: 5,
            version: FORMAT_VERSION,
        }
    }

    #[test]
    fn a_header_decodes_to_itself() {
        let header = header();
        assert_eq!(
            Header::decode(&header.encode(), header.geometry.bytes()),
            Ok(header)
        );
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let words = header().encode();
        for bit in 0..words.len() * 64 {
            let mut flipped = words;
            flipped[bit / 64] ^= 1 << (bit % 64);
            assert!(
                Header::decode(&flipped, header().geometry.bytes()).is_err(),
                "bit {bit} went unnoticed"
            );
        }
    }

    #[test]
    fn impossible_sizes_are_refused_even_with_a_right_checksum() {
        let header = header();
        let impossible: [(usize, u64); 7] = [
            (1, 1 << 32),                              // version 0
            (1, u64::from(FORMAT_VERSION) | 16 << 32), // a place that no segment has
            (4, 0),                                    // no stripe
            (4, 3),                                    // not a power of two
            (4, u64::from(MAX_STRIPES) * 2),           // too many
            (5, u64::from(header.geometry.cells) + 1), // cells that do not fit the place
            (6, header.geometry.slots() as u64),       // no registry
        ];
        for (word, value) in impossible {
            let mut words = header.encode();
            words[word] = value;
            words[HEADER_WORDS] = u64::from(checksum(&words[..HEADER_WORDS]));
            let bytes = Geometry::of((words[1] >> 32) as u32, words[4] as u32).bytes();
            assert_eq!(
                Header::decode(&words, bytes),
                Err(HeaderError::Damaged("the header holds impossible sizes")),
                "word {word} is {value}"
            );
        }
    }

    #[test]
    fn a_wrong_length_a_newer_version_and_a_foreign_byte_order_are_told_apart() {
        let words = header().encode();
        assert!(matches!(
            Header::decode(&words, 4096),
            Err(HeaderError::Damaged(_))
        ));
        let swapped = words.map(u64::swap_bytes);
        assert_eq!(
            Header::decode(&swapped, 4096),
            Err(HeaderError::ForeignByteOrder)
        );
        let mut newer = words;
        newer[1] += 1;
        assert_eq!(
            Header::decode(&newer, 4096),
            Err(HeaderError::Newer { found: 3 })
        );
        assert_eq!(
            Header::decode(&[0; 512], 4096),
            Err(HeaderError::NotASegment)
        );
        assert_eq!(Header::decode(&[], 0), Err(HeaderError::NotASegment));
    }

    #[test]
    fn a_sealed_number_shows_each_flipped_bit() {
        assert_eq!(unseal(u64::MAX), None);
        for value in [0, 1, 41, u32::MAX - 1] {
            assert_eq!(unseal(seal(value)), Some(value));
            for bit in 0..64 {
                assert_eq!(
                    unseal(seal(value) ^ 1 << bit),
                    None,
                    "value {value}, bit {bit}"
                );
            }
        }
    }

    #[test]
    fn a_small_store_stays_below_its_limit_of_disk() {
        assert!(Geometry::of(0, MAX_STRIPES).bytes() <= 1 << 20);
        for index in 0..MAX_SEGMENTS as u32 {
            let geometry = Geometry::of(index, 64);
            assert_eq!(geometry.stripe_at(0) % PAGE, 0);
            assert_eq!(geometry.words() % PAGE, 0);
        }
    }
}
