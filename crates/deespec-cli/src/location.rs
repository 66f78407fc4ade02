//! Which store a command means, and opening it. Only what counts makes a store that is missing.

mod near;
mod search;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use deespec::{Error, Options, Store, StoreError};

use crate::accept;
use crate::args::Cli;
use crate::exit::Failure;
use crate::ui::Ui;
use crate::users::{quoted, user_name};

use search::Passed;

/// The folder of the project's DeeSpec files, searched upward.
pub(crate) const FOLDER: &str = ".deespec";
/// The store in it.
const STORE: &str = "var";

/// Where the store of a command is, or is to be.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) why: Why,
    passed: Vec<Passed>,
}

/// Why it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// `--store` names it.
    Option,
    /// `DEESPEC_STORE` names it.
    Variable,
    /// The nearest `.deespec/` upward.
    Nearest,
    /// The root of the Git work tree.
    WorkTree,
    /// Neither of them is there.
    Here,
}

impl Why {
    /// In words, as what stands behind a path.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Option => "named by --store",
            Self::Variable => "named by DEESPEC_STORE",
            Self::Nearest => "the nearest .deespec/ upward",
            Self::WorkTree => "the root of this Git work tree",
            Self::Here => "this folder",
        }
    }
}

/// The place of the store: `--store`, else `DEESPEC_STORE`, else the nearest `.deespec/` upward, else one at the
/// root of the Git work tree, else one here.
pub(crate) fn place(cli: &Cli) -> Result<Place, Failure> {
    if let Some((path, why)) = named(cli)? {
        let path = absolute(&path)?;
        return Ok(Place {
            path,
            why,
            passed: Vec::new(),
        });
    }
    let here = std::env::current_dir()
        .map_err(|error| Failure::new(format!("cannot tell the current folder: {error}")))?;
    search::upward(&here)
}

/// The folder of the store, as [`place`] finds it.
pub(crate) fn store_path(cli: &Cli) -> Result<PathBuf, Failure> {
    Ok(place(cli)?.path)
}

/// The places of the stores of a command that takes several: each `--store`, else as [`place`].
#[cfg(feature = "serve")]
pub(crate) fn places(cli: &Cli) -> Result<Vec<Place>, Failure> {
    let each = |path: &PathBuf| {
        Ok(Place {
            path: absolute(path)?,
            why: Why::Option,
            passed: Vec::new(),
        })
    };
    match cli.store.as_slice() {
        [] => Ok(vec![place(cli)?]),
        several => several.iter().map(each).collect(),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(format!("cannot locate {}: {error}", path.display())))
}

/// The folder that `--store`, else `DEESPEC_STORE` names.
fn named(cli: &Cli) -> Result<Option<(PathBuf, Why)>, Failure> {
    let variable = || std::env::var_os("DEESPEC_STORE").filter(|path| !path.is_empty());
    match cli.store.as_slice() {
        [] => Ok(variable().map(|path| (path.into(), Why::Variable))),
        [one] => Ok(Some((one.clone(), Why::Option))),
        _ => Err(Failure::new("--store names several folders")
            .hint("this command has one store; `deespec serve` takes several")),
    }
}

/// Opens the store that the command means. Where there is none, that is an error: nothing is counted, and a
/// wrong path must be told.
pub(crate) fn open(cli: &Cli, ui: &Ui, command: &str) -> Result<Store, Failure> {
    place(cli)?.open(ui, &options(command))
}

/// As [`open`], for what counts: a store that does not exist is made, and that is said.
pub(crate) fn open_or_make(cli: &Cli, ui: &Ui, command: &str) -> Result<Store, Failure> {
    place(cli)?.open_or_make(ui, &options(command))
}

/// How commands open a store: they end soon, so nothing runs in the background.
pub(crate) fn options(command: &str) -> Options {
    let user = rustix::process::getuid().as_raw();
    Options::new()
        .background_sync(None)
        .program(format!("deespec {command} (uid {user})"))
}

