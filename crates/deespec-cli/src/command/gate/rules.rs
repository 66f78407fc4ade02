//! `deespec gate rules`: what the gate judges by, with everything that is left to the defaults.

use clap::Args;
use deespec::gate::{Rules as Set, Thresholds};

use super::configuration::{Given, InForce};
use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Examples:
  deespec gate rules
  deespec gate rules --config .deespec/thresholds.json > .deespec/gate.toml

Prints a gate.toml in which every key stands, also those that the file leaves to
their defaults. Of thresholds.json it prints the rules that come nearest, and
says where they judge otherwise.";

/// Show the rules in force
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Rules {
    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    json: Json,
}

impl Rules {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let (head, rules) = match self.given.in_force(cli)? {
            InForce::Rules(rules) => (origin(rules.source.as_deref()), rules),
            InForce::Thresholds(thresholds) => {
                (differences(&thresholds), Set::of_thresholds(&thresholds))
            }
        };
        let text = rules.to_toml();
        if self.json.json {
            // The same keys; `docs/schemas/gate.schema.json` is about both.
            let value: serde_json::Value = toml::from_str(&text).map_err(|error| {
                Failure::new(format!("cannot write the rules as JSON: {error}"))
            })?;
            ui.json(&value)?;
            return Ok(Code::Done);
        }
        let head: Vec<String> = head
            .iter()
            .map(|line| format!("# {line}").trim_end().to_owned())
            .collect();
        ui.bytes(format!("{}\n\n{text}", head.join("\n")).as_bytes());
        Ok(Code::Done)
    }
}

fn origin(path: Option<&std::path::Path>) -> Vec<String> {
    let path = path.map(|path| crate::ui::printable(&path.display().to_string()));
    vec![format!(
        "The rules of {}, with the defaults.",
        path.unwrap_or_default()
    )]
}

/// What these thresholds say that the rules below do not.
fn differences(thresholds: &Thresholds) -> Vec<String> {
    let from = match thresholds.source() {
        Some(path) => crate::ui::printable(&path.display().to_string()),
        None => "the default thresholds".to_owned(),
    };
    if !thresholds.enabled() {
        return vec![format!(
            "{from}: the gate is switched off, so there is no rule."
        )];
    }
    let percent = thresholds.success_rate_threshold();
    [
        &format!("The rules that come nearest to {from}."),
        "",
        "Thresholds are judged by the success rate as it was counted, exactly. The rule",
        "success-rate below judges by what the counts prove: few commits below the limit",
        "are `inconclusive` (which counts as a warning), where thresholds fail; and it",
        &format!(
            "warns only where the rate is surely below {}.",
            limit(percent)
        ),
        "Conflicts and recoveries are judged alike.",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// From where on thresholds do not warn any more.
fn limit(percent: f64) -> String {
    format!("{} %", (percent + 2.0).min(100.0))
}
