//! `cargo xtask bench`: starts the benchmark program, after preparing what its peers need.

use crate::step::{self, Failure};
use crate::{venv, workspace};

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let without_peers = args
        .iter()
        .any(|arg| matches!(arg.as_str(), "--no-peers" | "--help" | "-h"));
    if !without_peers {
        // A peer that cannot run is skipped by name, so this is never a reason to stop.
        if let Err(reason) = venv::prepare("bench-venv", "bench/requirements.txt") {
            println!("no Python peers: {}", reason.message);
        }
    }
    let cargo = ["run", "--release", "--locked", "-p", "deespec-bench", "--"];
    step::pass_through(workspace::cargo(cargo).args(args))
}
