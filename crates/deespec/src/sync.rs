//! The only import of atomics, so that one switch runs every algorithm on another memory model.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
