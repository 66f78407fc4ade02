//! `deespec gate shifts`: where a metric has changed its level.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use deespec::gate::Run;
use deespec::gate::statistics::changes::{Change, Limits, changes};
use serde::Serialize;

use super::file;
use crate::args::Json;
use crate::exit::{Code, Failure};
use crate::ui::{Ui, columns};

const AFTER_HELP: &str = "\
Examples:
  deespec gate shifts --history bench.jsonl
  deespec gate shifts --history bench.jsonl --p 1e-6 --by 10 --json

A line of the file is a run: {\"run\": 7, \"value\": 1.5}, the oldest first, or
what `deespec gate record` writes; then --metric names the metric. A value that
is null was not measured. Runs are counted from 0.

A shift is where the level before and the level after differ by more than chance
explains, in either direction. One run that is far off is none, nor is a value
that wanders. P is how likely as much is by chance.";

/// Find where the level of a metric has shifted
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Shifts {
    /// The file with the runs
    #[arg(long, value_name = "FILE")]
    history: PathBuf,

    /// The metric, where the runs have several
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,

    /// The largest probability that a shift is chance
    #[arg(long, value_name = "P", default_value_t = 0.001, value_parser = probability, allow_negative_numbers = true)]
    p: f64,

    /// The smallest shift, in percent of the level before
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent, allow_negative_numbers = true)]
    by: f64,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Found {
    changes: Vec<Change>,
}

impl Shifts {
    pub(super) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        let history = file::read(&self.history, ui)?;
        let metric = file::metric(&history, self.metric.as_deref(), &self.history)?;
        let measured = |(place, run): (usize, &Run)| Some((place, run.value(&metric)?));
        let (places, values): (Vec<usize>, Vec<f64>) =
            history.runs.iter().enumerate().filter_map(measured).unzip();
        let limits = Limits {
            p: self.p,
            by: self.by / 100.0,
            ..Limits::default()
        };
        let kinds: BTreeSet<(&str, &str)> = places
            .iter()
            .map(|place| &history.runs[*place])
            .map(|run| (run.branch.as_str(), run.host_class.as_str()))
            .collect();
        if kinds.len() > 1 {
            let message = "The runs are of several branches or kinds of machine, and were taken as one series";
            let or_dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
            let kinds = kinds
                .iter()
                .map(|(branch, class)| format!("{} on {}", or_dash(branch), or_dash(class)));
            ui.warn(
                message,
                vec![("of", kinds.take(5).collect::<Vec<_>>().join(", "))],
            );
        }
        let found = changes(&values, &limits);
        if self.json.json {
            let place = |change: Change| Change {
                index: places[change.index],
                ..change
            };
            let changes = found.into_iter().map(place).collect();
            ui.json(&Found { changes })?;
            return Ok(Code::Done);
        }
        let looked = match history.runs.len() - values.len() {
            0 => values.len().to_string(),
            missing => format!("{}, {missing} not measured", values.len()),
        };
        if found.is_empty() {
            ui.info("No shift was found", vec![("runs", looked)]);
            return Ok(Code::Done);
        }
        let row = |change: &Change| {
            vec![
                places[change.index].to_string(),
                history.runs[places[change.index]].id.clone(),
                few(change.before),
                few(change.after),
                moved(change),
                format!("{:.1e}", change.p),
            ]
        };
        let header = ["INDEX", "RUN", "BEFORE", "AFTER", "CHANGE", "P"];
        ui.print(&columns(
            &header,
            &[0, 2, 3, 4, 5],
            found.iter().map(row).collect(),
        ));
        Ok(Code::Done)
    }
}

/// Four digits that matter.
fn few(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        size => (3 - size.log10().floor() as i32).clamp(0, 12) as usize,
    };
    format!("{value:.digits$}")
}

fn moved(change: &Change) -> String {
    match change.before {
        0.0 => String::new(),
        before => format!("{:+.1}%", 100.0 * (change.after - before) / before.abs()),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|p| *p > 0.0 && *p < 1.0);
    number.ok_or_else(|| "it must be between 0 and 1, such as 0.001".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse().ok();
    let number = number.filter(|percent: &f64| percent.is_finite() && *percent >= 0.0);
    number.ok_or_else(|| "it must be a percentage, such as 5".to_owned())
}
