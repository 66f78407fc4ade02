//! One segment: a mapped file of stripes, baselines and series names, fixed in size for ever.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::sync::{AtomicU64, Ordering};

use super::control::{BOOT, TAIL, Tail};
use super::error::StoreError;
use super::files::Files;
#[cfg(any(test, fuzzing))]
use super::layout::Consent;
use super::layout::{FORMAT_VERSION, Geometry, Header, HeaderError, PAGE_BYTES};
use super::opened::open_own;
use super::place::{self, Guard, Kind, Rest};
use super::raw::Region;
use crate::protection::Protection;

/// A mapped segment.
pub(crate) struct Segment {
    region: Region,
    header: Header,
    path: PathBuf,
    identity: (u64, u64),
    kind: Kind,
    /// Where blocks may come to be shared.
    guard: Option<Guard>,
    /// One bit for each registry block: entries never change, so each is checked once.
    verified: Box<[AtomicU64]>,
}

impl Segment {
    fn new(region: Region, header: Header, path: &Path, identity: (u64, u64)) -> Self {
        let verified = (0..header.geometry.blocks().div_ceil(64)).map(|_| AtomicU64::new(0));
        Self {
            region,
            header,
            path: path.to_owned(),
            identity,
            kind: Kind::Ext,
            guard: None,
            verified: verified.collect(),
        }
    }

    pub(crate) fn file_name(index: u32) -> String {
        format!("segment-{index:04}")
    }

    /// Opens a segment, and gives its file too; `None` when that does not exist.
    pub(crate) fn open(path: &Path) -> Result<Option<(Self, File)>, StoreError> {
        let Some((file, metadata)) = open_own(path, true, u64::MAX)? else {
            return Ok(None);
        };
        let mut page = [0; PAGE_BYTES];
        let read = file
            .read_at(&mut page, 0)
            .map_err(StoreError::io("read", path))?;
        let (words, _) = page[..read].as_chunks::<8>();
        let words: Vec<u64> = words
            .iter()
            .map(|bytes| u64::from_le(u64::from_le_bytes(*bytes)))
            .collect();
        let header = Header::decode(&words, metadata.len()).map_err(|error| refuse(path, error))?;
        let kind = Kind::of(&file).map_err(StoreError::io("inspect the file system of", path))?;
        let rest = place::own(&file, kind, path)?;
        let region =
            Region::map(&file, header.geometry.words()).map_err(StoreError::io("map", path))?;
        if rest == Rest::Populate {
            place::populate(&region, &file, path)?;
        }
        let identity = (metadata.dev(), metadata.ino());
        let segment = Self {
            kind,
            guard: Guard::of(kind, path)?,
            ..Self::new(region, header, path, identity)
        };
        Ok(Some((segment, file)))
    }

    /// The file system that it lies on.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Keeps its blocks its own: a copy that was made since, or a snapshot, may have shared them.
    pub(crate) fn keep_apart(&self) -> Result<(), StoreError> {
        let guard = self.guard.as_ref();
        guard.map_or(Ok(()), |guard| guard.keep(&self.region, &self.path))
    }

