//! What stands in the place of a command that this program was built without.

use std::ffi::OsString;

use clap::Args;

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::ui::Ui;

const WAY_OUT: &str =
    "build it with its default features: `cargo install --path crates/deespec-cli`";

/// Not in this build
#[cfg(not(feature = "serve"))]
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Absent {
    /// Whatever is asked of it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

#[cfg(not(feature = "serve"))]
impl Absent {
    pub(crate) fn run(&self, _cli: &Cli, _ui: &Ui) -> Result<Code, Failure> {
        Err(Failure::new("this deespec was built without the web server").hint(WAY_OUT))
    }
}

/// Not in this build
#[cfg(not(feature = "push"))]
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct AbsentClient {
    /// Whatever is asked of it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

#[cfg(not(feature = "push"))]
impl AbsentClient {
    pub(crate) fn run(&self, _cli: &Cli, _ui: &Ui) -> Result<Code, Failure> {
        Err(Failure::new("this deespec was built without the HTTP client").hint(WAY_OUT))
    }
}
