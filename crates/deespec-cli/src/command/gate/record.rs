//! `deespec gate record`: put what a run has measured into the history.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use deespec::gate::{Rules, Run, Status, Term, Thresholds};
use jiff::Timestamp;
use serde::Serialize;

use super::configuration::{Given, InForce};
use super::file::{self, Kept, Named};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location::{self, Why};
use crate::parse;
use crate::ui::{self, Ui, columns, count};
use crate::values;

const AFTER_HELP: &str = "\
Examples:
  deespec gate record --run 4711 --branch main --host-class ci-2cpu
  deespec gate record --run 4711 --set binary_bytes=1048576
  deespec gate record --run 4711 --status fail

It measures what the rules of gate.toml judge, and without such a file the four
built-in counters, in the current epoch of the store. --set adds what was
measured otherwise; without a store there is nothing else.

The line is appended to gate-history.jsonl beside gate.toml, durably and as a
whole, however many jobs do so at once. Recording a run again adds to it.";

/// Record what this run has measured, for the rules that learn
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Record {
    #[command(flatten)]
    named: Named,

    /// How the job ended; rules do not learn from what failed
    #[arg(long, value_enum, default_value = "pass", value_name = "STATUS")]
    status: Ended,

    /// A value that was measured otherwise; may be repeated
    #[arg(long, value_name = "METRIC=VALUE", value_parser = setting)]
    set: Vec<(String, f64)>,

    /// When it was, in RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,

    #[command(flatten)]
    history: Kept,

    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Ended {
    Pass,
    Fail,
    Error,
}

impl From<Ended> for Status {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Pass => Self::Pass,
            Ended::Fail => Self::Fail,
            Ended::Error => Self::Error,
        }
    }
}

#[derive(Serialize)]
struct Recorded<'a> {
    history: String,
    run: &'a str,
    branch: &'a str,
    host_class: &'a str,
    status: Status,
    epoch: &'a str,
    values: &'a BTreeMap<String, f64>,
    not_measured: &'a [&'a str],
}

impl Record {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let id = self.named.id()?.ok_or_else(|| {
            Failure::new("nothing says what the run is called")
                .hint("give what CI calls it, such as --run \"$BUILD_NUMBER\"")
        })?;
        let set = once_each(&self.set)?;
        // Before anything is written: rules that cannot be read measure nothing.
        let (rules, is_file) = match self.given.in_force(cli)? {
            InForce::Rules(rules) => (rules, true),
            // Whatever they say, and switched off too: these are about the built-in counters.
            InForce::Thresholds(_) => (Rules::of_thresholds(&Thresholds::default()), false),
        };
        let path = self.history.path(cli)?;
        // A history that cannot be read must not grow.
        let known = file::parsed_or_empty(&path)?;
        let mut run = Run {
            id,
            at: Some(seconds(self.at.unwrap_or_else(Timestamp::now))),
            status: self.status.into(),
            ..Run::default()
        };
        self.named.complete(&mut run);
        self.measure(&rules, &mut run, cli, ui)?;
        run.values.extend(set);
        let is_same = |one: &&Run| !one.epoch.is_empty() && one.epoch == run.epoch;
        let before = known.runs.iter().rev().find(is_same);
        if let Some(before) = before.filter(|before| before.id != run.id) {
            let message = "The store counts on since another run; `deespec rotate` after each run lets the next one begin anew";
            ui.warn(message, vec![("run", before.id.clone())]);
        }
        let terms = rules.rules.iter().flat_map(|rule| rule.metric.terms());
        let asked: BTreeSet<&str> = terms.map(Term::text).collect();
        let not_measured: Vec<&str> = asked
            .into_iter()
            // Only a file of rules asks for what may not be there.
            .filter(|name| is_file && !run.values.contains_key(*name))
            .collect();
        file::append(&path, &run.to_line())?;
        if self.json.json {
            ui.json(&Recorded {
                history: ui::path(&path),
                run: &run.id,
                branch: &run.branch,
                host_class: &run.host_class,
                status: run.status,
                epoch: &run.epoch,
                values: &run.values,
                not_measured: &not_measured,
            })?;
            return Ok(Code::Done);
        }
        let values = count(run.values.len(), "value");
        ui.line(&format!(
            "Recorded run {} with {values} in {}",
            run.id,
            path.display()
        ));
        let rows = run
            .values
            .iter()
            .map(|(name, value)| vec![name.clone(), values::number(*value)]);
        ui.print(&columns(&["METRIC", "VALUE"], &[1], rows.collect()));
        if !not_measured.is_empty() {
            ui.info(
                "Not measured in this run",
                vec![("metrics", not_measured.join(", "))],
            );
        }
        Ok(Code::Done)
    }

    /// What the store says, where there is one.
    fn measure(&self, rules: &Rules, run: &mut Run, cli: &Cli, ui: &Ui) -> Result<(), Failure> {
        let place = location::place(cli)?;
        if !location::exists(&place.path) {
            let is_named = matches!(place.why, Why::Option | Why::Variable);
            if self.set.is_empty() || is_named {
                let message = format!(
                    "there is no store in {}, so nothing was measured",
                    place.path.display()
                );
                return Err(Failure::new(message)
                    .hint("--store DIR names the store; without any, --set METRIC=VALUE gives what was measured"));
            }
            return Ok(());
        }
        let store = place.open(ui, &location::options("gate record"))?;
        let view = store.view()?;
        // What is recorded must not go back.
        store.flush()?;
        for skipped in &view.skipped {
            ui.warn(
                "The store cannot be read as a whole",
                vec![("reason", skipped.clone())],
            );
        }
        run.epoch = format!("{}/{}", view.store_id, view.epoch);
        run.values = rules.measure(&view);
        Ok(())
    }
}

/// A time in seconds since 1970.
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_microsecond() as f64 / 1e6
}

fn setting(text: &str) -> Result<(String, f64), String> {
    // The last one: labels have some of their own.
    let (metric, value) = text
        .rsplit_once('=')
        .ok_or("give a metric and its value, such as binary_bytes=1048576")?;
    let term = Term::parse(metric)?;
    let value = parse::number(value)?;
    match value.is_finite() {
        true => Ok((term.text().to_owned(), value)),
        false => Err("only a finite number can be recorded".to_owned()),
    }
}

fn once_each(set: &[(String, f64)]) -> Result<BTreeMap<String, f64>, Failure> {
    let mut values = BTreeMap::new();
    for (metric, value) in set {
        if values.insert(metric.clone(), *value).is_some() {
            return Err(Failure::new(format!("--set gives {metric} twice")));
        }
    }
    Ok(values)
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "give a time such as 2026-11-28T10:00:00Z".to_owned())
}
