//! `deespec show`: the current epoch.

mod table;

use clap::{Args, ValueEnum};
use deespec::exposition::Format as Exposition;
use deespec::{TRANSACTIONS, View};

use crate::args::Cli;
use crate::command::export::make_durable;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::Ui;
use crate::values::is_without_processes;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Prometheus,
    Openmetrics,
}

const AFTER_HELP: &str = "\
Example:
  deespec show --filter jobs_
  deespec show --json | jq .commit_success
  deespec show --format openmetrics

Of a histogram the table has the number of observations, their mean, and
estimates of the quantiles; `deespec doctor` tells between which bounds those
surely are. A gauge is what it is now, whatever the epoch; one that is kept per
process is in the table while some process has a share in it.";

/// Show the counts of the current epoch
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
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
            ui.bytes(&format.encode(&view));
            return Ok(Code::Done);
        }
        if let Some(filter) = &self.filter {
            view.series.retain(|series| {
                series.name.contains(filter) || series.labels.values().any(|v| v.contains(filter))
            });
        }
        if self.json || self.format == Format::Json {
            ui.document(&view.to_json());
            return Ok(Code::Done);
        }
        // A share that went with its process is nothing to look at, and each job ever run would have one.
        view.series
            .retain(|series| !is_without_processes(&series.value));
        if let Some(filter) = &self.filter
            && view.series.is_empty()
            && !TRANSACTIONS.iter().any(|name| name.contains(filter))
        {
            ui.info("No series matches", vec![("filter", filter.clone())]);
            return Ok(Code::Done);
        }
        let started = jiff::Timestamp::try_from(view.epoch_started).unwrap_or_default();
        ui.line(&format!("epoch {} since {started:.0}", view.epoch));
        ui.line("");
        ui.print(&table::render(&view, self.filter.as_deref(), ui.width()));
        Ok(Code::Done)
    }
}

/// The four built-in counters with their names.
pub(crate) fn transactions(view: &View) -> [(&'static str, u64); 4] {
    let four = &view.transactions;
    let values = [four.success, four.failed, four.conflicts, four.recoveries];
    std::array::from_fn(|index| (TRANSACTIONS[index], values[index]))
}
