//! Harnesses about what lies in a store's folder that should not: flipped bits, cut files, and
//! whatever else somebody may put there.

mod catalogue;
pub(crate) mod files;
pub(crate) mod flips;
mod image;
pub(crate) mod program;
mod spoil;
