//! `cargo xtask test`: the whole suite, after preparing what its tests need.
//!
//! Two builds: all crates with all features, in which a protection can be left out, as the sample of the proofs asks
//! for (`torture.rs`); and the library as its users get it, which the first build hides.

use std::process::Command;
use std::thread;

use crate::seams::Seam;
use crate::step::{Failure, Steps};
use crate::{packages, tools, torture, venv, workspace};

/// The tests that ask Python's packages, by the folder that these are installed into.
const PYTHON: &[(&str, &str, &str)] = &[
    (
        "test-venv",
        "crates/deespec/tests/requirements.txt",
        "(package(deespec) & test(/^(oracles|readers|native)::/)) | test(/^browser::/)",
    ),
    (
        "formats-venv",
        "crates/deespec-cli/tests/requirements.txt",
        "test(/^(formats|report::tests)::/)",
    ),
];

/// All crates; a feature only adds.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// How much of it is run.
#[derive(Default)]
pub(crate) struct Extent {
    /// Nothing is left out for the sake of time.
    pub(crate) deep: bool,
    /// What cannot be run here is left out, and named.
    pub(crate) skip_missing: bool,
}

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let mut extent = Extent::default();
    let mut skip_proofs = false;
    for arg in args {
        match arg.as_str() {
            "--skip-missing" => extent.skip_missing = !packages::in_ci(),
            "--skip-proofs" => skip_proofs = true,
            other => return Err(Failure::usage(format!("unexpected argument `{other}`"))),
        }
    }
    let mut steps = Steps::default();
    let mut outcome = all(&mut steps, extent);
    if !skip_proofs {
        let proofs = steps.time("a sample of the proofs", torture::sample);
        outcome = outcome.and(proofs);
    }
    steps.print_table();
    outcome
}

/// The tests of all crates. What one step finds does not hide what the others have to say.
pub(crate) fn all(steps: &mut Steps, extent: Extent) -> Result<(), Failure> {
    let mut left_out = Vec::new();
    steps.time("what the tests need", || {
        prepare(extent.skip_missing, &mut left_out)
    })?;
    let skipped = match left_out.join(" | ") {
        none if none.is_empty() => "none()".to_owned(),
        some => some,
    };
    // The tests of the library are left to the second build, but for what a feature brings.
    let by_default = "package(deespec) & !test(/^(fuzzing|gate|recorder)::/)";
    let mut everything = nextest(EVERYTHING, &extent);
    Seam::Controls.set(&mut everything)?;
    everything.args(["-E", &format!("!({by_default}) & !({skipped})")]);
    let everything = steps.run("tests, all features", &mut everything);
    let library = steps.run(
        "tests, the library by default",
        nextest(["--package", "deespec"], &extent).args([
            "-E",
            &format!("!test(/^(fuzzing|recorder)::/) & !({skipped})"),
        ]),
    );
    let mut docs = workspace::cargo(["test", "--doc", "--locked"]);
    Seam::Controls.set(&mut docs)?;
    let docs = steps.run("tests in the documentation", docs.args(EVERYTHING));
    if !left_out.is_empty() {
        println!("\nleft out, as --skip-missing asks: {skipped}");
    }
    everything.and(library).and(docs)
}

/// Installs what is missing where it may; gives the tests that have to go without, as nextest selects them.
fn prepare(skip_missing: bool, left_out: &mut Vec<String>) -> Result<(), Failure> {
    left_out.extend(packages::require(skip_missing)?);
    for (name, requirements, tests) in PYTHON {
        match venv::prepare(name, requirements) {
            Err(reason) if !skip_missing => return Err(reason),
            Err(reason) => {
                println!("no {name}: {}", reason.message);
                left_out.push((*tests).to_owned());
            }
            Ok(()) => {}
        }
    }
    tools::require(&["nextest"])
}

/// The build of all crates with all features.
pub(crate) fn build() -> Result<Command, Failure> {
    let mut command = workspace::cargo(["test", "--no-run", "--locked"]);
    command.args(EVERYTHING);
    Seam::Controls.set(&mut command)?;
    Ok(command)
}

/// The test runner: each test in a process of its own, so that one that hangs is ended
/// (`.config/nextest.toml`). Many tests wait for a limit of time, so there are more at once than cores.
fn nextest<'a>(what: impl IntoIterator<Item = &'a str>, extent: &Extent) -> Command {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut command = workspace::cargo(["nextest", "run", "--locked"]);
    command
        .arg("--test-threads")
        .arg((3 * cores).to_string())
        .args(what);
    if extent.deep {
        command.env("DEESPEC_DEEP", "1");
    }
    command
}
