//! One operation at a time, interrupted wherever it can be: `scenario.rs` holds the operations,
//! `fault.rs` interrupts them at the library's seam.

pub(crate) mod errors;
pub(crate) mod fault;
pub(crate) mod instructions;
pub(crate) mod scenario;
pub(crate) mod steps;
