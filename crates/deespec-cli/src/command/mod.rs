//! One file per command: what it takes, what it does with the library, what it prints.

#[cfg(not(all(feature = "push", feature = "serve")))]
pub(crate) mod absent;
pub(crate) mod assets;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod declare;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod gate;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod inc;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod observe;
#[cfg(feature = "push")]
pub(crate) mod push;
pub(crate) mod remove;
pub(crate) mod restore;
pub(crate) mod rotate;
pub(crate) mod run;
#[cfg(feature = "serve")]
pub(crate) mod serve;
pub(crate) mod set;
pub(crate) mod show;
pub(crate) mod snapshot;
pub(crate) mod snapshots;
pub(crate) mod sync;
pub(crate) mod watch;

use crate::args::{Cli, Command};
use crate::exit::{Code, Failure};
use crate::ui::Ui;

/// Runs the command that was given.
pub(crate) fn run(cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
    match &cli.command {
        Command::Init(command) => command.run(cli, ui),
        Command::Inc(command) => command.run(cli, ui),
        Command::Set(command) => command.run(cli, ui),
        Command::Observe(command) => command.run(cli, ui),
        Command::Run(command) => command.run(cli, ui),
        Command::Show(command) => command.run(cli, ui),
        Command::Get(command) => command.run(cli, ui),
        Command::Declare(command) => command.run(cli, ui),
        Command::Remove(command) => command.run(cli, ui),
        Command::Sync(command) => command.run(cli, ui),
        Command::Doctor(command) => command.run(cli, ui),
        Command::Snapshot(command) => command.run(cli, ui),
        Command::Snapshots(command) => command.run(cli, ui),
        Command::Restore(command) => command.run(cli, ui),
        Command::Rotate(command) => command.run(cli, ui),
        Command::Compact(command) => command.run(cli, ui),
        Command::Import(command) => command.run(cli, ui),
        Command::Export(command) => command.run(cli, ui),
        Command::Gate(command) => command.run(cli, ui),
        Command::Watch(command) => command.run(cli, ui),
        Command::Serve(command) => command.run(cli, ui),
        Command::Push(command) => command.run(cli, ui),
        Command::Grafana(command) => command.run(ui),
        Command::PrometheusRules(command) => command.run(ui),
        Command::PrometheusConfig(command) => command.run(ui),
        Command::Demo(command) => command.run(ui),
        Command::Completions(command) => command.run(ui),
        Command::Man(command) => command.run(ui),
        Command::DemoWorker(command) => command.run(ui),
    }
}
