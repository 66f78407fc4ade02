//! Runs a Python script of ours and reads the one JSON object that it prints.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;
use crate::place::Bench;

/// Why the Python client of Prometheus is skipped.
pub(crate) const NO_CLIENT: &str = "there is no target/bench-venv; `cargo xtask bench` makes it, with PyPI's \
     package prometheus_client, where Debian's packages python3 and python3-venv are";

/// The interpreter of `target/bench-venv`, which `cargo xtask bench` fills with the Python peers.
pub(crate) fn of_venv(bench: &Bench) -> Option<PathBuf> {
    let python = bench.target.join("bench-venv/bin/python");
    python.is_file().then_some(python)
}

/// Any interpreter that has its standard library.
pub(crate) fn any(bench: &Bench) -> Option<PathBuf> {
    of_venv(bench).or_else(|| {
        let version = Command::new("python3")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        version
            .is_ok_and(|status| status.success())
            .then(|| "python3".into())
    })
}

/// Bounded: the kernel's alarm ends the script after this many seconds.
pub(crate) fn run(
    mut python: Command,
    script: &str,
    args: &[String],
    seconds: u32,
) -> Result<Value> {
    let script = format!("import signal; signal.alarm({seconds})\n{script}");
    let output = python
        .arg("-c")
        .arg(script)
        .args(args)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().next_back().unwrap_or("no message");
        return Err(format!("{}: {last}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A number of the script's answer.
pub(crate) fn number(answer: &Value) -> Result<f64> {
    answer
        .as_f64()
        .ok_or_else(|| format!("the script says `{answer}`, not a number").into())
}
