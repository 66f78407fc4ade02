//! How a report of the gate looks to others: a person at a terminal, CI services, dashboards, scripts.
//!
//! One file a format, each a pure function over a [`Report`]; none of them prints, opens a file or looks at a clock.
//! `delivery` alone does: it takes the options of a command and brings each report where it shall go. What all
//! formats have in common stands in `words` (texts that others wrote) and `standing` (what a rule counts as).

mod delivery;
mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod place;
mod prometheus;
mod sarif;
mod sparkline;
mod standing;
mod tap;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub(crate) use delivery::{Reports, text};
pub(crate) use words::loud;

use deespec::gate::Report;

use crate::exit::Failure;

/// In which form a report is written.
// The variants have no help of their own: it would take nine lines in the help of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Junit,
    Github,
    Sarif,
    Gitlab,
    Tap,
    Markdown,
    Prometheus,
}

/// What a form depends on besides the report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    /// How many characters a line of the terminal has; `None` where the text goes elsewhere.
    pub(crate) width: Option<usize>,
    /// The file with the rules as others know it, relative to the repository; `None` where there is none.
    pub(crate) config: Option<String>,
    /// Whether a step summary of GitHub is written too.
    pub(crate) has_summary: bool,
}

/// A report in a form.
pub(crate) fn render(report: &Report, format: Format, look: &Look) -> Result<String, Failure> {
    Ok(match format {
        Format::Text => text::render(report, look),
        Format::Json => json::render(report)?,
        Format::Junit => junit::render(report, look)?,
        Format::Github => github::render(report, look),
        Format::Sarif => sarif::render(report, look)?,
        Format::Gitlab => gitlab::render(report, look)?,
        Format::Tap => tap::render(report, look),
        Format::Markdown => markdown::render(report, look),
        Format::Prometheus => prometheus::render(report),
    })
}
