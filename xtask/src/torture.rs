//! `cargo xtask torture`: the harnesses of the proof program, and the tools that prove in other ways.
//! As many at a time as there are cores. One line for each: what was done how often, how many
//! violations, how long that took.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::step::{self, Failure};
use crate::{packages, test, workspace};

/// Something that is a command of this program, or another build of the proof program.
struct Tool {
    name: &'static str,
    about: &'static str,
    /// The command with its arguments: for each run of the tests, for a change of the store, where nothing
    /// was asked for, and for a release. There is no sample where the tests themselves have one.
    sample: Option<&'static [&'static str]>,
    quick: &'static [&'static str],
    long: &'static [&'static str],
    full: &'static [&'static str],
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "controls",
        about: "each protection left out in turn, which a harness must notice",
        sample: Some(&["controls", "--sample"]),
        quick: &["controls", "--quick"],
        long: &["controls"],
        full: &["controls", "--full"],
    },
    Tool {
        name: "model",
        about: "sequences of operations against a plain model in memory",
        sample: None,
        quick: &["model"],
        long: &["model"],
        full: &["model", "--sequences", "10_000_000"],
    },
    Tool {
        name: "loom",
        about: "every interleaving of the store's algorithms",
        sample: Some(&["loom", "--sample"]),
        quick: &["loom"],
        long: &["loom"],
        full: &["loom"],
    },
    Tool {
        name: "miri",
        about: "the rules of memory, for everything above the mapping",
        sample: Some(&["miri", "--sample"]),
        quick: &["miri"],
        long: &["miri"],
        full: &["miri", "--seeds", "64"],
    },
    Tool {
        name: "tsan",
        about: "data races between threads, in mapped memory",
        sample: Some(&["tsan", "--sample"]),
        quick: &["tsan"],
        long: &["tsan"],
        full: &["tsan", "--all"],
    },
    Tool {
        name: "fuzz",
        about: "inputs of all kinds for every decoder",
        sample: None,
        quick: &["fuzz", "--runs", "50_000"],
        long: &["fuzz"],
        full: &["fuzz", "--runs", "1_000_000_000"],
    },
];

/// The exit code of the proof program where nothing could be run.
const SKIPPED: i32 = 3;

/// Something that runs beside others, with its output in a file.
struct Job {
    name: String,
    command: Command,
    /// A tool builds first, and says much; a harness says what is to be shown.
    is_tool: bool,
}

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        Program::Plain.build()?;
        step::pass_through(Program::Plain.command().args(args))?;
        println!("\nTools, which take none of the options but --sample, --quick and --full:");
        for tool in TOOLS {
            println!("  {:<13}{}", tool.name, tool.about);
        }
        return Ok(());
    }
    packages::require(false)?;
    let is_tool = |arg: &&String| TOOLS.iter().any(|tool| tool.name == arg.as_str());
    let (tools, rest): (Vec<&String>, Vec<&String>) = args.iter().partition(is_tool);
    let asked = Asked::of(&rest);
    let all = tools.is_empty() && asked.names.is_empty();
    // The longest first, or the last one would work alone.
    let mut jobs = Vec::new();
    for tool in TOOLS {
        if all || tools.iter().any(|name| *name == tool.name) {
            jobs.extend(tool.job(&asked)?);
        }
    }
    if all || !asked.names.is_empty() {
        jobs.extend(Program::Plain.harnesses(&rest, &asked)?);
    }
    side_by_side(jobs)
}

/// A part of it, for each run of the tests: the harnesses, and some protections left out. All of them by the build
/// that the tests have made, in which nothing is left out unless a control asks for it.
pub(crate) fn sample() -> Result<(), Failure> {
    let sample = "--sample".to_owned();
    let asked = Asked::of(&[&sample]);
    side_by_side(Program::Controlled.harnesses(&[&sample], &asked)?)
}

/// A part of what each checker does, for each run of the build server.
pub(crate) fn sample_of_checkers() -> Result<(), Failure> {
    run(&["--sample", "loom", "miri", "tsan"].map(str::to_owned))
}

fn side_by_side(jobs: Vec<Job>) -> Result<(), Failure> {
    let jobs = jobs
        .into_iter()
        .map(|job| (job.name.clone(), job))
        .collect();
    match step::side_by_side(jobs, |_, mut job: Job| job.run()).as_slice() {
        [] => Ok(()),
        failed => Err(Failure::step(format!("failed: {}", failed.join(", ")))),
    }
}

/// The command line, as far as it has to be understood here.
struct Asked<'a> {
    options: Vec<&'a String>,
    names: Vec<&'a String>,
}

