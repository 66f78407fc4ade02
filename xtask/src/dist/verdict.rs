//! How a check asks a program: it must say yes, or it must say no and why.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::step::{Failure, shown};

/// The program must succeed; gives what it wrote on stdout and stderr.
pub(crate) fn accepts(command: &mut Command) -> Result<String, Failure> {
    println!("$ {}", shown(command));
    let output = output(command)?;
    let said = said(&output);
    match output.status.success() {
        true => Ok(said),
        false => Err(Failure::step(format!(
            "`{}`: {}: {}",
            shown(command),
            output.status,
            short(&said)
        ))),
    }
}

/// The program must fail by itself and say this: the bad twin of a check. A program that is missing, or refuses for another
/// reason, proves nothing.
pub(crate) fn refuses(command: &mut Command, because: &str) -> Result<(), Failure> {
    println!("$ {}   # must refuse: {because}", shown(command));
    let output = output(command)?;
    let said = said(&output);
    if output.status.success() {
        return Err(Failure::step(format!(
            "`{}` accepts what is broken",
            shown(command)
        )));
    }
    if output.status.code().is_none() || !said.contains(because) {
        return Err(Failure::step(format!(
            "`{}` refuses, but not for `{because}`: {}: {}",
            shown(command),
            output.status,
            short(&said)
        )));
    }
    Ok(())
}

/// What it writes on stdout, where it succeeds.
pub(crate) fn text_of(command: &mut Command) -> Result<String, Failure> {
    let output = output(command)?;
    if !output.status.success() {
        return Err(Failure::step(format!(
            "`{}`: {}: {}",
            shown(command),
            output.status,
            short(&said(&output))
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn output(command: &mut Command) -> Result<Output, Failure> {
    let output = command.stdin(Stdio::null()).output();
    output.map_err(|error| Failure::missing(format!("cannot start `{}`: {error}", shown(command))))
}

pub(crate) fn said(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// The end of what a program said, which is where the reason stands.
fn short(text: &str) -> String {
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(1_500);
    text.chars().skip(skip).collect()
}

/// A check looked at something and found it wrong.
pub(crate) fn ensure(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    match is_so {
        true => Ok(()),
        false => Err(Failure::step(otherwise())),
    }
}

/// A file that cannot be read or written.
pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| Failure::step(format!("{path}: {error}"))
}

/// Writes a changed copy of a text: what stood there must stand there, or the twin would be no twin.
pub(crate) fn twin(from: &Path, to: &Path, old: &str, new: &str) -> Result<(), Failure> {
    let text = fs::read_to_string(from).map_err(io(from))?;
    ensure(text.contains(old), || {
        format!("{}: there is no `{old}`", from.display())
    })?;
    fs::write(to, text.replacen(old, new, 1)).map_err(io(to))
}

/// Packages are installed into folders that become the root of a process.
pub(crate) fn needs_root() -> Result<(), Failure> {
    match fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0) {
        true => Ok(()),
        false => Err(Failure::missing(
            "not root, and the checks install packages into folders and change into them; type: sudo cargo xtask dist \
             --check, or `cargo xtask dist --lint` for what needs neither",
        )),
    }
}
