//! Something that a forked child does not inherit: so a process notices that it is not the one that
//! made it, without a system call, and never waits for a mutex whose holder was not forked with it.

use std::io;
use std::marker::PhantomData;

use crate::sync::Ordering;

/// A value of this process alone. A forked child begins with its own.
pub(crate) struct ForkLocal<T> {
    /// Points at the value, or is null; the kernel makes it null in a child.
    word: Word<T>,
    _owns: PhantomData<T>,
}

// SAFETY: the word is an atomic, which any thread may use at any time; the value that it points at
// may be sent to, and used by, other threads as `T` allows.
unsafe impl<T: Send + Sync> Send for ForkLocal<T> {}
// SAFETY: as for `Send`; `&ForkLocal` gives out nothing but `&T`.
unsafe impl<T: Send + Sync> Sync for ForkLocal<T> {}

impl<T: Default> ForkLocal<T> {
    /// No value yet.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            word: Word::new()?,
            _owns: PhantomData,
        })
    }

    /// This process' value.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        let value = self.word.get().load(Ordering::Acquire);
        let value = if value.is_null() { self.make() } else { value };
        // SAFETY: a pointer that is not null was stored by `make` in this very process, since the
        // page is wiped in a child. It came from a box, is never replaced, and is freed only in
        // `drop`, which has `&mut self`, so the value outlives every borrow of `self`.
        unsafe { &*value }
    }

    #[cold]
    fn make(&self) -> *mut T {
        let new = Box::into_raw(Box::<T>::default());
        let order = (Ordering::AcqRel, Ordering::Acquire);
        let null = std::ptr::null_mut();
        let word = self.word.get();
        match word.compare_exchange(null, new, order.0, order.1) {
            Ok(_) => new,
            Err(first) => {
                // SAFETY: `new` came from the box above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                first
            }
        }
    }
}

impl<T> Drop for ForkLocal<T> {
    fn drop(&mut self) {
        let value = self.word.get().load(Ordering::Acquire);
        if !value.is_null() {
            // SAFETY: it came from a box in `make`, in this process, and nobody can borrow it any
            // more. What a forked child inherits is not freed there: its pointer was wiped.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

#[cfg(not(any(miri, all(loom, test))))]
use wiped::Word;

/// A pointer in a page that the kernel wipes in a child.
#[cfg(not(any(miri, all(loom, test))))]
mod wiped {
    use std::io;
    use std::ptr::NonNull;

    use memmap2::{MmapMut, MmapRaw};

    use crate::sync::AtomicPtr;

    pub(super) struct Word<T> {
        word: NonNull<AtomicPtr<T>>,
        _page: MmapRaw,
    }

    impl<T> Word<T> {
        pub(super) fn new() -> io::Result<Self> {
            let page = MmapRaw::from(MmapMut::map_anon(size_of::<AtomicPtr<T>>())?);
            // SAFETY: the range is the private anonymous mapping that `page` owns, from its first
            // byte, and MADV_WIPEONFORK changes nothing in this process: only a later child finds
            // zeros.
            let advised = unsafe {
                libc::madvise(page.as_mut_ptr().cast(), page.len(), libc::MADV_WIPEONFORK)
            };
            if advised != 0 {
                return Err(io::Error::last_os_error());
            }
            let word = NonNull::new(page.as_mut_ptr().cast::<AtomicPtr<T>>())
                .ok_or_else(|| io::Error::other("the kernel mapped memory at address zero"))?;
            Ok(Self { word, _page: page })
        }

        #[inline]
        pub(super) fn get(&self) -> &AtomicPtr<T> {
            // SAFETY: `word` points at the first bytes of a page that `_page` keeps mapped for as
            // long as `self` lives; a page begins at an aligned address; every access goes through
            // this atomic; zeros are a valid `AtomicPtr`.
            unsafe { self.word.as_ref() }
        }
    }
}

/// A pointer in plain memory, for an interpreter and a model checker, in which nobody forks.
#[cfg(any(miri, all(loom, test)))]
struct Word<T>(crate::sync::AtomicPtr<T>);

#[cfg(any(miri, all(loom, test)))]
impl<T> Word<T> {
    fn new() -> io::Result<Self> {
        let null = std::ptr::null_mut();
        Ok(Self(crate::sync::AtomicPtr::new(null)))
    }

    fn get(&self) -> &crate::sync::AtomicPtr<T> {
        &self.0
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn all_threads_have_the_same_value() {
        let local = ForkLocal::<Mutex<Vec<u32>>>::new().unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let local = &local;
                scope.spawn(move || local.get().lock().unwrap().push(number));
            }
        });
        let mut found = local.get().lock().unwrap().clone();
        found.sort_unstable();
        assert_eq!(found, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn a_value_is_dropped_once() {
        let value = std::sync::Arc::new(());
        let local = ForkLocal::<Mutex<Vec<std::sync::Arc<()>>>>::new().unwrap();
        local
            .get()
            .lock()
            .unwrap()
            .push(std::sync::Arc::clone(&value));
        assert_eq!(std::sync::Arc::strong_count(&value), 2);
        drop(local);
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    }
}
