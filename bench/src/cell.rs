//! The yardstick: one bare atomic cell in a mapped file, with nothing of DeeSpec around it.

#![expect(
    unsafe_code,
    reason = "the increment is compared with what the processor can do through a mapping at all"
)]

use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use memmap2::MmapRaw;

use crate::Result;

const PAGE: u64 = 4096;

/// A mapped page whose first eight bytes are the cell.
pub(crate) struct MappedCell {
    map: MmapRaw,
}

impl MappedCell {
    /// Maps the file at `path`; processes that name the same path share the cell.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.set_len(PAGE)?;
        Ok(Self {
            map: MmapRaw::map_raw(&file)?,
        })
    }

    pub(crate) fn cell(&self) -> &AtomicU64 {
        // SAFETY: the mapping is a whole page, so the pointer is aligned and eight bytes are there;
        // it lives as long as `self`, the file is never truncated, and all access is atomic.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().cast()) }
    }
}
