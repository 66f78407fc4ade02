//! What a process of the workload can be told to do, and what it answers. Both are lines of JSON.
//!
//! Each answer says what was published by then, in full: that is what must be there after a cut.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use deespec::{Document, View};
use serde::{Deserialize, Serialize};

use super::pushes;
use crate::Result;
use crate::audit::{Values, labelled, observed, values};

/// What is observed, always the same.
pub(crate) const OBSERVED: f64 = 0.25;
pub(crate) const WORK: &str = "work_seconds";
pub(crate) const OWN: &str = "own_total";
pub(crate) const NEW: &str = "new_total";
pub(crate) const LEVEL: &str = "level";
pub(crate) const PASSING: &str = "passing_total";
/// What each imported document adds to each of its series.
pub(crate) const GIVEN: u64 = 50;
/// What an epoch begins with that a restore began.
pub(crate) const RESTORED: (u64, u64) = (10, 5);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    Open,
    Close,
    /// Counts what all hands share.
    Count {
        by: u64,
    },
    /// Counts what is this hand's own.
    Own {
        hand: u64,
        by: u64,
    },
    /// Counts each of a few series, new ones mostly.
    Register {
        from: u64,
        to: u64,
    },
    /// Observes in one of a few histograms; a few of them fill a segment.
    Observe {
        step: u64,
        times: u64,
    },
    Set {
        hand: u64,
        value: u64,
    },
    Flush,
    Sync,
    Snapshot,
    Rotate {
        keep: bool,
    },
    Restore,
    Import {
        number: u64,
    },
    /// Sends a push of a client, perhaps not for the first time.
    Push {
        writer: u64,
        number: u64,
        by: u64,
    },
    /// Counts a series that is removed later.
    Pass {
        hand: u64,
        number: u64,
    },
    Remove {
        hand: u64,
        number: u64,
    },
    Redeclare {
        number: u64,
    },
    /// Rebuilds the store, which nobody has open.
    Compact,
    /// Says how the store is.
    Examine,
    /// The program counts once, in a series that nobody else counts, and one run as a commit.
    Program,
}

/// What somebody was shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) epoch: u64,
    pub(crate) values: Values,
    /// What was ever counted.
    pub(crate) totals: Values,
    pub(crate) levels: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) error: Option<String>,
    pub(crate) shown: Option<Shown>,
    pub(crate) epoch: u64,
    pub(crate) snapshot: Option<(String, u64)>,
    pub(crate) degraded: bool,
    /// Whether a push was counted now.
    pub(crate) counted: bool,
}

