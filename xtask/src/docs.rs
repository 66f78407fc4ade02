//! `cargo xtask docs`: the documentation of all crates; a broken link is an error.

use std::process::Command;

use crate::step::{self, Failure};
use crate::workspace;

pub(crate) fn run() -> Result<(), Failure> {
    step::run(&mut command())?;
    println!(
        "{}",
        workspace::target().join("doc/deespec/index.html").display()
    );
    Ok(())
}

pub(crate) fn command() -> Command {
    let mut command = workspace::cargo([
        "doc",
        "--workspace",
        "--all-features",
        "--no-deps",
        "--locked",
    ]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}
