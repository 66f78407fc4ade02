//! `deespec man`: manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_mangen::Man as Page;

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::files;
use crate::ui::Ui;

/// Print the manual page, or write the pages of all commands
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  deespec man | man -l -\n  deespec man run | man -l -\n  deespec man --output share/man/man1"
)]
pub(crate) struct Man {
    /// The command whose page to print, instead of the page of deespec itself
    command: Option<String>,

    /// Write the pages of deespec and all its commands into this folder
    #[arg(long, short, value_name = "DIR", conflicts_with = "command")]
    output: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Code, Failure> {
        let mut root = Cli::command();
        root.build();
        if let Some(folder) = &self.output {
            return write_all(&root, folder, ui);
        }
        let page = match &self.command {
            None => root.clone(),
            Some(name) => pages(&root)
                .find(|page| page.get_name() == *name)
                .ok_or_else(|| {
                    Failure::new(format!("there is no command {name:?}"))
                        .hint("`deespec --help` lists the commands")
                })?
                .clone(),
        };
        ui.print(&render(page)?);
        Ok(Code::Done)
    }
}

fn pages(root: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    root.get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn render(command: clap::Command) -> Result<String, Failure> {
    let mut text = Vec::new();
    Page::new(command)
        .source(format!("deespec {}", env!("CARGO_PKG_VERSION")))
        .manual("DeeSpec")
        .render(&mut text)
        .map_err(|error| Failure::new(format!("cannot render the page: {error}")))?;
    Ok(String::from_utf8_lossy(&text).replace(".SH EXTRA\n", ".SH NOTES\n"))
}

fn write_all(root: &clap::Command, folder: &PathBuf, ui: &Ui) -> Result<Code, Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", folder.display())))?;
    for command in std::iter::once(root).chain(pages(root)) {
        let name = command
            .get_display_name()
            .unwrap_or_else(|| command.get_name());
        let path = folder.join(format!("{name}.1"));
        let page = render(command.clone())?;
        files::replace(&path, page.as_bytes(), 0o644)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
        ui.line(&path.display().to_string());
    }
    Ok(Code::Done)
}
