//! Behaviour of the library as a program sees it, through its public names only.
//!
//! One binary for all of it: the library is linked once, tests of all rooms run beside each other
//! on all cores, and a test that needs a second process runs this very binary again (`roles`).
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the report; clippy.toml covers only the functions marked as tests"
)]

mod access;
mod attacks;
mod background;
mod boot;
mod compaction;
mod containers;
mod damage;
mod diff;
mod documents;
mod entries;
mod epochs;
mod every_kind;
mod exposition;
mod families;
mod fixtures;
mod foreign;
mod forking;
mod forks;
mod format_2;
mod fractions;
mod gauges;
mod histograms;
mod history;
mod image;
mod imports;
mod kinds;
mod limits;
mod lookups;
mod model;
mod native;
mod oracles;
mod outside;
mod places;
mod programs;
mod prometheus;
mod protobuf;
mod puppet;
mod pushes;
mod readers;
#[cfg(feature = "metrics")]
mod recorder;
mod registry;
mod removal;
mod restore;
mod retention;
mod roles;
mod scrape;
mod segments;
mod server;
mod shares;
mod store;
mod support;
mod texts;
mod waiting;
mod wide;
mod wide_elsewhere;
