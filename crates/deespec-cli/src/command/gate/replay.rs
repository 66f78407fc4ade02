//! `deespec gate replay`: what the rules would have said of the runs of a history.

use std::collections::BTreeSet;

use clap::Args;
use deespec::gate::{History, Outcome, Replayed, Rules, Term};

use super::configuration::{Given, InForce};
use super::file::{self, Kept};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::ui::{Ui, columns, count};

const AFTER_HELP: &str = "\
Examples:
  deespec gate replay
  deespec gate replay --rules gate.toml --history bench.jsonl --last 100
  deespec gate replay --history bench.jsonl --metric build_seconds --json

Each run is judged with what was known up to it and nothing later. Where a line
of the history has one value, {\"run\": 7, \"value\": 1.5}, it is that of --metric,
and the rules for that metric judge it; without --metric, all that learn do.

ALARMS counts runs that a rule warned of or failed, PER 100 of the runs that it
judged. One incident may be several runs. With --json a line for each run:
{\"run\", \"verdict\", \"rules\": [{\"id\", \"verdict\", \"change_index\"}]}, where the
index counts runs from 0 and is null where there is no incident.";

/// Try the rules on runs of the past
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Replay {
    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    history: Kept,

    /// Only the rules for this metric
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,

    /// Show only the newest N runs
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    last: Option<usize>,

    #[command(flatten)]
    json: Json,
}

impl Replay {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let rules = match self.given.in_force(cli)? {
            InForce::Rules(rules) => rules,
            InForce::Thresholds(thresholds) => Rules::of_thresholds(&thresholds),
        };
        let path = self.history.path(cli)?;
        let history = file::read(&path, ui)?;
        let metric = match &self.metric {
            Some(metric) => Some(Term::parse(metric).map_err(|error| {
                Failure::new(format!("--metric names no metric: {error}"))
                    .hint("write it as the rule does, such as build_seconds.p99")
            })?),
            None => None,
        };
        // A value without a name is that of one metric; whole records are judged by all rules.
        let has_value = history.runs.iter().any(|run| run.value.is_some());
        let rules = match (&metric, has_value) {
            (None, false) => rules,
            (metric, _) => rules.concerning(metric.as_ref().map(Term::text)),
        };
        if rules.rules.is_empty() {
            return Err(self.nothing());
        }
        let mut replayed = rules.replay(&history);
        if let Some(last) = self.last {
            replayed.drain(..replayed.len().saturating_sub(last));
        }
        if self.json.json {
            for run in &replayed {
                ui.json_line(run)?;
            }
            return Ok(Code::Done);
        }
        ui.print(&summary(&rules, &replayed));
        self.missing(&rules, &history, ui);
        let alarms = alarms(&replayed);
        if !alarms.is_empty() {
            ui.print("\n");
            ui.print(&columns(
                &["RUN", "RULE", "VERDICT", "SINCE"],
                &[],
                alarms
                    .into_iter()
                    .map(|(run, rule, verdict, change)| {
                        let since = change.and_then(|place| history.runs.get(place));
                        vec![
                            run,
                            rule,
                            verdict,
                            since.map_or(String::new(), |run| run.id.clone()),
                        ]
                    })
                    .collect(),
            ));
        }
        Ok(Code::Done)
    }

    /// Says which metrics no run has: a rule that never judged looks like one that never alarmed.
    fn missing(&self, rules: &Rules, history: &History, ui: &Ui) {
        if history.runs.is_empty() {
            ui.info("There are no runs yet", Vec::new());
            return;
        }
        let terms = rules.rules.iter().flat_map(|rule| rule.metric.terms());
        let missing: BTreeSet<&str> = terms
            .map(Term::text)
            .filter(|name| !history.runs.iter().any(|run| run.value(name).is_some()))
            .collect();
        if !missing.is_empty() {
            let names = missing.into_iter().collect::<Vec<_>>().join(", ");
            ui.info(
                "Measured in no run of the history",
                vec![("metrics", names)],
            );
        }
    }

    fn nothing(&self) -> Failure {
        match &self.metric {
            Some(metric) => Failure::new(format!("no rule is for the metric {metric}"))
                .hint("`deespec gate rules` shows the rules with their metrics"),
            None => Failure::new("no rule learns from runs")
                .hint("add a rule of kind adaptive, shift or trend, or name the metric of another with --metric"),
        }
    }
}

/// How often each rule would have alarmed.
fn summary(rules: &Rules, replayed: &[Replayed]) -> String {
    let row = |(index, rule): (usize, &deespec::gate::Rule)| {
        let verdicts = || {
            replayed
                .iter()
                .filter_map(|run| run.rules.get(index))
                .map(|rule| rule.verdict)
        };
        let judged = verdicts()
            .filter(|verdict| *verdict != Outcome::NoData)
            .count();
        let of = |wanted| verdicts().filter(|verdict| *verdict == wanted).count();
        let alarms = of(Outcome::Warn) + of(Outcome::Fail);
        let rate = match judged {
            0 => "-".to_owned(),
            judged => rate(100.0 * alarms as f64 / judged as f64),
        };
        vec![
            rule.id.clone(),
            rule.kind.name().to_owned(),
            judged.to_string(),
            of(Outcome::Warn).to_string(),
            of(Outcome::Fail).to_string(),
            rate,
        ]
    };
    let rows = rules.rules.iter().enumerate().map(row).collect();
    let header = ["RULE", "KIND", "JUDGED", "WARN", "FAIL", "ALARMS PER 100"];
    let table = columns(&header, &[2, 3, 4, 5], rows);
    format!("{} of the history\n\n{table}", count(replayed.len(), "run"))
}

/// A few alarms of many runs are not none.
fn rate(rate: f64) -> String {
    match rate {
        few if few > 0.0 && few < 1.0 => format!("{few:.2}"),
        rate => format!("{rate:.1}"),
    }
}

/// Each run with a rule that would have alarmed.
fn alarms(replayed: &[Replayed]) -> Vec<(String, String, String, Option<usize>)> {
    let of_run = |run: &Replayed| {
        let name = run.run.to_string();
        let alarms = run
            .rules
            .iter()
            .filter(|rule| matches!(rule.verdict, Outcome::Warn | Outcome::Fail));
        alarms
            .map(|rule| {
                (
                    name.clone(),
                    rule.id.clone(),
                    rule.verdict.to_string(),
                    rule.change_index,
                )
            })
            .collect::<Vec<_>>()
    };
    replayed.iter().flat_map(of_run).collect()
}
