//! One operation at a time, interrupted wherever it can be: `scenario.rs` holds the operations,
//! `lawful.rs` says what may be left of them, `fault.rs` interrupts them at the library's seam.

pub(crate) mod errors;
pub(crate) mod fault;
pub(crate) mod instructions;
mod lawful;
pub(crate) mod scenario;
pub(crate) mod steps;
