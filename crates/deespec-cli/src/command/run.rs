//! `deespec run`: run a command and count its outcome.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use clap::Args;
use deespec::{
    Aggregation, Buckets, Error, Family, Histogram, MetricError, ProcessGauge, Store, StoreError,
};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use crate::args::Cli;
use crate::exit::{Code, Failure, chain};
use crate::location;
use crate::ui::Ui;

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
Publishes metrics.json at the end.";

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

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// What a run was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    Failure,
    Conflict,
}

impl Run {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        // Opened first: a command that could not be counted is not started.
        // The command may run for hours and count meanwhile, so this is a long-lived process.
        let options = location::options("run").background_sync(Some(Duration::from_secs(1)));
        let path = location::store_path(cli)?;
        let store = location::open_as(&path, ui, &options)?;
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| Failure::new("no command is given"))?;
        let counts = Counts::new(&store, self.job(program))?;
        let begun = Instant::now();
        let mut command = Command::new(program);
        command.args(arguments);
        let signals = Signals::catch()?;
        let (outcome, code) = match command.spawn() {
            Ok(mut child) => {
                let status = signals.wait_for(&mut child)?;
                (self.outcome(status), exit_code(status))
            }
            Err(error) => {
                let (failure, code) = not_started(program, &error);
                ui.failure(&failure);
                (Outcome::Failure, code)
            }
        };
        let duration = begun.elapsed();
        // The command has run: its exit code stands, whatever became of the count.
        if let Err(error) = store.check_place() {
            // As `git clean` does to a store in a work tree.
            let mut fields = vec![("path", path.display().to_string())];
            match self.count_anew(program, &path, ui, outcome, duration) {
                Ok(()) => ui.warn(
                    "The store was removed or replaced while the command ran; the outcome is in the one that is there now",
                    fields,
                ),
                Err(failure) => {
                    fields.push(("reason", format!("{}; {}", chain(&error), failure.message)));
                    ui.error("The outcome of the command is lost: its store is gone", fields);
                }
            }
            return Ok(Code::Child(code));
        }
        if let Err(error) = counts.count(outcome, duration) {
            let reason = vec![("reason", chain(&error))];
            ui.warn(
                "The command's outcome is counted, but not in runs_total",
                reason,
            );
        }
        if let Err(error) = store.sync() {
            let reason = vec![("reason", chain(&error))];
            ui.warn(
                "The command's outcome is counted, but could not be published",
                reason,
            );
        }
        Ok(Code::Child(code))
    }

    /// Counts in the store that is at the path now, or a new one.
    fn count_anew(
        &self,
        program: &OsStr,
        path: &Path,
        ui: &Ui,
        outcome: Outcome,
        duration: Duration,
    ) -> Result<(), Failure> {
        let store = location::open_as(path, ui, &location::options("run"))?;
        Counts::new(&store, self.job(program))?.count(outcome, duration)?;
        store.sync()?;
        Ok(())
    }

    /// The name under which the command is counted.
    fn job(&self, program: &OsStr) -> String {
        self.name.clone().unwrap_or_else(|| {
            let file = Path::new(program).file_name().unwrap_or(program);
            file.to_string_lossy().into_owned()
        })
    }

    fn outcome(&self, status: ExitStatus) -> Outcome {
        match status.code() {
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

/// Where a run is counted.
struct Counts<'a> {
    store: &'a Store,
    job: String,
    seconds: Histogram,
    /// `None` where the store has another metric of that name.
    in_flight: Option<ProcessGauge>,
}

impl<'a> Counts<'a> {
    /// Fails, before the command is started, where a job of this name cannot be counted.
    fn new(store: &'a Store, job: String) -> Result<Self, deespec::Error> {
        declare(store)?;
        let labels = [("job", job.as_str())];
        let seconds = store.histogram_with("run_seconds", &labels)?;
        // This process' share goes with it, also when it is killed.
        let in_flight = store.process_gauge_with("runs_in_flight", &labels).ok();
        if let Some(in_flight) = &in_flight {
            in_flight.set(1.0)?;
        }
        Ok(Self {
            store,
            job,
            seconds,
            in_flight,
        })
    }

    fn count(&self, outcome: Outcome, duration: Duration) -> Result<(), deespec::Error> {
        let transactions = self.store.transactions();
        let (counter, word) = match outcome {
            Outcome::Success => (&transactions.success, "success"),
            Outcome::Failure => (&transactions.failed, "failure"),
            Outcome::Conflict => (&transactions.conflicts, "conflict"),
        };
        counter.inc();
        self.seconds.observe_duration(duration);
        let labels = [("job", self.job.as_str()), ("outcome", word)];
        self.store.counter_with("runs_total", &labels)?.inc();
        // Before metrics.json is published, which would show it for long.
        match &self.in_flight {
            Some(in_flight) => in_flight.set(0.0),
            None => Ok(()),
        }
    }
}

/// Declares the families of all runs. What somebody else declared about them, such as another version
/// with other words, stands: that is no reason not to run.
fn declare(store: &Store) -> Result<(), deespec::Error> {
    let families = [
        Family::counter("runs_total").with_help("Commands that ran, by how they ended."),
        Family::histogram("run_seconds", Buckets::seconds())
            .with_unit("seconds")
            .with_help("How long commands ran."),
        Family::process_gauge("runs_in_flight", Aggregation::Sum)
            .with_help("Commands that are running now."),
    ];
    for family in families {
        match store.declare(&family) {
            // What somebody else has made of the name must not keep a command from running.
            Err(Error::Store(StoreError::Metric(
                MetricError::Disagrees { .. } | MetricError::Kind { .. },
            ))) => {}
            declared => declared?,
        }
    }
    Ok(())
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

/// Signals that are passed on to the command.
struct Signals(SignalsInfo<WithOrigin>);

impl Signals {
    /// Catches the signals from here on. One that is ignored stays ignored, for the command too: so
    /// `nohup deespec run …` works.
    fn catch() -> Result<Self, Failure> {
        let ignored = ignored_signals();
        let signals = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        let wanted = signals
            .into_iter()
            .filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let caught = SignalsInfo::<WithOrigin>::new(wanted);
        caught
            .map(Self)
            .map_err(|error| Failure::new(format!("cannot catch signals: {error}")))
    }

    /// Passes signals on until the command ends.
    fn wait_for(mut self, child: &mut Child) -> Result<ExitStatus, Failure> {
        let failure =
            |error: std::io::Error| Failure::new(format!("cannot wait for the command: {error}"));
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
            let status = child.wait().map_err(failure);
            handle.close();
            status
        })
    }
}

/// The mask of ignored signals, bit 0 for signal 1; none where the kernel does not tell.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
