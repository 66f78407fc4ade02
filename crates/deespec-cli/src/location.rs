//! Which store a command means, and opening it.

use std::path::{Path, PathBuf};

use deespec::{Options, Store};

use crate::args::Cli;
use crate::exit::Failure;
use crate::ui::Ui;

/// The folder of the project's DeeSpec files, searched upward.
pub(crate) const FOLDER: &str = ".deespec";
/// The store in it.
const STORE: &str = "var";

/// The folder of the store: `--store`, else `DEESPEC_STORE`, else the nearest `.deespec/` upward, else
/// a new one here.
pub(crate) fn store_path(cli: &Cli) -> Result<PathBuf, Failure> {
    if let Some(path) = named(cli)? {
        return absolute(&path);
    }
    let here = std::env::current_dir()
        .map_err(|error| Failure::new(format!("cannot tell the current folder: {error}")))?;
    let nearest = here
        .ancestors()
        .map(|folder| folder.join(FOLDER))
        .find(|path| path.is_dir());
    Ok(nearest.unwrap_or_else(|| here.join(FOLDER)).join(STORE))
}

/// The folders of the stores of a command that takes several: each `--store`, else as [`store_path`].
#[cfg(feature = "serve")]
pub(crate) fn store_paths(cli: &Cli) -> Result<Vec<PathBuf>, Failure> {
    match cli.store.as_slice() {
        [] => Ok(vec![store_path(cli)?]),
        several => several.iter().map(|path| absolute(path)).collect(),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(format!("cannot locate {}: {error}", path.display())))
}

/// The folder that `--store`, else `DEESPEC_STORE` names.
pub(crate) fn named(cli: &Cli) -> Result<Option<PathBuf>, Failure> {
    let variable = || std::env::var_os("DEESPEC_STORE").filter(|path| !path.is_empty());
    match cli.store.as_slice() {
        [] => Ok(variable().map(PathBuf::from)),
        [one] => Ok(Some(one.clone())),
        _ => Err(Failure::new("--store names several folders")
            .hint("this command has one store; `deespec serve` takes several")),
    }
}

/// Opens the store that the command means. One that does not exist is made, and that is said.
pub(crate) fn open(cli: &Cli, ui: &Ui, command: &str) -> Result<Store, Failure> {
    open_as(&store_path(cli)?, ui, &options(command))
}

/// How commands open a store: they end soon, so nothing runs in the background.
pub(crate) fn options(command: &str) -> Options {
    let user = rustix::process::getuid().as_raw();
    Options::new()
        .background_sync(None)
        .program(format!("deespec {command} (uid {user})"))
}

pub(crate) fn open_as(path: &Path, ui: &Ui, options: &Options) -> Result<Store, Failure> {
    let is_new = !exists(path);
    let store = Store::open_with(path, options)?;
    if is_new {
        ui.info(
            "Made a new store",
            vec![("path", store.path().display().to_string())],
        );
    }
    Ok(store)
}

/// Says so when an operation was done but left a `metrics.json` alone that is not this store's.
pub(crate) fn warn_if_foreign(store: &Store, ui: &Ui) {
    let published = store.health().map(|health| health.published);
    if published.is_ok_and(|published| published == deespec::Published::Foreign) {
        let path = store.path().join("metrics.json").display().to_string();
        ui.warn(
            "metrics.json is not this store's and was left as it is",
            vec![("path", path)],
        );
    }
}

/// Whether a store exists in this folder.
pub(crate) fn exists(path: &Path) -> bool {
    path.join("live").join("segment-0000").exists()
}

/// The folder that holds the gate's configuration: the `.deespec/` around the store, or the store's
/// own folder where it lies elsewhere.
pub(crate) fn configuration_folder(store: &Path) -> &Path {
    store
        .parent()
        .filter(|parent| parent.file_name().is_some_and(|name| name == FOLDER))
        .unwrap_or(store)
}
