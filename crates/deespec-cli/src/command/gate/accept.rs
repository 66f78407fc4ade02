//! `deespec gate accept`: a new level is as it should be.

use clap::Args;
use deespec::gate::Accepted;
use jiff::Timestamp;

use super::configuration::{Given, InForce};
use super::file::{self, Kept};
use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Example:
  deespec gate accept commit-p99 --at 4711 --reason \"fsync is on now\"

What was before that run is forgotten by the rule, so that the new level is not
reported again and again. The history keeps it with the reason as a line, which
merges and travels like a run.";

/// Accept the level that a metric has since a run
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Accept {
    /// The rule's id
    rule: String,

    /// The first run of the new level
    #[arg(long, value_name = "RUN")]
    at: String,

    /// Why it is as it should be
    #[arg(long, value_name = "TEXT")]
    reason: String,

    #[command(flatten)]
    history: Kept,

    #[command(flatten)]
    given: Given,
}

impl Accept {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        if self.reason.trim().is_empty() {
            return Err(
                Failure::new("--reason is empty").hint("say why, for whoever asks next year")
            );
        }
        let InForce::Rules(rules) = self.given.in_force(cli)? else {
            return Err(Failure::new(
                "there are no rules that learn, so there is no level to accept",
            )
            .hint("`deespec init --gate` writes a gate.toml; --rules names another file"));
        };
        let source = rules
            .source
            .as_deref()
            .unwrap_or("the rules".as_ref())
            .display();
        let rule = rules.rules.iter().find(|rule| rule.id == self.rule);
        let Some(rule) = rule else {
            let ids: Vec<&str> = rules
                .rules
                .iter()
                .map(|rule| rule.id.as_str())
                .take(20)
                .collect();
            let message = format!("there is no rule {:?} in {source}", self.rule);
            return Err(Failure::new(message).hint(format!("there are {}", ids.join(", "))));
        };
        if !rule.kind.is_learned() {
            let kind = rule.kind.name();
            let message = format!(
                "the rule {:?} is of kind {kind}, which has no level",
                self.rule
            );
            return Err(Failure::new(message).hint(format!("change it in {source}")));
        }
        let path = self.history.path(cli)?;
        let history = file::read(&path, ui)?;
        if !history.runs.iter().any(|run| run.id == self.at) {
            let newest: Vec<&str> = history
                .runs
                .iter()
                .rev()
                .take(5)
                .map(|run| run.id.as_str())
                .collect();
            let message = format!("there is no run {:?} in {}", self.at, path.display());
            let hint = match newest.is_empty() {
                true => "`deespec gate record` puts runs there".to_owned(),
                false => format!("the newest are {}", newest.join(", ")),
            };
            return Err(Failure::new(message).hint(hint));
        }
        let accepted = Accepted {
            rule: self.rule.clone(),
            run: self.at.clone(),
            reason: self.reason.clone(),
            at: format!("{:.0}", Timestamp::now()),
        };
        file::append(&path, &accepted.to_line())?;
        ui.line(&format!(
            "Accepted the level of {} since run {}; it is in {}",
            self.rule,
            self.at,
            path.display()
        ));
        Ok(Code::Done)
    }
}
