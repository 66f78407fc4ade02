//! Exit codes, and the failures that lead to them.

use std::fmt;
use std::process::ExitCode;

use deespec::MetricError;
use signal_hook::consts::SIGXFSZ;

use crate::hint;

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

/// Where a store can lie instead, or how it can lie there.
fn of_place(reason: deespec::Unfit) -> &'static str {
    use deespec::Unfit as U;
    match reason {
        U::CopiesOnWrite | U::BelowCopiesOnWrite => {
            "`deespec init --accept full-disk` makes a store that does not copy on write; or put it on ext4 or xfs with --store \
             DIR or DEESPEC_STORE; until the next boot: `export DEESPEC_STORE=/dev/shm/NAME`"
        }
        U::OldKernel | U::BelowMoves => {
            "put it on ext4 or xfs with --store DIR or DEESPEC_STORE; until the next boot: `export \
             DEESPEC_STORE=/dev/shm/NAME`"
        }
        U::Copied => {
            "take the counts into a new store: `deespec export openmetrics -o FILE` where they come from, then `deespec \
             init --accept full-disk` and `deespec import FILE` here"
        }
        U::NotReserved => {
            "put it on a volume of ext4 or xfs with --store DIR or DEESPEC_STORE, or, until the next boot, in /dev/shm"
        }
        U::Network => {
            "put it in a local folder with --store DIR or DEESPEC_STORE: one store a machine, and let Prometheus add"
        }
        U::Guest => "put it on a volume inside the machine with --store DIR or DEESPEC_STORE",
        U::Daemon => {
            "`deespec init --accept daemon` makes it all the same; or put it on a volume with --store DIR or DEESPEC_STORE"
        }
        U::CannotSeparate => "remove the copy, or use a newer kernel",
        _ => {
            "put it in a local folder with --store DIR or DEESPEC_STORE; who knows better makes it with `deespec init \
             --any-file-system`"
        }
    }
}

impl From<deespec::Error> for Failure {
    fn from(error: deespec::Error) -> Self {
        use deespec::{DocumentError as D, Error, StoreError as S};
        let hint = match &error {
            Error::Unfinished { .. } => {
                "do not do it again: put right what is said above, and `deespec sync` writes the rest"
            }
            Error::Store(S::FileSystem { reason, .. }) => of_place(*reason),
            Error::Store(S::Shared { .. }) => "free some space or remove the copy, and count again",
            Error::Store(S::NearlyFull { .. }) => {
                "free some space; series that are there go on counting"
            }
            Error::Store(S::OfImage { .. }) => {
                "take the counts into a new store: `deespec export openmetrics -o FILE`, then `deespec --store NEW import FILE`"
            }
            Error::Store(S::NoStore { .. }) => {
                "counting makes one, so does `deespec init`; --store or DEESPEC_STORE names another"
            }
            Error::Store(S::LockTimeout { holder, .. }) => match holder {
                Some(holder) if holder.stopped => {
                    "let it go on with `kill -CONT` and its number, or end it"
                }
                Some(_) => "wait until it is done, or end it",
                None => "find the process with `lslocks` or `fuser` on that file",
            },
            Error::Store(S::Degraded { .. }) => {
                "check the disk, save the counts with `deespec export json --output FILE`, then \
                 rebuild the store with `deespec compact`"
            }
            Error::Store(S::OlderFormat { .. }) => {
                "bring the store to the newest format with `deespec compact`, while nobody has it open"
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
            Error::Store(S::Metric(error)) => metric_hint(error),
            Error::Store(S::WrongFileType { .. } | S::NotAFolder { .. }) => {
                "nothing was changed; move away what stands there"
            }
            Error::Store(S::Full { .. }) => {
                "use fewer label values, or begin a new store with --store DIR"
            }
            Error::Store(S::Io { source, .. }) => io_hint(source),
            Error::Document(D::Foreign { .. }) => {
                "add its values once with `deespec import FILE`, or move the file away"
            }
            Error::Document(D::OwnView { .. }) => {
                "nothing was added: they are counted here already; `deespec restore FILE` goes back to \
                 those of a snapshot, and --force adds them all the same"
            }
            Error::Document(D::OtherStore { .. }) => {
                "use `deespec import FILE` to add its values, or --any-store to restore it all the same"
            }
            Error::Document(
                D::Syntax { .. } | D::Content { .. } | D::Text { .. } | D::Misfit { .. },
            ) => "nothing was changed; mend the file or move it away",
            _ => "",
        };
        let failure = Self::new(chain(&error));
        let cause = match &error {
            Error::Unfinished { source, .. } => source,
            error => error,
        };
        if let Error::Store(cause) = cause
            && let Some(rights) = hint::of(cause)
        {
            let first = if hint.is_empty() || matches!(error, Error::Store(_)) {
                String::new()
            } else {
                format!("{hint}; ")
            };
            return failure.hint(first + &rights);
        }
        if hint.is_empty() {
            failure
        } else {
            failure.hint(hint)
        }
    }
}

impl From<MetricError> for Failure {
    fn from(error: MetricError) -> Self {
        deespec::Error::from(deespec::StoreError::from(error)).into()
    }
}

/// What to do about a metric that cannot be stored or used like this; empty where that is said already.
fn metric_hint(error: &MetricError) -> &'static str {
    use MetricError as M;
    match error {
        M::Name { .. } | M::LabelName { .. } => {
            "write - and . as _, and put what varies into the value of a label: -l KEY=VALUE"
        }
        M::LabelValue { .. } => "give a shorter value, such as a name instead of a whole text",
        M::DuplicateLabel { .. } => "give each label once",
        M::TooManyLabels { .. } => "leave out the labels that nobody will ask for",
        M::Kind {
            existing, wanted, ..
        } => match *existing {
            "counter" if *wanted == "counter with fractions" => {
                "count whole numbers, or choose another name"
            }
            "counter" | "counter with fractions" => {
                "count it with `deespec inc`, or choose another name"
            }
            "gauge" => "set it with `deespec set`, or choose another name",
            "gauge with a wide sum" => {
                "add to it with `deespec set NAME N --add`, or choose another name"
            }
            "histogram" | "histogram with a wide sum" | "summary" => {
                "count a value with `deespec observe`, or choose another name"
            }
            "per-process gauge" => {
                "each process that lives has a share of its own, which only a program can set: \
                 declare it with --per-process, or choose another name for what commands set"
            }
            "info" => "say it with `deespec set NAME 1` and its labels, or choose another name",
            _ => "choose another name",
        },
        M::Disagrees {
            what: "buckets", ..
        } => {
            "say the same as the first declaration, or choose another name; the steps are those \
             of --resolution"
        }
        M::Disagrees { .. } => {
            "say the same as the first declaration, or replace it with `deespec declare --replace`"
        }
        M::Labels { .. } => "give exactly the declared labels, each with -l KEY=VALUE",
        M::Declaration { .. } => "nothing was counted or declared; mend that and try again",
        M::Buckets { .. } => "nothing was counted or declared; give other buckets",
        M::Reserved { .. } => "choose another name",
        M::Count { .. } => "nothing was counted; count it in parts, if it is right",
        M::Amount { .. } => "nothing was counted",
        M::Exhausted => "nothing was counted; take another name",
        M::BuiltIn { .. } => "`deespec rotate` begins an epoch in which it is 0",
        _ => "",
    }
}