impl<'a> Asked<'a> {
    fn of(args: &[&'a String]) -> Self {
        let mut asked = Self {
            options: Vec::new(),
            names: Vec::new(),
        };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "--seed" | "--count" | "--dir" => {
                    asked.options.extend([arg].into_iter().chain(rest.next()))
                }
                option if option.starts_with('-') => asked.options.push(arg),
                _ => asked.names.push(arg),
            }
        }
        asked
    }

    fn asks_for(&self, size: &str) -> bool {
        self.options.iter().any(|option| *option == size)
    }
}

/// The builds of the proof program, each with the `deespec` that some harnesses call beside it.
#[derive(Clone, Copy)]
enum Program {
    /// As users build it.
    Plain,
    /// With the tests, able to leave out a protection.
    Controlled,
}

impl Program {
    fn build(self) -> Result<(), Failure> {
        let mut command = match self {
            Self::Plain => workspace::cargo(["build", "--locked", "--release"]),
            Self::Controlled => return step::run(&mut test::build()?),
        };
        let programs = ["-p", "deespec-proof", "-p", "deespec-cli"];
        step::run(command.args(programs).arg("--no-default-features"))
    }

    fn command(self) -> Command {
        let profile = match self {
            Self::Plain => "release",
            Self::Controlled => "debug",
        };
        let mut command = Command::new(workspace::target().join(profile).join("deespec-proof"));
        command.current_dir(workspace::root());
        command
    }

    /// Builds it; a job for each harness that the arguments stand for. What is not understood is a failure.
    fn harnesses(self, args: &[&String], asked: &Asked<'_>) -> Result<Vec<Job>, Failure> {
        self.build()?;
        let mut list = self.command();
        list.arg("--list").args(args).stderr(Stdio::inherit());
        let output = list.output().map_err(|error| {
            Failure::missing(format!("cannot start the proof program: {error}"))
        })?;
        if !output.status.success() {
            return Err(Failure::missing("no harness was run"));
        }
        let job = |name: &str| {
            let mut command = self.command();
            command.args(&asked.options).arg(name);
            Job {
                name: name.to_owned(),
                command,
                is_tool: false,
            }
        };
        Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(job)
            .collect())
    }
}

impl Tool {
    /// None where a sample is asked for, and the tests have one already.
    fn job(&self, asked: &Asked<'_>) -> Result<Option<Job>, Failure> {
        let this = env::current_exe();
        let this =
            this.map_err(|error| Failure::missing(format!("where is this program? {error}")))?;
        let args = match () {
            () if asked.asks_for("--full") => self.full,
            () if asked.asks_for("--quick") => self.quick,
            () if asked.asks_for("--sample") => match self.sample {
                Some(args) => args,
                None => return Ok(None),
            },
            () => self.long,
        };
        let mut command = Command::new(this);
        command.args(args).current_dir(workspace::root());
        Ok(Some(Job {
            name: self.name.to_owned(),
            command,
            is_tool: true,
        }))
    }
}

impl Job {
    /// Runs it and says its last words; whether it succeeded.
    fn run(&mut self) -> bool {
        let (said, success) = self
            .listen()
            .unwrap_or_else(|error| (format!("{}: {error}", self.name), false));
        println!("{said}");
        success
    }

    fn listen(&mut self) -> std::io::Result<(String, bool)> {
        let folder = workspace::target().join("torture");
        fs::create_dir_all(&folder)?;
        let path: PathBuf = folder.join(format!("{}.log", self.name));
        let log = File::create(&path)?;
        let begun = Instant::now();
        let status = self
            .command
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .status()?;
        let said = fs::read_to_string(&path)?;
        let seconds = begun.elapsed().as_secs_f64();
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.iter().rfind(|line| line.starts_with(&self.name));
        // As where only root may mount.
        let is_skipped = status.code() == Some(SKIPPED)
            && last.is_some_and(|line| line.contains(" skipped: "))
            && !packages::in_ci();
        if status.success() || is_skipped {
            let last = last.map_or("it said nothing of itself", |line| *line);
            let build = format!(" ({seconds:.0} s with its build)");
            return Ok((
                format!("{last}{}", if self.is_tool { &build } else { "" }),
                true,
            ));
        }
        let mut told = format!("{}: {status} after {seconds:.0} s; it said:", self.name);
        for line in &lines[lines.len().saturating_sub(60)..] {
            told.push_str(&format!("\n  {line}"));
        }
        told.push_str(&format!("\n  all of it: {}", path.display()));
        Ok((told, false))
    }
}

/// `cargo xtask controls`: the proof program in a build that can leave out a protection.
pub(crate) fn controls_only(args: &[String]) -> Result<(), Failure> {
    Program::Controlled.build()?;
    step::pass_through(Program::Controlled.command().arg("controls").args(args))
}
