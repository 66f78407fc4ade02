//! `deespec inc` as a shell script sees it: from fork to exit, beside a program that does nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;
use crate::measure::{self, nanoseconds};
use crate::place::Bench;
use crate::table::Line;

const TRUE: &str = "/bin/true";

/// How many times a program that does nothing: what is packaged starts sooner than what is built from source.
const PACKAGED_AT_MOST: f64 = 1.4;
const BUILT_AT_MOST: f64 = 2.0;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let profile = &bench.profile;
    // In this profile nobody has the program but as a package.
    let is_packaged = profile == "dist";
    let what = match is_packaged {
        true => "`deespec inc` as a whole process, as packaged".to_owned(),
        false => format!("`deespec inc` as a whole process, profile {profile}"),
    };
    let other = "a Rust program that does nothing";
    if !Path::new(TRUE).is_file() {
        let skipped = |what: &str| Line::skipped(what, format!("there is no {TRUE}"));
        return Ok(vec![skipped(&what), skipped(other)]);
    }
    let folder = bench.on_disk()?;
    let mut inc = bench.deespec(&folder.path().join("var"))?;
    inc.args(["inc", "bench_processes_total"]);
    let mut nothing = silent(TRUE.as_ref());
    let mut rust = silent(&std::env::current_exe()?);
    rust.args(["--worker", "nothing"]);

    // The first one makes the store and its series; the others find them.
    start(&mut inc, 1)?;
    let (rounds, starts) = (bench.effort.rounds, bench.level.choose(20, 20, 2));
    let pair = measure::turns(
        rounds,
        || start(&mut inc, starts),
        || start(&mut nothing, starts),
    )?;
    let control = measure::turns(
        rounds,
        || start(&mut rust, starts),
        || start(&mut nothing, starts),
    )?;
    Ok(vec![
        Line::pair(
            what,
            TRUE,
            &pair,
            if is_packaged {
                PACKAGED_AT_MOST
            } else {
                BUILT_AT_MOST
            },
        ),
        Line::control_pair(other, TRUE, &control),
    ])
}

fn silent(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Starts a program and waits for it, several times: nanoseconds each.
fn start(command: &mut Command, times: u32) -> Result<f64> {
    let begin = Instant::now();
    for _ in 0..times {
        let status = command.status()?;
        if !status.success() {
            return Err(format!("{}: {status}", command.get_program().to_string_lossy()).into());
        }
    }
    Ok(nanoseconds(begin.elapsed()) / f64::from(times))
}
