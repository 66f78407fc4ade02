//! Where packages are made, and what they are called.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::verdict::{io, text_of};
use crate::step::Failure;
use crate::workspace::{self, root, target};

/// What all packages have in common.
pub(crate) struct Made {
    /// What is made: what a release would have, and nothing else.
    pub(crate) folder: PathBuf,
    /// What it is made from, and where checks play.
    pub(crate) scratch: PathBuf,
    pub(crate) version: &'static str,
    /// The machine that runs the program, in Rust's words.
    pub(crate) target: String,
    /// Where the project is at home; empty as long as it has none.
    pub(crate) repository: &'static str,
    /// When the newest commit was made: every file in every package has that time, so that who builds the same commit
    /// with the same tools gets the same bytes.
    pub(crate) epoch: String,
}

impl Made {
    pub(crate) fn prepare() -> Result<Self, Failure> {
        let verbose = text_of(Command::new("rustc").arg("-vV"))?;
        let host = verbose.lines().find_map(|line| line.strip_prefix("host: "));
        let host =
            host.ok_or_else(|| Failure::missing("rustc does not say what host it is for"))?;
        let mut log = Command::new("git");
        log.args(["log", "-1", "--format=%ct"]).current_dir(root());
        let made = Self {
            folder: target().join("packages"),
            scratch: target().join("packages-scratch"),
            version: env!("CARGO_PKG_VERSION"),
            target: host.to_owned(),
            repository: env!("CARGO_PKG_REPOSITORY"),
            // Without Git, such as from a crate's sources: the beginning of time, as others do.
            epoch: text_of(&mut log).map_or_else(|_| "0".to_owned(), |text| text.trim().to_owned()),
        };
        fs::create_dir_all(&made.scratch).map_err(io(&made.scratch))?;
        Ok(made)
    }

    /// `deespec-cli-VERSION-TARGET`: the archive's name, and that of the folder in it.
    pub(crate) fn name(&self) -> String {
        format!("deespec-cli-{}-{}", self.version, self.target)
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.join(format!("{}.tar.gz", self.name()))
    }

    /// The folder that all packages take their files from: binary, pages, completions, licences.
    pub(crate) fn contents(&self) -> PathBuf {
        self.scratch.join(self.name())
    }

    /// The packaged program.
    pub(crate) fn program(&self) -> PathBuf {
        self.contents().join("deespec")
    }

    /// An empty folder for a check.
    pub(crate) fn play(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.scratch.join("play").join(name);
        empty(&folder)?;
        Ok(folder)
    }

    /// What was made before is of another commit.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        empty(&self.folder)?;
        empty(&self.contents())
    }

    /// One list of all checksums, in the form that `sha256sum --check` reads.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        let mut files = files(&self.folder)?;
        files.retain(|name| !name.ends_with(".sha256"));
        let mut sums = Command::new("sha256sum");
        sums.args(&files).current_dir(&self.folder);
        let sums = text_of(&mut sums)?;
        let list = self.folder.join("SHA256SUMS");
        fs::write(&list, &sums).map_err(io(&list))?;
        println!("\nin {}:", self.folder.display());
        for name in files {
            let length = fs::metadata(self.folder.join(&name)).map_or(0, |found| found.len());
            println!("{:9.2} MB  {name}", length as f64 / 1e6);
        }
        Ok(())
    }
}

/// The names in a folder, sorted.
pub(crate) fn files(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io(folder))? {
        names.push(
            entry
                .map_err(io(folder))?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

/// Makes a folder, or empties it.
pub(crate) fn empty(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(folder)(error)),
        _ => fs::create_dir_all(folder).map_err(io(folder)),
    }
}

/// A command of the cargo that runs us, for what is packaged: nothing of the environment may change what it builds.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = workspace::cargo(args);
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        // It leaves protections out where a proof asks for that (`seams.rs`).
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    ] {
        command.env_remove(name);
    }
    command.env("CARGO_TARGET_DIR", target());
    command
}
