//! Processes: this program starts itself again in a role, and kills what it started.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::disks::{ground, hand, judges};
use crate::input::program;
use crate::operations::{instructions, steps};
use crate::processes::{holders, lockers, observers, race, reader, shares, told, writer};

/// A command that starts this program in a role, with all three streams as pipes.
pub(crate) fn role(name: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["role", name]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// What a process in a role does.
pub(crate) fn play(arguments: &[String]) -> Result<()> {
    let (name, rest) = arguments.split_first().ok_or("no role")?;
    match name.as_str() {
        "writer" => writer::long_lived(rest),
        "forker" => writer::forker(rest),
        "one-shot" => writer::one_shot(rest),
        "registrar" => writer::registrar(rest),
        "told" => told::role(rest),
        "reader" => reader::role(rest),
        "rotator" => lockers::rotator(rest),
        "snapshotter" => lockers::snapshotter(rest),
        "pusher" => lockers::pusher(rest),
        "step" => steps::role(rest),
        "stepped" => instructions::role(rest),
        "racer" => race::racer(rest),
        "bystander" => race::bystander(rest),
        "sharer" => shares::role(rest),
        "observer" => observers::role(rest),
        "observer-stepped" => observers::stepped(rest),
        "holder" => holders::role(rest),
        "apart" => ground::role(rest),
        "hand" => hand::role(rest),
        "judge" => judges::role(rest),
        "limited" => program::limited(rest),
        other => Err(format!("unknown role {other}").into()),
    }
}

/// The argument at `index` of a role.
pub(crate) fn argument<T: std::str::FromStr>(arguments: &[String], index: usize) -> Result<T> {
    let text = arguments.get(index).ok_or("an argument is missing")?;
    text.parse()
        .map_err(|_| format!("argument {index} is wrong: {text}").into())
}

/// The standard output without a buffer: what is written there survives the process.
pub(crate) fn output() -> Result<File> {
    Ok(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))
}

/// Kills a child that was not waited for yet.
pub(crate) fn kill(child: &Child) -> Result<()> {
    kill_pid(Pid::from_child(child))
}

/// As [`kill`]; the caller makes sure that the process was not waited for yet.
pub(crate) fn kill_pid(pid: Pid) -> Result<()> {
    Ok(kill_process(pid, Signal::KILL)?)
}

pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}
