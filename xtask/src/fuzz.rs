//! `cargo xtask fuzz`: throws inputs at every decoder. Each target begins with the inputs of `fuzz/corpus.tar.gz` and
//! runs until it has seen so many; what it finds new is forgotten, unless it is a crash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::step::{self, Failure};
use crate::{tools, workspace};

/// Installed when missing; pinned, so that a new release cannot fail an old commit.
const CARGO_FUZZ: &str = "0.13.2";
/// Inputs for each target.
const RUNS: u64 = 1_000_000;
/// Seconds that one input may take. The targets themselves limit the memory of each (`fuzz/src/lib.rs`).
const SECONDS: u64 = 1;
/// What the fuzzer may have itself, with all the inputs that it keeps.
const FUZZER_MB: u64 = 1024;

/// The targets whose inputs have words that are hard to guess, and the list of those.
const DICTIONARIES: &[(&str, &str)] = &[
    ("family", "json"),
    ("records", "json"),
    ("lines", "json"),
    ("document", "json"),
    ("thresholds", "json"),
    ("text", "text"),
    ("accept", "accept"),
    ("gate_rules", "rules"),
    ("gate_history", "json"),
];

struct Plan {
    runs: u64,
    names: Vec<String>,
}

/// What became of one target.
struct Outcome {
    line: String,
    /// What the fuzzer said, when it ended with anything but success.
    complaint: Option<String>,
}

/// The linter, over what is in no build of the workspace: the targets, and what writes the small inputs.
pub(crate) fn lints() -> Command {
    let mut command = workspace::cargo(["clippy", "--locked", "--all-targets"]);
    command.args(["--manifest-path", "fuzz/Cargo.toml"]);
    command.args(["--", "-D", "warnings"]);
    command.env("RUSTFLAGS", "--cfg fuzzing");
    command.env("CARGO_TARGET_DIR", workspace::target().join("fuzz"));
    command
}

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let plan = parse(args)?;
    tools::install("fuzz", CARGO_FUZZ)?;
    let folder = workspace::target().join("fuzz");
    // Without a sanitizer the stable compiler will do, and it is many times faster; what those find
    // is unsafe code, of which the decoders have none.
    let build = ["fuzz", "build", "--sanitizer", "none", "--target-dir"];
    step::run(workspace::cargo(build).arg(&folder))?;
    let names = match plan.names.as_slice() {
        [] => targets()?,
        names => names.to_vec(),
    };
    let scratch = Scratch::make(&folder)?;
    let mut unpack = Command::new("tar");
    unpack
        .arg("-xzf")
        .arg(workspace::root().join("fuzz/corpus.tar.gz"));
    step::run(unpack.arg("-C").arg(&scratch.0))?;
    let begun = Instant::now();
    let jobs = names.iter().map(|name| (name.clone(), ())).collect();
    let failed = step::side_by_side(jobs, |name, ()| {
        let outcome = one(name, plan.runs, &folder, &scratch.0);
        println!("{name:<12} {}", outcome.line);
        if let Some(complaint) = &outcome.complaint {
            println!("{complaint}");
        }
        outcome.complaint.is_none()
    });
    println!(
        "fuzz         {} targets, {} inputs each; {} violations; {:.1} s",
        names.len(),
        plan.runs,
        failed.len(),
        begun.elapsed().as_secs_f64()
    );
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::step(format!(
        "fuzzing failed: {}",
        failed.join(", ")
    )))
}

fn parse(args: &[String]) -> Result<Plan, Failure> {
    let mut plan = Plan {
        runs: RUNS,
        names: Vec::new(),
    };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--runs" => {
                let runs = rest.next().map(|runs| runs.replace('_', ""));
                let runs = runs.and_then(|runs| runs.parse().ok());
                plan.runs = runs.ok_or_else(|| Failure::usage("--runs needs a number"))?;
            }
            option if option.starts_with('-') => {
                return Err(Failure::usage(format!("unexpected argument `{option}`")));
            }
            name => plan.names.push(name.to_owned()),
        }
    }
    let known = targets()?;
    match plan.names.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(Failure::usage(format!(
            "there is no target `{name}`, but {}",
            known.join(", ")
        ))),
        None => Ok(plan),
    }
}

