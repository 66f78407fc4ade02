//! `deespec gate history import`: what other tools have measured becomes runs, once.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use clap::Args;
use deespec::gate::{Run, Term};
use serde::Serialize;

use super::super::file::{self, Kept, Named};
use super::formats::{self, Format, Found};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::ui::{self, Ui, count};

const AFTER_HELP: &str = "\
Examples:
  deespec gate history import results.csv --branch main
  hyperfine --export-json hyperfine.json make && deespec gate history import \\
    hyperfine.json --run \"$BUILD_NUMBER\"
  deespec gate history import target/criterion --run 4711

A CSV file has a column `run`, perhaps at, branch, host_class and status, and
one for each metric; or the columns run, metric and value. JSON lines are those of a
history. The others are one run each: Google Benchmark's JSON, the folder
target/criterion or one estimates.json of it or the messages of cargo-criterion,
and hyperfine's JSON. Of several measurements the median counts, in seconds.

Importing the same file again adds nothing.";

/// Add runs from what other tools have written
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Import {
    /// The file, or the folder target/criterion
    file: PathBuf,

    /// What wrote it [default: by its content]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// Import this metric alone; may be repeated. Of lines {"run": 7, "value": 1.5}
    /// the metric that they are of
    #[arg(long, value_name = "NAME", value_parser = metric)]
    metric: Vec<String>,

    #[command(flatten)]
    named: Named,

    #[command(flatten)]
    history: Kept,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Imported {
    history: String,
    format: &'static str,
    runs: usize,
    values: usize,
    known_before: usize,
    passed_over: Vec<String>,
}

impl Import {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let (format, found) = formats::read(&self.file, self.format)?;
        let Found {
            runs,
            accepted,
            passed_over,
        } = found;
        let runs = self.chosen(self.complete(format, runs)?)?;
        let path = self.history.path(cli)?;
        let before = file::read_or_empty(&path, ui)?;
        let mut known: HashMap<[&str; 3], &Run> = HashMap::new();
        for run in &before.runs {
            known.insert([&run.id, &run.branch, &run.host_class], run);
        }
        let mut lines = String::new();
        let mut values = 0;
        let mut added = 0;
        for run in &runs {
            let earlier = known.get(&[&*run.id, &*run.branch, &*run.host_class]);
            let is_new = |(name, value): &(&String, &f64)| {
                earlier.is_none_or(|earlier| earlier.values.get(*name) != Some(*value))
            };
            let new = run.values.iter().filter(is_new).count();
            let same_end = earlier.is_none_or(|earlier| earlier.status == run.status);
            if earlier.is_none() || new > 0 || !same_end {
                lines += &run.to_line();
                values += new;
                added += 1;
            }
        }
        let new = accepted.iter().filter(|one| !before.accepted.contains(one));
        lines.extend(new.map(|accepted| accepted.to_line()));
        if !lines.is_empty() {
            file::append(&path, &lines)?;
        }
        let known_before = runs.len() - added;
        if self.json.json {
            ui.json(&Imported {
                history: ui::path(&path),
                format: format.name(),
                runs: added,
                values,
                known_before,
                passed_over,
            })?;
            return Ok(Code::Done);
        }
        for passed_over in passed_over {
            ui.warn("Passed over", vec![("reason", passed_over)]);
        }
        let known = match known_before {
            0 => String::new(),
            known => format!("; {} known before", count(known, "run")),
        };
        ui.line(&format!(
            "Added {} with {} to {}{known}",
            count(added, "run"),
            count(values, "value"),
            path.display()
        ));
        Ok(Code::Done)
    }

    /// Gives each run its name, its branch and its kind of machine.
    fn complete(&self, format: Format, mut runs: Vec<Run>) -> Result<Vec<Run>, Failure> {
        if format.has_names() {
            if self.named.run.is_some() {
                let message = format!("the runs of {} have names of their own", format.name());
                return Err(Failure::new(message).hint("leave --run out"));
            }
        } else {
            let id = self.named.id()?;
            for run in &mut runs {
                if let Some(id) = &id {
                    run.id.clone_from(id);
                }
            }
            if runs.iter().any(|run| run.id.is_empty()) {
                let message = format!("{} does not say which run it is", self.file.display());
                return Err(Failure::new(message)
                    .hint("give what CI calls it, such as --run \"$BUILD_NUMBER\""));
            }
        }
        runs.iter_mut().for_each(|run| self.named.complete(run));
        Ok(runs)
    }

    /// Leaves the metrics that are wanted, and gives bare values their metric.
    fn chosen(&self, mut runs: Vec<Run>) -> Result<Vec<Run>, Failure> {
        for run in &mut runs {
            if let Some(value) = run.value.take() {
                let [metric] = self.metric.as_slice() else {
                    let message = format!(
                        "the lines of {} do not say of which metric their values are",
                        self.file.display()
                    );
                    return Err(Failure::new(message).hint("name it with --metric NAME"));
                };
                run.values.insert(metric.clone(), value);
            }
        }
        if self.metric.is_empty() {
            return Ok(runs);
        }
        let all: BTreeMap<String, ()> = runs
            .iter()
            .flat_map(|run| run.values.keys().cloned())
            .map(|name| (name, ()))
            .collect();
        if let Some(missing) = self.metric.iter().find(|name| !all.contains_key(*name)) {
            let names: Vec<&str> = all.keys().map(String::as_str).take(10).collect();
            let message = format!("{} has no metric {missing}", self.file.display());
            return Err(Failure::new(message).hint(format!("it has {}", names.join(", "))));
        }
        for run in &mut runs {
            run.values.retain(|name, _| self.metric.contains(name));
        }
        Ok(runs)
    }
}

fn metric(text: &str) -> Result<String, String> {
    Ok(Term::parse(text)?.text().to_owned())
}
