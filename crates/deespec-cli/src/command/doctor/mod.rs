//! `deespec doctor`: the health of the store, the metrics, and the verdict of the gate.

mod configuration;
mod histograms;
mod report;

use std::path::PathBuf;

use clap::Args;
use deespec::gate::{self, Judgement, Thresholds, Verdict};
use deespec::{DocumentError, Error, Published, Store, StoreError, View};

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure, chain};
use crate::location;
use crate::report::Reports;
use crate::ui::{self, Ui};

pub(crate) use configuration::thresholds;
pub(crate) use report::Report;

const AFTER_HELP: &str = "\
Example:
  deespec doctor
  deespec doctor --json --check-thresholds | jq .thresholds.passed
  deespec doctor --format github --report junit=gate.xml

The thresholds are those of --config, else DEESPEC_CONFIG, else thresholds.json
in the .deespec/ that holds the store (or in the store's own folder where it
lies elsewhere), else the defaults, which `deespec init --thresholds` writes.

Of each histogram it tells between which bounds the quantiles surely are; with
--json also an estimate, and null for no bound.

With --format or --report it judges, too. FORMAT is text, json, junit, github,
sarif, gitlab, tap, markdown or prometheus; --format prints nothing else.
--format github also adds to the file that GITHUB_STEP_SUMMARY names.

Exit codes: 0 the gate passed, 1 it failed, 2 it warns, 3 it could not be
judged. Without --check-thresholds: 0 healthy, 2 something needs attention.";

/// Report the health of the store and the metrics, and judge them
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Doctor {
    /// Judge the metrics by the thresholds
    #[arg(long)]
    check_thresholds: bool,

    /// Judge by this file [default: see below]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    reports: Reports,

    #[command(flatten)]
    json: Json,
}

impl Doctor {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let path = location::store_path(cli)?;
        // Before the store is touched: a gate without its configuration judges nothing.
        self.reports.check(self.json.json)?;
        let is_judged = self.check_thresholds || self.config.is_some();
        let limits = if is_judged || self.reports.is_wanted() {
            Some(thresholds(self.config.as_deref(), &path)?)
        } else {
            None
        };
        let store = location::open_as(&path, ui, &location::options("doctor"))?;
        let examined = Examination::of(&store)?;
        let judgement = limits.map(|limits| judge(&limits, &examined));
        let code = code(&examined, judgement.as_ref());
        if let Some(judgement) = &judgement {
            self.reports.deliver(&gate::Report::from(judgement), ui)?;
            if self.reports.format.is_some() {
                return Ok(code);
            }
        }
        let report = Report {
            examined: &examined,
            path: ui::path(store.path()),
            judgement: judgement.as_ref(),
            width: ui.width(),
        };
        match &judgement {
            Some(judgement) => judgement.log_lines().iter().for_each(|line| ui.log(line)),
            None => examined.problems.iter().for_each(|problem| {
                ui.warn(
                    "The store needs attention",
                    vec![("reason", problem.clone())],
                )
            }),
        }
        if self.json.json {
            ui.json(&report.to_json())?;
        } else {
            ui.print(&report.to_text());
        }
        Ok(code)
    }
}

/// The verdict on what was looked at, now.
pub(crate) fn judge(thresholds: &Thresholds, examined: &Examination) -> Judgement {
    let mut judgement = thresholds.judge(&examined.view.transactions, &examined.problems);
    judgement.checked_at = Some(format!("{:.0}", jiff::Timestamp::now()));
    judgement
}

/// What the doctor looked at.
pub(crate) struct Examination {
    pub(crate) view: View,
    pub(crate) health: deespec::Health,
    /// What makes the counts incomplete or unsafe, one sentence each. The gate warns of each.
    pub(crate) problems: Vec<String>,
    /// metrics.json could not be published, so it shows what was counted before.
    pub(crate) is_stale: bool,
}

impl Examination {
    pub(crate) fn of(store: &Store) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        // Published first: what the report shows is durable. A store that cannot publish can still
        // be read, and the report says why.
        let (view, is_stale) = match store.sync() {
            Ok(view) => (view, false),
            Err(error @ Error::Document(DocumentError::Foreign { .. })) => {
                problems.push(format!(
                    "{error}; `deespec import {}` adds its values once, or move it away",
                    store.path().join("metrics.json").display()
                ));
                (store.view()?, true)
            }
            Err(Error::Store(StoreError::Degraded { .. })) => (store.view()?, true),
            Err(error) => {
                problems.push(format!(
                    "The metrics could not be published: {}",
                    chain(&error)
                ));
                (store.view()?, true)
            }
        };
        let health = store.health()?;
        if health.degraded {
            let degraded = "The store is degraded: an earlier sync failed, so nothing in it is \
                            known to be on the disk; check the disk, save the counts with \
                            `deespec export json --output FILE`, then rebuild the store with \
                            `deespec compact`";
            problems.push(degraded.to_owned());
        }
        problems.extend(view.skipped.iter().cloned());
        Ok(Self {
            view,
            health,
            problems,
            is_stale,
        })
    }
}

/// What stands at metrics.json, in a word.
pub(crate) fn published(examined: &Examination) -> &'static str {
    match examined.health.published {
        Published::Missing => "missing",
        Published::Ours if examined.is_stale => "stale",
        Published::Ours => "current",
        _ => "foreign",
    }
}

fn code(examined: &Examination, judgement: Option<&Judgement>) -> Code {
    match judgement.map(Judgement::verdict) {
        Some(Verdict::Pass) => Code::Done,
        Some(Verdict::Fail) => Code::Failed,
        Some(Verdict::Warn) => Code::Warned,
        None if examined.problems.is_empty() => Code::Done,
        None => Code::Warned,
    }
}
