//! A region of 64-bit words: a shared mapping of a file, or plain memory for tests.

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

#[cfg(not(all(loom, test)))]
use memmap2::MmapOptions;
use memmap2::MmapRaw;

use crate::sync::AtomicU64;

/// Words that every process which maps the same file sees. A clone is the same words, and keeps them too.
#[derive(Clone)]
pub(crate) struct Region {
    base: NonNull<AtomicU64>,
    len: usize,
    memory: Arc<Memory>,
}

/// What keeps the words alive.
enum Memory {
    #[cfg_attr(all(loom, test), expect(dead_code, reason = "no file is mapped there"))]
    Mapped(MmapRaw),
    /// A box that is freed with the region. It is not kept as one: moving that would take `base` its
    /// right to the words.
    #[cfg(any(test, fuzzing))]
    Heap(NonNull<[AtomicU64]>),
}

#[cfg(any(test, fuzzing))]
impl Drop for Memory {
    fn drop(&mut self) {
        if let Self::Heap(words) = self {
            // SAFETY: it came from a box in `Region::heap`, and nobody can borrow it any more.
            drop(unsafe { Box::from_raw(words.as_ptr()) });
        }
    }
}

// SAFETY: it owns words that are atomics, and gives none of them out but through a region.
#[cfg(any(test, fuzzing))]
unsafe impl Send for Memory {}
// SAFETY: as for `Send`.
#[cfg(any(test, fuzzing))]
unsafe impl Sync for Memory {}

// SAFETY: the words are atomics, which any thread may use at any time, and the memory behind them
// is owned by `memory`, which is freed only when the last clone of the region is dropped.
unsafe impl Send for Region {}
// SAFETY: as for `Send`; `&Region` gives out nothing but `&[AtomicU64]`.
unsafe impl Sync for Region {}

impl Region {
    /// Maps the first `words` 64-bit words of `file`, shared and writable.
    ///
    /// The file must have that length already and its blocks must be allocated: a store to a
    /// page without a block raises SIGBUS on a full disk.
    #[cfg(not(all(loom, test)))]
    pub(crate) fn map(file: &File, words: usize) -> io::Result<Self> {
        let map = MmapOptions::new()
            .len(words * size_of::<u64>())
            .map_raw(file)?;
        let base = NonNull::new(map.as_mut_ptr().cast::<AtomicU64>())
            .ok_or_else(|| io::Error::other("the kernel mapped the file at address zero"))?;
        Ok(Self {
            base,
            len: words,
            memory: Arc::new(Memory::Mapped(map)),
        })
    }

    /// No file is mapped under the model checker: its words are larger.
    #[cfg(all(loom, test))]
    pub(crate) fn map(_: &File, _: usize) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Plain memory of `words` zeros.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn heap(words: usize) -> Self {
        let memory = NonNull::from(Box::leak(zeros(words)));
        Self {
            base: memory.cast::<AtomicU64>(),
            len: words,
            memory: Arc::new(Memory::Heap(memory)),
        }
    }

    #[inline]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: `base` points at `len` words that `memory` keeps mapped for as long as `self`
        // lives. A mapping begins on a page border, so the words are aligned. Every access in this
        // process goes through this slice of atomics, and other processes use atomic
        // instructions on the same memory, so there is no data race. A zero-initialised or
        // arbitrary bit pattern is a valid `AtomicU64`.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.len) }
    }

    /// Writes every changed page to the disk and returns when the disk has them.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match &*self.memory {
            Memory::Mapped(map) => map.flush(),
            #[cfg(any(test, fuzzing))]
            Memory::Heap(_) => Ok(()),
        }
    }

    /// Gives every page a block of its own, as a store to it would; where the disk has none left this is an error
    /// (`EFAULT`) and no signal. Fails with `EINVAL` before Linux 5.14.
    pub(crate) fn populate(&self) -> io::Result<()> {
        match &*self.memory {
            Memory::Mapped(map) => map.advise(memmap2::Advice::PopulateWrite),
            #[cfg(any(test, fuzzing))]
            Memory::Heap(_) => Ok(()),
        }
    }

    /// As [`Region::flush`], for a range of words only.
    pub(crate) fn flush_words(&self, first: usize, count: usize) -> io::Result<()> {
        match &*self.memory {
            Memory::Mapped(map) => {
                map.flush_range(first * size_of::<u64>(), count * size_of::<u64>())
            }
            #[cfg(any(test, fuzzing))]
            Memory::Heap(_) => Ok(()),
        }
    }
}

/// So many zeros in plain memory, of which the kernel gives a page when it is first written.
#[cfg(not(all(test, loom)))]
pub(crate) fn zeros(words: usize) -> Box<[AtomicU64]> {
    // One allocation of zeros: an interpreter would take seconds to make each word.
    let zeros = Box::into_raw(vec![0_u64; words].into_boxed_slice());
    // SAFETY: it comes from a box, nobody else has it, and an `AtomicU64` has the size, the alignment
    // on this machine, and the bit patterns of a `u64`.
    unsafe { Box::from_raw(zeros as *mut [AtomicU64]) }
}

#[cfg(all(test, loom))]
pub(crate) fn zeros(words: usize) -> Box<[AtomicU64]> {
    (0..words).map(|_| AtomicU64::new(0)).collect()
}
