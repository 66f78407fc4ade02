//! `deespec gate suggest`: rules that fit the history so far.

mod proposal;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Args;
use deespec::gate::Rules;
use serde::Serialize;

use self::proposal::{Proposal, RUNS, Series};
use super::file::{self, Kept};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::ui::{Ui, count, printable};

const AFTER_HELP: &str = "\
Examples:
  deespec gate suggest > .deespec/gate.toml
  deespec gate suggest --history bench.jsonl --metric build_seconds

For each metric with at least 10 runs, of the branch and the kind of machine
that have most of them: a rule that learns what to expect of the next run, and one
that finds a level which has moved; for counts only the first. The least effect
they ask for is the noise of the runs so far, and more where that would have cried
wolf. How often, is found by replaying each rule over the history: alarms which a
shift of the whole series does not explain are false.

The result is a gate.toml. Rules that learn only warn, unless can_fail = true; and
until they have runs enough, also after a level has moved, they pass (no_data).";

/// Propose rules by what the runs so far were
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Suggest {
    #[command(flatten)]
    history: Kept,

    /// Only for this metric
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Suggested<'a> {
    rule: &'a str,
    metric: &'a str,
    kind: &'a str,
    branch: &'a str,
    host_class: &'a str,
    runs: usize,
    median: f64,
    noise_percent: f64,
    shifts: Vec<usize>,
    judged: usize,
    alarms_at_shifts: usize,
    false_alarms: usize,
    false_alarms_per_100: f64,
    /// With 95 % confidence no more than this.
    at_most_per_100: f64,
    toml: &'a str,
}

impl Suggest {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let path = self.history.path(cli)?;
        let history = file::read(&path, ui)?;
        let has_value = history.runs.iter().any(|run| run.value.is_some());
        let given = match &self.metric {
            Some(given) => Some(file::metric(&history, Some(given), &path)?),
            None if has_value => {
                let message = format!(
                    "the runs in {} have values that may be of any metric",
                    path.display()
                );
                return Err(Failure::new(message).hint("say which with --metric NAME"));
            }
            None => None,
        };
        let metrics: Vec<&str> = match &given {
            Some(given) => vec![given],
            None => proposal::metrics(&history.runs).into_iter().collect(),
        };
        let all: Vec<Series<'_>> = metrics
            .iter()
            .filter_map(|metric| Series::of(&history, metric))
            .collect();
        let (enough, few): (Vec<_>, Vec<_>) = all.iter().partition(|series| series.runs() >= RUNS);
        if let (Some(metric), true) = (&given, all.is_empty()) {
            let message = format!(
                "no run in {} that ended well has the metric {metric}",
                path.display()
            );
            return Err(Failure::new(message)
                .hint("`deespec gate history show --json` shows what they have"));
        }
        if enough.is_empty() {
            let most = few
                .iter()
                .map(|series| series.runs())
                .max()
                .unwrap_or_default();
            let message = format!(
                "{} has no metric with {RUNS} runs of one branch and kind of machine that ended well; the most are {most}",
                path.display()
            );
            return Err(Failure::new(message)
                .hint("`deespec gate record` adds runs, `deespec gate history import` those of other tools"));
        }
        let mut taken = BTreeSet::new();
        let found: Vec<(&Series<'_>, Vec<Proposal>)> = enough
            .into_iter()
            .map(|series| (series, series.proposals(&history, &mut taken)))
            .collect();
        if self.json.json {
            let rows = found.iter().flat_map(|(series, proposals)| {
                proposals.iter().map(|proposal| row(series, proposal))
            });
            ui.json(&rows.collect::<Vec<_>>())?;
            return Ok(Code::Done);
        }
        let toml = to_toml(&found);
        // What is printed is what somebody judges by tomorrow.
        Rules::parse(&toml, "the suggested rules".as_ref())
            .map_err(|error| Failure::new(error.to_string()))?;
        ui.bytes(toml.as_bytes());
        for (series, proposals) in &found {
            if proposals.is_empty() {
                // From a history that somebody else has written.
                let metric = series.metric.to_owned();
                ui.warn(
                    "No rule can have a metric of this name",
                    vec![("metric", metric)],
                );
            }
        }
        for series in few {
            let runs = count(series.runs(), "run");
            ui.info(
                "Too few runs for a rule",
                vec![("metric", series.metric.to_owned()), ("runs", runs)],
            );
        }
        Ok(Code::Done)
    }
}

fn row<'a>(series: &Series<'a>, proposal: &'a Proposal) -> Suggested<'a> {
    let (false_alarms_per_100, at_most_per_100) = proposal.per_hundred();
    Suggested {
        rule: &proposal.id,
        metric: series.metric,
        kind: proposal.kind,
        branch: series.branch,
        host_class: series.host_class,
        runs: series.runs(),
        median: series.median(),
        noise_percent: 100.0 * series.noise(),
        shifts: series.shifts(),
        judged: proposal.judged,
        alarms_at_shifts: proposal.explained,
        false_alarms: proposal.unexplained,
        false_alarms_per_100,
        at_most_per_100,
        toml: &proposal.toml,
    }
}

fn to_toml(found: &[(&Series<'_>, Vec<Proposal>)]) -> String {
    let mut toml = "schema = \"deespec.gate/1\"\n".to_owned();
    for (series, proposals) in found.iter().filter(|(_, proposals)| !proposals.is_empty()) {
        let of: Vec<&str> = [series.branch, series.host_class]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        let of = match of.is_empty() {
            true => String::new(),
            false => format!(" of {}", of.join(" on ")),
        };
        let noise = 100.0 * series.noise();
        let shifts = match series.shifts().len() {
            0 => "no shift".to_owned(),
            shifts => count(shifts, "shift"),
        };
        let runs = count(series.runs(), "run");
        let metric = printable(series.metric);
        let _ = write!(
            toml,
            "\n# {metric}: {runs}{}, noise {noise:.1} %, {shifts}.\n",
            printable(&of)
        );
        for proposal in proposals {
            let (per_hundred, at_most) = proposal.per_hundred();
            let _ = writeln!(
                toml,
                "# Expected false alarms: {per_hundred:.1} in 100 runs ({} in {}; with 95 % confidence at most {at_most:.1}).",
                proposal.unexplained,
                count(proposal.judged, "judged run"),
            );
            if proposal.explained > 0 {
                let _ = writeln!(
                    toml,
                    "# At the shifts it warns: {}.",
                    count(proposal.explained, "run")
                );
            }
            toml += &proposal.toml;
            toml.push('\n');
        }
        toml.truncate(toml.trim_end().len());
        toml.push('\n');
    }
    toml
}
