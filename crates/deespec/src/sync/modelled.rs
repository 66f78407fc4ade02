//! Words as the model checker has them (`--cfg loom`), and the lock that stands for the kernel's.
//!
//! A segment has thousands of words, and a checker that follows each of them would never end. So a
//! word is plain until a model says what it is: *shared*, and then every interleaving and every value
//! that the memory model allows is tried; or *guarded*, and then it must only be touched under the
//! lock. A plain word may be read and not changed, so nothing can be forgotten in silence.

use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use loom::sync::RwLock;
use loom::thread::{self, ThreadId};

use crate::protection::Protection;

/// Numbers of threads and marks of one process: no promise rests on their order.
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A word as a program has it.
type Plain = std::sync::atomic::AtomicU64;

/// A word.
#[derive(Default)]
pub(crate) struct AtomicU64 {
    plain: Plain,
    role: OnceLock<Role>,
}

enum Role {
    Shared(loom::sync::atomic::AtomicU64),
    Guarded(Arc<Lock>),
}

/// A pointer for which threads race.
pub(crate) struct AtomicPtr<T>(loom::sync::atomic::AtomicPtr<T>);

/// What threads see of each other's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Each load sees the last change. The checker then tries every interleaving there is.
    Sequential,
    /// A load sees any change that the language allows. Of interleavings the checker passes some
    /// over: where one thread loads a word before another loads and changes it.
    Weak,
    /// As weak, and whatever orders accesses does not: to show that it matters.
    Disordered,
}

std::thread_local! {
    /// The memory of this thread's models.
    static MEMORY: Cell<Memory> = const { Cell::new(Memory::Weak) };
}

loom::thread_local! {
    /// After how many changes the process of this thread is killed.
    static LEFT: Cell<Option<u32>> = Cell::new(None);
}

/// Says which memory the models of this thread have.
pub(crate) fn set_memory(memory: Memory) {
    MEMORY.set(memory);
}

/// This thread's process is killed after so many changes of memory: none behind them happens.
pub(crate) fn killed_after(changes: u32, work: impl FnOnce()) {
    LEFT.with(|left| left.set(Some(changes)));
    work();
}

/// Whether this thread lives and may change a word.
fn lives() -> bool {
    LEFT.with(|left| match left.get() {
        Some(0) => false,
        Some(changes) => {
            left.set(Some(changes - 1));
            true
        }
        None => true,
    })
}

