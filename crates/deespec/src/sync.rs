//! The only import of atomics, so that one switch runs every algorithm on another memory model.

#[cfg(not(all(loom, test)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

#[cfg(all(loom, test))]
pub(crate) mod modelled;
#[cfg(all(loom, test))]
pub(crate) use modelled::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
