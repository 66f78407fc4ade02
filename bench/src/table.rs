//! What was measured, and the only place that prints it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program's purpose is a table on the screen; all printing is in this file"
)]

use std::fmt;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

pub(crate) use crate::figure::Figure;
use crate::machine::Machine;
use crate::measure::Pair;

/// One row of the first table.
pub(crate) struct Line {
    what: String,
    reached: Option<Figure>,
    /// What the ratio is taken against, in words and as a figure.
    compared: Option<(String, Figure)>,
    ratio: Option<f64>,
    at_most: Option<f64>,
    verdict: Verdict,
}

enum Verdict {
    Ok,
    Missed,
    /// No limit of ours: a figure that helps to judge the row above.
    Control,
    Skipped(String),
    Failed(String),
}

impl Line {
    /// A figure that may be at most so many times another that was measured in the same rounds.
    pub(crate) fn ratio(
        what: impl Into<String>,
        reached: Figure,
        name: impl Into<String>,
        other: Figure,
        ratio: f64,
        at_most: f64,
    ) -> Self {
        Self {
            what: what.into(),
            reached: Some(reached),
            compared: Some((name.into(), other)),
            ratio: Some(ratio),
            at_most: Some(at_most),
            verdict: if ratio <= at_most {
                Verdict::Ok
            } else {
                Verdict::Missed
            },
        }
    }

    /// A figure that may be at most the given one.
    pub(crate) fn limit(what: impl Into<String>, reached: Figure, limit: Figure) -> Self {
        let ratio = reached.value() / limit.value();
        Self::ratio(what, reached, "limit", limit, ratio, 1.0)
    }

    /// A figure that must be zero, for which there is no ratio.
    pub(crate) fn nothing(what: impl Into<String>, reached: Figure) -> Self {
        let verdict = if reached.value() <= 0.0 {
            Verdict::Ok
        } else {
            Verdict::Missed
        };
        let compared = Some(("limit".to_owned(), Figure::Bytes(0.0)));
        let reached = Some(reached);
        Self {
            what: what.into(),
            reached,
            compared,
            ratio: None,
            at_most: None,
            verdict,
        }
    }

    /// A figure of its own, which helps to judge those beside it.
    pub(crate) fn alone(what: impl Into<String>, reached: Figure) -> Self {
        Self {
            reached: Some(reached),
            ..Self::without_figures(what.into(), Verdict::Control)
        }
    }

    /// A figure beside another, without a limit.
    pub(crate) fn control(
        what: impl Into<String>,
        reached: Figure,
        name: impl Into<String>,
        other: Figure,
        ratio: f64,
    ) -> Self {
        let line = Self::ratio(what, reached, name, other, ratio, f64::INFINITY);
        Self {
            at_most: None,
            verdict: Verdict::Control,
            ..line
        }
    }

    pub(crate) fn skipped(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::without_figures(what.into(), Verdict::Skipped(reason.into()))
    }

    pub(crate) fn failed(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::without_figures(what.into(), Verdict::Failed(reason.into()))
    }

    fn without_figures(what: String, verdict: Verdict) -> Self {
        Self {
            what,
            reached: None,
            compared: None,
            ratio: None,
            at_most: None,
            verdict,
        }
    }

    pub(crate) fn was_possible(&self) -> bool {
        !matches!(self.verdict, Verdict::Failed(_))
    }

    fn document(&self) -> Value {
        json!({
            "what": self.what,
            "reached": self.reached.map(Figure::document),
            "compared_with": self.compared.as_ref().map(|(name, _)| name),
            "compared": self.compared.as_ref().map(|(_, figure)| figure.document()),
            "ratio": self.ratio,
            "at_most": self.at_most,
            "verdict": self.verdict.to_string(),
        })
    }
}

/// What was measured of DeeSpec and of a peer.
struct Figures {
    ours: Figure,
    theirs: Figure,
    /// The peer's figure by ours, where ours is not zero.
    ratio: Option<f64>,
}

/// One row of the second table.
pub(crate) struct PeerLine {
    peer: &'static str,
    what: String,
    figures: Result<Figures, String>,
    possible: bool,
}

impl PeerLine {
    /// The same work done by DeeSpec and by the peer, in this run.
    pub(crate) fn new(
        peer: &'static str,
        what: impl Into<String>,
        ours: Figure,
        theirs: Figure,
    ) -> Self {
        let ratio = (ours.value() > 0.0).then(|| theirs.value() / ours.value());
        Self::with_ratio(peer, what, ours, theirs, ratio)
    }

    /// The same work in nanoseconds, measured in turns.
    pub(crate) fn pair(peer: &'static str, what: impl Into<String>, pair: &Pair) -> Self {
        let [ours, theirs] = [pair.ours, pair.theirs].map(Figure::Nanoseconds);
        Self::with_ratio(peer, what, ours, theirs, Some(1.0 / pair.ratio))
    }

    /// The same work, so often a second, measured in turns.
    pub(crate) fn rates(peer: &'static str, what: impl Into<String>, pair: &Pair) -> Self {
        let [ours, theirs] = [pair.ours, pair.theirs].map(Figure::PerSecond);
        Self::with_ratio(peer, what, ours, theirs, Some(1.0 / pair.ratio))
    }

    fn with_ratio(
        peer: &'static str,
        what: impl Into<String>,
        ours: Figure,
        theirs: Figure,
        ratio: Option<f64>,
    ) -> Self {
        let figures = Figures {
            ours,
            theirs,
            ratio,
        };
        Self {
            peer,
            what: what.into(),
            figures: Ok(figures),
            possible: true,
        }
    }

    /// The peer is not there.
    pub(crate) fn skipped(peer: &'static str, reason: impl Into<String>) -> Self {
        let figures = Err(format!("skipped: {}", reason.into()));
        Self {
            peer,
            what: String::new(),
            figures,
            possible: true,
        }
    }

    /// The peer is there, yet the measurement went wrong.
    pub(crate) fn failed(peer: &'static str, reason: impl Into<String>) -> Self {
        let figures = Err(format!("FAILED: {}", reason.into()));
        Self {
            peer,
            what: String::new(),
            figures,
            possible: false,
        }
    }

    pub(crate) fn was_possible(&self) -> bool {
        self.possible
    }

    fn document(&self) -> Value {
        match &self.figures {
            Ok(figures) => {
                json!({
                    "peer": self.peer,
                    "what": self.what,
                    "deespec": figures.ours.document(),
                    "reached": figures.theirs.document(),
                    "ratio": figures.ratio,
                })
            }
            Err(reason) => json!({ "peer": self.peer, "not_measured": reason }),
        }
    }
}

pub(crate) fn print_limits(lines: &[Line]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "what",
        "reached",
        "compared with",
        "ratio",
        "at most",
        "verdict",
    ]);
    for line in lines {
        table.add_row([
            line.what.clone(),
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
        table.add_row([line.peer.into(), line.what.clone(), ours, theirs, ratio]);
    }
    println!("\n{table}");
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

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Missed => f.write_str("MISSED"),
            Self::Control => f.write_str("control"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::Failed(reason) => write!(f, "FAILED: {reason}"),
        }
    }
}
