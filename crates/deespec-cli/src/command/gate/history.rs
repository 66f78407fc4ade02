//! `deespec gate history`: what the history of runs has, and where it comes from.

mod formats;
mod import;
mod merge;
mod show;

use clap::{Args, Subcommand};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

/// Fill, merge and show the history of runs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  deespec gate history import results.csv")]
pub(super) struct History {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Import(import::Import),
    Merge(merge::Merge),
    Show(show::Show),
}

impl History {
    pub(super) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        match &self.action {
            Action::Import(command) => command.run(cli, ui),
            Action::Merge(command) => command.run(ui),
            Action::Show(command) => command.run(cli, ui),
        }
    }
}
