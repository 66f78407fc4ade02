//! The snapshots of a store as a history: each epoch that was closed is a run, and what counters grew by from one
//! snapshot to the next is what error budgets are judged by.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use deespec::gate::{History, Kind, Rules, Run};
use deespec::{Document, DocumentKind, HistoryQuery, SnapshotName, Store, View};

use crate::exit::{Failure, chain};

/// Each of these is read; a store may have a hundred thousand.
const MOST: usize = 2000;

/// What the rules look at of a document.
struct Measured {
    at: SystemTime,
    epoch: Option<u64>,
    began: Option<SystemTime>,
    values: BTreeMap<String, f64>,
}

/// The newest closed epochs as runs, twice as many as rules look at, and the increments of the counters of error
/// budgets, as far back as the longest of their windows.
///
/// What this cannot have: the branch and the kind of machine, which are empty; how the job ended, which counts as
/// pass; quantiles over several epochs, since each run is one epoch; and that what a restore has put back was counted
/// before: it is an increment like others.
pub(crate) fn of_store(store: &Store, rules: &Rules) -> Result<History, Failure> {
    let view = store.view()?;
    let found = store.history(&HistoryQuery::new().points(usize::MAX))?;
    let closing: Vec<SnapshotName> = found
        .points
        .iter()
        .filter(|point| point.kind == DocumentKind::Rotation)
        .map(|point| point.name)
        .collect();
    let closing = newest(&closing, 2 * rules.policy.history.window);
    let mut history = History::default();
    let since = rules
        .longest_budget()
        .map(|window| view.last_update - window);
    let between: Vec<SnapshotName> = match since {
        None => Vec::new(),
        Some(since) => {
            // One more, from which the first one grew.
            let first = found.points.iter().position(|point| point.at >= since);
            let first = first.unwrap_or(found.points.len());
            let points = &found.points[first.saturating_sub(1)..];
            points.iter().map(|point| point.name).collect()
        }
    };
    if between.len() > MOST {
        history.skipped.push(format!(
            "error budgets look at the newest {MOST} of {} snapshots",
            between.len()
        ));
    }
    let between = newest(&between, MOST);
    let names: BTreeSet<SnapshotName> = closing.iter().chain(between).copied().collect();
    let mut measured: BTreeMap<SnapshotName, Measured> = BTreeMap::new();
    for name in names {
        // It may have been removed meanwhile, or be damaged: the others count all the same.
        match Document::read(&store.snapshot_path(name)) {
            Ok(document) => drop(measured.insert(name, of_document(&document, name, rules))),
            Err(error) => history.skipped.push(chain(&error)),
        }
    }
    history.runs = closing
        .iter()
        .filter_map(|name| Some(run(measured.get(name)?, store)))
        .collect();
    if let Some(since) = since {
        let budgets = budgets(rules);
        let mut points: Vec<&Measured> = between
            .iter()
            .filter_map(|name| measured.get(name))
            .collect();
        let now = of_view(&view, rules);
        points.push(&now);
        history.increments = increments(&points, &budgets, since);
    }
    Ok(history)
}

fn newest(names: &[SnapshotName], most: usize) -> &[SnapshotName] {
    &names[names.len().saturating_sub(most)..]
}

fn of_document(document: &Document, name: SnapshotName, rules: &Rules) -> Measured {
    let began = document.epoch_started.as_deref();
    let began = began.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let began = began.and_then(|began| u64::try_from(began.as_nanosecond()).ok());
    Measured {
        at: name.taken_at(),
        epoch: document.epoch,
        began: began.map(|began| SystemTime::UNIX_EPOCH + Duration::from_nanos(began)),
        values: rules.measure_document(document),
    }
}

fn of_view(view: &View, rules: &Rules) -> Measured {
    Measured {
        at: view.last_update,
        epoch: Some(view.epoch),
        began: Some(view.epoch_started),
        values: rules.measure(view),
    }
}

fn run(measured: &Measured, store: &Store) -> Run {
    let (id, epoch) = match measured.epoch {
        Some(epoch) => (format!("epoch-{epoch}"), format!("{}/{epoch}", store.id())),
        // A document of the legacy form, put there by hand.
        None => ("snapshot".to_owned(), String::new()),
    };
    Run {
        id,
        at: Some(seconds(measured.at)),
        epoch,
        values: measured.values.clone(),
        ..Run::default()
    }
}

fn seconds(at: SystemTime) -> f64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// The counters of all error budgets, by their text.
fn budgets(rules: &Rules) -> BTreeSet<String> {
    let budgets = rules
        .rules
        .iter()
        .filter(|rule| matches!(rule.kind, Kind::Burn(_)));
    let terms = budgets.flat_map(|rule| rule.metric.terms());
    terms.map(|term| term.text().to_owned()).collect()
}

