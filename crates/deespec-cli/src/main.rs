//! `deespec`: the command line. Parses, runs one command, and turns its outcome into an exit code.

mod args;
mod command;
mod exit;
mod location;
mod ui;

use std::process::ExitCode;

use clap::error::ErrorKind;

fn main() -> ExitCode {
    exit::report_bugs();
    let cli = match args::Cli::from_arguments() {
        Ok(cli) => cli,
        Err(error) => {
            // Clap's own code for usage errors is 2, which here means "the gate warns".
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            let _ = error.print();
            return if asked {
                exit::Code::Done.into()
            } else {
                exit::Code::NotDone.into()
            };
        }
    };
    let ui = ui::Ui::new(cli.log_format);
    match command::run(&cli, &ui) {
        Ok(code) => code.into(),
        Err(failure) => {
            ui.failure(&failure);
            exit::Code::NotDone.into()
        }
    }
}
