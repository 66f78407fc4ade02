//! `deespec gate`: what helps to judge runs by those before them.

mod file;
mod shifts;

use clap::{Args, Subcommand};

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
    Shifts(shifts::Shifts),
}

impl Gate {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        match &self.action {
            Action::Shifts(command) => command.run(ui),
        }
    }
}
