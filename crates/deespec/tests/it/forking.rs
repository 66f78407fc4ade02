//! The one unsafe call of the tests: a fork without an exec, which a program with inherited handles
//! does and no safe function of the standard library can do.
#![expect(unsafe_code, reason = "there is no safe function that forks")]

/// Forks; the child runs `child` and ends without running anything else. Gives the child's number.
///
/// Only a role may call this: its process has, besides this thread, one that does nothing but wait for
/// this one to end. So no lock is held in the child by a thread that does not exist there.
pub(crate) fn fork(child: impl FnOnce()) -> i32 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    assert!(
        threads <= 2,
        "a process with {threads} threads may not fork here"
    );
    // SAFETY: the call itself has no conditions. In the child of a process with several threads only
    // what is safe in a signal handler may be called, because another thread may have held a lock, such
    // as the allocator's: here the only other thread is the test harness' first one, which is blocked
    // until this one ends and holds none.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            // A panic must not unwind into the parent's frames.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: `_exit` takes any number and has no other condition; it runs no destructor and
            // no handler of the parent's.
            unsafe { libc::_exit(i32::from(ended.is_err())) }
        }
        number => number,
    }
}