impl Order {
    /// What it adds to which series.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        match self {
            Self::Count { by } => vec![("commit_success".to_owned(), *by)],
            Self::Own { hand, by } => vec![(own(*hand), *by)],
            Self::Register { from, to } => (*from..*to)
                .map(|id| (labelled(NEW, "id", &id.to_string()), 1))
                .collect(),
            Self::Observe { step, times } => {
                vec![(observed(&work(*step), OBSERVED), *times)]
            }
            Self::Pass { hand, number } => vec![(passing(*hand, *number), 1)],
            Self::Program => ["program_total", "commit_success"]
                .map(|key| (key.to_owned(), 1))
                .into(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn removes(&self) -> Option<String> {
        match self {
            Self::Remove { hand, number } => Some(passing(*hand, *number)),
            _ => None,
        }
    }
}

pub(crate) fn own(hand: u64) -> String {
    labelled(OWN, "hand", &hand.to_string())
}

pub(crate) fn work(step: u64) -> String {
    labelled(WORK, "step", &step.to_string())
}

pub(crate) fn level(hand: u64) -> String {
    labelled(LEVEL, "hand", &hand.to_string())
}

fn passing(hand: u64, number: u64) -> String {
    labelled(PASSING, "number", &passing_label(hand, number))
}

pub(crate) fn passing_label(hand: u64, number: u64) -> String {
    format!("{hand}-{number}")
}

/// What the document of an import adds.
pub(crate) fn given(number: u64) -> Vec<(String, u64)> {
    let [a, b] = given_names(number);
    vec![
        (a, GIVEN),
        (b, GIVEN),
        (pushes::ALL.to_owned(), GIVEN),
        ("commit_success".to_owned(), GIVEN),
        ("commit_failed".to_owned(), GIVEN),
    ]
}

pub(crate) fn given_names(number: u64) -> [String; 2] {
    ["a", "b"].map(|which| format!("given_{number}_{which}_total"))
}

pub(crate) fn import_in(papers: &Path, number: u64) -> PathBuf {
    papers.join(format!("import-{number}.json"))
}

pub(crate) fn restore_in(papers: &Path) -> PathBuf {
    papers.join("restore.json")
}

/// Writes the documents that are restored and imported; they do not lie on the disk that fails.
pub(crate) fn write_papers(papers: &Path, imports: u64) -> Result<()> {
    fs::create_dir_all(papers)?;
    let (success, own) = RESTORED;
    let series =
        format!(r#"{{"name":"{OWN}","type":"counter","labels":{{"hand":"0"}},"value":{own}}}"#);
    let text =
        format!(r#"{{"commit_success":{success},"last_update":"then","series":[{series}]}}"#);
    fs::write(restore_in(papers), text)?;
    for number in 0..imports {
        let [a, b] = given_names(number);
        let series = [a, b, pushes::ALL.to_owned()]
            .map(|name| format!(r#"{{"name":"{name}","type":"counter","value":{GIVEN}}}"#));
        let text = format!(
            r#"{{"commit_success":{GIVEN},"commit_failed":{GIVEN},"last_update":"then {number}","series":[{}]}}"#,
            series.join(",")
        );
        fs::write(import_in(papers, number), text)?;
    }
    Ok(())
}

/// What an epoch begins with that a restore began.
pub(crate) fn restored(papers: &Path) -> Result<Values> {
    let document = Document::read(&restore_in(papers))?;
    Ok(values(&document, &mut Vec::new()))
}

impl Shown {
    pub(crate) fn of_document(document: &Document) -> Self {
        Self {
            epoch: document.epoch.unwrap_or(0),
            values: values(document, &mut Vec::new()),
            ..Self::default()
        }
    }

    pub(crate) fn of_view(view: &View) -> Self {
        let mut document = view.to_document();
        let values = values(&document, &mut Vec::new());
        let mut levels = BTreeMap::new();
        // The same once more, with what was ever counted in place of what the epoch counts.
        let four = [
            &mut document.transactions.success,
            &mut document.transactions.failed,
            &mut document.transactions.conflicts,
            &mut document.transactions.recoveries,
        ];
        let names = deespec::TRANSACTIONS.into_iter().zip(four);
        let mut four: BTreeMap<&str, &mut u64> = names.collect();
        let mut others = document.series.iter_mut();
        for sample in view.samples() {
            if let Some(count) = four.get_mut(sample.name.as_str())
                && sample.labels.is_empty()
            {
                **count = sample.total.counter().unwrap_or(0);
                continue;
            }
            if let Some(series) = others.next() {
                series.value = sample.total.clone();
            }
            if sample.name == LEVEL
                && let Some(value) = sample.value.gauge()
            {
                let hand = sample.labels.get("hand").unwrap_or_default();
                levels.insert(labelled(LEVEL, "hand", hand), value as u64);
            }
        }
        Self {
            epoch: view.epoch,
            values,
            totals: crate::audit::values(&document, &mut Vec::new()),
            levels,
        }
    }
}

/// Tells two contents of a file apart.
pub(crate) fn digest(path: &Path) -> Result<u64> {
    use std::hash::Hasher as _;
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(&fs::read(path)?);
    Ok(hasher.finish())
}