/// The targets, which have a file each.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = workspace::root().join("fuzz/targets");
    let entries = fs::read_dir(&folder)
        .map_err(|error| Failure::missing(format!("cannot list {}: {error}", folder.display())))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut names: Vec<String> = paths
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// A folder for what the targets write, in memory where the machine has such a place. It goes with the
/// last of them.
struct Scratch(PathBuf);

impl Scratch {
    fn make(otherwise: &Path) -> Result<Self, Failure> {
        let memory = Path::new("/dev/shm");
        let around = if memory.is_dir() { memory } else { otherwise };
        let path = around.join(format!("deespec-fuzz-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| {
            Failure::missing(format!("cannot make {}: {error}", path.display()))
        })?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The program of a target, wherever the build put it.
fn program(folder: &Path, name: &str) -> Option<PathBuf> {
    let triples = fs::read_dir(folder).ok()?.flatten();
    let mut found = triples.map(|triple| triple.path().join("release").join(name));
    found.find(|path| path.is_file())
}

fn one(name: &str, runs: u64, folder: &Path, scratch: &Path) -> Outcome {
    let fuzz = workspace::root().join("fuzz");
    let artifacts = fuzz.join("artifacts").join(name);
    // The fuzzer writes what it finds into the first folder of inputs, and only there.
    let found = folder.join("found").join(name);
    let _ = fs::remove_dir_all(&found);
    let made = fs::create_dir_all(&found).and_then(|()| fs::create_dir_all(&artifacts));
    let (Ok(()), Some(program)) = (made, program(folder, name)) else {
        return Outcome {
            line: "was not built, or has no folder for what it finds".to_owned(),
            complaint: Some(String::new()),
        };
    };
    let mut command = Command::new(program);
    command
        .env("TMPDIR", scratch)
        .env("RUST_BACKTRACE", "0")
        .arg(format!("-runs={runs}"))
        .arg(format!("-timeout={SECONDS}"))
        .arg(format!("-rss_limit_mb={FUZZER_MB}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1")
        .stdin(Stdio::null());
    if let Some((_, words)) = DICTIONARIES.iter().find(|(target, _)| *target == name) {
        let words = fuzz.join("dictionaries").join(format!("{words}.dict"));
        command.arg(format!("-dict={}", words.display()));
    }
    command.arg(&found).arg(scratch.join("corpus").join(name));
    let begun = Instant::now();
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            return Outcome {
                line: format!("cannot be started: {error}"),
                complaint: Some(String::new()),
            };
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let crashes = usize::from(!output.status.success());
    let line = format!(
        "{} executions, {} new inputs, coverage {}, {crashes} crashes, peak {} MB, {:.1} s",
        stat(&said, "number_of_executed_units"),
        stat(&said, "new_units_added"),
        coverage(&said),
        stat(&said, "peak_rss_mb"),
        begun.elapsed().as_secs_f64()
    );
    let complaint = format!("{}\nkept in {}", reason(&said), artifacts.display());
    Outcome {
        line,
        complaint: (crashes > 0).then_some(complaint),
    }
}

/// What a target said at its end: a panic is told before the fuzzer's own words.
fn reason(said: &str) -> String {
    let is_telling = |line: &&str| !line.starts_with('#') && !line.starts_with("stat::");
    let lines: Vec<&str> = said.lines().filter(is_telling).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A figure of the fuzzer's own statistics.
fn stat<'a>(said: &'a str, name: &str) -> &'a str {
    let lines = said.lines();
    let mut values = lines.filter_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
    let value = values.next().and_then(|rest| rest.strip_prefix(':'));
    value.map_or("?", str::trim)
}

/// The last coverage that the fuzzer told: how many edges of the code were reached.
fn coverage(said: &str) -> &str {
    let after = said.rsplit_once(" cov: ").map_or("?", |(_, rest)| rest);
    after.split(' ').next().unwrap_or("?")
}
