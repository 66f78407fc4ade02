//! `deespec gate`: what helps to judge runs by those before them.

mod accept;
mod file;
mod history;
mod record;
mod shifts;
pub(crate) mod snapshots;

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
    Record(record::Record),
    Shifts(shifts::Shifts),
}

impl Gate {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        match &self.action {
            Action::Accept(command) => command.run(cli, ui),
            Action::History(command) => command.run(cli, ui),
            Action::Record(command) => command.run(cli, ui),
            Action::Shifts(command) => command.run(ui),
        }
    }
}
