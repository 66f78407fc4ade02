//! Where the history of runs lies, reading and writing it, and what a command says of which run.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use deespec::gate::{History, HistoryError, Run, Term};

use crate::args::Cli;
use crate::exit::Failure;
use crate::files;
use crate::location::{self, configuration_folder};
use crate::ui::Ui;

/// More is no history: a million runs of many metrics.
pub(super) const BYTES: u64 = 256 << 20;

/// What the file of the history is called.
const NAME: &str = "gate-history.jsonl";

/// Everybody may read what was measured.
pub(super) const MODE: u32 = 0o644;

/// Where the history is kept, as an argument.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Kept {
    /// The history [default: gate-history.jsonl beside gate.toml]
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

impl Kept {
    /// The file that was given, else the one beside the rules.
    pub(super) fn path(&self, cli: &Cli) -> Result<PathBuf, Failure> {
        match &self.history {
            Some(path) => Ok(path.clone()),
            None => Ok(beside(&location::store_path(cli)?)),
        }
    }

    pub(super) fn is_given(&self) -> bool {
        self.history.is_some()
    }
}

/// The file of the history where nobody says another.
pub(super) fn beside(store: &Path) -> PathBuf {
    configuration_folder(store).join(NAME)
}

/// Reads a history. What was passed over is warned of.
pub(super) fn read(path: &Path, ui: &Ui) -> Result<History, Failure> {
    parse(&text(path)?, path, ui)
}

/// Reads a history. What was passed over stands in it.
pub(super) fn parsed(path: &Path) -> Result<History, Failure> {
    History::parse(&text(path)?, path).map_err(unreadable)
}

/// As [`parsed`], of a history that may not be there yet.
pub(super) fn parsed_or_empty(path: &Path) -> Result<History, Failure> {
    match is_missing(path) {
        true => Ok(History::default()),
        false => parsed(path),
    }
}

fn is_missing(path: &Path) -> bool {
    let found = path.symlink_metadata();
    found.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Reads a history that may not be there yet.
pub(super) fn read_or_empty(path: &Path, ui: &Ui) -> Result<History, Failure> {
    match is_missing(path) {
        true => Ok(History::default()),
        false => read(path, ui),
    }
}

fn unreadable(error: HistoryError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        HistoryError::Line { .. } => failure.hint(
            "a history has one JSON object a line; `deespec gate history import` makes one of CSV and other forms",
        ),
        _ => failure,
    }
}

pub(super) fn parse(text: &str, path: &Path, ui: &Ui) -> Result<History, Failure> {
    let history = History::parse(text, path).map_err(unreadable)?;
    for skipped in &history.skipped {
        ui.warn(skipped, Vec::new());
    }
    Ok(history)
}

/// Refuses what was read up to one byte more than the limit.
pub(super) fn not_too_long(bytes: usize, path: &Path) -> Result<(), Failure> {
    match bytes as u64 > BYTES {
        false => Ok(()),
        true => Err(Failure::new(format!(
            "{}: more than {} MiB are no history",
            path.display(),
            BYTES >> 20
        ))
        .hint("keep the newest runs: `tail -n 10000 FILE > NEWER`, and name that one")),
    }
}

/// The text of a history.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let bytes = files::bytes(path, BYTES).map_err(|error| {
        let failure = Failure::new(format!(
            "cannot read the history in {}: {error}",
            path.display()
        ));
        failure.hint(match error.kind() {
            ErrorKind::NotFound => {
                "`deespec gate record` begins one, and --history names another file"
            }
            _ => "--history must name a file with a line of JSON for each run",
        })
    })?;
    not_too_long(bytes.len(), path)?;
    String::from_utf8(bytes).or_else(|error| {
        // A writer may have been killed within a character.
        let is_wrong =
            |line: &[u8]| std::str::from_utf8(line).is_err_and(|error| error.error_len().is_some());
        let bytes = error.as_bytes();
        match bytes.split(|byte| *byte == b'\n').position(is_wrong) {
            None => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Some(line) => Err(Failure::new(format!(
                "{}:{}: this is not UTF-8",
                path.display(),
                line + 1
            ))),
        }
    })
}

