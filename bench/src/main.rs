//! Measures DeeSpec against its own limits and against its peers, for readers who doubt it.
//!
//! Four rules make the tables worth reading:
//!
//! 1. Every figure and the figure it is compared with come from this run, on this machine.
//! 2. Two things that are compared take turns, round by round; the ratio is the median of the
//!    rounds' ratios, so a busy machine disturbs both sides alike.
//! 3. So every limit of a time is a ratio: no figure of another day or machine is in this program.
//! 4. What cannot be measured is named with the reason; no row ever goes missing.
//!
//! `rows/` holds one file per group of limits, `peers/` one per peer, `samples.rs` what both of them
//! count, `measure.rs` the clock, `threads.rs` several threads at once, `worker.rs` the processes that
//! race or die, `server.rs` those that answer over HTTP and `load.rs` what is asked of them, `line.rs`
//! and `peer_line.rs` a row of each table, `table.rs` the printing. A missed limit is
//! shown, not punished: the exit code is 0 when everything that could run was measured.

use std::process::ExitCode;

mod args;
mod cell;
mod figure;
mod line;
mod load;
mod machine;
mod measure;
mod peer_line;
mod peers;
mod place;
mod rows;
mod samples;
mod server;
mod table;
mod threads;
mod worker;

use args::Call;
use place::Bench;

/// Measurements stop at the first thing that goes wrong; the message becomes part of the table.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match args::parse(std::env::args().skip(1)) {
        Ok(Call::Help) => table::say(args::USAGE),
        Ok(Call::Worker { role, place }) => return worker::serve(&role, &place),
        Ok(Call::Measure(options)) => match measure_all(&options) {
            Ok(true) => {}
            Ok(false) => return ExitCode::from(3),
            Err(error) => {
                table::progress(&format!("deespec-bench: {error}"));
                return ExitCode::from(3);
            }
        },
        Err(message) => {
            table::progress(&format!("deespec-bench: {message}\n\n{}", args::USAGE));
            return ExitCode::from(3);
        }
    }
    ExitCode::SUCCESS
}

/// False when a row that should have been measured could not be.
fn measure_all(options: &args::Options) -> Result<bool> {
    let bench = Bench::prepare(options.level)?;
    let machine = machine::facts(&bench);
    let limits = rows::all(&bench, &options.only);
    let peers = if options.peers {
        peers::all(&bench, &options.only)
    } else {
        Vec::new()
    };

    if limits.is_empty() && peers.is_empty() {
        return Err(format!("no group and no peer is called `{}`", options.only).into());
    }

    table::say(&machine.text());
    table::print_limits(&limits);
    if options.peers {
        table::print_peers(&peers);
    }
    if let Some(path) = &options.json {
        let document = table::document(&machine, &limits, &peers);
        let text = format!("{}\n", serde_json::to_string_pretty(&document)?);
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(limits.iter().all(table::Line::was_possible)
        && peers.iter().all(table::PeerLine::was_possible))
}
