//! A word that a forked child does not inherit: so a process notices that it is not the one that
//! stored it, without a system call.

use std::io;
use std::ptr::NonNull;

use memmap2::{MmapMut, MmapRaw};

use crate::sync::AtomicU64;

/// A word of this process alone: 0 in a forked child until that stores its own.
pub(crate) struct ForkLocal {
    word: NonNull<AtomicU64>,
    _page: MmapRaw,
}

// SAFETY: the word is an atomic, which any thread may use at any time, and the page that it stands
// in is owned by `_page`, which is unmapped only when the value itself is dropped.
unsafe impl Send for ForkLocal {}
// SAFETY: as for `Send`; `&ForkLocal` gives out nothing but `&AtomicU64`.
unsafe impl Sync for ForkLocal {}

impl ForkLocal {
    /// A word that is 0.
    pub(crate) fn new() -> io::Result<Self> {
        let page = MmapRaw::from(MmapMut::map_anon(size_of::<AtomicU64>())?);
        // SAFETY: the range is the private anonymous mapping that `page` owns, from its first byte,
        // and MADV_WIPEONFORK changes nothing in this process: only a later child finds zeros.
        let advised =
            unsafe { libc::madvise(page.as_mut_ptr().cast(), page.len(), libc::MADV_WIPEONFORK) };
        if advised != 0 {
            return Err(io::Error::last_os_error());
        }
        let word = NonNull::new(page.as_mut_ptr().cast::<AtomicU64>())
            .ok_or_else(|| io::Error::other("the kernel mapped memory at address zero"))?;
        Ok(Self { word, _page: page })
    }

    #[inline]
    pub(crate) fn word(&self) -> &AtomicU64 {
        // SAFETY: `word` points at the first eight bytes of a page that `_page` keeps mapped for as
        // long as `self` lives; a page begins at an aligned address; every access goes through this
        // atomic; zeros are a valid `AtomicU64`.
        unsafe { self.word.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Ordering;

    #[test]
    fn a_word_keeps_what_is_stored() {
        let local = ForkLocal::new().unwrap();
        assert_eq!(local.word().load(Ordering::Relaxed), 0);
        local.word().store(7, Ordering::Relaxed);
        assert_eq!(local.word().load(Ordering::Relaxed), 7);
    }
}
