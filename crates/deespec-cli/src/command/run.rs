//! `deespec run`: run a command and count its outcome.

mod counts;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use crate::args::Cli;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::Ui;

use counts::{Counts, reason};

const AFTER_HELP: &str = "\
Example:
  deespec run --name tests -- cargo test
  deespec run --name push --conflict-exit 1 -- git push

The command's exit code, signals, input and output pass through. A command that
a signal killed counts as a failure and gives 128 + the signal's number; one
that cannot be started counts as a failure too and gives 127 (not found) or 126.

Counts commit_success, commit_failed or cas_conflicts, which the gate judges,
and for each job runs_total{job,outcome} and the histogram run_seconds{job}.
While it runs, it is in the gauge runs_in_flight{job}, whatever becomes of it.
Publishes metrics.json at the end.

A command that could not be counted is not started, which gives 125; with
--best-effort it is, and a warning says that it is not counted. One that has run
keeps its exit code, and an error says so where the count is lost.";

/// Run a command and count its outcome and duration
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Run {
    /// The job's name [default: the command's file name]
    #[arg(long, value_name = "JOB", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: Option<String>,

    /// An exit code that means a conflict and not a failure; may be repeated
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    conflict_exit: Vec<u8>,

    /// Run the command all the same where it cannot be counted
    #[arg(long)]
    best_effort: bool,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// The exit code where a command was not run since it could not be counted, as of `env` and `timeout`.
const NOT_RUN: u8 = 125;
/// Half of what a command waits for a lock: once before it runs, and once afterwards.
const LOCK_DEADLINE: Duration = Duration::from_secs(5);

/// What a run was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    Failure,
    Conflict,
}

impl Run {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let counting = || -> Result<Counts, Failure> {
            let place = location::place(cli)?;
            // The command may run for hours and count meanwhile, so this is a long-lived process.
            let options = location::options("run")
                .background_sync(Some(Duration::from_secs(1)))
                .lock_deadline(LOCK_DEADLINE);
            let store = place.open_or_make(ui, &options)?;
            store.check_room()?;
            Counts::new(place, store, options, self.job())
        };
        // Opened first: a command that could not be counted is not started.
        let counts = match counting() {
            Ok(counts) => Some(counts),
            Err(failure) if self.best_effort => {
                ui.warn("The command will not be counted", reason(&failure));
                None
            }
            Err(failure) => {
                ui.failure(&failure);
                return Ok(Code::Child(NOT_RUN));
            }
        };
        let begun = Instant::now();
        let (status, code) = match self.execute(ui) {
            Ok(done) => done,
            Err(failure) => {
                ui.failure(&failure);
                return Ok(Code::Child(NOT_RUN));
            }
        };
        if let Some(counts) = counts {
            counts.end(self.outcome(status), begun.elapsed(), ui);
        }
        Ok(Code::Child(code))
    }

    /// Runs the command; `None` where it could not be started.
    fn execute(&self, ui: &Ui) -> Result<(Option<ExitStatus>, u8), Failure> {
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| Failure::new("no command is given"))?;
        let mut command = Command::new(program);
        command.args(arguments);
        let signals = match Signals::catch() {
            Ok(signals) => Some(signals),
            Err(failure) if self.best_effort => {
                ui.warn("Signals will not reach the command", reason(&failure));
                None
            }
            Err(failure) => return Err(failure),
        };
        match command.spawn() {
            Ok(mut child) => {
                let status = match signals {
                    Some(signals) => signals.wait_for(&mut child)?,
                    None => child.wait().map_err(lost)?,
                };
                Ok((Some(status), exit_code(status)))
            }
            Err(error) => {
                let (failure, code) = not_started(program, &error);
                ui.failure(&failure);
                Ok((None, code))
            }
        }
    }

    /// The name under which the command is counted.
    fn job(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let program = self
                .command
                .first()
                .map_or(OsStr::new(""), OsString::as_os_str);
            let file = Path::new(program).file_name().unwrap_or(program);
            file.to_string_lossy().into_owned()
        })
    }

    fn outcome(&self, status: Option<ExitStatus>) -> Outcome {
        match status.and_then(|status| status.code()) {
            Some(0) => Outcome::Success,
            Some(code)
                if self
                    .conflict_exit
                    .iter()
                    .any(|&exit| i32::from(exit) == code) =>
            {
                Outcome::Conflict
            }
            _ => Outcome::Failure,
        }
    }
}

/// Why a command could not be started, and the exit code that shells give for it.
fn not_started(program: &OsStr, error: &std::io::Error) -> (Failure, u8) {
    let name = program.to_string_lossy();
    let searched = !program.as_bytes().contains(&b'/');
    // A folder of the PATH that may not be looked into makes the system say that the permission is
    // missing, also where the program is nowhere.
    let found = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    };
    if searched && !found() {
        let failure = Failure::new(format!("cannot start {name}: it is not in the PATH"));
        return (failure.hint("give the path of a program"), 127);
    }
    let failure = Failure::new(format!("cannot start {name}: {error}"));
    if error.kind() == std::io::ErrorKind::NotFound {
        let hint = "check the path, and for a script its first line";
        (failure.hint(hint), 127)
    } else {
        let hint = "give the path of a file that this user may execute";
        (failure.hint(hint), 126)
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

fn lost(error: std::io::Error) -> Failure {
    Failure::new(format!("cannot wait for the command: {error}"))
}

/// Signals that are passed on to the command.
struct Signals(SignalsInfo<WithOrigin>);

impl Signals {
    /// Catches the signals from here on. One that is ignored stays ignored, for the command too: so
    /// `nohup deespec run …` works.
    fn catch() -> Result<Self, Failure> {
        let signals = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        let wanted = signals.into_iter().filter(|signal| !is_ignored(*signal));
        let caught = SignalsInfo::<WithOrigin>::new(wanted);
        caught
            .map(Self)
            .map_err(|error| Failure::new(format!("cannot catch signals: {error}")))
    }

    /// Passes signals on until the command ends.
    fn wait_for(mut self, child: &mut Child) -> Result<ExitStatus, Failure> {
        // A pidfd means this very process, even after its number is used again. Where the kernel
        // has none, the number must do: it is used again only once `wait` has returned.
        let pid = Pid::from_child(child);
        let target = pidfd_open(pid, PidfdFlags::empty()).ok();
        let pass_on = |signal| match &target {
            Some(target) => pidfd_send_signal(target, signal),
            None => kill_process(pid, signal),
        };
        let handle = self.0.handle();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for origin in &mut self.0 {
                    // A key such as Ctrl-C reaches the whole foreground group, the command included.
                    let from_terminal = origin.cause == Cause::Kernel;
                    if !from_terminal && let Some(signal) = Signal::from_named_raw(origin.signal) {
                        let _ = pass_on(signal);
                    }
                }
            });
            let status = child.wait().map_err(lost);
            handle.close();
            status
        })
    }
}

/// Whether a signal is ignored; none where the kernel does not tell.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit 0 is signal 1.
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) >> (signal - 1) & 1 == 1
}
