//! What is kept between pushes: the writer's name and number, what is not acknowledged yet, and what was.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deespec::PushBase;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

use crate::exit::{FILE_LIMIT, Failure};
use crate::files;

use super::address::Address;

/// The folder of a store in which it is kept what was pushed of it.
const FOLDER: &str = "push";
/// The version of the file's form.
const VERSION: u32 = 1;
/// The totals of a million series have fewer.
const BYTES: u64 = 1 << 30;

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    /// Where it is pushed to.
    url: String,
    /// Whose counts these are.
    source: String,
    pub(super) writer: String,
    /// The last number that was used.
    pub(super) sequence: u64,
    /// What may be counted or not: it is sent again as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Pending>,
    pub(super) base: PushBase,
}

/// One push, to its last byte.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    pub(super) sequence: u64,
    pub(super) text: String,
    pub(super) series: usize,
    pub(super) counts: u64,
    /// What is acknowledged with it.
    pub(super) totals: PushBase,
}

/// The state, which nobody else uses meanwhile.
pub(super) struct Held {
    pub(super) state: State,
    path: PathBuf,
    _lock: File,
}

/// The folder in a store, which is made where it is missing.
pub(super) fn folder_in(store: &Path) -> Result<PathBuf, Failure> {
    let folder = store.join(FOLDER);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(cannot("make", &folder, &error))
        }
        _ => Ok(folder),
    }
}

/// What nothing else has: 128 random bits.
pub(super) fn unique() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    let got = getrandom(&mut bytes, GetRandomFlags::empty());
    let got = got.map_err(|error| Failure::new(format!("cannot draw a random number: {error}")))?;
    if got < bytes.len() {
        return Err(Failure::new("cannot draw a random number"));
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Held {
    /// Waits for whoever pushes the same at the moment, and reads what that one has left.
    pub(super) fn open(
        path: PathBuf,
        address: &Address,
        source: &str,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let beside = PathBuf::from(beside);
        let lock = files::hold(&beside, patience).map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::TimedOut => "another push of the same is under way: try again when it has ended; what is not pushed now is pushed then",
                _ => WAY_OUT,
            };
            Failure::new(format!("cannot lock {}: {error}", beside.display())).hint(hint)
        })?;
        let state = match files::secret(&path, BYTES) {
            Ok(text) => parse(&text, &path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => State {
                version: VERSION,
                url: address.whole(),
                source: source.to_owned(),
                writer: writer()?,
                sequence: 0,
                pending: None,
                base: PushBase::default(),
            },
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        // Another build may have spelled it otherwise.
        let known = Address::parse(&state.url).map(|known| known.whole());
        if !known.is_ok_and(|known| known == address.whole()) || state.source != source {
            let message = format!(
                "{} keeps what was pushed of something else, or to somebody else",
                path.display()
            );
            return Err(Failure::new(message).hint("name another file with --state FILE"));
        }
        Ok(Self {
            state,
            path,
            _lock: lock,
        })
    }

    /// Takes a new name, and what was counted until now for acknowledged where it is given.
    pub(super) fn begin_anew(&mut self, until: Option<PushBase>) -> Result<(), Failure> {
        self.state.writer = writer()?;
        self.state.sequence = 0;
        self.state.pending = None;
        self.state.base.absorb(until.unwrap_or_default());
        self.save()
    }

    /// Writes it, durably.
    pub(super) fn save(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec(&self.state)
            .map_err(|error| Failure::new(format!("cannot describe what was pushed: {error}")))?;
        files::replace_durably(&self.path, &text, 0o600)
            .map_err(|error| cannot("write", &self.path, &error))
    }

    /// A failure with the file, where the way out is about it.
    pub(super) fn explained(&self, failure: Failure) -> Failure {
        match failure.hint {
            Some(hint) => Failure {
                hint: Some(hint.replace("{state}", &self.path.display().to_string())),
                ..failure
            },
            None => failure,
        }
    }
}

const WAY_OUT: &str = "name a file in a folder that this user can write with --state FILE";

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::FileTooLarge => FILE_LIMIT,
        _ => WAY_OUT,
    };
    Failure::new(format!("cannot {what} {}: {error}", path.display())).hint(hint)
}

fn writer() -> Result<String, Failure> {
    Ok(format!("push-{}", unique()?))
}

fn parse(text: &str, path: &Path) -> Result<State, Failure> {
    let damaged = |reason: String| {
        let message = format!("{} does not say what was pushed: {reason}", path.display());
        let hint = "nothing was pushed; move it away, and go on from here with --anew now, or push \
                    everything once more without it";
        Failure::new(message).hint(hint)
    };
    let state: State = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    match state.version {
        VERSION => Ok(state),
        other => Err(damaged(format!(
            "its version is {other}, and this program knows {VERSION}"
        ))),
    }
}
