//! `deespec gate`: what helps to judge runs by those before them.

mod accept;
mod cases;
mod configuration;
mod file;
mod history;
mod lint;
mod record;
mod rules;
mod shifts;
pub(crate) mod snapshots;
mod suggest;
mod test;

use clap::{Args, Subcommand};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

/// Find out from earlier runs what to expect of the next
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec gate shifts --history bench.jsonl")]
pub(crate) struct Gate {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Accept(accept::Accept),
    History(history::History),
    Lint(lint::Lint),
    Record(record::Record),
    Rules(rules::Rules),
    Shifts(shifts::Shifts),
    Suggest(suggest::Suggest),
    Test(test::Test),
}

impl Gate {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        match &self.action {
            Action::Accept(command) => command.run(cli, ui),
            Action::History(command) => command.run(cli, ui),
            Action::Lint(command) => command.run(cli, ui),
            Action::Record(command) => command.run(cli, ui),
            Action::Rules(command) => command.run(cli, ui),
            Action::Shifts(command) => command.run(ui),
            Action::Suggest(command) => command.run(cli, ui),
            Action::Test(command) => command.run(cli, ui),
        }
    }
}
