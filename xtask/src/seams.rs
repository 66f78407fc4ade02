//! Builds in which a `cfg` is set for the crates of this workspace alone, so that those of others are not built once
//! more: cargo starts this program, by another name, in the place of the compiler.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::step::Failure;
use crate::workspace;

/// The folder of our other names, beside the builds.
const FOLDER: &str = "rustc";

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seam {
    /// A protection can be left out (`crates/deespec/src/protection.rs`).
    Controls,
    /// The model checker stands in the place of threads and atomics.
    Loom,
}

impl Seam {
    const ALL: [Self; 2] = [Self::Controls, Self::Loom];

    fn cfg(self) -> &'static str {
        match self {
            Self::Controls => "deespec_controls",
            Self::Loom => "loom",
        }
    }

    /// Has a command of cargo build with it.
    pub(crate) fn set(self, command: &mut Command) -> Result<(), Failure> {
        let lacking = |error| Failure::missing(format!("cannot link to this program: {error}"));
        let folder = workspace::target().join(FOLDER);
        fs::create_dir_all(&folder).map_err(lacking)?;
        let this = env::current_exe().map_err(lacking)?;
        let name = folder.join(self.cfg());
        if fs::read_link(&name).ok().as_ref() != Some(&this) {
            let new = folder.join(format!("{}.{}", self.cfg(), std::process::id()));
            let made = symlink(&this, &new).and_then(|()| fs::rename(&new, &name));
            made.map_err(lacking)?;
        }
        command.env("RUSTC_WORKSPACE_WRAPPER", name);
        Ok(())
    }
}

/// Compiles, where cargo has started this program to do that.
pub(crate) fn compile() -> Option<ExitCode> {
    let mut args = env::args_os();
    let name = args.next()?;
    let name = Path::new(&name).file_name()?;
    let seam = Seam::ALL.into_iter().find(|seam| name == seam.cfg())?;
    let mut compiler = Command::new(args.next()?);
    compiler.args(args).args(["--cfg", seam.cfg()]);
    let error = compiler.exec();
    eprintln!("xtask: cannot start the compiler: {error}");
    Some(ExitCode::FAILURE)
}
