//! The verdict of the rules on a store as it is now: what `deespec doctor`, `deespec serve` and `deespec gate explain`
//! have in common.

use std::path::{Path, PathBuf};

use clap::Args;
use deespec::gate::{History, Report, Rules, Run};
use deespec::{Store, View};
use jiff::Timestamp;

use super::file::{self, Named};
use super::record::seconds;
use super::snapshots;
use crate::exit::Failure;

/// What a command says of the run that is judged.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Present {
    #[command(flatten)]
    named: Named,

    /// The runs before this one [default: gate-history.jsonl beside gate.toml,
    /// else the epochs that were closed]
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// What the rules say of the store now.
///
/// The runs before are those of the history, else the closed epochs of the store. `problems` are what makes the
/// counts incomplete; the report has them, and those of reading the past.
pub(crate) fn judge(
    rules: &Rules,
    store: &Store,
    view: &View,
    present: &Present,
    problems: &[String],
) -> Result<Report, Failure> {
    let run = Run {
        epoch: format!("{}/{}", view.store_id, view.epoch),
        values: rules.measure(view),
        ..present.run()?
    };
    let history = past(rules, store, present.history.as_deref(), &run)?;
    Ok(report(rules, run, history, problems))
}

/// What the rules say where there is no store in `path`: each of them has no data.
pub(crate) fn without_store(
    rules: &Rules,
    path: &Path,
    present: &Present,
) -> Result<Report, Failure> {
    let history = recorded(path, present.history.as_deref())?;
    Ok(report(rules, present.run()?, history, &[]))
}

impl Present {
    /// The run that is judged, before anything is measured.
    fn run(&self) -> Result<Run, Failure> {
        let mut run = Run {
            id: self.named.id()?.unwrap_or_default(),
            ..Run::default()
        };
        self.named.complete(&mut run);
        Ok(run)
    }
}

fn report(rules: &Rules, mut run: Run, history: History, problems: &[String]) -> Report {
    // Behind all that was read: what is later than now is left out.
    let now = Timestamp::now();
    run.at = Some(seconds(now));
    let today = now.strftime("%Y-%m-%d").to_string();
    let mut report = rules.judge(&history, &run, &today);
    report.checked_at = Some(format!("{now:.0}"));
    report.problems.extend(problems.iter().cloned());
    report.problems.extend(history.skipped);
    report.verdict = rules.verdict(&report);
    report
}

/// The runs of the history that was given, else of the one beside the rules.
fn recorded(store: &Path, given: Option<&Path>) -> Result<History, Failure> {
    match given {
        Some(path) => file::parsed(path),
        None => file::parsed_or_empty(&file::beside(store)),
    }
}

/// The runs before this one.
fn past(
    rules: &Rules,
    store: &Store,
    given: Option<&Path>,
    present: &Run,
) -> Result<History, Failure> {
    let has_budget = rules.longest_budget().is_some();
    let learns = rules.rules.iter().any(|rule| rule.kind.is_learned());
    let mut history = recorded(store.path(), given)?;
    // Without a recorded run, the epochs of the store itself are what there is.
    let is_recorded = given.is_some() || !history.runs.is_empty();
    if has_budget || (learns && !is_recorded) {
        let mut own = snapshots::of_store(store, rules)?;
        history.increments = own.increments;
        history.skipped.append(&mut own.skipped);
        if !is_recorded {
            history.runs = own.runs;
            // They are of this store, so of this branch and this machine.
            for run in &mut history.runs {
                run.branch.clone_from(&present.branch);
                run.host_class.clone_from(&present.host_class);
            }
        }
    }
    Ok(history)
}
