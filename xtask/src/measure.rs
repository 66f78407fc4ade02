//! `cargo xtask coverage` and `cargo xtask mutants`: how much of the store and the gate the tests see.
//! Both take long and prove nothing by themselves, so no change has to pass them.

use std::process::Command;

use crate::step::{self, Failure};
use crate::{tools, workspace};

/// Installed when missing; pinned, so that figures can be compared.
const CARGO_LLVM_COV: &str = "0.9.1";
const CARGO_MUTANTS: &str = "27.1.0";

/// Lines and branches of the library that its tests run; branches are counted by nightly compilers.
pub(crate) fn coverage(args: &[String]) -> Result<(), Failure> {
    tools::install("llvm-cov", CARGO_LLVM_COV)?;
    // The one that was started by a toolchain's cargo would use that toolchain.
    let mut command = Command::new("cargo");
    command.args(["+nightly", "llvm-cov", "--branch", "-p", "deespec"]);
    command.args(["--all-features", "--locked", "--lib", "--test", "it"]);
    command.args(args).current_dir(workspace::root());
    // What other programs read is the exposition's business, and they are not prepared here.
    command.arg("--");
    for others in ["oracles", "readers", "native", "scrape"] {
        command.args(["--skip", others]);
    }
    command
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env("CARGO_TARGET_DIR", workspace::target().join("coverage"));
    step::pass_through(&mut command)
}

/// Changes the code in one place at a time; each change must make a test fail (`.cargo/mutants.toml`).
pub(crate) fn mutants(args: &[String]) -> Result<(), Failure> {
    tools::install("mutants", CARGO_MUTANTS)?;
    // Without its name only the default member would be changed, of which nothing is asked.
    step::pass_through(workspace::cargo(["mutants", "-p", "deespec"]).args(args))
}
