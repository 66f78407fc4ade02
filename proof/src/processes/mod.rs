//! Processes that race, come and go, and are killed at random moments.

pub(crate) mod holders;
pub(crate) mod kills;
pub(crate) mod lockers;
pub(crate) mod observers;
pub(crate) mod race;
pub(crate) mod reader;
pub(crate) mod replaced;
pub(crate) mod shares;
mod tally;
pub(crate) mod told;
pub(crate) mod writer;
