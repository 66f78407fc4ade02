//! `deespec doctor`: the health of the store, the metrics, and the verdict of the gate.

mod histograms;
mod report;
mod verdict;

use std::path::PathBuf;

use clap::Args;
use deespec::gate::{NoStore, Rules, Verdict};
use deespec::{DocumentError, Error, Published, Store, StoreError, View};

use crate::args::{Cli, Json};
use crate::command::gate::configuration::{InForce, in_force};
use crate::command::gate::judging::Present;
use crate::exit::{Code, Failure, chain};
use crate::location::{self, Place};
use crate::report::Reports;
use crate::ui::{self, Ui};

pub(crate) use report::Report;
pub(crate) use verdict::{Judged, judge};

const AFTER_HELP: &str = "\
Example:
  deespec doctor
  deespec doctor --json --check-thresholds | jq .thresholds.passed
  deespec doctor --check-thresholds --format github --report junit=gate.xml

It judges by the file of --config, else DEESPEC_CONFIG, else gate.toml or
thresholds.json in the .deespec/ that holds the store (or in the store's own
folder where it lies elsewhere), else by the default thresholds. `deespec init
--gate` writes a gate.toml, and --thresholds a thresholds.json.

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
    /// Judge the metrics by the rules, or by the thresholds
    #[arg(long)]
    check_thresholds: bool,

    /// Judge by this file [default: see below]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    present: Present,

    #[command(flatten)]
    reports: Reports,

    /// The exit code of a warning, 2 or 0: for runners that take 2 for a failure
    #[arg(long, value_name = "CODE", default_value_t = 2, value_parser = warn_exit)]
    warn_exit: u8,

    #[command(flatten)]
    json: Json,
}

impl Doctor {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let place = location::place(cli)?;
        // Before the store is touched: a gate without its configuration judges nothing.
        let is_judged = self.check_thresholds || self.config.is_some() || self.reports.is_wanted();
        self.reports.check(self.json.json)?;
        let rules = match is_judged {
            true => Some(in_force(self.config.as_deref(), &place.path)?),
            false => None,
        };
        if let Some(InForce::Rules(rules)) = &rules
            && rules.policy.no_store == NoStore::NoData
            && location::is_missing(&place.path)
        {
            return self.without_store(rules, &place, ui);
        }
        let store = place.open(ui, &location::options("doctor"))?;
        place.tell_others(ui);
        let examined = Examination::of(&store)?;
        let judged = rules.map(|rules| judge(&rules, &store, &examined, &self.present));
        let judged = judged.transpose()?;
        let code = match code(&examined, judged.as_ref()) {
            Code::Warned if self.warn_exit == 0 => Code::Done,
            code => code,
        };
        if let Some(judged) = judged.as_ref().filter(|_| self.reports.is_wanted()) {
            self.reports.deliver(&judged.report(), ui)?;
            // The form has it all, and whoever reads it may take a log line for a part of it.
            if self.reports.format.is_some() {
                return Ok(code);
            }
        }
        let report = Report {
            examined: &examined,
            path: ui::path(store.path()),
            judged: judged.as_ref(),
            width: ui.width(),
        };
        match &judged {
            Some(judged) => judged.log_lines().iter().for_each(|line| ui.log(line)),
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

impl Doctor {
    /// The verdict where there is no store and the rules say that this means no data.
    fn without_store(&self, rules: &Rules, place: &Place, ui: &Ui) -> Result<Code, Failure> {
        place.tell(ui);
        let path = vec![("path", place.path.display().to_string())];
        ui.info("There is no store, so no rule has data", path);
        let judged = verdict::without_store(rules, &place.path, &self.present)?;
        let code = match verdict_code(&judged) {
            Code::Warned if self.warn_exit == 0 => Code::Done,
            code => code,
        };
        if self.reports.is_wanted() {
            self.reports.deliver(&judged.report(), ui)?;
            if self.reports.format.is_some() {
                return Ok(code);
            }
        }
        judged.log_lines().iter().for_each(|line| ui.log(line));
        if self.json.json {
            ui.json(&report::WithoutStore::of(&judged))?;
        } else {
            ui.print(&report::verdict_text(&judged, ui.width()));
        }
        Ok(code)
    }
}

/// What the doctor looked at.
pub(crate) struct Examination {
    pub(crate) view: View,
    pub(crate) health: deespec::Health,
    pub(crate) place: deespec::Place,
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
            // Whoever holds it has it still: there is one deadline, not one a step.
            Err(error @ Error::Store(StoreError::LockTimeout { .. })) => return Err(error.into()),
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
        let place = store.place()?;
        problems.extend(place.problem.clone());
        if place.is_weak() {
            problems.push(format!("The store lies on {place}"));
        }
        Ok(Self {
            view,
            health,
            place,
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

fn warn_exit(text: &str) -> Result<u8, String> {
    match text {
        "0" => Ok(0),
        "2" => Ok(2),
        _ => Err("it must be 0 or 2".to_owned()),
    }
}

fn code(examined: &Examination, judged: Option<&Judged>) -> Code {
    match judged {
        Some(judged) => verdict_code(judged),
        None if examined.problems.is_empty() => Code::Done,
        None => Code::Warned,
    }
}

fn verdict_code(judged: &Judged) -> Code {
    match judged.verdict() {
        Verdict::Pass => Code::Done,
        Verdict::Fail => Code::Failed,
        Verdict::Warn => Code::Warned,
    }
}