impl Place {
    /// Opens the store there.
    pub(crate) fn open(&self, ui: &Ui, options: &Options) -> Result<Store, Failure> {
        self.tell(ui);
        let opened = Store::open_with(&self.path, &options.clone().create(false));
        opened.map_err(|error| match error {
            Error::Store(StoreError::NoStore { .. }) => self.missing(),
            error => error.into(),
        })
    }

    /// Opens the store there, and makes it where it does not exist.
    pub(crate) fn open_or_make(&self, ui: &Ui, options: &Options) -> Result<Store, Failure> {
        self.tell(ui);
        let is_new = !exists(&self.path);
        let (store, _) = self.make(options, false)?;
        if is_new {
            ui.info(
                "Made a new store",
                vec![("path", store.path().display().to_string())],
            );
        }
        Ok(store)
    }

    /// As [`Place::open_or_make`], and says nothing; gives the `.gitignore` that it wrote. What is to be shared is made with
    /// the folder around it, which the members can enter then.
    pub(crate) fn make(
        &self,
        options: &Options,
        is_shared: bool,
    ) -> Result<(Store, Option<PathBuf>), Failure> {
        let options = accept::of_environment(options.clone())?;
        let around = match self.why {
            Why::Option | Why::Variable => None,
            _ => Some(configuration_folder(&self.path)),
        };
        let is_new = match around {
            Some(around) if is_shared => around.symlink_metadata().is_err(),
            Some(around) => search::make_folder(around)?,
            None => false,
        };
        let opened = Store::open_with(&self.path, &options);
        if let (Ok(store), Some(around), true) = (&opened, around, is_shared)
            && let Some(group) = store.health()?.shared_with
        {
            search::share(around, group)?;
        }
        match (opened, around) {
            (Ok(store), Some(around)) if is_new => Ok((store, search::ignore(around))),
            (Ok(store), _) => Ok((store, None)),
            (Err(error), around) => {
                // Gone only where nothing else has come into it.
                let _ = around.filter(|_| is_new).map(std::fs::remove_dir);
                Err(error.into())
            }
        }
    }

    /// Says once which folders were passed over.
    pub(crate) fn tell(&self, ui: &Ui) {
        for Passed { path, owner } in &self.passed {
            let fields = vec![
                ("path", path.display().to_string()),
                ("owner", user_name(*owner)),
            ];
            ui.info("Passed over a folder of another user", fields);
        }
    }

    /// Says that there are other stores further up: counts may be in them that somebody looks for here.
    pub(crate) fn tell_others(&self, ui: &Ui) {
        if self.why != Why::Nearest {
            return;
        }
        for other in search::further_up(&self.path) {
            let fields = vec![
                ("path", other.display().to_string()),
                ("nearest", self.path.display().to_string()),
            ];
            ui.info("There is another store further up", fields);
        }
    }

    /// Why there is nothing to read, and what to do about it.
    pub(crate) fn missing(&self) -> Failure {
        let path = &self.path;
        let init = match self.why {
            Why::Option => format!("deespec --store {} init", quoted(path)),
            _ => "deespec init".to_owned(),
        };
        let mut hint =
            format!("counting makes one, so does `{init}`; --store or DEESPEC_STORE names another");
        let near = near::stores(path);
        if !near.is_empty() {
            let near: Vec<String> = near.iter().map(|path| quoted(path)).collect();
            hint.push_str(&format!(", such as {}", near.join(" or ")));
        }
        Failure::new(format!("there is no store in {}", path.display())).hint(hint)
    }
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

/// Whether there is surely no store in this folder: not one that is damaged, or that this user may not look into.
pub(crate) fn is_missing(path: &Path) -> bool {
    let is_gone = |name: &str| {
        let found = path.join("live").join(name).symlink_metadata();
        found.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    // The record of epochs is there as long as the store is.
    is_gone("segment-0000") && is_gone("epochs.jsonl")
}

/// The folder that holds the gate's configuration: the `.deespec/` around the store, or the store's
/// own folder where it lies elsewhere.
pub(crate) fn configuration_folder(store: &Path) -> &Path {
    store
        .parent()
        .filter(|parent| parent.file_name() == Some(OsStr::new(FOLDER)))
        .unwrap_or(store)
}
