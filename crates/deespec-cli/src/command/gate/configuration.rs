//! Which rules are in force: where the gate's configuration lies, and reading it.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use deespec::gate::{Rules, Thresholds};

use crate::args::Cli;
use crate::exit::Failure;
use crate::files;
use crate::location;
use crate::safe;

/// What the gate judges by.
#[derive(Debug)]
pub(crate) enum InForce {
    /// A `gate.toml`.
    Rules(Rules),
    /// A `thresholds.json`, or the defaults where there is no file.
    Thresholds(Thresholds),
}

/// The configuration as an argument.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// The file with the rules [default: DEESPEC_CONFIG, else gate.toml, else
    /// thresholds.json beside the store]
    #[arg(long, visible_alias = "config", value_name = "FILE")]
    rules: Option<PathBuf>,
}

impl Given {
    pub(super) fn in_force(&self, cli: &Cli) -> Result<InForce, Failure> {
        in_force(self.rules.as_deref(), &location::store_path(cli)?)
    }
}

/// The configuration that is given, else that of `DEESPEC_CONFIG`, else the file beside the store, else the default
/// thresholds.
pub(crate) fn in_force(given: Option<&Path>, store: &Path) -> Result<InForce, Failure> {
    let named = given.map(PathBuf::from).or_else(|| {
        std::env::var_os("DEESPEC_CONFIG")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    });
    let beside = || {
        let folder = location::configuration_folder(store);
        let files = ["gate.toml", "thresholds.json"].map(|name| folder.join(name));
        files.into_iter().find(|path| is_there(path))
    };
    let Some(path) = named.or_else(beside) else {
        return Ok(InForce::Thresholds(Thresholds::default()));
    };
    let is_json = path.extension().is_some_and(|kind| kind == "json");
    if is_json {
        let text = read(
            &path,
            Thresholds::MAX_BYTES,
            "--thresholds` writes one with the defaults",
        )?;
        let thresholds = Thresholds::parse(&text, &path).map_err(|error| {
            Failure::new(error.to_string())
                .hint("`deespec init --thresholds` writes a file with all keys and their defaults")
        })?;
        return Ok(InForce::Thresholds(thresholds));
    }
    let text = read(&path, Rules::MAX_BYTES, "--gate` writes one to begin with")?;
    let rules = Rules::parse(&text, &path).map_err(|error| {
        Failure::new(error.to_string())
            .hint("`deespec init --gate` writes a file with an example of each kind of rule")
    })?;
    Ok(InForce::Rules(rules))
}

/// Whether something has this name, also where it cannot be read: that must be told, not passed over.
fn is_there(path: &Path) -> bool {
    let found = path.symlink_metadata();
    !found.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Reads a file that judges, which nobody may change but those who are trusted.
fn read(path: &Path, most: usize, writes_one: &str) -> Result<String, Failure> {
    let failed = |error: Error| match error.kind() {
        ErrorKind::NotFound => {
            Failure::new(format!("{} does not exist", path.display())).hint(format!(
                "name another file with --config or DEESPEC_CONFIG; `deespec init {writes_one}"
            ))
        }
        _ => Failure::new(format!(
            "cannot read the configuration in {}: {error}",
            path.display()
        ))
        .hint("--config or DEESPEC_CONFIG must name a file that this user may read"),
    };
    let file = files::regular(path).map_err(failed)?;
    safe::check(path, &file.metadata().map_err(failed)?)?;
    let bytes = files::rest(&file, most as u64).map_err(failed)?;
    files::text(bytes).map_err(failed)
}
