//! `deespec completions`: completion scripts for shells.

use clap::{Args, CommandFactory as _};

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  deespec completions bash > ~/.local/share/bash-completion/completions/deespec"
)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "deespec", &mut script);
        ui.print(&String::from_utf8_lossy(&script));
        Ok(Code::Done)
    }
}
