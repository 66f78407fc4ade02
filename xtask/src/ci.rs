//! `cargo xtask ci`: everything a change must pass, cheapest first, up to the first failure.

use crate::step::{Failure, Steps};
use crate::{checkers, docs, test, torture, workspace};

/// Installed when missing; pinned, so that a new release cannot fail an old commit.
const CARGO_DENY: &str = "0.20.2";

pub(crate) fn run() -> Result<(), Failure> {
    let mut steps = Steps::default();
    let outcome = all(&mut steps);
    steps.print_table();
    outcome
}

fn all(steps: &mut Steps) -> Result<(), Failure> {
    steps.run("format", &mut workspace::cargo(["fmt", "--all", "--check"]))?;
    // A feature only adds: with none of them the library must build as well.
    for (name, features) in [
        ("lints", "--all-features"),
        ("lints, no features", "--no-default-features"),
    ] {
        steps.run(
            name,
            &mut workspace::cargo([
                "clippy",
                "--workspace",
                "--all-targets",
                features,
                "--locked",
                "--",
                "-D",
                "warnings",
            ]),
        )?;
    }
    // What only the model checker compiles.
    steps.run("lints of the models", &mut checkers::models())?;
    steps.run("docs", &mut docs::command())?;
    // Whatever version a contributor has installed will do.
    let deny = workspace::cargo(["deny", "--version"]).output();
    if !deny.is_ok_and(|output| output.status.success()) {
        println!(
            "\ncargo-deny is not installed; installing {CARGO_DENY}, which takes some minutes"
        );
        steps.run(
            "install cargo-deny",
            &mut workspace::cargo(["install", "--locked", "cargo-deny", "--version", CARGO_DENY]),
        )?;
    }
    steps.run(
        "licences, bans, sources",
        &mut workspace::cargo([
            "deny",
            "--workspace",
            "check",
            "licenses",
            "bans",
            "sources",
        ]),
    )?;
    // The proofs follow, and do more than they do among the tests.
    steps.time("tests", || test::run(&["--skip-proofs".to_owned()]))?;
    steps.time("proofs", || torture::run(&["--quick".to_owned()]))
}
