//! What the demo says at its end: the counts beside Git's own, and the doctor's report.

use std::path::Path;

use deespec::gate::Thresholds;
use serde::Serialize;

use crate::command::doctor::{Examination, Judged, Report};
use crate::exit::Failure;
use crate::location;
use crate::ui::{self, columns, count, printable};

use super::race::Outcome;
use super::{Demo, io};

/// The result as scripts read it.
#[derive(Serialize)]
struct Json {
    processes: u32,
    commits_in_git: u64,
    commit_success: u64,
    commit_failed: u64,
    cas_conflicts: u64,
    recovery_count: u64,
    epochs: usize,
    killed: u32,
    uncounted: u64,
    exact: bool,
    seconds: f64,
    kept_in: Option<String>,
}

/// The summary as text, or as JSON where that is wanted.
pub(super) fn render(demo: &Demo, outcome: &Outcome, folder: &Path) -> Result<String, Failure> {
    let total = outcome.total();
    let uncounted = outcome.commits_in_git.saturating_sub(total.success);
    if demo.json.json {
        let json = Json {
            processes: demo.processes,
            commits_in_git: outcome.commits_in_git,
            commit_success: total.success,
            commit_failed: total.failed,
            cas_conflicts: total.conflicts,
            recovery_count: total.recoveries,
            epochs: outcome.epochs.len(),
            killed: outcome.killed,
            uncounted,
            exact: outcome.is_exact(),
            seconds: (outcome.seconds * 1000.0).round() / 1000.0,
            kept_in: demo.keep.as_ref().map(|_| ui::path(folder)),
        };
        return ui::pretty(&json);
    }
    let s = if demo.processes == 1 { "" } else { "es" };
    let mut text = format!(
        "{} process{s} raced {} onto one branch in {:.1} s; {} killed.\n\n",
        demo.processes,
        count(
            usize::try_from(outcome.commits_in_git).unwrap_or(usize::MAX),
            "commit"
        ),
        outcome.seconds,
        outcome.killed
    );
    let row = |name: String, counts: &deespec::TransactionCounts| {
        let four = [
            counts.success,
            counts.failed,
            counts.conflicts,
            counts.recoveries,
        ];
        std::iter::once(name)
            .chain(four.map(|count| count.to_string()))
            .collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = outcome
        .epochs
        .iter()
        .enumerate()
        .map(|(index, counts)| row(format!("epoch {}", index + 1), counts))
        .collect();
    rows.push(row("sum".to_owned(), &total));
    rows.push(vec![
        "git rev-list --count".to_owned(),
        outcome.commits_in_git.to_string(),
    ]);
    let header = ["", "SUCCESS", "FAILED", "CONFLICTS", "RECOVERIES"];
    text.push_str(&columns(&header, &[1, 2, 3, 4], rows));
    text.push_str(&format!("\n{}\n\n", verdict(outcome, uncounted)));

    let thresholds = folder.join(location::FOLDER).join("thresholds.json");
    let limits = std::fs::read_to_string(&thresholds).map_err(io("read", &thresholds))?;
    // A path in a folder that is about to go would be of no use.
    let shown = |path: &Path| match &demo.keep {
        Some(_) => path.to_owned(),
        None => path.strip_prefix(folder).unwrap_or(path).to_owned(),
    };
    let thresholds = Thresholds::parse(&limits, &shown(&thresholds))
        .map_err(|error| Failure::new(error.to_string()))?;
    let examined = Examination::of(&outcome.store)?;
    let judgement = thresholds.judge(&examined.view.transactions, &examined.problems);
    let report = Report {
        examined: &examined,
        path: ui::path(&shown(outcome.store.path())),
        judged: Some(&Judged::Thresholds(judgement)),
        width: None,
    };
    text.push_str("The doctor on the current epoch:\n\n");
    text.push_str(&report.to_text());
    text.push_str(&match &demo.keep {
        Some(_) => format!(
            "\nKept in {}. Look at it: deespec --store {} show\n",
            printable(&ui::path(folder)),
            printable(&ui::path(outcome.store.path()))
        ),
        None => "\nThe demo's folder is removed; `--keep DIR` keeps it.\n".to_owned(),
    });
    Ok(text)
}

fn verdict(outcome: &Outcome, uncounted: u64) -> String {
    match (outcome.is_exact(), outcome.killed, uncounted) {
        (true, _, 0) => "EXACT: every commit in Git was counted once.".to_owned(),
        (true, killed, _) => format!(
            "EXACT: every commit that was counted is in Git. In Git but not counted: {uncounted} (of \
             {killed} killed).\nThere the kill struck after Git took the commit and before the \
             count, so that process never\nsaid that it was counted."
        ),
        (false, ..) => format!(
            "NOT EXACT: {} counted, {} in Git. This is a defect: please report it.",
            outcome.total().success,
            outcome.commits_in_git
        ),
    }
}
