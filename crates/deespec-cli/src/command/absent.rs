//! What stands in the place of a command that this program was built without.

use std::ffi::OsString;

use clap::Args;

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

/// Not in this build
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Absent {
    /// Whatever is asked of it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

impl Absent {
    pub(crate) fn run(&self, _cli: &Cli, _ui: &Ui) -> Result<Code, Failure> {
        Err(
            Failure::new("this deespec was built without the web server").hint(
                "build it with its default features: `cargo install --path crates/deespec-cli`",
            ),
        )
    }
}