fn order(order: Ordering) -> Ordering {
    match MEMORY.get() {
        Memory::Disordered => Ordering::Relaxed,
        _ => order,
    }
}

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        Self {
            plain: Plain::new(value),
            role: OnceLock::new(),
        }
    }

    /// From now on threads race for this word.
    pub(crate) fn share(&self) {
        let value = loom::sync::atomic::AtomicU64::new(self.plain.load(Ordering::Relaxed));
        assert!(self.role.set(Role::Shared(value)).is_ok(), "it has a role");
    }

    /// From now on this word may be read under the lock and changed under the exclusive lock.
    pub(crate) fn guard(&self, lock: &Arc<Lock>) {
        let role = Role::Guarded(Arc::clone(lock));
        assert!(self.role.set(role).is_ok(), "it has a role");
    }

    pub(crate) fn load(&self, wanted: Ordering) -> u64 {
        match self.role.get() {
            // What reads and changes at once sees the last change.
            Some(Role::Shared(word)) if MEMORY.get() == Memory::Sequential => {
                word.fetch_or(0, Ordering::AcqRel)
            }
            Some(Role::Shared(word)) => word.load(order(wanted)),
            Some(Role::Guarded(lock)) => {
                lock.check(false);
                self.plain.load(Ordering::Relaxed)
            }
            None => self.plain.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn store(&self, value: u64, wanted: Ordering) {
        if !self.may_change() {
            return;
        }
        match self.role.get() {
            Some(Role::Shared(word)) if MEMORY.get() == Memory::Sequential => {
                word.swap(value, Ordering::AcqRel);
            }
            Some(Role::Shared(word)) => word.store(value, order(wanted)),
            _ => self.plain.store(value, Ordering::Relaxed),
        }
    }

    pub(crate) fn fetch_add(&self, value: u64, wanted: Ordering) -> u64 {
        let plain = |word: &Plain| word.fetch_add(value, Ordering::Relaxed);
        self.change(|word| word.fetch_add(value, order(wanted)), plain)
    }

    pub(crate) fn fetch_or(&self, value: u64, wanted: Ordering) -> u64 {
        let plain = |word: &Plain| word.fetch_or(value, Ordering::Relaxed);
        self.change(|word| word.fetch_or(value, order(wanted)), plain)
    }

    pub(crate) fn fetch_and(&self, value: u64, wanted: Ordering) -> u64 {
        let plain = |word: &Plain| word.fetch_and(value, Ordering::Relaxed);
        self.change(|word| word.fetch_and(value, order(wanted)), plain)
    }

    pub(crate) fn fetch_max(&self, value: u64, wanted: Ordering) -> u64 {
        let plain = |word: &Plain| word.fetch_max(value, Ordering::Relaxed);
        self.change(|word| word.fetch_max(value, order(wanted)), plain)
    }

    /// Changes the word, whatever it is, unless its process is killed; returns what it was.
    fn change(
        &self,
        shared: impl FnOnce(&loom::sync::atomic::AtomicU64) -> u64,
        plain: impl FnOnce(&Plain) -> u64,
    ) -> u64 {
        if !self.may_change() {
            return 0;
        }
        match self.role.get() {
            Some(Role::Shared(word)) => shared(word),
            _ => plain(&self.plain),
        }
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        if !self.may_change() {
            return Err(!current);
        }
        match self.role.get() {
            Some(Role::Shared(word)) => {
                word.compare_exchange(current, new, order(success), order(failure))
            }
            _ => self
                .plain
                .compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed),
        }
    }

    pub(crate) fn compare_exchange_weak(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.compare_exchange(current, new, success, failure)
    }

    /// Whether a change has an effect; a change that must not be is a violation.
    fn may_change(&self) -> bool {
        if !is_running() {
            return true;
        }
        if !lives() {
            return false;
        }
        match self.role.get() {
            Some(Role::Shared(_)) => {}
            Some(Role::Guarded(lock)) => lock.check(true),
            None => panic!("a word is changed that the model does not know of"),
        }
        true
    }
}

impl<T> AtomicPtr<T> {
    pub(crate) fn new(pointer: *mut T) -> Self {
        Self(loom::sync::atomic::AtomicPtr::new(pointer))
    }

    pub(crate) fn load(&self, wanted: Ordering) -> *mut T {
        self.0.load(order(wanted))
    }

    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.0
            .compare_exchange(current, new, order(success), order(failure))
    }
}

std::thread_local! {
    /// Whether the threads of a model have begun; before that it lays out its memory.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn is_running() -> bool {
    RUNNING.get()
}

/// Says that the memory is laid out, or that all threads have ended.
pub(crate) fn run(running: bool) {
    RUNNING.set(running);
}

/// The lock of a store: shared or exclusive, and given back when its holder is killed.
pub(crate) struct Lock {
    kernel: RwLock<()>,
    /// Who has it, and whether alone.
    holders: Mutex<Vec<(ThreadId, bool)>>,
}

impl Lock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            kernel: RwLock::new(()),
            holders: Mutex::default(),
        })
    }

    pub(crate) fn shared<T>(&self, work: impl FnOnce() -> T) -> T {
        if !Protection::Lock.stands() {
            return self.held(false, work);
        }
        let kernel = self.kernel.read();
        let done = self.held(false, work);
        drop(kernel);
        done
    }

    pub(crate) fn exclusive<T>(&self, work: impl FnOnce() -> T) -> T {
        if !Protection::Lock.stands() {
            return self.held(true, work);
        }
        let kernel = self.kernel.write();
        let done = self.held(true, work);
        drop(kernel);
        done
    }

    fn held<T>(&self, alone: bool, work: impl FnOnce() -> T) -> T {
        let me = (thread::current().id(), alone);
        let holders = || self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders().push(me);
        let done = work();
        holders().retain(|holder| *holder != me);
        done
    }

    /// Fails unless this thread has the lock, alone where it wants to change something.
    fn check(&self, change: bool) {
        if !is_running() {
            return;
        }
        let me = thread::current().id();
        let holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let held = holders
            .iter()
            .any(|(holder, alone)| *holder == me && (*alone || !change));
        assert!(held, "a word is touched without the lock that guards it");
    }
}
