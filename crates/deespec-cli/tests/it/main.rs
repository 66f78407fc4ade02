//! The command line as its users meet it: sessions that double as documentation (`../cmd`), and what
//! only real processes can show: races, signals, pipes and terminals.
//!
//! One binary for all of it, so that it is linked once and its tests run beside each other.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the report; clippy.toml covers only the functions marked as tests"
)]

mod access;
mod assets;
mod attacks;
mod browser;
mod compact;
mod counting;
mod demo;
mod file_limit;
mod formats;
mod gate_history;
mod location;
mod output;
mod pipes;
#[path = "../../../deespec/tests/it/prometheus.rs"]
mod prometheus;
mod push;
mod rules;
mod run;
mod serve;
mod sessions;
mod signals;
mod support;
mod terminal;
mod watch;
