//! Shows with real processes that the counts hold: they race, are killed and fail, and then
//! everything is counted again.
//!
//! Each harness is one file whose first comment says what is done and what would be a violation.
//! They are sorted by what they are about: `processes/`, `operations/`, `input/`. `harness.rs` has the
//! list of them, `audit.rs` counts a store again from its files, `child.rs` starts and kills processes,
//! `ui.rs` prints.
//! This program starts itself again for the processes that race: `deespec-proof role NAME …`.

use std::process::ExitCode;

mod args;
mod audit;
mod child;
#[cfg(deespec_controls)]
mod controls;
mod disks;
mod harness;
mod input;
mod opening;
mod operations;
mod processes;
mod random;
mod ui;

/// What stops a harness itself; what it finds are violations, which are collected.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "role"
    {
        return match child::play(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                ui::complain(&ui::chain(error.as_ref()));
                ExitCode::FAILURE
            }
        };
    }
    match args::parse(&arguments) {
        Ok(None) => {
            ui::say(&args::usage());
            ExitCode::SUCCESS
        }
        Ok(Some(plan)) => harness::run(&plan),
        Err(message) => {
            ui::complain(&format!("{message}\n\n{}", args::usage()));
            ExitCode::from(3)
        }
    }
}
