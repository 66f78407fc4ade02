//! What dead processes cost in the multiprocess mode of the Python client, and in DeeSpec.
//!
//! One process of Python forks the others: each is a process of its own, with files of its own named
//! after its number, as the workers of a pre-forked server are. Each has five counters by label, a
//! histogram and a gauge; one half end by `os._exit`, the other by SIGKILL. Their parent does what
//! `mark_process_dead` would do, which removes the file of the gauge; the counts stay, as they must.

use std::process::Command;

use super::{Outcome, python};
use crate::Result;
use crate::place::Bench;
use crate::rows::dead::{AFTER, Cemetery, deaths};
use crate::samples::BOUNDS;
use crate::table::Figure::{Bytes, Files, Nanoseconds};
use crate::table::{HowMany, PeerLine};

pub(crate) const NAME: &str = "prometheus_client, its dead processes";
const SCRIPT: &str = include_str!("prometheus_client.py");
const SECONDS: u32 = 600;

/// What is measured each time.
const WHATS: [&str; 4] = ["scrape", "disk", "length of all files", "files"];

pub(crate) fn rows() -> Vec<String> {
    let of = |when: &'static str| WHATS.map(|what| format!("{what} {when}"));
    AFTER.into_iter().flat_map(of).collect()
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let Some(interpreter) = python::of_venv(bench) else {
        return Ok(Outcome::Skipped(python::NO_CLIENT.to_owned()));
    };
    let deaths = deaths(bench);
    let folder = bench.on_disk()?;
    let mut command = Command::new(interpreter);
    command.env("PROMETHEUS_MULTIPROC_DIR", folder.path());
    let mut args = vec!["dead".to_owned(), serde_json::to_string(&BOUNDS)?];
    args.extend(deaths.iter().map(usize::to_string));
    let answer = python::run(command, SCRIPT, &args, SECONDS)?;

    let mut cemetery = Cemetery::new(bench)?;
    let mut lines = Vec::new();
    for (index, (dead, when)) in deaths.into_iter().zip(AFTER).enumerate() {
        cemetery.fill(bench, dead)?;
        let ours = cemetery.extent()?;
        let theirs = |name: &str| python::number(&answer[index][name]);
        let scrape = Nanoseconds(cemetery.scrape_time(bench.effort)?);
        let [allocated, apparent] =
            [ours.allocated, ours.apparent].map(|bytes| Bytes(bytes as f64));
        let figures = [
            (scrape, Nanoseconds(theirs("ns")?)),
            (allocated, Bytes(theirs("allocated")?)),
            (apparent, Bytes(theirs("apparent")?)),
            (Files(ours.files as f64), Files(theirs("files")?)),
        ];
        for (what, (ours, theirs)) in WHATS.into_iter().zip(figures) {
            let line = PeerLine::new(NAME, format!("{what} {when}"), ours, theirs);
            lines.push(line.of(HowMany::of(dead, "processes")));
        }
    }
    Ok(Outcome::Measured(lines))
}
