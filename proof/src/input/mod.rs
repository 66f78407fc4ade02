//! Harnesses about what lies in a store's folder that should not: flipped bits, cut files, and
//! whatever else somebody may put there.
//!
//! `flips` changes bits and lengths, `judge` says what is lawful by the `image` of a segment. `files` goes
//! through the `catalogue`: a store from `templates`, a file that `spoil` makes bad, and the real `program`.

mod catalogue;
pub(crate) mod files;
pub(crate) mod flips;
mod image;
mod judge;
pub(crate) mod program;
mod spoil;
mod templates;
