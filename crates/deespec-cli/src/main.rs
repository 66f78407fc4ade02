//! `deespec`: the command line. Parses, runs one command, and turns its outcome into an exit code.

mod accept;
mod args;
mod command;
mod exit;
mod files;
mod hint;
mod location;
mod names;
mod parse;
mod report;
mod safe;
mod series;
#[cfg(any(feature = "push", feature = "serve"))]
mod token;
mod ui;
mod users;
mod values;

use std::process::ExitCode;

fn main() -> ExitCode {
    exit::report_bugs();
    exit::survive_file_limit();
    let arguments: Vec<_> = std::env::args_os().collect();
    let cli = match args::Cli::parse_arguments(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let ui = ui::Ui::new(args::log_format(&arguments));
            return ui.usage(&error).into();
        }
    };
    if !cli.command.only_counts() {
        names::ask_no_module();
    }
    let ui = ui::Ui::new(cli.log_format);
    match command::run(&cli, &ui) {
        Ok(code) => code.into(),
        Err(failure) => {
            ui.failure(&failure);
            exit::Code::NotDone.into()
        }
    }
}
