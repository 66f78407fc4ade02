//! `deespec gate test`: whether the rules say what their author expects.

use std::path::PathBuf;

use clap::Args;
use deespec::gate::{Explanation, Outcome, Rules};
use serde::Serialize;

use super::cases::{self, Case};
use super::configuration::{Given, InForce};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::ui::{Ui, count};

const AFTER_HELP: &str = "\
Example:
  deespec gate test cases.toml

A case is a run, what came before it, and what each rule should say of it:

  [[case]]
  name = \"twice as slow\"
  values = { \"build_seconds.p90\" = 20.4, cas_conflicts = 3 }
  history = { \"build_seconds.p90\" = [ 10.1, 9.8, 10.3, 9.9 ] }
  expect = { build-time = \"warn\", cas-conflicts = \"pass\" }

The verdicts are pass, warn, fail, no_data and inconclusive. Each rule needs one
in each case, so that no rule is left untested. In place of the table, history
may be a list of numbers for whatever is judged, or the name of a history file
beside the cases. Runs are an hour apart; nan was not measured.

Exit codes: 0 all hold, 1 a mismatch, 3 something cannot be read.";

/// Try the rules on cases whose outcome is known
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Test {
    /// The file with the cases
    cases: PathBuf,

    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Tested {
    passed: bool,
    cases: usize,
    rules: usize,
    mismatches: Vec<Mismatch>,
}

/// A rule that does not say what was expected.
#[derive(Serialize)]
struct Mismatch {
    case: String,
    rule: String,
    /// `None` where the case says nothing of the rule.
    expected: Option<Outcome>,
    /// `None` where there is no such rule.
    found: Option<Outcome>,
    sentence: String,
}

impl Test {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let rules = match self.given.in_force(cli)? {
            InForce::Rules(rules) => rules,
            InForce::Thresholds(_) => {
                return Err(
                    Failure::new("there is no gate.toml whose rules could be tried")
                        .hint("`deespec init --gate` writes one; --rules names another file"),
                );
            }
        };
        let cases = cases::read(&self.cases)?;
        let mut mismatches = Vec::new();
        for case in &cases {
            let (history, present) = case.runs(&rules, &self.cases, ui)?;
            // No mute lasts until then: what the rule says is tried, not what counts today.
            let report = rules.judge(&history, &present, "9999-12-31");
            mismatches.extend(compare(case, &rules, &report.rules));
        }
        let tested = Tested {
            passed: mismatches.is_empty(),
            cases: cases.len(),
            rules: rules.rules.len(),
            mismatches,
        };
        let code = match tested.passed {
            true => Code::Done,
            false => Code::Failed,
        };
        if self.json.json {
            ui.json(&tested)?;
            return Ok(code);
        }
        for mismatch in &tested.mismatches {
            ui.line(&mismatch.to_string());
        }
        let tried = vec![
            ("cases", tested.cases.to_string()),
            ("rules", tested.rules.to_string()),
        ];
        match tested.mismatches.len() {
            0 => ui.info("All cases hold", tried),
            some => ui.warn(&format!("{} found", mismatch_count(some)), tried),
        }
        Ok(code)
    }
}

fn mismatch_count(number: usize) -> String {
    match number {
        1 => count(1, "mismatch"),
        some => format!("{some} mismatches"),
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "case {}: rule {}: ", self.case, self.rule)?;
        match (self.expected, self.found) {
            (Some(expected), Some(found)) => write!(f, "expected {expected}, got {found}: ")?,
            (None, Some(found)) => write!(f, "nothing is expected, got {found}: ")?,
            (Some(expected), None) => write!(f, "expected {expected}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.sentence)
    }
}

/// What differs, first of the rules in the order of their file, then of what is expected of no rule.
fn compare(case: &Case, rules: &Rules, found: &[Explanation]) -> Vec<Mismatch> {
    let mismatch = |rule: &str, expected, found, sentence: &str| Mismatch {
        case: case.name.clone(),
        rule: rule.to_owned(),
        expected,
        found,
        sentence: sentence.to_owned(),
    };
    let mut mismatches = Vec::new();
    for said in found {
        let expected = case.expect.get(&said.rule).copied();
        if expected != Some(said.verdict) {
            let found = Some(said.verdict);
            mismatches.push(mismatch(&said.rule, expected, found, &said.sentence));
        }
    }
    for (id, expected) in &case.expect {
        if !rules.rules.iter().any(|rule| rule.id == *id) {
            let sentence = "there is no such rule";
            mismatches.push(mismatch(id, Some(*expected), None, sentence));
        }
    }
    mismatches
}
