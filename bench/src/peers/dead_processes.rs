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
use crate::rows::dead::{Cemetery, deaths};
use crate::samples::BOUNDS;
use crate::table::Figure::{Bytes, Files, Nanoseconds};
use crate::table::PeerLine;

pub(crate) const NAME: &str = "prometheus_client, its dead processes";
const SCRIPT: &str = include_str!("prometheus_client.py");
const SECONDS: u32 = 600;

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let Some(interpreter) = python::of_venv(bench) else {
        return Ok(Outcome::Skipped(python::NO_VENV.to_owned()));
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
    for (index, dead) in deaths.into_iter().enumerate() {
        cemetery.fill(bench, dead)?;
        let ours = cemetery.extent()?;
        let theirs = |name: &str| python::number(&answer[index][name]);
        let scrape = Nanoseconds(cemetery.scrape_time(bench.effort)?);
        let [allocated, apparent] =
            [ours.allocated, ours.apparent].map(|bytes| Bytes(bytes as f64));
        for (what, ours, theirs) in [
            ("scrape", scrape, Nanoseconds(theirs("ns")?)),
            ("disk", allocated, Bytes(theirs("allocated")?)),
            ("length of all files", apparent, Bytes(theirs("apparent")?)),
            ("files", Files(ours.files as f64), Files(theirs("files")?)),
        ] {
            let what = format!("{what} after {dead} dead processes");
            lines.push(PeerLine::new(NAME, what, ours, theirs));
        }
    }
    Ok(Outcome::Measured(lines))
}