    /// Whether blocks may come to be shared here.
    pub(crate) fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// Whether copying on write is switched off for its file.
    pub(crate) fn has_nocow(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::has_nocow)
    }

    /// Makes a segment that appears complete: allocated, filled by `fill`, durable, then named.
    pub(crate) fn create(
        files: &Files,
        path: &Path,
        header: Header,
        fill: impl FnOnce(&Self) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let temporary = files.begin(&Self::file_name(header.index))?;
        files.allocate(&temporary, header.geometry.bytes())?;
        let metadata = temporary
            .file
            .metadata()
            .map_err(StoreError::io("inspect", path))?;
        let region = Region::map(&temporary.file, header.geometry.words())
            .map_err(StoreError::io("map", path))?;
        let identity = (metadata.dev(), metadata.ino());
        let segment = Self::new(region, header, path, identity);
        for (word, value) in segment.words().iter().zip(header.encode()) {
            word.store(value, Ordering::Relaxed);
        }
        segment.set_tail(Tail::default());
        fill(&segment)?;
        files.sync_cells(&segment.region, path)?;
        files.finish(&temporary, path, false)?;
        let kind = Kind::of(&temporary.file)
            .map_err(StoreError::io("inspect the file system of", path))?;
        Ok(Self {
            kind,
            guard: Guard::of(kind, path)?,
            ..segment
        })
    }

    /// A segment in plain memory.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn in_memory(geometry: Geometry) -> Self {
        let header = Header {
            index: 0,
            store_id: [1, 2],
            geometry,
            consent: Consent::default(),
            created_ns: 0,
            version: FORMAT_VERSION,
        };
        let region = Region::heap(geometry.words());
        let segment = Self::new(region, header, Path::new("memory"), (0, 0));
        segment.set_tail(Tail::default());
        segment
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.header.geometry
    }

    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        self.region.words()
    }

    pub(crate) fn load(&self, word: usize) -> u64 {
        self.words()[word].load(Ordering::Acquire)
    }

    pub(crate) fn store(&self, word: usize, value: u64) {
        self.words()[word].store(value, Ordering::Release);
    }

    /// The cell of one series in one stripe: what an increment adds to.
    #[inline]
    pub(crate) fn cell(&self, stripe: u32, cell: u32) -> &AtomicU64 {
        &self.region.words()[self.header.geometry.stripe_at(stripe) + cell as usize]
    }

    /// The cell in the stripe that only the holder of the exclusive lock writes.
    pub(crate) fn ledger(&self, cell: u32) -> &AtomicU64 {
        self.cell(self.header.geometry.stripes, cell)
    }

    /// Everything that was ever counted in this cell, over all stripes.
    pub(crate) fn total(&self, cell: u32) -> u64 {
        (0..=self.header.geometry.stripes)
            .map(|stripe| self.cell(stripe, cell).load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }

    /// The total at which the epochs of this parity begin to count.
    pub(crate) fn baseline(&self, parity: u64, cell: u32) -> &AtomicU64 {
        &self.words()[self.header.geometry.baseline_at(parity) + cell as usize]
    }

    /// Puts 0 into cells and their baselines; into what is 0 nothing is written, so that no page of it
    /// has to go to the disk.
    pub(crate) fn clear(&self, cells: Range<u32>) {
        for cell in cells {
            let stripes = 0..=self.header.geometry.stripes;
            let stripes = stripes.map(|stripe| self.cell(stripe, cell));
            let baselines = [0, 1].map(|parity| self.baseline(parity, cell));
            for word in stripes.chain(baselines) {
                if word.load(Ordering::Relaxed) != 0 {
                    word.store(0, Ordering::Relaxed);
                }
            }
        }
    }

    /// The boot in which the store was last recovered; of the first segment.
    pub(crate) fn boot(&self) -> [u64; 2] {
        [0, 1].map(|half| self.load(BOOT + half))
    }

    pub(crate) fn set_boot(&self, boot: [u64; 2]) {
        for (word, half) in (BOOT..).zip(boot) {
            self.store(word, half);
        }
    }

    pub(crate) fn tail(&self) -> Result<Tail, StoreError> {
        let tail = Tail::decode(self.load(TAIL)).filter(|tail| tail.fits(self.geometry()));
        tail.ok_or_else(|| {
            StoreError::damaged(&self.path, "the word that ends its registry is wrong")
        })
    }

    /// Where the committed entries end, for readers that check each entry anyway.
    pub(crate) fn end_of_registry(&self) -> u32 {
        (self.load(TAIL) as u32 & 0xff_ffff).min(self.geometry().blocks() as u32)
    }

    /// Where the cells of committed entries end.
    pub(crate) fn end_of_cells(&self) -> u32 {
        ((self.load(TAIL) >> 24) as u32 & 0xff_ffff).min(self.geometry().cells)
    }

    /// Whether this process has checked the entry at this block.
    pub(crate) fn is_verified(&self, block: u32) -> bool {
        let bits = self.verified[block as usize / 64].load(Ordering::Relaxed);
        bits >> (block % 64) & 1 == 1
    }

    pub(crate) fn set_verified(&self, block: u32) {
        self.verified[block as usize / 64].fetch_or(1 << (block % 64), Ordering::Relaxed);
    }

    /// Lets threads of a model race for what was checked.
    #[cfg(all(loom, test))]
    pub(crate) fn share_verified(&self) {
        self.verified.iter().for_each(AtomicU64::share);
    }

    pub(crate) fn set_tail(&self, tail: Tail) {
        self.store(TAIL, tail.encode());
    }

    /// Fails when somebody has given the file another length: touching what was cut off would be the
    /// end of this process.
    pub(crate) fn check_length(&self, length: u64) -> Result<(), StoreError> {
        if length == self.geometry().bytes() {
            return Ok(());
        }
        let reason = "its length was changed while it was in use";
        Err(StoreError::damaged(&self.path, reason))
    }

    /// Fails when the path no longer names the file that is mapped here.
    pub(crate) fn check_identity(&self) -> Result<(), StoreError> {
        match std::fs::symlink_metadata(&self.path) {
            _ if !Protection::Identity.stands() => Ok(()),
            Ok(named) if (named.dev(), named.ino()) == self.identity => {
                self.check_length(named.len())
            }
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Err(StoreError::io("inspect", &self.path)(error))
            }
            _ => Err(StoreError::Replaced {
                path: self.path.clone(),
            }),
        }
    }
}

fn refuse(path: &Path, error: HeaderError) -> StoreError {
    let path = path.to_owned();
    match error {
        HeaderError::NotASegment => StoreError::NotASegment {
            path,
            reason: "it does not begin with the format's mark",
        },
        HeaderError::ForeignByteOrder => StoreError::ForeignByteOrder { path },
        HeaderError::Newer { found } => StoreError::NewerFormat {
            path,
            found,
            supported: FORMAT_VERSION,
        },
        HeaderError::Damaged(reason) => StoreError::damaged(&path, reason),
    }
}
