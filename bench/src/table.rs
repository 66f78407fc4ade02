//! What was measured, and the only place that prints it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program's purpose is a table on the screen; all printing is in this file"
)]

use comfy_table::{Table, presets};
use serde_json::{Value, json};

pub(crate) use crate::figure::{Figure, HowMany};
pub(crate) use crate::line::Line;
use crate::line::Verdict;
use crate::machine::Machine;
pub(crate) use crate::peer_line::PeerLine;

pub(crate) fn print_limits(lines: &[Line]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "what",
        "how many",
        "reached",
        "compared with",
        "ratio",
        "at most",
        "verdict",
    ]);
    for line in lines {
        table.add_row([
            line.what.clone(),
            in_words(line.how_many),
            line.reached
                .map_or_else(String::new, |figure| figure.to_string()),
            line.compared
                .as_ref()
                .map_or_else(String::new, |(name, figure)| format!("{name}: {figure}")),
            line.ratio
                .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            line.at_most
                .map_or_else(String::new, |limit| format!("{limit:.2}")),
            line.verdict.to_string(),
        ]);
    }
    let missed = lines
        .iter()
        .filter(|line| matches!(line.verdict, Verdict::Missed))
        .count();
    println!("\n{table}");
    println!("Figures are medians over rounds; a ratio is the median of the rounds' own ratios.");
    println!("Limits missed: {missed}");
}

pub(crate) fn print_peers(lines: &[PeerLine]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "peer",
        "the same work",
        "how many",
        "deespec",
        "the peer",
        "peer : deespec",
    ]);
    for line in lines {
        let [ours, theirs, ratio] = match &line.figures {
            Ok(figures) => [
                figures.ours.to_string(),
                figures.theirs.to_string(),
                figures.ratio.map_or_else(String::new, in_short),
            ],
            Err(reason) => [String::new(), reason.clone(), String::new()],
        };
        let how_many = in_words(line.how_many);
        table.add_row([
            line.peer.into(),
            line.what.clone(),
            how_many,
            ours,
            theirs,
            ratio,
        ]);
    }
    println!("\n{table}");
}

fn in_words(how_many: Option<HowMany>) -> String {
    how_many.map_or_else(String::new, |how_many| how_many.to_string())
}

/// A ratio with as many digits as are worth reading.
fn in_short(ratio: f64) -> String {
    match ratio {
        ratio if ratio < 0.1 => format!("{ratio:.4}"),
        ratio if ratio < 100.0 => format!("{ratio:.2}"),
        ratio => format!("{ratio:.0}"),
    }
}

/// Everything again, for a program to read.
pub(crate) fn document(machine: &Machine, limits: &[Line], peers: &[PeerLine]) -> Value {
    json!({
        "schema_version": 1,
        "machine": machine.document(),
        "limits": limits.iter().map(Line::document).collect::<Vec<_>>(),
        "peers": peers.iter().map(PeerLine::document).collect::<Vec<_>>(),
    })
}

/// Text for the reader of the tables.
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Text for who waits for them.
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}
