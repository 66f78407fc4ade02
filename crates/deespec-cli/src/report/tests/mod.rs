//! Each format, read by somebody else's parser: what a project would have, and what is meant to break it.
//!
//! These are unit tests, since a real gate gives no report as bad as `fixture::hostile`. What a real one gives is
//! read by the same readers in `tests/it/formats`.

mod documents;
pub(super) mod fixture;
mod limits;
#[path = "../../../tests/it/formats/readers.rs"]
mod readers;
mod samples;
mod services;
