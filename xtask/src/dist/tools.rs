//! Programs that make and check packages, from PyPI and npm into folders under `target/`.

use std::path::PathBuf;
use std::process::Command;

use crate::step::{self, Failure};
use crate::venv;
use crate::workspace::target;

/// A program that makes packages, pinned by its bytes.
pub(crate) fn packager(program: &str) -> Result<PathBuf, Failure> {
    from_pypi("packagers-venv", "xtask/packagers.txt", program)
}

/// A program that checks them.
pub(crate) fn checker(program: &str) -> Result<PathBuf, Failure> {
    from_pypi(
        "package-checkers-venv",
        "xtask/package-checkers.txt",
        program,
    )
}

fn from_pypi(folder: &str, requirements: &str, program: &str) -> Result<PathBuf, Failure> {
    venv::prepare(folder, requirements)?;
    Ok(target().join(folder).join("bin").join(program))
}

/// A schema that a Python package has in it, by a pattern of the shell.
pub(crate) fn schema(name: &str) -> Result<PathBuf, Failure> {
    let python = checker("python")?;
    let code = "import importlib.resources as r, sys; print(r.files('cyclonedx.schema') / '_res' / sys.argv[1])";
    let path = crate::dist::verdict::text_of(Command::new(python).args(["-c", code, name]))?;
    Ok(PathBuf::from(path.trim()))
}

/// `action-validator`, which is on npm alone.
pub(crate) fn action_validator() -> Result<PathBuf, Failure> {
    let folder = target().join("package-checkers-npm");
    let program = folder.join("node_modules/.bin/action-validator");
    if !program.exists() {
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--silent",
            "--no-save",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(&folder);
        step::run(npm.args([
            "@action-validator/cli@0.6.0",
            "@action-validator/core@0.6.0",
        ]))?;
    }
    Ok(program)
}
