//! `deespec inc` as a shell script sees it: from fork to exit, beside a program that does nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;
use crate::measure::{self, nanoseconds};
use crate::place::Bench;
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

const TRUE: &str = "/bin/true";
const STARTS_PER_ROUND: u32 = 20;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let what = "`deespec inc` as a whole process";
    if !Path::new(TRUE).is_file() {
        return Ok(vec![Line::skipped(what, format!("there is no {TRUE}"))]);
    }
    let folder = bench.on_disk()?;
    let mut inc = bench.deespec(&folder.path().join("var"))?;
    inc.args(["inc", "bench_processes_total"]);
    let mut nothing = silent(TRUE.as_ref());
    let mut rust = silent(&std::env::current_exe()?);
    rust.args(["--worker", "nothing"]);

    // The first one makes the store and its series; the others find them.
    start(&mut inc, 1)?;
    let pair = measure::turns(
        bench.effort.rounds,
        || start(&mut inc, STARTS_PER_ROUND),
        || start(&mut nothing, STARTS_PER_ROUND),
    )?;
    let control = measure::turns(
        bench.effort.rounds,
        || start(&mut rust, STARTS_PER_ROUND),
        || start(&mut nothing, STARTS_PER_ROUND),
    )?;
    Ok(vec![
        Line::ratio(
            what,
            Nanoseconds(pair.ours),
            TRUE,
            Nanoseconds(pair.theirs),
            pair.ratio,
            2.0,
        ),
        Line::control(
            "a Rust program that does nothing",
            Nanoseconds(control.ours),
            TRUE,
            Nanoseconds(control.theirs),
            control.ratio,
        ),
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
