//! `deespec gate`: what helps to judge runs by those before them.

mod cases;
mod configuration;
mod file;
mod lint;
mod rules;
mod shifts;
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
    Lint(lint::Lint),
    Rules(rules::Rules),
    Shifts(shifts::Shifts),
    Test(test::Test),
}

impl Gate {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        match &self.action {
            Action::Lint(command) => command.run(cli, ui),
            Action::Rules(command) => command.run(cli, ui),
            Action::Shifts(command) => command.run(ui),
            Action::Test(command) => command.run(cli, ui),
        }
    }
}
