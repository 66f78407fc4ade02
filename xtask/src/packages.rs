//! The one list of system packages that tests need, and their installation where we may do that.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::step::{self, Failure};
use crate::workspace::which;

/// A Debian package, the program by which we know that it is there, and what tests do with it.
struct Package {
    name: &'static str,
    program: &'static str,
    why: &'static str,
}

/// Add a line here and nowhere else.
const PACKAGES: &[Package] = &[Package {
    name: "git",
    program: "git",
    why: "`deespec demo` and its tests race commits onto a branch",
}];

/// Makes sure that all packages are there, or says what to type.
pub(crate) fn require(skip_missing: bool) -> Result<(), Failure> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        println!(
            "missing: {} (package {}): {}",
            package.program, package.name, package.why
        );
    }
    let why_not = match install(&missing) {
        Ok(()) => return Ok(()),
        Err(failure) => failure.message,
    };
    let in_ci = env::var("CI").is_ok_and(|value| value == "true");
    if skip_missing && !in_ci {
        println!("going on without, as --skip-missing asks: {why_not}");
        return Ok(());
    }
    Err(Failure::missing(why_not))
}

fn missing() -> Vec<&'static Package> {
    PACKAGES
        .iter()
        .filter(|package| which(package.program).is_none())
        .collect()
}

fn install(wanted: &[&Package]) -> Result<(), Failure> {
    let mut command = Command::new("apt-get");
    command.args(["install", "-y", "--no-install-recommends"]);
    command.args(wanted.iter().map(|package| package.name));
    if which("apt-get").is_none() {
        let programs: Vec<_> = wanted.iter().map(|package| package.program).collect();
        return Err(Failure::missing(format!(
            "this is not Debian; install these programs with your system's own means: {}",
            programs.join(", ")
        )));
    }
    if !is_root() {
        return Err(Failure::missing(format!(
            "not root; type: sudo apt-get update && sudo {}",
            step::shown(&command)
        )));
    }
    step::run(Command::new("apt-get").arg("update"))?;
    step::run(command.env("DEBIAN_FRONTEND", "noninteractive"))?;
    match self::missing().first() {
        None => Ok(()),
        Some(package) => Err(Failure::missing(format!(
            "package {} is installed, yet there is no program {} on the PATH",
            package.name, package.program
        ))),
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0)
}
