//! Exit codes, and the failures that lead to them.

use std::fmt;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The gate passed, or the command is done.
    Done,
    /// The gate failed.
    Failed,
    /// The gate warns.
    Warned,
    /// It could not be judged or done: usage, configuration, unreadable store.
    NotDone,
    /// The exit code of a command that was run.
    Child(u8),
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Done => 0,
            Code::Failed => 1,
            Code::Warned => 2,
            Code::NotDone => 3,
            Code::Child(code) => code,
        })
    }
}

/// Why a command could not be done, and what its user can do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error with all its sources, as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl From<deespec::Error> for Failure {
    fn from(error: deespec::Error) -> Self {
        use deespec::{DocumentError as D, Error, StoreError as S};
        let hint = match &error {
            Error::Store(S::FileSystem { .. }) => {
                "put the store elsewhere with --store DIR or DEESPEC_STORE, or, if you know better, \
                 make it with `deespec init --any-file-system`"
            }
            Error::Store(S::LockTimeout { .. }) => {
                "find the process with `lslocks` or `fuser` on that file"
            }
            Error::Store(S::Degraded { .. }) => {
                "check the disk, then save the counts with `deespec export json --output FILE` and \
                 begin a new store with `deespec --store NEW import FILE`"
            }
            Error::Store(S::NewerFormat { .. }) | Error::Document(D::NewerSchema { .. }) => {
                "update deespec, or use the version that wrote the file"
            }
            Error::Store(
                S::NotASegment { .. } | S::Damaged { .. } | S::ForeignByteOrder { .. },
            ) => {
                "nothing was changed; restore the file from a backup, or begin a new store with \
                 --store DIR and add the newest file of snapshots/ with `deespec import FILE`"
            }
            Error::Store(S::Replaced { .. }) => {
                "start the program again so that it uses the new file"
            }
            Error::Store(S::Metric(_)) => "see `deespec inc --help` for what a name may look like",
            Error::Document(D::Foreign { .. }) => {
                "add its values once with `deespec import FILE`, or move the file away"
            }
            Error::Document(D::OwnView { .. }) => {
                "use `deespec restore FILE` to go back to its values, or --force to add them all the \
                 same"
            }
            Error::Document(D::OtherStore { .. }) => {
                "use `deespec import FILE` to add its values, or --any-store to restore it all the same"
            }
            Error::Document(D::Syntax { .. } | D::Content { .. }) => {
                "nothing was changed; mend the file or move it away"
            }
            Error::Document(D::Missing { .. }) => {
                "`deespec snapshots list` shows the snapshots there are"
            }
            _ => "",
        };
        let failure = Self::new(chain(&error));
        if hint.is_empty() {
            failure
        } else {
            failure.hint(hint)
        }
    }
}

/// Turns a panic into exit code 70 and a request to report it.
pub(crate) fn report_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        crate::ui::bug(&panic.to_string());
        std::process::exit(70);
    }));
}
