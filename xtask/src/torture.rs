//! `cargo xtask torture`: the harnesses of the proof program, and the tools that prove in other ways.
//! As many at a time as there are cores. One line for each: what was done how often, how many
//! violations, how long that took.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::step::{self, Failure};
use crate::{packages, workspace};

/// Something that is a command of this program, or another build of the proof program.
struct Tool {
    name: &'static str,
    about: &'static str,
    /// The command with its arguments: for a change, where nothing was asked for, and for a release.
    quick: &'static [&'static str],
    long: &'static [&'static str],
    full: &'static [&'static str],
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "controls",
        about: "each protection left out in turn, which a harness must notice",
        quick: &["controls", "--quick"],
        long: &["controls"],
        full: &["controls", "--full"],
    },
    Tool {
        name: "model",
        about: "sequences of operations against a plain model in memory",
        quick: &["model"],
        long: &["model"],
        full: &["model", "--sequences", "10_000_000"],
    },
    Tool {
        name: "loom",
        about: "every interleaving of the store's algorithms",
        quick: &["loom"],
        long: &["loom"],
        full: &["loom"],
    },
    Tool {
        name: "miri",
        about: "the rules of memory, for everything above the mapping",
        quick: &["miri"],
        long: &["miri"],
        full: &["miri", "--seeds", "64"],
    },
    Tool {
        name: "tsan",
        about: "data races between threads, in mapped memory",
        quick: &["tsan"],
        long: &["tsan"],
        full: &["tsan", "--all"],
    },
    Tool {
        name: "fuzz",
        about: "inputs of all kinds for every decoder",
        quick: &["fuzz", "--runs", "50_000"],
        long: &["fuzz"],
        full: &["fuzz", "--runs", "1_000_000_000"],
    },
];

/// Something that runs beside others, with its output in a file.
struct Job {
    name: String,
    command: Command,
    /// A tool builds first, and says much; a harness says what is to be shown.
    is_tool: bool,
}

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        build()?;
        step::pass_through(proof().args(args))?;
        println!("\nTools, which take none of the options but --quick and --full:");
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
            jobs.push(tool.job(&asked)?);
        }
    }
    if all || !asked.names.is_empty() {
        build()?;
        for name in harnesses(&rest)? {
            let mut command = proof();
            command.args(&asked.options).arg(&name);
            jobs.push(Job {
                name,
                command,
                is_tool: false,
            });
        }
    }
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

/// Builds the proof program, and the program that some harnesses call, which lies beside theirs.
fn build() -> Result<(), Failure> {
    let programs = ["-p", "deespec-cli", "-p", "deespec-proof"];
    let build = ["build", "--release", "--locked"]
        .into_iter()
        .chain(programs);
    step::run(&mut workspace::cargo(build))
}

fn proof() -> Command {
    let mut command = Command::new(workspace::target().join("release/deespec-proof"));
    command.current_dir(workspace::root());
    command
}

/// The harnesses that the arguments stand for; arguments that are not understood are a failure.
fn harnesses(args: &[&String]) -> Result<Vec<String>, Failure> {
    let mut list = proof();
    list.arg("--list").args(args).stderr(Stdio::inherit());
    let output = list
        .output()
        .map_err(|error| Failure::missing(format!("cannot start the proof program: {error}")))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect()),
        false => Err(Failure::missing("no harness was run")),
    }
}

impl Tool {
    fn job(&self, asked: &Asked<'_>) -> Result<Job, Failure> {
        let this = env::current_exe();
        let this =
            this.map_err(|error| Failure::missing(format!("where is this program? {error}")))?;
        let mut command = Command::new(this);
        command.args(match () {
            () if asked.asks_for("--full") => self.full,
            () if asked.asks_for("--quick") => self.quick,
            () => self.long,
        });
        command.current_dir(workspace::root());
        Ok(Job {
            name: self.name.to_owned(),
            command,
            is_tool: true,
        })
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
        if status.success() {
            let last = lines.iter().rfind(|line| line.starts_with(&self.name));
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
pub(crate) fn controls(args: &[String]) -> Result<(), Failure> {
    let controlled = |cargo: &[&'static str]| {
        let mut command = workspace::cargo(cargo.iter().copied());
        command
            .env("RUSTFLAGS", "--cfg deespec_controls")
            .env("CARGO_TARGET_DIR", workspace::target().join("controls"));
        command
    };
    step::run(&mut controlled(&["build", "--locked", "-p", "deespec-cli"]))?;
    let run = ["run", "--locked", "-p", "deespec-proof", "--", "controls"];
    step::pass_through(controlled(&run).args(args))
}
