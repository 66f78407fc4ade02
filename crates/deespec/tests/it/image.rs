//! A reader and editor of segment files that shares no code with the library: its offsets are
//! written down here once more, so it also checks the byte table of `docs/format.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Values, key};

pub(crate) const PAGE_BYTES: usize = 4096;
pub(crate) const PAGE: usize = PAGE_BYTES / 8;

/// Words of the control page.
pub(crate) const TAIL: usize = 512;
pub(crate) const DURABLE_TAIL: usize = 513;
pub(crate) const EPOCH: usize = 520;
pub(crate) const SEGMENTS: usize = 521;
pub(crate) const BOOT: usize = 522;
pub(crate) const PENDING: usize = 524;
pub(crate) const DEGRADED: usize = 525;
pub(crate) const FLUSHED_AT: usize = 526;
pub(crate) const PUBLISHED_AT: usize = 527;
pub(crate) const PUBLISHED_STATE: usize = 528;
pub(crate) const WAITING: usize = 529;
pub(crate) const TICKET: usize = 536;
pub(crate) const RECORDS: usize = 576;
pub(crate) const RECORD_WORDS: usize = 128;
/// The bits that are inverted in the state of a removed series.
pub(crate) const EVEN_BITS: u64 = 0x1555_5555_5555_5555;

/// The bytes of one segment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// One entry of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) block: usize,
    pub(crate) blocks: usize,
    pub(crate) kind: Kind,
    /// Name and labels as [`Values`] names them; of a family its name.
    pub(crate) key: String,
    /// The first cell, and how many.
    pub(crate) cell: usize,
    pub(crate) cells: usize,
    pub(crate) created_ns: u64,
    pub(crate) hash: u64,
    pub(crate) state: u64,
    /// What a family's entry declares.
    pub(crate) declaration: Option<serde_json::Value>,
}

/// The kinds of entries, by their numbers in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter = 1,
    Gauge = 2,
    ProcessGauge = 3,
    Histogram = 4,
    Info = 5,
    FractionCounter = 6,
    SumGauge = 7,
    Summary = 8,
    WideHistogram = 9,
    Family = 128,
}

const KINDS: [Kind; 10] = [
    Kind::Counter,
    Kind::Gauge,
    Kind::ProcessGauge,
    Kind::Histogram,
    Kind::Info,
    Kind::FractionCounter,
    Kind::SumGauge,
    Kind::Summary,
    Kind::WideHistogram,
    Kind::Family,
];

/// What the cells of a series hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Held {
    Counter(u64),
    Gauge(f64),
    /// The owners and values of the shares that have an owner.
    Shares(Vec<(u64, f64)>),
    /// The sum in steps and the count of each bucket.
    Histogram(i64, Vec<u64>),
    /// Whole units, billionths and parts of 1024; of a summary behind the count, of a histogram before those of the buckets.
    Wide(Vec<i64>),
    Info,
}

impl Image {
    /// Segment `index` of the store in `root`.
    pub(crate) fn read(root: &Path, index: u32) -> Self {
        let path = root.join("live").join(format!("segment-{index:04}"));
        let bytes = std::fs::read(&path).unwrap();
        Self { path, bytes }
    }

    /// Puts the bytes back into the file, in place.
    pub(crate) fn write(&self) {
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::OpenOptions::new().write(true).open(&self.path);
        let file = file.unwrap();
        file.write_all_at(&self.bytes, 0).unwrap();
        file.set_len(self.bytes.len() as u64).unwrap();
    }

    pub(crate) fn word(&self, index: usize) -> u64 {
        let bytes = &self.bytes[index * 8..index * 8 + 8];
        u64::from_le_bytes(bytes.try_into().unwrap())
    }

    pub(crate) fn set(&mut self, index: usize, word: u64) {
        self.bytes[index * 8..index * 8 + 8].copy_from_slice(&word.to_le_bytes());
    }

    pub(crate) fn flip(&mut self, bit: usize) {
        self.bytes[bit / 8] ^= 1 << (bit % 8);
    }

    pub(crate) fn words(&self) -> usize {
        self.bytes.len() / 8
    }

    pub(crate) fn stripes(&self) -> usize {
        self.word(4) as u32 as usize
    }

    pub(crate) fn cells(&self) -> usize {
        self.word(5) as usize
    }

    pub(crate) fn slots(&self) -> usize {
        self.word(6) as u32 as usize
    }

    pub(crate) fn blocks(&self) -> usize {
        (self.word(6) >> 32) as usize
    }

    pub(crate) fn index_at(&self) -> usize {
        2 * PAGE
    }

    pub(crate) fn registry_at(&self) -> usize {
        self.index_at() + self.slots()
    }

    pub(crate) fn block_at(&self, block: usize) -> usize {
        self.registry_at() + block * 8
    }

