//! Runs programs: announces each with its command line, times it, and closes with a table.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Why `cargo xtask` ends with something else than 0.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
    pub(crate) show_usage: bool,
}

impl Failure {
    /// A step ran and said no.
    pub(crate) fn step(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: message.into(),
            show_usage: false,
        }
    }

    /// Something that is needed is not there.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self {
            code: 3,
            message: message.into(),
            show_usage: false,
        }
    }

    /// The command line was not understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 3,
            message: message.into(),
            show_usage: true,
        }
    }
}

/// Steps that run one after another until the first that fails.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration, bool)>,
}

impl Steps {
    /// Runs one program as a step of its own.
    pub(crate) fn run(&mut self, name: &str, command: &mut Command) -> Result<(), Failure> {
        self.time(name, || run(command))
    }

    /// Times something that announces its own programs.
    pub(crate) fn time(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        println!("\n==> {name}");
        let start = Instant::now();
        let outcome = work();
        self.done
            .push((name.to_owned(), start.elapsed(), outcome.is_ok()));
        outcome
    }

    /// The closing table; also shown when a step has failed.
    pub(crate) fn print_table(&self) {
        let width = self
            .done
            .iter()
            .map(|(name, ..)| name.len())
            .max()
            .unwrap_or(0)
            .max("total".len());
        let mut total = Duration::ZERO;
        println!("\n{:width$}  seconds", "step");
        for (name, took, passed) in &self.done {
            total += *took;
            let verdict = if *passed { "ok" } else { "FAILED" };
            println!("{name:width$}  {:7.1}  {verdict}", took.as_secs_f64());
        }
        println!("{:width$}  {:7.1}", "total", total.as_secs_f64());
    }
}

/// Does the same with each of these, as many at a time as there are cores, the first ones first; gives
/// the names of those that failed.
pub(crate) fn side_by_side<T: Send>(
    jobs: Vec<(String, T)>,
    work: impl Fn(&str, T) -> bool + Sync,
) -> Vec<String> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let workers = workers.min(jobs.len());
    let queue = Mutex::new(VecDeque::from(jobs));
    let failed = Mutex::new(Vec::new());
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front()
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((name, job)) = next() {
                    if !work(&name, job) {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push(name);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Announces and runs a program; any other end than success is a failure with exit code 1.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = start(command)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::step(format!(
        "`{}` failed: {status}",
        shown(command)
    )))
}

/// Announces and runs a program whose own exit code is the answer.
pub(crate) fn pass_through(command: &mut Command) -> Result<(), Failure> {
    let status = start(command)?;
    if status.success() {
        return Ok(());
    }
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Err(Failure {
        code,
        ..Failure::step(format!("`{}`: {status}", shown(command)))
    })
}

fn start(command: &mut Command) -> Result<ExitStatus, Failure> {
    println!("$ {}", shown(command));
    // The child writes to the same stream; what we said must stand before what it says.
    let _ = io::stdout().flush();
    command
        .status()
        .map_err(|error| Failure::missing(format!("cannot start `{}`: {error}", shown(command))))
}

/// The command as one would type it: variables we set, program without its folder, arguments.
pub(crate) fn shown(command: &Command) -> String {
    let told = command.get_envs().filter(|(name, _)| *name != "PATH");
    let variables = told.filter_map(|(name, value)| {
        Some(format!(
            "{}='{}'",
            name.to_string_lossy(),
            value?.to_string_lossy()
        ))
    });
    let program = std::path::Path::new(command.get_program());
    let program = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    let arguments = command
        .get_args()
        .map(|arg| arg.to_string_lossy().into_owned());
    variables
        .chain([program])
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}