/// Appends lines to a history, and makes it with its folder where it is missing.
pub(super) fn append(path: &Path, lines: &str) -> Result<(), Failure> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| files::append(path, lines.as_bytes(), mode(folder)))
        .map_err(|error| {
            let message = format!("cannot write the history {}: {error}", path.display());
            Failure::new(message).hint("--history names another file")
        })
}

/// The mode of a new history: whoever shares the store beside it may add to it.
fn mode(folder: Option<&Path>) -> u32 {
    let found = folder.and_then(|folder| folder.metadata().ok());
    match found.is_some_and(|found| found.mode() & 0o2020 == 0o2020) {
        true => MODE | 0o020,
        false => MODE,
    }
}

/// The first of these variables of the environment that says something.
pub(super) fn environment(names: &[&str]) -> Option<String> {
    let mut values = names.iter().filter_map(|name| std::env::var(name).ok());
    values.find(|value| !value.trim().is_empty())
}

/// What a run is called, and what it is a run of.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Named {
    /// What the run is called [default: GITHUB_RUN_ID or CI_PIPELINE_ID]
    #[arg(long, value_name = "ID")]
    pub(super) run: Option<String>,

    /// Its branch [default: GITHUB_REF_NAME or CI_COMMIT_REF_NAME]
    #[arg(long, value_name = "BRANCH")]
    pub(super) branch: Option<String>,

    /// Its kind of machine; others are not compared with it [default:
    /// DEESPEC_HOST_CLASS]
    #[arg(long, value_name = "CLASS")]
    pub(super) host_class: Option<String>,
}

impl Named {
    /// The name; `None` where nobody said.
    pub(super) fn id(&self) -> Result<Option<String>, Failure> {
        let id = self.run.clone();
        let id = id.or_else(|| environment(&["GITHUB_RUN_ID", "CI_PIPELINE_ID"]));
        match id {
            Some(id) if id.trim().is_empty() => {
                Err(Failure::new("a run has a name, and --run is empty")
                    .hint("give what CI calls it, such as --run \"$BUILD_NUMBER\""))
            }
            id => Ok(id),
        }
    }

    /// Puts branch and kind of machine into a run that has none.
    pub(super) fn complete(&self, run: &mut Run) {
        let branch = self.branch.clone();
        let branch = branch.or_else(|| environment(&["GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"]));
        let host_class = self.host_class.clone();
        let host_class = host_class.or_else(|| environment(&["DEESPEC_HOST_CLASS"]));
        for (field, value) in [(&mut run.branch, branch), (&mut run.host_class, host_class)] {
            if let (true, Some(value)) = (field.is_empty(), value) {
                *field = value;
            }
        }
    }
}

/// The metric that is meant, as runs name it: the one that was given, or the only one there is.
pub(super) fn metric(
    history: &History,
    given: Option<&str>,
    path: &Path,
) -> Result<String, Failure> {
    let names = history.runs.iter().flat_map(|run| run.values.keys());
    let names: BTreeSet<&str> = names.map(String::as_str).collect();
    if let Some(given) = given {
        let term = Term::parse(given)
            .map_err(|error| Failure::new(format!("--metric names no metric: {error}")))?;
        let is_in_some = history
            .runs
            .iter()
            .any(|run| run.value(term.text()).is_some());
        if is_in_some || names.is_empty() {
            return Ok(term.text().to_owned());
        }
        let message = format!(
            "no run in {} has the metric {}",
            path.display(),
            term.text()
        );
        let names: Vec<&str> = names.into_iter().take(10).collect();
        return Err(Failure::new(message).hint(format!("they have {}", names.join(", "))));
    }
    let has_value = history.runs.iter().any(|run| run.value.is_some());
    match (has_value, names.first(), names.len()) {
        (false, Some(name), 1) => Ok((*name).to_owned()),
        (false, Some(_), _) => {
            let names: Vec<&str> = names.iter().copied().take(10).collect();
            let message = format!("the runs in {} have several metrics", path.display());
            Err(Failure::new(message).hint(format!(
                "name one with --metric, such as {}",
                names.join(", ")
            )))
        }
        _ => Ok(String::new()),
    }
}
