//! Where measurements happen: folders on disk and in memory, the `deespec` program beside us.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use deespec::{Options, Store};
use tempfile::TempDir;

use crate::measure::{Effort, Level};
use crate::{Result, table};

/// What every measurement gets.
pub(crate) struct Bench {
    pub(crate) level: Level,
    pub(crate) effort: Effort,
    pub(crate) cores: usize,
    /// How this program was built, and so the `deespec` program beside it.
    pub(crate) profile: String,
    /// The target folder: scratch stores lie below it, on a real disk as a rule.
    pub(crate) target: PathBuf,
    program: std::result::Result<PathBuf, String>,
}

impl Bench {
    pub(crate) fn prepare(level: Level) -> Result<Self> {
        let us = env::current_exe()?;
        let beside = us
            .parent()
            .ok_or("this program lies nowhere")?
            .to_path_buf();
        let target = beside.parent().unwrap_or(&beside).to_path_buf();
        let profile = profile(&beside);
        Ok(Self {
            level,
            effort: Effort::new(level),
            cores: std::thread::available_parallelism()?.get(),
            program: program(&target, &profile, &beside.join("deespec")),
            profile,
            target,
        })
    }

    /// How many series a server holds that is measured.
    pub(crate) fn served(&self) -> usize {
        self.level.choose(10_000, 10_000, 500)
    }

    /// An empty folder on the disk, gone when dropped.
    pub(crate) fn on_disk(&self) -> Result<TempDir> {
        Ok(tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(&self.target)?)
    }

    /// An empty folder in memory, where an fsync costs nothing.
    pub(crate) fn in_memory(&self) -> std::result::Result<TempDir, String> {
        let place = Path::new("/dev/shm");
        if crate::machine::file_system(place) != "tmpfs" {
            return Err("there is no tmpfs at /dev/shm".to_owned());
        }
        tempfile::Builder::new()
            .prefix("deespec-bench-")
            .tempdir_in(place)
            .map_err(|error| format!("/dev/shm: {error}"))
    }

    /// `deespec --store STORE`, silent, with nothing inherited that could point it elsewhere.
    pub(crate) fn deespec(&self, store: &Path) -> Result<Command> {
        let mut command = Command::new(self.program.as_ref().map_err(Clone::clone)?);
        command
            .env_remove("DEESPEC_STORE")
            .env_remove("DEESPEC_CONFIG");
        command.arg("--store").arg(store);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command)
    }
}

/// A store without a background thread: what is measured is what the caller waits for.
pub(crate) fn open(path: &Path) -> Result<Store> {
    Ok(Store::open_with(
        path,
        &Options::new().background_sync(None),
    )?)
}

/// What a store says of one counter, read the way any outsider would.
pub(crate) fn counted(path: &Path, name: &str) -> Result<u64> {
    let view: serde_json::Value = serde_json::from_str(&open(path)?.view()?.to_json())?;
    let series = view["series"].as_array().ok_or("a view without series")?;
    let value = series
        .iter()
        .find(|series| series["name"] == name)
        .map(|series| &series["value"]);
    value
        .and_then(|value| value.as_u64())
        .ok_or_else(|| format!("no {name} in the view").into())
}

/// What a folder takes from the disk, with everything below it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extent {
    pub(crate) files: u64,
    /// Bytes in allocated blocks, the folders' own among them: what fills a disk up.
    pub(crate) allocated: u64,
    /// Bytes by the files' lengths, which is more where files have holes.
    pub(crate) apparent: u64,
}

pub(crate) fn extent(folder: &Path) -> Result<Extent> {
    let mut sum = Extent {
        allocated: fs::metadata(folder)?.blocks() * 512,
        ..Extent::default()
    };
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let more = if entry.file_type()?.is_dir() {
            extent(&entry.path())?
        } else {
            let metadata = entry.metadata()?;
            Extent {
                files: 1,
                allocated: metadata.blocks() * 512,
                apparent: metadata.len(),
            }
        };
        sum.files += more.files;
        sum.allocated += more.allocated;
        sum.apparent += more.apparent;
    }
    Ok(sum)
}

/// The profile whose programs Cargo puts into this folder.
fn profile(folder: &Path) -> String {
    match folder.file_name().and_then(|name| name.to_str()) {
        // Older than profiles with names.
        Some("debug") | None => "dev".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// Says where the packaged program is, which is linked in its own way: `cargo xtask bench` builds it for its profile.
const PACKAGED: &str = "DEESPEC_BENCH_PACKAGED";

fn program(target: &Path, profile: &str, path: &Path) -> std::result::Result<PathBuf, String> {
    if let Some(packaged) = env::var_os(PACKAGED) {
        return Ok(packaged.into());
    }
    // Cargo names itself to what it runs; started by hand, we take the program that is there. So do the tests, which
    // are built together with it.
    if let Some(cargo) = env::var_os("CARGO").filter(|_| profile != "dev") {
        table::progress(&format!("building deespec, profile {profile}"));
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--locked", "-p", "deespec-cli"]);
        // As this program was built, since it is looked for beside it.
        build.args(["--profile", profile]);
        build.arg("--target-dir").arg(target);
        let built = build.status();
        if !built.is_ok_and(|status| status.success()) {
            return Err("the deespec program does not build".to_owned());
        }
    }
    if path.is_file() {
        Ok(path.to_path_buf())
    } else {
        Err(format!(
            "no deespec program at {}; `cargo build -p deespec-cli` builds it for the tests, `cargo xtask bench` for itself",
            path.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_tells_the_profile() {
        let of = |path: &str| profile(Path::new(path));
        assert_eq!(of("target/debug"), "dev");
        assert_eq!(of("target/release"), "release");
        assert_eq!(of("elsewhere/dist"), "dist");
    }
}