/// What these counters grew by from each point to the next. In another epoch they began at 0; and so they did
/// within one where they went down, as by a restore.
fn increments(points: &[&Measured], counters: &BTreeSet<String>, since: SystemTime) -> Vec<Run> {
    let mut found = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| points.get(index));
        // What the first one counted before the window is not known to be in it.
        if point.at < since || before.is_none() && point.began.is_none_or(|began| began < since) {
            continue;
        }
        let before = before.filter(|before| before.epoch == point.epoch);
        let grown = |name: &String| {
            let value = *point.values.get(name)?;
            let earlier = before.and_then(|before| before.values.get(name).copied());
            let earlier = earlier.filter(|earlier| *earlier <= value);
            Some((name.clone(), value - earlier.unwrap_or_default()))
        };
        found.push(Run {
            at: Some(seconds(point.at)),
            values: counters.iter().filter_map(grown).collect(),
            ..Run::default()
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use deespec::{Options, Rotate};

    use super::*;

    const RULES: &str = r#"
schema = "deespec.gate/1"

[[rule]]
id = "waits"
metric = "waits_seconds.p50"
kind = "shift"

[[rule]]
id = "budget"
metric = { good = "commit_success", bad = "commit_failed" }
kind = "burn"
objective = 0.95
windows = [{ long = "1h", short = "5m", factor = 14.4, level = "fail" }]
"#;

    fn rules() -> Rules {
        Rules::parse(RULES, Path::new("gate.toml")).unwrap()
    }

    fn store(folder: &Path) -> Store {
        let options = Options::new().background_sync(None);
        options.open(folder.join("var")).unwrap()
    }

    fn column(runs: &[Run], name: &str) -> Vec<Option<f64>> {
        runs.iter().map(|run| run.value(name)).collect()
    }

    #[test]
    fn closed_epochs_are_runs_and_their_quantiles_are_measured_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let waits = store.histogram("waits_seconds").unwrap();
        for (count, wait) in [(3, 1.0), (5, 8.0)] {
            store.transactions().success.add(count);
            waits.observe(wait);
            store.snapshot().unwrap();
            store.rotate(Rotate::Reset).unwrap();
        }
        let history = of_store(&store, &rules()).unwrap();
        let ids: Vec<&str> = history.runs.iter().map(|run| run.id.as_str()).collect();
        assert_eq!(ids, ["epoch-1", "epoch-2"]);
        assert_eq!(history.runs[1].epoch, format!("{}/2", store.id()));
        assert!(history.runs[0].at < history.runs[1].at);
        let medians = column(&history.runs, "waits_seconds.p50");
        let near = |median: Option<f64>, wait: f64| (median.unwrap() / wait - 1.0).abs() < 0.1;
        assert!(
            near(medians[0], 1.0) && near(medians[1], 8.0),
            "{medians:?}"
        );
        assert_eq!(
            column(&history.runs, "commit_success"),
            [Some(3.0), Some(5.0)]
        );
    }

    #[test]
    fn increments_add_up_to_what_was_counted_over_rotations_and_restores() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let count = |count| store.transactions().success.add(count);
        count(2);
        let first = store.snapshot().unwrap();
        count(3);
        store.snapshot().unwrap();
        count(1);
        store.rotate(Rotate::Reset).unwrap();
        count(4);
        store.snapshot().unwrap();
        count(7);
        let history = of_store(&store, &rules()).unwrap();
        let grown = column(&history.increments, "commit_success");
        assert_eq!(grown, [2.0, 3.0, 1.0, 4.0, 7.0].map(Some));
        // A restore begins an epoch that has counted something already, and no document says so.
        store.restore(&first.path, "test", false).unwrap();
        let history = of_store(&store, &rules()).unwrap();
        let grown = column(&history.increments, "commit_success");
        assert_eq!(grown, [2.0, 3.0, 1.0, 4.0, 7.0, 2.0].map(Some));
    }

    #[test]
    fn a_counter_that_went_down_within_an_epoch_began_anew() {
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let point = |second, epoch, count: f64| Measured {
            at: at(second),
            epoch: Some(epoch),
            began: Some(at(0)),
            values: [("x".to_owned(), count)].into(),
        };
        let points = [
            point(1, 1, 5.0),
            point(2, 1, 3.0),
            point(3, 1, 4.0),
            point(4, 2, 9.0),
        ];
        let points: Vec<&Measured> = points.iter().collect();
        let counters = BTreeSet::from(["x".to_owned()]);
        let all = increments(&points, &counters, at(0));
        assert_eq!(column(&all, "x"), [5.0, 3.0, 1.0, 9.0].map(Some));
        // What lies before the window, or may, is left out.
        let some = increments(&points, &counters, at(2));
        assert_eq!(column(&some, "x"), [3.0, 1.0, 9.0].map(Some));
        let late = increments(&points[2..], &counters, at(2));
        assert_eq!(column(&late, "x"), [Some(9.0)]);
    }

    #[test]
    fn a_snapshot_that_cannot_be_read_is_named_and_the_others_count() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        for _ in 0..2 {
            store.transactions().success.inc();
            store.rotate(Rotate::Reset).unwrap();
        }
        let names = store.snapshots().unwrap();
        std::fs::write(store.snapshot_path(names[0]), "{").unwrap();
        let history = of_store(&store, &rules()).unwrap();
        assert_eq!(column(&history.runs, "commit_success"), [Some(1.0)]);
    }
}
