//! `cargo xtask torture`: starts the proof program, which races and kills processes.

use crate::step::{self, Failure};
use crate::workspace;

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let cargo = ["run", "--release", "--locked", "-p", "deespec-proof", "--"];
    step::pass_through(workspace::cargo(cargo).args(args))
}
