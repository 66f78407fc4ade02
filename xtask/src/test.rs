//! `cargo xtask test`: the whole suite with `cargo test`, after preparing what its oracles need.

use crate::step::{self, Failure};
use crate::{packages, venv, workspace};

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let mut skip_missing = false;
    let mut skip_proofs = false;
    for arg in args {
        match arg.as_str() {
            "--skip-missing" => skip_missing = true,
            "--skip-proofs" => skip_proofs = true,
            other => return Err(Failure::usage(format!("unexpected argument `{other}`"))),
        }
    }
    packages::require(skip_missing)?;
    // The tests look for them there, see `crates/deespec/tests/it/oracles.rs` and
    // `crates/deespec-cli/tests/it/formats/readers.rs`.
    for (name, requirements) in [
        ("test-venv", "crates/deespec/tests/requirements.txt"),
        ("formats-venv", "crates/deespec-cli/tests/requirements.txt"),
    ] {
        match venv::prepare(name, requirements) {
            Err(reason) if !skip_missing || packages::in_ci() => return Err(reason),
            Err(reason) => println!("no {name}, its tests will fail: {}", reason.message),
            Ok(()) => {}
        }
    }
    // One failing binary must not hide what the others have to say. Doc tests are part of this;
    // the tests of the command line build the binary they call. With all features, since those
    // without are a part of them.
    let mut command = workspace::cargo([
        "test",
        "--workspace",
        "--all-features",
        "--locked",
        "--no-fail-fast",
    ]);
    if skip_proofs {
        command.args(["--exclude", "deespec-proof"]);
    }
    step::run(&mut command)
}
