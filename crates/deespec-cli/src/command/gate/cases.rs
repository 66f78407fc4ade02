//! The cases of `deespec gate test`: reading the file, and what it stands for as runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deespec::gate::{History, Outcome, Rules, Run, Term};
use serde::Deserialize;

use super::file;
use crate::exit::Failure;
use crate::files;
use crate::ui::{Ui, count};

/// More are no cases that a person has written.
const BYTES: u64 = 16 << 20;
/// When the first run of a history without times was, in seconds since 1970: 2026-01-01. Any time would do.
const BEGIN: f64 = 1_767_225_600.0;
/// From one run to the next, in seconds.
const APART: f64 = 3_600.0;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    #[serde(default)]
    case: Vec<Case>,
}

/// A run, what came before it, and what the rules should say of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    /// What the run has measured.
    #[serde(default)]
    values: BTreeMap<String, f64>,
    history: Option<Before>,
    branch: Option<String>,
    host_class: Option<String>,
    /// A verdict for each rule.
    pub(super) expect: BTreeMap<String, Outcome>,
}

/// What came before.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "history must be a list of numbers, a table of such lists by metric, or the name of a history file"
)]
enum Before {
    /// Values that stand for any metric.
    Any(Vec<f64>),
    /// Values by metric, a run each.
    Metrics(BTreeMap<String, Vec<f64>>),
    /// A history file, beside the file with the cases.
    File(PathBuf),
}

/// Reads the cases of a file. There is at least one, and no two have the same name.
pub(super) fn read(path: &Path) -> Result<Vec<Case>, Failure> {
    const HINT: &str = "`deespec gate test --help` shows a case";
    let shown = path.display();
    let text = files::read(path, BYTES).map_err(|error| {
        Failure::new(format!("cannot read the cases in {shown}: {error}")).hint(HINT)
    })?;
    if text.len() as u64 > BYTES {
        let most = BYTES >> 20;
        return Err(Failure::new(format!(
            "{shown}: more than {most} MiB of cases"
        )));
    }
    let cases: Cases = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = 1 + before.unwrap_or_default().matches('\n').count();
        let what = error.message().trim_end().replace('\n', ", ");
        Failure::new(format!("{shown}:{line}: {what}")).hint(HINT)
    })?;
    let cases = cases.case;
    if cases.is_empty() {
        return Err(Failure::new(format!("{shown}: there is no [[case]]")).hint(HINT));
    }
    for (place, case) in cases.iter().enumerate() {
        if cases[..place].iter().any(|other| other.name == case.name) {
            let name = &case.name;
            return Err(
                Failure::new(format!("{shown}: two cases are called {name:?}"))
                    .hint("give each a name of its own: a mismatch is told by it"),
            );
        }
    }
    Ok(cases)
}

impl Case {
    /// The history and the run that the case is about.
    pub(super) fn runs(
        &self,
        rules: &Rules,
        path: &Path,
        ui: &Ui,
    ) -> Result<(History, Run), Failure> {
        let wrong = |what: String| {
            let (path, name) = (path.display(), &self.name);
            Failure::new(format!("{path}: case {name:?}: {what}"))
        };
        let mut history = History::default();
        match &self.history {
            None => {}
            Some(Before::File(name)) => {
                let beside = path.parent().unwrap_or(Path::new(""));
                history = file::read(&beside.join(name), ui)?;
            }
            Some(Before::Any(values)) => {
                history.runs = values
                    .iter()
                    .map(|value| Run {
                        value: measured(*value),
                        ..Run::default()
                    })
                    .collect();
            }
            Some(Before::Metrics(metrics)) => {
                let runs = metrics.values().map(Vec::len).max().unwrap_or_default();
                history.runs = vec![Run::default(); runs];
                for (metric, values) in metrics {
                    if values.len() != runs {
                        return Err(wrong(format!(
                            "the history of {metric} has {} and another {runs}; give as many for each \
                             metric, and nan where a run has measured nothing",
                            count(values.len(), "value")
                        )));
                    }
                    let metric = spelled(metric).map_err(&wrong)?;
                    for (run, value) in history.runs.iter_mut().zip(values) {
                        let value = measured(*value).map(|value| (metric.clone(), value));
                        run.values.extend(value);
                    }
                }
            }
        }
        let is_file = matches!(self.history, Some(Before::File(_)));
        let newest = history.runs.last().filter(|_| is_file);
        let alike = |given: &Option<String>, of: fn(&Run) -> &String, usual: &Option<String>| {
            let found = given.clone().or_else(|| newest.map(of).cloned());
            found.or_else(|| usual.clone()).unwrap_or_default()
        };
        let branch = alike(
            &self.branch,
            |run| &run.branch,
            &rules.policy.history.branch,
        );
        let host_class = alike(&self.host_class, |run| &run.host_class, &None);
        let at = match newest {
            Some(newest) => newest.at.map(|at| at + APART),
            None => Some(BEGIN + APART * history.runs.len() as f64),
        };
        if !is_file {
            for (place, run) in history.runs.iter_mut().enumerate() {
                run.id = (place + 1).to_string();
                run.at = Some(BEGIN + APART * place as f64);
                run.branch.clone_from(&branch);
                run.host_class.clone_from(&host_class);
            }
        }
        let mut present = Run {
            at,
            branch,
            host_class,
            ..Run::default()
        };
        for (metric, value) in &self.values {
            let value = measured(*value).map(|value| (spelled(metric), value));
            if let Some((metric, value)) = value {
                present.values.insert(metric.map_err(&wrong)?, value);
            }
        }
        Ok((history, present))
    }
}

/// A value; nan stands for none.
fn measured(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// A metric as runs name it.
fn spelled(metric: &str) -> Result<String, String> {
    Ok(Term::parse(metric)?.text().to_owned())
}
