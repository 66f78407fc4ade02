//! The arguments of all commands: what clap parses, before it means anything.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command;
use crate::ui::LogFormat;

const AFTER_HELP: &str = "\
Exit codes:
  0   done, or the gate passed
  1   the gate failed
  2   the gate warns
  3   it could not be judged or done (usage, configuration, unreadable store)
  70  a defect in deespec
  `deespec run` passes the exit code of its command through.

Environment:
  DEESPEC_STORE   the store's folder, where --store is not given
  DEESPEC_CONFIG  the gate's configuration, where --config is not given

Example:
  deespec inc builds_total -l branch=main
  deespec run --name tests -- cargo test
  deespec doctor --check-thresholds";

/// Exact counts over many processes, and the gate that judges them.
///
/// Counts survive races, kills and reboots. The store is the folder that --store or DEESPEC_STORE
/// names, else the nearest .deespec/ upward, else a new one here.
#[derive(Debug, Parser)]
#[command(name = "deespec", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    /// The store's folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub(crate) store: Option<PathBuf>,

    /// How log lines on stderr look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    #[arg(help_heading = "Global options")]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A command whose result a script may want.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    /// Parses the arguments of this process.
    pub(crate) fn from_arguments() -> Result<Self, clap::Error> {
        // Building the parser of all commands takes longer than an increment. So one that knows
        // `inc` alone goes first; whatever it does not understand is left to the whole parser.
        if std::env::args_os().any(|argument| argument == "inc")
            && let Ok(quick) = Quick::try_parse()
        {
            let QuickCommand::Inc(inc) = quick.command;
            return Ok(Self {
                store: quick.store,
                log_format: quick.log_format,
                command: Command::Inc(inc),
            });
        }
        Self::try_parse()
    }
}

/// The part of [`Cli`] that `deespec inc` needs.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true, disable_help_subcommand = true)]
struct Quick {
    #[arg(long, global = true)]
    store: Option<PathBuf>,
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: QuickCommand,
}

#[derive(Debug, Subcommand)]
enum QuickCommand {
    #[command(disable_help_flag = true)]
    Inc(command::inc::Inc),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(command::init::Init),
    Inc(command::inc::Inc),
    Run(command::run::Run),
    Show(command::show::Show),
    Sync(command::sync::Sync),
    Doctor(command::doctor::Doctor),
    Snapshot(command::snapshot::Snapshot),
    Snapshots(command::snapshots::Snapshots),
    Restore(command::restore::Restore),
    Rotate(command::rotate::Rotate),
    Import(command::import::Import),
    Export(command::export::Export),
    Watch(command::watch::Watch),
    Demo(command::demo::Demo),
    Completions(command::completions::Completions),
    Man(command::man::Man),
    #[command(hide = true)]
    DemoWorker(command::demo::worker::Worker),
}