/// What to do about an error of the operating system; empty where that depends.
fn io_hint(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as E;
    match error.kind() {
        E::FileTooLarge => FILE_LIMIT,
        E::StorageFull | E::QuotaExceeded => "free some disk space and try again",
        E::PermissionDenied | E::ReadOnlyFilesystem => {
            "let this user write there, or choose another folder with --store DIR or DEESPEC_STORE"
        }
        E::NotFound | E::NotADirectory | E::IsADirectory => {
            "choose another folder with --store DIR or DEESPEC_STORE"
        }
        _ => "",
    }
}

/// What to do about a file that is larger than this process may write.
pub(crate) const FILE_LIMIT: &str =
    "the limit of this process on the size of files is too small: raise it with `ulimit -f`";

/// Lets a write beyond the limit on the size of files (`ulimit -f`) fail with an error, where the kernel would end the
/// program. A handler and not SIG_IGN, which the command of `deespec run` would inherit.
pub(crate) fn survive_file_limit() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    // Whoever ignores it knows of it, and so does the command of `deespec run`.
    if limit.current.is_some() && !crate::command::run::is_ignored(SIGXFSZ) {
        let reached = std::sync::Arc::default();
        // Without it the program ends as others do.
        let _ = signal_hook::flag::register(SIGXFSZ, reached);
    }
}

/// Turns a panic into exit code 70 and a request to report it.
pub(crate) fn report_bugs() {
    std::panic::set_hook(Box::new(|panic| {
        crate::ui::bug(&panic.to_string());
        std::process::exit(70);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_end_has_its_exit_code() {
        let codes = [
            (Code::Done, 0),
            (Code::Failed, 1),
            (Code::Warned, 2),
            (Code::NotDone, 3),
            (Code::Child(0), 0),
            (Code::Child(255), 255),
        ];
        for (code, number) in codes {
            let number: u8 = number;
            assert_eq!(ExitCode::from(code), ExitCode::from(number), "{code:?}");
        }
    }

    /// A panic ends the process, so this test runs itself once more.
    #[test]
    fn a_panic_gives_exit_code_70_and_asks_to_be_reported() {
        const CHILD: &str = "DEESPEC_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            report_bugs();
            panic!("on purpose");
        }
        let name = "exit::tests::a_panic_gives_exit_code_70_and_asks_to_be_reported";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(70), "{said}");
        assert!(
            said.contains("BUG: ") && said.contains("on purpose"),
            "{said}"
        );
        assert!(said.contains("Please report it"), "{said}");
    }

    #[test]
    fn an_error_is_told_with_its_cause_and_what_to_do() {
        let blocked = tempfile::NamedTempFile::new().unwrap();
        let error = deespec::Store::open(blocked.path().join("below")).unwrap_err();
        let failure = Failure::from(error);
        let path = blocked.path().display().to_string();
        assert!(failure.message.contains(&path), "{failure}");
        assert!(failure.message.contains("Not a directory"), "{failure}");
        assert!(failure.hint.is_some(), "{failure}");
    }
}
