//! Where the gate's configuration comes from.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use deespec::gate::Thresholds;

use crate::exit::Failure;
use crate::files;
use crate::location::configuration_folder;

/// The thresholds of `--config`, else `DEESPEC_CONFIG`, else of the file beside the store, else the
/// defaults.
pub(crate) fn thresholds(given: Option<&Path>, store: &Path) -> Result<Thresholds, Failure> {
    let named = given.map(PathBuf::from).or_else(|| {
        std::env::var_os("DEESPEC_CONFIG")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    });
    let path = match named {
        Some(path) => path,
        None => {
            let folder = configuration_folder(store);
            let rules = folder.join("gate.toml");
            let thresholds = folder.join("thresholds.json");
            match () {
                () if is_there(&rules) => rules,
                () if is_there(&thresholds) => thresholds,
                () => return Ok(Thresholds::default()),
            }
        }
    };
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        let message = format!(
            "this version cannot judge by the rules of {}",
            path.display()
        );
        return Err(
            Failure::new(message).hint("give the static thresholds with --config thresholds.json")
        );
    }
    let text = read(&path)?;
    Thresholds::parse(&text, &path).map_err(|error| {
        Failure::new(error.to_string())
            .hint("`deespec init --thresholds` writes a file with all keys and their defaults")
    })
}

/// Whether something has this name, also where it cannot be read: that must be told, not passed over.
fn is_there(path: &Path) -> bool {
    let found = path.symlink_metadata();
    !found.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

fn read(path: &Path) -> Result<String, Failure> {
    let failure = |error: std::io::Error| {
        let (what, hint) = match error.kind() {
            ErrorKind::NotFound => (
                format!("{} does not exist", path.display()),
                "--config or DEESPEC_CONFIG names it; `deespec init --thresholds` writes one with \
                 the defaults",
            ),
            _ => (
                format!("cannot read the thresholds in {}: {error}", path.display()),
                "--config or DEESPEC_CONFIG must name a file that this user may read",
            ),
        };
        Failure::new(what).hint(hint)
    };
    files::read(path, Thresholds::MAX_BYTES as u64).map_err(failure)
}
