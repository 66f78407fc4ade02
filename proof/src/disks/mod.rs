//! Disks that lose what was not flushed, that are shut down, that are full, and that fail.
//!
//! `ground.rs` mounts, `volatile.rs` is a disk with a write cache, `states.rs` what a cut leaves of it;
//! `workload.rs` and `hand.rs` are who works on it with the orders of `orders.rs`, some of which are `pushes.rs`; `known.rs` is what
//! was promised by then, and `judge.rs` compares that with what came back.

pub(crate) mod cuts;
pub(crate) mod eio;
pub(crate) mod full;
pub(crate) mod ground;
pub(crate) mod hand;
mod image;
mod judge;
pub(crate) mod judges;
mod known;
pub(crate) mod limits;
mod orders;
pub(crate) mod places;
mod pushes;
pub(crate) mod shutdown;
mod states;
mod volatile;
mod workload;
