//! Harnesses about what lies in a store's folder that should not: flipped bits, cut files, and
//! whatever else somebody may put there.

pub(crate) mod flips;
pub(crate) mod image;
