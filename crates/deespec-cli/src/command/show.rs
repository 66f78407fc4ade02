//! `deespec show`: the current epoch.

use clap::{Args, ValueEnum};
use deespec::{TRANSACTIONS, View};

use crate::args::Cli;
use crate::command::export::{Exposition, make_durable};
use crate::exit::{Code, Failure};
use crate::ui::{Ui, columns};
use crate::{location, ui};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Prometheus,
    Openmetrics,
}

/// Show the counts of the current epoch
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  deespec show --filter jobs_\n  deespec show --json | jq .commit_success\n  \
                  deespec show --format openmetrics"
)]
pub(crate) struct Show {
    /// Columns for people, the object of metrics.json, or what Prometheus
    /// scrapes: everything ever counted, whatever the epoch
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    format: Format,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Only series whose name or label values contain this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

impl Show {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let scraped = match self.format {
            Format::Prometheus => Some(Exposition::Prometheus),
            Format::Openmetrics => Some(Exposition::OpenMetrics),
            Format::Table | Format::Json => None,
        };
        if scraped.is_some() && self.filter.is_some() {
            return Err(
                Failure::new("--filter cannot be used with what Prometheus scrapes").hint(
                    "choose series in Prometheus, with metric_relabel_configs or in the query",
                ),
            );
        }
        let store = location::open(cli, ui, "show")?;
        let mut view = store.view()?;
        for skipped in &view.skipped {
            ui.warn(
                "A part of the store was skipped",
                vec![("reason", skipped.clone())],
            );
        }
        if let Some(format) = scraped {
            make_durable(&store, ui);
            ui.print(&format.encode(&view));
            return Ok(Code::Done);
        }
        if let Some(filter) = &self.filter {
            view.series.retain(|series| {
                series.name.contains(filter) || series.labels.values().any(|v| v.contains(filter))
            });
        }
        if self.json || self.format == Format::Json {
            ui.print(&view.to_json());
            return Ok(Code::Done);
        }
        if let Some(filter) = &self.filter
            && view.series.is_empty()
            && !TRANSACTIONS.iter().any(|name| name.contains(filter))
        {
            ui.info("No series matches", vec![("filter", filter.clone())]);
            return Ok(Code::Done);
        }
        let started = jiff::Timestamp::try_from(view.epoch_started).unwrap_or_default();
        ui.line(&format!("epoch {} since {started:.0}\n", view.epoch));
        ui.print(&table(&view, self.filter.as_deref()));
        Ok(Code::Done)
    }
}

/// The series of a view, the four built-in ones first.
fn table(view: &View, filter: Option<&str>) -> String {
    let mut rows = Vec::new();
    for (name, value) in transactions(view) {
        if filter.is_none_or(|filter| name.contains(filter)) {
            rows.push(vec![name.to_owned(), value.to_string(), String::new()]);
        }
    }
    for series in &view.series {
        let labels = labels(series.labels.iter());
        rows.push(vec![series.name.clone(), series.value.to_string(), labels]);
    }
    columns(&["COUNTER", "VALUE", "LABELS"], &[1], rows)
}

/// The four built-in counters with their names.
pub(crate) fn transactions(view: &View) -> [(&'static str, u64); 4] {
    let four = &view.transactions;
    let values = [four.success, four.failed, four.conflicts, four.recoveries];
    std::array::from_fn(|index| (TRANSACTIONS[index], values[index]))
}

/// Labels as people read them: `branch=main job=tests`.
pub(crate) fn labels<'a>(labels: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let pairs: Vec<String> = labels
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    pairs.join(" ")
}

/// A label value, in quotes where it would be hard to tell from its neighbours.
fn quoted(value: &str) -> String {
    let needs_quotes =
        |c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\') || ui::is_obeyed(c);
    if !value.is_empty() && !value.chars().any(needs_quotes) {
        return value.to_owned();
    }
    // In quotes an escape cannot be taken for text that looks like one.
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", ui::printable(&escaped))
}
