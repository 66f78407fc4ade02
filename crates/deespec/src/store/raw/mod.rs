//! The only room with unsafe code: memory and locks that the standard library does not have.
//!
//! Everything above it sees `&[AtomicU64]` and safe functions, so the same algorithms run over
//! plain memory under a model checker or an interpreter.
#![expect(
    unsafe_code,
    reason = "mappings become slices of atomics, and system calls become functions, here alone"
)]

mod drops;
mod extents;
mod fork;
mod inherit;
mod record_lock;
mod region;

pub use drops::socket_drops;
pub(crate) use extents::{extents, write_back};
pub(crate) use fork::ForkLocal;
pub(crate) use inherit::{Uninherited, watch_forks};
pub(crate) use record_lock::{is_locked, try_lock};
pub(crate) use region::{Region, zeros};
