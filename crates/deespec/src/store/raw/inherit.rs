//! Files that a forked child does not keep.
//!
//! A kernel lock belongs to the open file, which a forked child has too. Were its parent killed while a
//! thread of it held the lock, the lock would be held for as long as the child lives, and nobody would
//! ever give it back. So a child's descriptors of such files are made to name something else, in the moment
//! of the fork; the parent's are as they were.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sync::{AtomicBool, Ordering};

/// The descriptors. Whoever forks holds the mutex meanwhile, so that none is opened and not yet here.
static OPEN: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

thread_local! {
    /// The mutex, while this thread forks.
    static FORKING: RefCell<Option<MutexGuard<'static, Vec<RawFd>>>> = const { RefCell::new(None) };
}

fn open_files() -> MutexGuard<'static, Vec<RawFd>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that a forked child does not keep.
pub(crate) struct Uninherited {
    file: File,
}

impl Uninherited {
    /// Opens it; nobody forks meanwhile.
    pub(crate) fn open<E>(open: impl FnOnce() -> Result<File, E>) -> Result<Self, E> {
        watch_forks();
        let mut files = open_files();
        let file = open()?;
        files.push(file.as_raw_fd());
        Ok(Self { file })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Uninherited {
    fn drop(&mut self) {
        let number = self.file.as_raw_fd();
        let mut files = open_files();
        if let Some(place) = files.iter().position(|open| *open == number) {
            files.swap_remove(place);
        }
    }
}

/// Lets no child of this process keep such a file, from now on. Called when a store is opened, so that it
/// is done before threads of its own come.
pub(crate) fn watch_forks() {
    // No `Once`: a child that was forked in the middle of it would wait for a thread that it does not have.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if WATCHED.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: the three functions are there for as long as the program is, take no arguments, and do not
    // unwind. That this fails, for want of memory, leaves a child with what it would have without it.
    let _ = unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after_in_child)) };
}

extern "C" fn before() {
    let _ = FORKING.try_with(|forking| {
        if let Ok(mut forking) = forking.try_borrow_mut() {
            *forking = Some(open_files());
        }
    });
}

/// Gives the mutex back, as it is when the thread that forks has it.
fn take() -> Option<MutexGuard<'static, Vec<RawFd>>> {
    let taken = FORKING.try_with(|forking| forking.try_borrow_mut().ok()?.take());
    taken.ok().flatten()
}

extern "C" fn after() {
    drop(take());
}

/// Calls only what may be called in the child of a process with threads: `open`, `dup3` and `close`.
extern "C" fn after_in_child() {
    let Some(mut files) = take() else {
        return;
    };
    for number in files.iter() {
        // SAFETY: the path is a C string that lives for ever, and the call has no other condition.
        let nothing =
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        // The number stays in use, since the file that has it in the child may still be dropped there.
        // SAFETY: `dup3` takes any two numbers. `number` is that of a file which was open when this
        // process was forked, since it is taken off the list before it is closed; nobody reads or writes
        // through it in the child, where no thread of the parent's goes on but the one that forks, which
        // has finished with it or sees a file that cannot be locked.
        unsafe { libc::dup3(nothing, *number, libc::O_CLOEXEC) };
        // SAFETY: `nothing` was opened above and nobody else knows it; where it could not be opened, -1
        // is refused.
        unsafe { libc::close(nothing) };
    }
    files.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "watches forks")]
    fn a_file_is_on_the_list_for_as_long_as_it_is_open() {
        let open = || Uninherited::open(tempfile::tempfile);
        let (one, two) = (open().unwrap(), open().unwrap());
        let numbers = [&one, &two].map(|file| file.file().as_raw_fd());
        assert!(numbers.iter().all(|number| open_files().contains(number)));
        drop(one);
        assert!(!open_files().contains(&numbers[0]));
        assert!(open_files().contains(&numbers[1]));
    }
}
