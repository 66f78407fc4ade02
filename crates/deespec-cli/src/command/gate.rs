//! `deespec gate`: rules, the history that they learn from, and trying one on the other.

mod accept;
mod cases;
pub(crate) mod configuration;
mod explain;
mod file;
mod history;
pub(crate) mod judging;
mod lint;
mod record;
mod replay;
mod rules;
mod shifts;
mod snapshots;
mod suggest;
mod test;

use clap::{Args, Subcommand};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

const AFTER_HELP: &str = "\
Example:
  deespec init --gate
  deespec gate lint
  deespec gate record --run 4711 --branch main
  deespec doctor --check-thresholds

`deespec doctor --check-thresholds` judges by gate.toml; these commands help to
write it, to trust it, and to give it a past to learn from.";

/// Write rules, try them, and record what they learn from
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Gate {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Lint(lint::Lint),
    Rules(rules::Rules),
    Test(test::Test),
    Explain(explain::Explain),
    Record(record::Record),
    History(history::History),
    Replay(replay::Replay),
    Shifts(shifts::Shifts),
    Suggest(suggest::Suggest),
    Accept(accept::Accept),
}

impl Gate {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        match &self.action {
            Action::Lint(command) => command.run(cli, ui),
            Action::Rules(command) => command.run(cli, ui),
            Action::Test(command) => command.run(cli, ui),
            Action::Explain(command) => command.run(cli, ui),
            Action::Record(command) => command.run(cli, ui),
            Action::History(command) => command.run(cli, ui),
            Action::Replay(command) => command.run(cli, ui),
            Action::Shifts(command) => command.run(ui),
            Action::Suggest(command) => command.run(cli, ui),
            Action::Accept(command) => command.run(cli, ui),
        }
    }
}
