//! Python packages go into a folder of their own under `target/`, never into the system.

use std::fs;
use std::process::Command;

use crate::step::{self, Failure};
use crate::workspace::{root, target, which};

/// Makes `target/<name>` hold what the requirements file lists; a second call costs nothing.
pub(crate) fn prepare(name: &str, requirements: &str) -> Result<(), Failure> {
    let python = which("python3").ok_or_else(|| Failure::missing("there is no python3"))?;
    let requirements = root().join(requirements);
    let wanted = fs::read(&requirements)
        .map_err(|error| Failure::missing(format!("{}: {error}", requirements.display())))?;

    let folder = target().join(name);
    // Written last: a run that was interrupted half way is done again.
    let installed = folder.join("installed.txt");
    if fs::read(&installed).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    step::run(
        Command::new(python)
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    step::run(
        Command::new(folder.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                // What is installed is what is listed, and nothing else.
                "--no-deps",
                "-r",
            ])
            .arg(&requirements),
    )?;
    fs::write(&installed, wanted)
        .map_err(|error| Failure::missing(format!("{}: {error}", installed.display())))
}
