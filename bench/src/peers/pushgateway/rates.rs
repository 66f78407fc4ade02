//! Pushes a second of the same small text, from one connection and from several at once. Ours are on the disk and counted
//! once when they are answered; Pushgateway's are in memory, and replace what the same group said before.

use std::time::Duration;

use super::super::Outcome;
use super::{missing, start};
use crate::Result;
use crate::load::Pushes;
use crate::measure;
use crate::place::{self, Bench};
use crate::server::{Server, TOKEN};
use crate::table::{HowMany, PeerLine};

pub(crate) const NAME: &str = "Pushgateway, pushes a second";
/// How many connections push at once.
const CONNECTIONS: [usize; 2] = [1, 32];
/// In words, and whether Pushgateway writes what it holds to a file, once a second.
const MODES: [(&str, bool); 2] = [("", false), (", theirs in a file each second", true)];
/// Counters in a text.
const COUNTERS: usize = 10;

pub(crate) fn rows() -> Vec<String> {
    let of = |(mode, _)| CONNECTIONS.map(|connections| row(connections, mode));
    MODES.into_iter().flat_map(of).collect()
}

fn row(connections: usize, mode: &str) -> String {
    let connections = match connections {
        1 => "1 connection".to_owned(),
        several => format!("{several} connections"),
    };
    format!("pushes of {COUNTERS} counters, {connections} (ours: on the disk when answered){mode}")
}

/// Ten counters with two labels.
fn text() -> String {
    let line = |number| format!("batch_rows_total{{job=\"nightly\",step=\"{number}\"}} 3\n");
    let lines: String = (0..COUNTERS).map(line).collect();
    format!("# TYPE batch_rows_total counter\n{lines}")
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    if let Some(reason) = missing() {
        return Ok(Outcome::Skipped(reason));
    }
    let (rounds, time) = bench.level.choose((5, 2_000), (3, 1_000), (1, 50));
    let time = Duration::from_millis(time);
    let text = text();
    let mut lines = Vec::new();
    for (mode, in_file) in MODES {
        let folder = bench.on_disk()?;
        let path = folder.path().join("var");
        drop(place::open(&path)?);
        let ours = Server::ours(bench, &path)?;
        let theirs = start(in_file.then_some((folder.path(), "1s")))?;
        let our_path = |writer, number| format!("/api/v1/push?writer=w{writer}&sequence={number}");
        let their_path = |writer, _| format!("/metrics/job/bench/writer/{writer}");
        let of = |server: &Server, path| Pushes {
            server: server.address,
            path,
            token: TOKEN,
            body: &text,
        };
        let (to_us, to_them) = (of(&ours, &our_path), of(&theirs, &their_path));
        // Numbers grow from round to round, whoever had one before.
        let (mut first, mut acknowledged) = (1, 0);
        for connections in CONNECTIONS {
            let pair = measure::turns(
                rounds,
                || {
                    let pushed = to_us.run(connections, first, time)?;
                    first += 1_000_000;
                    acknowledged += pushed.acknowledged;
                    Ok(pushed.rate)
                },
                || Ok(to_them.run(connections, 1, time)?.rate),
            )?;
            let of = HowMany::of(COUNTERS, "series each");
            lines.push(PeerLine::rates(NAME, row(connections, mode), &pair).of(of));
        }
        drop(ours);
        let labels = [("job", "nightly"), ("step", "7")];
        let counted = place::open(&path)?
            .view()?
            .value("batch_rows_total", &labels);
        if counted != Some(3 * acknowledged) {
            return Err(format!("{acknowledged} pushes of 3 count {counted:?}").into());
        }
    }
    Ok(Outcome::Measured(lines))
}
