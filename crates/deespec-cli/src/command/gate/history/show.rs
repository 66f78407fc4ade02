//! `deespec gate history show`: the runs of a history.

use std::collections::BTreeMap;

use clap::Args;
use deespec::gate::{Run, Status};
use jiff::Timestamp;
use serde::Serialize;

use super::super::file::{self, Kept};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::ui::{Ui, columns};
use crate::values;

/// Show the runs of the history, the oldest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec gate history show --metric commit_seconds.p99")]
pub(super) struct Show {
    #[command(flatten)]
    history: Kept,

    /// Show the values of this metric alone
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Shown<'a> {
    runs: Vec<Row<'a>>,
    accepted: Vec<Acceptance<'a>>,
    skipped: &'a [String],
}

#[derive(Serialize)]
struct Row<'a> {
    run: &'a str,
    at: Option<String>,
    branch: &'a str,
    host_class: &'a str,
    status: Status,
    epoch: &'a str,
    values: BTreeMap<&'a str, f64>,
    value: Option<f64>,
}

#[derive(Serialize)]
struct Acceptance<'a> {
    rule: &'a str,
    run: &'a str,
    reason: &'a str,
    at: &'a str,
}

impl Show {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let path = self.history.path(cli)?;
        let history = file::read(&path, ui)?;
        let given = self.metric.as_deref();
        let metric = given.map(|given| file::metric(&history, Some(given), &path));
        let metric = metric.transpose()?;
        let metric = metric.as_deref();
        if self.json.json {
            let chosen = |name: &str| metric.is_none_or(|metric| metric == name);
            let row = |run| row(run, chosen);
            let accepted = history.accepted.iter().map(|one| Acceptance {
                rule: &one.rule,
                run: &one.run,
                reason: &one.reason,
                at: &one.at,
            });
            ui.json(&Shown {
                runs: history.runs.iter().map(row).collect(),
                accepted: accepted.collect(),
                skipped: &history.skipped,
            })?;
            return Ok(Code::Done);
        }
        if history.runs.is_empty() {
            ui.info("There are no runs yet", Vec::new());
            return Ok(Code::Done);
        }
        let rows = history.runs.iter().map(|run| {
            let value = match metric {
                Some(metric) => run.value(metric).map_or("-".to_owned(), values::number),
                None => run.values.len().max(run.value.iter().len()).to_string(),
            };
            vec![
                run.id.clone(),
                at(run).unwrap_or_else(|| "-".to_owned()),
                or_dash(&run.branch),
                or_dash(&run.host_class),
                status(run.status).to_owned(),
                value,
            ]
        });
        let header = [
            "RUN",
            "AT",
            "BRANCH",
            "HOST CLASS",
            "STATUS",
            metric.unwrap_or("VALUES"),
        ];
        ui.print(&columns(&header, &[5], rows.collect()));
        for one in &history.accepted {
            ui.line(&format!(
                "Accepted for {} from run {} on: {}",
                one.rule, one.run, one.reason
            ));
        }
        if let Some(metric) = metric {
            let missing = history
                .runs
                .iter()
                .filter(|run| run.value(metric).is_none());
            match missing.count() {
                0 => {}
                missing => ui.info("Not measured in some", vec![("runs", missing.to_string())]),
            }
        }
        Ok(Code::Done)
    }
}

fn row<'a>(run: &'a Run, chosen: impl Fn(&str) -> bool) -> Row<'a> {
    let values = run.values.iter().filter(|(name, _)| chosen(name));
    Row {
        run: &run.id,
        at: at(run),
        branch: &run.branch,
        host_class: &run.host_class,
        status: run.status,
        epoch: &run.epoch,
        values: values
            .map(|(name, value)| (name.as_str(), *value))
            .collect(),
        value: run.value,
    }
}

fn at(run: &Run) -> Option<String> {
    let at = Timestamp::from_microsecond((run.at? * 1e6).round() as i64).ok()?;
    Some(format!("{at:.0}"))
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "fail",
        Status::Error => "error",
    }
}
