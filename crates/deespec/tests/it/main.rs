//! Behaviour of the library as a program sees it, through its public names only.
//!
//! One binary for all of it: the library is linked once, tests of all rooms run beside each other
//! on all cores, and a test that needs a second process runs this very binary again (`roles`).
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the report; clippy.toml covers only the functions marked as tests"
)]

mod background;
mod boot;
mod compaction;
mod damage;
mod diff;
mod documents;
mod epochs;
mod exposition;
mod fixtures;
mod foreign;
mod image;
mod kinds;
mod model;
mod native;
mod oracles;
mod programs;
mod protobuf;
mod readers;
mod registry;
mod restore;
mod retention;
mod roles;
mod scrape;
mod segments;
mod server;
mod store;
mod support;
mod texts;
