//! What the demo says at its end: the counts beside Git's own, and the doctor's report.

use std::path::Path;

use deespec::gate::Thresholds;
use serde_json::json;

use crate::command::doctor::{Examination, Report};
use crate::exit::Failure;
use crate::location;
use crate::ui::{Ui, columns};

use super::race::Outcome;
use super::{Demo, io};

pub(super) fn print(demo: &Demo, outcome: &Outcome, folder: &Path, ui: &Ui) -> Result<(), Failure> {
    let total = outcome.total();
    let uncounted = outcome.commits_in_git.saturating_sub(total.success);
    if demo.json {
        return ui.json(&json!({
            "processes": demo.processes,
            "commits_in_git": outcome.commits_in_git,
            "commit_success": total.success,
            "commit_failed": total.failed,
            "cas_conflicts": total.conflicts,
            "recovery_count": total.recoveries,
            "epochs": outcome.epochs.len(),
            "killed": outcome.killed,
            "uncounted": uncounted,
            "exact": outcome.is_exact(),
            "seconds": (outcome.seconds * 1000.0).round() / 1000.0,
            "kept_in": demo.keep.as_ref().map(|_| folder),
        }));
    }
    ui.line(&format!(
        "{} processes raced {} commits onto one branch in {:.1} s; {} were killed.\n",
        demo.processes, outcome.commits_in_git, outcome.seconds, outcome.killed
    ));
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
    ui.print(&columns(&header, &[1, 2, 3, 4], rows));
    ui.line(&format!("\n{}\n", verdict(outcome, uncounted)));

    let thresholds = folder.join(location::FOLDER).join("thresholds.json");
    let text = std::fs::read_to_string(&thresholds).map_err(io("read", &thresholds))?;
    let thresholds =
        Thresholds::parse(&text, &thresholds).map_err(|error| Failure::new(error.to_string()))?;
    let examined = Examination::of(&outcome.store)?;
    let judgement = thresholds.judge(&examined.view.transactions, &examined.problems);
    let report = Report {
        examined: &examined,
        path: outcome.store.path(),
        judgement: Some(&judgement),
    };
    ui.line("The doctor on the current epoch:\n");
    ui.print(&report.to_text());
    if demo.keep.is_some() {
        let store = outcome.store.path().display();
        ui.line(&format!(
            "\nKept in {}. Look at it: deespec --store {store} show",
            folder.display()
        ));
    }
    Ok(())
}

fn verdict(outcome: &Outcome, uncounted: u64) -> String {
    match (outcome.is_exact(), outcome.killed, uncounted) {
        (true, _, 0) => "EXACT: every commit in Git was counted once.".to_owned(),
        (true, killed, _) => format!(
            "EXACT: every commit that was counted is in Git. {uncounted} commit(s) of {killed} killed \
             process(es) are in Git but not counted:\nthe kill struck after Git took the commit and \
             before the count, so that process never said that it was counted."
        ),
        (false, ..) => format!(
            "NOT EXACT: {} counted, {} in Git. This is a defect: please report it.",
            outcome.total().success,
            outcome.commits_in_git
        ),
    }
}
