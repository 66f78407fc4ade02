//! `cargo xtask test`: the whole suite with `cargo test`, so that Rust and Git are all it needs.

use crate::step::{self, Failure};
use crate::{packages, workspace};

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let mut skip_missing = false;
    for arg in args {
        match arg.as_str() {
            "--skip-missing" => skip_missing = true,
            other => return Err(Failure::usage(format!("unexpected argument `{other}`"))),
        }
    }
    packages::require(skip_missing)?;
    // One failing binary must not hide what the others have to say. Doc tests are part of this;
    // the tests of the command line build the binary they call.
    step::run(&mut workspace::cargo([
        "test",
        "--workspace",
        "--locked",
        "--no-fail-fast",
    ]))
}
