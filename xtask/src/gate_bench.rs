//! `cargo xtask gate-bench`: scores what finds shifts on labelled series, beside Apache Otava.

use std::path::PathBuf;

use crate::step::{self, Failure};
use crate::{venv, workspace};

/// Where the labelled series lie beside a checkout.
const DATA: &str = "../shared/data";

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let data = match args {
        [] => workspace::root().join(DATA),
        [folder] => PathBuf::from(folder),
        _ => {
            return Err(Failure::usage(
                "give one folder with ci-series/ and tcpd/, or none",
            ));
        }
    };
    if !data.is_dir() {
        let message = format!(
            "{}: there are no labelled series; give their folder",
            data.display()
        );
        return Err(Failure::missing(message));
    }
    venv::prepare("gate-venv", "bench/gate-requirements.txt")?;
    let mut command = workspace::cargo([
        "run",
        "--release",
        "--locked",
        "-p",
        "deespec-bench",
        "--bin",
        "deespec-gate-bench",
        "--",
    ]);
    step::run(
        command
            .arg(data)
            .arg(workspace::target().join("gate-venv/bin/python")),
    )
}
