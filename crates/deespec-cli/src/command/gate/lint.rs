//! `deespec gate lint`: what is surely not meant in the rules.

use std::collections::BTreeSet;

use clap::Args;
use deespec::gate::{LintFinding, Term};
use deespec::{TRANSACTIONS, View};
use serde::Serialize;

use super::configuration::{Given, InForce};
use super::file::{self, Kept};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{Ui, count};

const AFTER_HELP: &str = "\
Examples:
  deespec gate lint
  deespec gate lint --rules ci/gate.toml --history gate-history.jsonl --json

Finds what a file may say and nobody means: a rule that can never fire, fail
that is looser than warn, a metric that nothing has ever counted, a mute of no
rule or of the past. Metrics are judged where a store or a history says what is
measured; a rule with no_data = \"pass\" may wait for its own.

Exit codes: 0 nothing found, 2 something found, 3 the rules cannot be read.";

/// Look for rules that cannot work
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Lint {
    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    history: Kept,

    #[command(flatten)]
    json: Json,
}

#[derive(Default, Serialize)]
struct Linted<'a> {
    rules: usize,
    metrics_known: Option<usize>,
    findings: &'a [LintFinding],
}

impl Lint {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let rules = match self.given.in_force(cli)? {
            InForce::Rules(rules) => rules,
            InForce::Thresholds(thresholds) => {
                let Some(path) = thresholds.source() else {
                    return Err(
                        Failure::new("there is no gate.toml, so nothing to look into")
                            .hint("`deespec init --gate` writes one; --rules names another file"),
                    );
                };
                let looked = vec![("file", path.display().to_string())];
                if self.json.json {
                    ui.json(&Linted::default())?;
                } else {
                    ui.info("Thresholds are no rules; the file is in order", looked);
                }
                return Ok(Code::Done);
            }
        };
        let known = self.known(cli, ui)?;
        let today = jiff::Timestamp::now().strftime("%F").to_string();
        let findings = rules.lint(known.as_ref(), Some(&today));
        let code = match findings.is_empty() {
            true => Code::Done,
            false => Code::Warned,
        };
        if self.json.json {
            ui.json(&Linted {
                rules: rules.rules.len(),
                metrics_known: known.map(|known| known.len()),
                findings: &findings,
            })?;
            return Ok(code);
        }
        for finding in &findings {
            ui.line(&finding.to_string());
        }
        let metrics = match &known {
            Some(known) => format!("{} known", known.len()),
            None => "not judged: nothing tells what is measured".to_owned(),
        };
        let looked = vec![
            ("rules", rules.rules.len().to_string()),
            ("metrics", metrics),
        ];
        match findings.len() {
            0 => ui.info("Nothing was found", looked),
            some => ui.warn(&format!("{} found", count(some, "mistake")), looked),
        }
        Ok(code)
    }

    /// The names of what has ever been measured; `None` where nobody knows.
    fn known(&self, cli: &Cli, ui: &Ui) -> Result<Option<BTreeSet<String>>, Failure> {
        let mut known = None;
        let place = location::place(cli)?;
        if location::exists(&place.path) {
            let store = place.open(ui, &location::options("gate lint"))?;
            known = Some(names(&store.view()?));
        }
        let path = self.history.path(cli)?;
        let is_given = self.history.is_given();
        let history = match is_given {
            true => file::read(&path, ui)?,
            false => file::read_or_empty(&path, ui)?,
        };
        // A value without a name may be of any metric, so it tells nothing of names.
        if history.runs.iter().any(|run| run.value.is_some()) {
            return Ok(None);
        }
        if is_given || !history.runs.is_empty() {
            let known = known.get_or_insert_with(BTreeSet::new);
            for run in history.runs {
                let terms = run.values.keys().filter_map(|text| Term::parse(text).ok());
                known.extend(terms.map(|term| term.name));
            }
        }
        Ok(known)
    }
}

fn names(view: &View) -> BTreeSet<String> {
    let families = view.families.iter().map(|family| family.name());
    let series = view.series.iter().map(|series| series.name.as_str());
    let all = TRANSACTIONS.into_iter().chain(families).chain(series);
    all.map(str::to_owned).collect()
}