    pub(crate) fn baseline_at(&self, parity: usize) -> usize {
        self.registry_at() + self.blocks() * 8 + parity * self.cells()
    }

    /// First word of a stripe; the ledger's number is that of the stripes.
    pub(crate) fn stripe_at(&self, stripe: usize) -> usize {
        self.registry_at() + self.blocks() * 8 + (2 + stripe) * self.cells()
    }

    pub(crate) fn total(&self, cell: usize) -> u64 {
        (0..=self.stripes())
            .map(|stripe| self.word(self.stripe_at(stripe) + cell))
            .fold(0, u64::wrapping_add)
    }

    /// Blocks and cells in use, as the word at `index` says.
    pub(crate) fn tail(&self, index: usize) -> (usize, usize) {
        let word = self.word(index);
        let value = word & 0xffff_ffff_ffff;
        assert_eq!(word >> 48, u64::from(crc(&[value])) & 0xffff);
        (value as usize & 0xff_ffff, (value >> 24) as usize)
    }

    /// A number with its checksum beside it.
    pub(crate) fn sealed(&self, index: usize) -> u32 {
        let word = self.word(index);
        assert_eq!((word >> 32) as u32, crc(&[word & 0xffff_ffff]));
        word as u32
    }

    /// All whole entries in front of the tail.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let (end, _) = self.tail(TAIL);
        let mut entries = Vec::new();
        let mut block = 0;
        while block < end {
            let entry = self.entry(block);
            block += entry.as_ref().map_or(1, |entry| entry.blocks);
            entries.extend(entry);
        }
        entries
    }

    /// The entries of series, and not of families.
    pub(crate) fn series(&self) -> Vec<Entry> {
        let entries = self.entries().into_iter();
        entries.filter(|entry| entry.kind != Kind::Family).collect()
    }

    pub(crate) fn entry_of(&self, key: &str) -> Entry {
        let found = self.series().into_iter().find(|entry| entry.key == key);
        found.unwrap_or_else(|| panic!("{} holds no entry of {key}", self.path.display()))
    }

    /// The declarations of a family, in their order.
    pub(crate) fn families_of(&self, name: &str) -> Vec<Entry> {
        let same = |entry: &Entry| entry.kind == Kind::Family && entry.key == name;
        self.entries().into_iter().filter(same).collect()
    }

    fn entry(&self, block: usize) -> Option<Entry> {
        let at = self.block_at(block);
        let first = self.word(at);
        if first.to_le_bytes()[..4] != [0xff, b'D', b'S', b'E'] {
            return None;
        }
        let sizes = self.word(at + 1);
        let blocks = sizes as usize & 0xffff;
        // The state may change and is not under the checksum.
        let word = |i| if i == at + 5 { 0 } else { self.word(i) };
        let words: Vec<u64> = (at + 1..at + blocks * 8).map(word).collect();
        if (first >> 32) as u32 != crc(&words) {
            return None;
        }
        let kind = KINDS
            .into_iter()
            .find(|kind| *kind as u64 == sizes >> 16 & 0xff)?;
        assert_eq!(sizes >> 24 & 0xff, 0);
        let text = &self.bytes[(at + 6) * 8..(at + blocks * 8) * 8];
        let (text, behind) = text.split_at((sizes >> 32) as usize);
        let mut rest = text;
        let mut texts = Vec::new();
        while !rest.is_empty() {
            let (length, behind) = rest.split_at(2);
            let length = usize::from(u16::from_le_bytes(length.try_into().unwrap()));
            texts.push(String::from_utf8(behind[..length].to_vec()).unwrap());
            rest = &behind[length..];
        }
        let mut declaration = None;
        let key = if kind == Kind::Family {
            assert_eq!((texts.len(), texts[0].as_str()), (2, ""));
            let length = behind.iter().position(|byte| *byte == 0);
            let (json, zeros) = behind.split_at(length.unwrap_or(behind.len()));
            assert!(zeros.iter().all(|byte| *byte == 0));
            declaration = Some(serde_json::from_slice(json).unwrap());
            texts.remove(1)
        } else {
            assert!(behind.iter().all(|byte| *byte == 0));
            assert!(texts[1..].chunks(2).is_sorted_by_key(|pair| &pair[0]));
            let labels = texts[1..].chunks(2).map(|pair| (&pair[0], &pair[1]));
            key(&texts[0], labels)
        };
        let cells = (self.word(at + 2) >> 32) as usize;
        match kind {
            Kind::Counter | Kind::Gauge | Kind::Info => assert_eq!(cells, 1),
            Kind::Family => assert_eq!(cells, 0),
            Kind::ProcessGauge => assert!(cells.is_multiple_of(2) && (2..=128).contains(&cells)),
            Kind::Histogram => assert!(cells > 2),
            Kind::FractionCounter | Kind::SumGauge => assert_eq!(cells, 3),
            Kind::WideHistogram => assert!(cells > 4),
            Kind::Summary => assert_eq!(cells, 4),
        }
        Some(Entry {
            block,
            blocks,
            kind,
            key,
            cell: self.word(at + 2) as u32 as usize,
            cells,
            created_ns: self.word(at + 3),
            hash: self.word(at + 4),
            state: self.word(at + 5),
            declaration,
        })
    }

    /// Whether an entry's state says that its series was removed and not counted since.
    pub(crate) fn is_removed(&self, entry: &Entry) -> bool {
        // Of a histogram the buckets, which stand behind the sum.
        let (skipped, cells) = match entry.kind {
            Kind::Histogram => (1, entry.cells),
            Kind::WideHistogram => (3, entry.cells),
            // Of a summary the count, behind which the sum stands.
            Kind::Summary => (0, 1),
            Kind::SumGauge => (0, 0),
            _ => (0, entry.cells),
        };
        let cells = entry.cell + skipped..entry.cell + cells;
        let sum = cells
            .map(|cell| self.total(cell))
            .fold(0, u64::wrapping_add);
        entry.state == 1 << 63 | (sum ^ EVEN_BITS) & u64::MAX >> 2
    }

    /// The values of all counters in the epoch with this number.
    pub(crate) fn values(&self, epoch: u32) -> Values {
        let held = self.held(epoch).into_iter();
        held.filter_map(|(key, held)| match held {
            Held::Counter(value) => Some((key, value)),
            _ => None,
        })
        .collect()
    }

    /// What the cells of all series hold that were not removed: of counters and histograms what
    /// they counted in the epoch with this number.
    pub(crate) fn held(&self, epoch: u32) -> BTreeMap<String, Held> {
        let baseline = self.baseline_at(epoch as usize & 1);
        let value = |cell: usize| self.total(cell).wrapping_sub(self.word(baseline + cell));
        let bits = |stripe: usize, cell: usize| self.word(self.stripe_at(stripe) + cell);
        let mut all = BTreeMap::new();
        for entry in self.series() {
            let cells = entry.cell..entry.cell + entry.cells;
            if self.is_removed(&entry) {
                continue;
            }
            let held = match entry.kind {
                Kind::Counter => Held::Counter(value(entry.cell)),
                Kind::Gauge => Held::Gauge(f64::from_bits(bits(0, entry.cell))),
                Kind::Histogram => {
                    let counts = (entry.cell + 1..cells.end).map(value);
                    Held::Histogram(value(entry.cell).cast_signed(), counts.collect())
                }
                Kind::ProcessGauge => {
                    let pairs = cells.step_by(2);
                    let stripes = 0..self.stripes();
                    let pairs = pairs.flat_map(|cell| stripes.clone().map(move |s| (s, cell)));
                    let shares = pairs.map(|(stripe, cell)| {
                        let value = f64::from_bits(bits(stripe, cell + 1));
                        (bits(stripe, cell), value)
                    });
                    Held::Shares(shares.filter(|(owner, _)| *owner != 0).collect())
                }
                Kind::SumGauge => {
                    let cells = cells.map(|cell| self.total(cell).cast_signed());
                    Held::Wide(cells.collect())
                }
                Kind::FractionCounter | Kind::Summary | Kind::WideHistogram => {
                    let cells = cells.map(|cell| value(cell).cast_signed());
                    Held::Wide(cells.collect())
                }
                Kind::Info => Held::Info,
                Kind::Family => unreachable!(),
            };
            match (all.get_mut(&entry.key), held) {
                (None, held) => drop(all.insert(entry.key, held)),
                (Some(Held::Shares(first)), Held::Shares(more)) => first.extend(more),
                (Some(first), held) => panic!("{} twice: {first:?}, {held:?}", entry.key),
            }
        }
        all
    }

    /// Writes a number with its checksum beside it.
    pub(crate) fn seal(&mut self, index: usize, value: u32) {
        let check = u64::from(crc(&[u64::from(value)]));
        self.set(index, u64::from(value) | check << 32);
    }

    /// Makes the boot in which the store was last used another one.
    pub(crate) fn reboot(&mut self) {
        self.set(BOOT, self.word(BOOT) ^ 0xdead);
    }

    /// Fills the blocks of an entry with zeros, as if their page had never reached the disk.
    pub(crate) fn drop_entry(&mut self, entry: &Entry) {
        for word in self.block_at(entry.block)..self.block_at(entry.block + entry.blocks) {
            self.set(word, 0);
        }
    }
}

/// CRC-32 (ISO 3309) over words in little-endian byte order, bit by bit.
pub(crate) fn crc(words: &[u64]) -> u32 {
    let mut crc = u32::MAX;
    for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}
