//! Negative controls: a proof that cannot fail proves nothing.
//!
//! This program was built so that one protection can be left out (`protection.rs` in the library).
//! For each protection that there is, the harness which is to show that it works is run without it, in a
//! process of its own.
//!
//! Violations: a harness that finds nothing although the protection is missing; one that cannot run,
//! does not end, or fails for another reason than what it found.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::Result;
use crate::harness::{Bench, Outcome, Size};

/// What is left out, and what must notice it.
const CONTROLS: &[(&str, &[&str])] = &[
    ("atomic-add", &["race"]),
    ("lock", &["race"]),
    ("identity", &["replaced"]),
    ("liveness", &["shares"]),
    ("nearest-wrap", &["observers"]),
    ("settling", &["steps"]),
    ("flip-last", &["instructions", "--quick"]),
    ("degraded", &["errors"]),
    ("checksum", &["flips"]),
    ("file-type", &["files"]),
    ("holes", &["places"]),
    ("separation", &["places"]),
    ("population", &["places"]),
    ("probe", &["places"]),
    ("allocation", &["full", "--count", "12"]),
    ("flush-first", &["cuts", "--count", "60"]),
    ("sync-cells", &["cuts", "--count", "60"]),
    ("sync-file", &["cuts", "--count", "60"]),
    ("sync-directory", &["cuts", "--count", "250"]),
    ("sync-push", &["cuts", "--count", "60"]),
];

/// The protections that are left out in a sample: what is noticed within seconds, without a disk of its own.
const SAMPLED: &[&str] = &["atomic-add", "liveness", "degraded", "checksum", "identity"];

/// What only few of all power cuts show.
const RARE: &[(&str, &[&str])] = &[("recovery", &["cuts", "--count", "1500"])];

/// Nothing that is run here takes so long, not even on a machine that does much else. Without a
/// protection, it might never end.
const PATIENCE: Duration = Duration::from_secs(900);

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let mut violations = Vec::new();
    let mut noticed = Vec::new();
    let rare = match bench.size {
        Size::Sample | Size::Quick => &[],
        Size::Long | Size::Full => RARE,
    };
    let is_wanted =
        |(without, _): &&(&str, &[&str])| bench.size != Size::Sample || SAMPLED.contains(without);
    let controls = || CONTROLS.iter().chain(rare).filter(is_wanted);
    for (without, by) in controls() {
        let folder = bench.folder.join(without);
        std::fs::create_dir(&folder)?;
        match control(without, by, &folder)? {
            Ok(count) => noticed.push(format!("{without} by {} ({count})", by[0])),
            Err(why) => violations.push(format!("without {without}, {}: {why}", by[0])),
        }
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(Outcome {
        done: format!(
            "{} protections left out, noticed: {}",
            controls().count(),
            noticed.join(", ")
        ),
        violations,
    })
}

/// How many violations the harness found, or why that is no proof.
fn control(
    without: &str,
    by: &[&str],
    folder: &std::path::Path,
) -> Result<std::result::Result<usize, String>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--sample", "--dir"]).arg(folder).args(by);
    command.env("DEESPEC_WITHOUT", without);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = rustix::process::Pid::from_child(&child);
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    let output = match end.recv_timeout(PATIENCE) {
        Ok(output) => output?,
        Err(_) => {
            crate::child::kill_pid(pid)?;
            return Ok(Err("it did not end".to_owned()));
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let found = said
        .lines()
        .filter(|line| line.starts_with("  violation: "));
    Ok(match (output.status.code(), found.count()) {
        (Some(1), found @ 1..) => Ok(found),
        (Some(0), _) => Err("nothing was found".to_owned()),
        _ => {
            let complained = String::from_utf8_lossy(&output.stderr);
            Err(format!("{}: {said}{complained}", output.status))
        }
    })
}
