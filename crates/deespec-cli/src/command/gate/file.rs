//! Where the history of runs lies, and reading it.

use std::collections::BTreeSet;
use std::path::Path;

use deespec::gate::{History, Term};

use crate::exit::Failure;
use crate::files;
use crate::ui::Ui;

/// More is no history: a million runs of many metrics.
pub(super) const BYTES: u64 = 256 << 20;

/// Reads a history. What was passed over is warned of.
pub(super) fn read(path: &Path, ui: &Ui) -> Result<History, Failure> {
    let history =
        History::parse(&text(path)?, path).map_err(|error| Failure::new(error.to_string()))?;
    for skipped in &history.skipped {
        ui.warn(skipped, Vec::new());
    }
    Ok(history)
}

/// The text of a history.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let text = files::read(path, BYTES).map_err(|error| {
        Failure::new(format!(
            "cannot read the history in {}: {error}",
            path.display()
        ))
        .hint("--history must name a file with a line of JSON for each run")
    })?;
    if text.len() as u64 > BYTES {
        return Err(Failure::new(format!(
            "{}: more than {} MiB are no history",
            path.display(),
            BYTES >> 20
        )));
    }
    Ok(text)
}

/// The metric that is meant, as runs name it: the one that was given, or the only one there is.
pub(super) fn metric(
    history: &History,
    given: Option<&str>,
    path: &Path,
) -> Result<String, Failure> {
    if let Some(given) = given {
        let term = Term::parse(given)
            .map_err(|error| Failure::new(format!("--metric names no metric: {error}")))?;
        return Ok(term.to_string());
    }
    let names: BTreeSet<&str> = history
        .runs
        .iter()
        .flat_map(|run| run.values.keys())
        .map(String::as_str)
        .collect();
    let has_value = history.runs.iter().any(|run| run.value.is_some());
    match (has_value, names.first(), names.len()) {
        (false, Some(name), 1) => Ok((*name).to_owned()),
        (false, Some(_), _) => {
            let names: Vec<&str> = names.iter().copied().take(10).collect();
            Err(Failure::new(format!(
                "the runs in {} have several metrics",
                path.display()
            ))
            .hint(format!(
                "name one with --metric, such as {}",
                names.join(", ")
            )))
        }
        _ => Ok(String::new()),
    }
}
