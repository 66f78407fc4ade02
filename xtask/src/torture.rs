//! `cargo xtask torture`: the harnesses of the proof program, and the tools that prove in other ways.
//! One line for each: what was done how often, how many violations, how long that took.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::step::{self, Failure};
use crate::{packages, workspace};

/// Something that is a command of this program, or another build of the proof program.
struct Tool {
    name: &'static str,
    about: &'static str,
    /// The command with its arguments, for a change and for a release.
    quick: &'static [&'static str],
    full: &'static [&'static str],
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "controls",
        about: "each protection left out in turn, which a harness must notice",
        quick: &["controls", "--quick"],
        full: &["controls", "--full"],
    },
    Tool {
        name: "model",
        about: "sequences of operations against a plain model in memory",
        quick: &["model"],
        full: &["model", "--sequences", "10_000_000"],
    },
    Tool {
        name: "loom",
        about: "every interleaving of the store's algorithms",
        quick: &["loom"],
        full: &["loom"],
    },
    Tool {
        name: "miri",
        about: "the rules of memory, for everything above the mapping",
        quick: &["miri"],
        full: &["miri", "--seeds", "64"],
    },
    Tool {
        name: "tsan",
        about: "data races between threads, in mapped memory",
        quick: &["tsan"],
        full: &["tsan", "--all"],
    },
    Tool {
        name: "fuzz",
        about: "inputs of all kinds for every decoder",
        quick: &["fuzz", "--runs", "50_000"],
        full: &["fuzz", "--runs", "1_000_000_000"],
    },
];

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        proof(args)?;
        println!("\nTools, which take none of the options but --quick and --full:");
        for tool in TOOLS {
            println!("  {:<13}{}", tool.name, tool.about);
        }
        return Ok(());
    }
    packages::require(false)?;
    let is_tool = |arg: &&String| TOOLS.iter().any(|tool| tool.name == arg.as_str());
    let (tools, rest): (Vec<&String>, Vec<&String>) = args.iter().partition(is_tool);
    let mut options = rest.iter().peekable();
    let mut harnesses = false;
    while let Some(option) = options.next() {
        match option.as_str() {
            "--seed" | "--count" | "--dir" => drop(options.next()),
            other => harnesses |= !other.starts_with('-'),
        }
    }
    let all = tools.is_empty() && !harnesses;
    let mut failed = Vec::new();
    if all || harnesses {
        let rest: Vec<String> = rest.iter().map(|arg| (*arg).clone()).collect();
        if let Err(failure) = proof(&rest) {
            // Not understood: nothing was run.
            if failure.code == 3 && harnesses {
                return Err(failure);
            }
            failed.push("the harnesses");
        }
    }
    let full = rest.iter().any(|arg| *arg == "--full");
    for tool in TOOLS {
        let wanted = all || tools.iter().any(|name| *name == tool.name);
        if wanted && !tool.run(full)? {
            failed.push(tool.name);
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Failure::step(format!("failed: {}", failed.join(", ")))),
    }
}

fn proof(args: &[String]) -> Result<(), Failure> {
    // Some harnesses call the program, which lies beside theirs.
    let program = ["build", "--release", "--locked", "-p", "deespec-cli"];
    step::run(&mut workspace::cargo(program))?;
    let cargo = ["run", "--release", "--locked", "-p", "deespec-proof", "--"];
    step::pass_through(workspace::cargo(cargo).args(args))
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

impl Tool {
    /// Runs it with its output in a file, and says its last words; whether it succeeded.
    fn run(&self, full: bool) -> Result<bool, Failure> {
        let folder = workspace::target().join("torture");
        let path = folder.join(format!("{}.log", self.name));
        let fail = |error| Failure::missing(format!("{}: {error}", path.display()));
        fs::create_dir_all(&folder).map_err(fail)?;
        let log = File::create(&path).map_err(fail)?;
        let begun = Instant::now();
        let args = if full { self.full } else { self.quick };
        let this = std::env::current_exe().map_err(fail)?;
        let status = Command::new(this)
            .args(args)
            .current_dir(workspace::root())
            .stdin(Stdio::null())
            .stderr(log.try_clone().map_err(fail)?)
            .stdout(log)
            .status()
            .map_err(fail)?;
        let said = fs::read_to_string(&path).map_err(fail)?;
        let seconds = begun.elapsed().as_secs_f64();
        if status.success() {
            let last = said.lines().rfind(|line| line.starts_with(self.name));
            let last = last.unwrap_or("it said nothing of itself");
            println!("{last} ({seconds:.0} s with its build)");
        } else {
            println!("{}: {status} after {seconds:.0} s; it said:", self.name);
            let lines: Vec<&str> = said.lines().collect();
            for line in &lines[lines.len().saturating_sub(60)..] {
                println!("  {line}");
            }
            println!("  all of it: {}", path.display());
        }
        Ok(status.success())
    }
}
