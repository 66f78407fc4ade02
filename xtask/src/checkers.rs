//! `cargo xtask loom | miri | tsan | model`: programs and tests that look for what an ordinary run of
//! the tests does not meet. Each says what it runs, and ends with one line about what it found.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::packages::in_ci;
use crate::seams::Seam;
use crate::step::{self, Failure};
use crate::workspace;

/// The tests of threads over plain memory, which are worth another order of the threads.
const RACES: [&str; 2] = ["store::races", "store::raw::fork"];

/// The integration tests in which threads of one process meet over real files. Those that fork are
/// not among them: the sanitizer does not follow a child that has threads of its own.
const THREADS: [&str; 9] = [
    "background::",
    "every_kind::",
    "gauges::",
    "histograms::",
    "programs::",
    "recorder::",
    "registry::",
    "segments::",
    "shares::",
];

/// All integration tests, but for those that fork, those that ask other programs, and the model.
const EVERYTHING: [&str; 14] = [
    "--skip",
    "forks::",
    "--skip",
    "model::",
    "--skip",
    "native::",
    "--skip",
    "oracles::",
    "--skip",
    "readers::",
    "--skip",
    "scrape::",
    "--skip",
    "server::",
];

/// What each checker does where only a part is asked for.
const SAMPLE: &str = "--sample";
/// A model of which all executions are tried within seconds, and one that must fail.
const FEW_MODELS: [&str; 2] = [
    "store::models::registration::an_entry_that_another_thread_has_checked_is_read_whole",
    "store::models::registration::whoever_believes_the_index_finds_a_wrong_entry",
];

/// How many orders of the threads `miri` tries of the races.
const SEEDS: u32 = 4;
/// How many sequences `model` tries.
const SEQUENCES: u64 = 10_000;

/// A command of cargo about the library as the model checker has it.
fn modelled<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Command, Failure> {
    let mut command = workspace::cargo(args);
    command.args(["--locked", "-p", "deespec", "--lib"]);
    Seam::Loom.set(&mut command)?;
    Ok(command)
}

/// The linter, over what no other build has in it.
pub(crate) fn models() -> Command {
    // The linter would take the place in which the seam is.
    let mut command = workspace::cargo(["clippy", "--locked", "-p", "deespec", "--lib"]);
    command.args([
        "--all-features",
        "--profile",
        "test",
        "--",
        "-D",
        "warnings",
    ]);
    command.env("RUSTFLAGS", "--cfg loom");
    command.env("CARGO_TARGET_DIR", workspace::target().join("loom"));
    command
}

/// Every interleaving of a few threads, with the real algorithms of the store.
pub(crate) fn loom(args: &[String]) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut command = modelled(["test"])?;
    match args.first().map(String::as_str) {
        Some(SAMPLE) => command.arg("--").args(FEW_MODELS),
        // Millions of executions: here the optimiser pays. It is a build of its own.
        name => command
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "3")
            .env("CARGO_TARGET_DIR", workspace::target().join("loom"))
            .arg(name.unwrap_or("store::models"))
            .arg("--"),
    };
    command.arg("--nocapture");
    command.env("RUST_BACKTRACE", "0");
    let told = tell(&mut command)?;
    let done = format!("{} models, {} executions", told.models, told.executions);
    conclude("loom", &done, &told, begun)
}

/// The store's unit tests in an interpreter that knows what a Rust program may not do.
pub(crate) fn miri(args: &[String]) -> Result<(), Failure> {
    let begun = Instant::now();
    let is_sample = args.first().is_some_and(|arg| arg == SAMPLE);
    let seeds = match is_sample {
        true => 0,
        false => count(args, "--seeds", u64::from(SEEDS))?,
    };
    if !nightly("miri", &["miri", "rust-src"])? {
        return Ok(());
    }
    let interpret = |flags: String, names: &[&str]| {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "cargo", "miri", "test", "--locked"]);
        command.args(["-p", "deespec", "--lib", "--"]).args(names);
        command.current_dir(workspace::root());
        command.env("MIRIFLAGS", flags);
        command.env("CARGO_TARGET_DIR", workspace::target().join("miri"));
        tell(&mut command)
    };
    // Some tests read the kernel's list of file systems.
    let flags = "-Zmiri-disable-isolation".to_owned();
    let tests: &[&str] = if is_sample { &RACES } else { &["store::"] };
    let mut told = interpret(flags.clone(), tests)?;
    if told.is_fine() && seeds > 0 {
        let flags = format!("{flags} -Zmiri-many-seeds=0..{seeds}");
        told.add(&interpret(flags, &RACES)?);
    }
    let done = format!("{} tests, races with {seeds} seeds", told.passed);
    conclude("miri", &done, &told, begun)
}

/// Tests with threads, built so that each access of memory is watched.
pub(crate) fn tsan(args: &[String]) -> Result<(), Failure> {
    let begun = Instant::now();
    if !nightly("tsan", &["rust-src"])? {
        return Ok(());
    }
    let watch = |what: &[&str], names: &[&str]| {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "cargo", "test", "-Zbuild-std", "--locked"]);
        command.args([
            "--target",
            &format!("{}-unknown-linux-gnu", env::consts::ARCH),
        ]);
        command.args(["-p", "deespec"]).args(what);
        command.arg("--").args(names);
        command.current_dir(workspace::root());
        command.env("RUSTFLAGS", "-Zsanitizer=thread");
        command.env("CARGO_TARGET_DIR", workspace::target().join("tsan"));
        tell(&mut command)
    };
    let is_sample = args.first().is_some_and(|arg| arg == SAMPLE);
    let names: &[&str] = match args {
        [] => &THREADS,
        [_] if is_sample => &[],
        [all] if all == "--all" => &EVERYTHING,
        [other, ..] => return Err(Failure::usage(format!("unexpected argument `{other}`"))),
    };
    let mut told = match is_sample {
        true => watch(&["--lib"], &RACES)?,
        false => watch(&["--lib", "--all-features"], &["store::"])?,
    };
    if !is_sample {
        told.add(&watch(&["--test", "it", "--all-features"], names)?);
    }
    let done = format!("{} tests", told.passed);
    conclude("tsan", &done, &told, begun)
}

/// Random sequences of everything that a store does, beside a model of it in memory.
pub(crate) fn model(args: &[String]) -> Result<(), Failure> {
    let begun = Instant::now();
    let sequences = count(args, "--sequences", SEQUENCES)?;
    let mut command = workspace::cargo(["test", "--locked", "-p", "deespec", "--all-features"]);
    command.args(["--test", "it", "model::", "--", "--nocapture"]);
    command.env("DEESPEC_MODEL_SEQUENCES", sequences.to_string());
    command.env("RUST_BACKTRACE", "0");
    let told = tell(&mut command)?;
    let done = format!("{} sequences", told.sequences);
    conclude("model", &done, &told, begun)
}

/// The number behind the one option that there is; `1_000` is one too.
fn count(args: &[String], option: &str, otherwise: u64) -> Result<u64, Failure> {
    match args {
        [] => Ok(otherwise),
        [name, number] if name == option => number
            .replace('_', "")
            .parse()
            .map_err(|_| Failure::usage(format!("`{number}` is not a number"))),
        [name] if name == option => Err(Failure::usage(format!("`{option}` needs a number"))),
        [other, ..] => Err(Failure::usage(format!("unexpected argument `{other}`"))),
    }
}

/// Whether there is a nightly compiler with these components, which are added where that is possible.
fn nightly(name: &str, components: &[&str]) -> Result<bool, Failure> {
    let listed = || {
        let mut list = Command::new("rustup");
        list.args(["component", "list", "--installed", "--toolchain", "nightly"]);
        let output = list.stderr(Stdio::null()).output().ok()?;
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(listed)
    };
    let complete = |listed: &str| {
        let has = |component: &&str| listed.lines().any(|line| line.starts_with(*component));
        components.iter().all(has)
    };
    let there = match listed() {
        Some(list) if complete(&list) => true,
        Some(_) => {
            let mut add = Command::new("rustup");
            add.args(["component", "add", "--toolchain", "nightly"]);
            step::run(add.args(components)).is_ok() && listed().is_some_and(|list| complete(&list))
        }
        None => false,
    };
    let lacking = format!("needs nightly with {}", components.join(" and "));
    match there {
        true => Ok(true),
        false if in_ci() => Err(Failure::missing(lacking)),
        false => {
            println!("{name:<12} skipped: {lacking}");
            Ok(false)
        }
    }
}

/// What the tests have said.
#[derive(Default)]
struct Told {
    models: u64,
    executions: u64,
    sequences: u64,
    passed: u64,
    failed: u64,
    /// Reports of a checker that are no failed test.
    reports: u64,
    success: bool,
}

impl Told {
    fn is_fine(&self) -> bool {
        self.success && self.violations() == 0
    }

    fn violations(&self) -> u64 {
        self.failed + self.reports
    }

    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.reports += other.reports;
        self.success &= other.success;
    }

    /// Reads a line of the tests' output.
    fn hear(&mut self, line: &str, names: &mut Vec<String>) {
        let before = |word: &str| -> Option<u64> {
            let (front, _) = line.split_once(word)?;
            front.rsplit(' ').next()?.parse().ok()
        };
        if let Some(model) = line.split("model ").nth(1)
            && let Some(executions) = before(" executions")
        {
            let name = model.split([',', ':']).next().unwrap_or(model).to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
            self.models = names.len() as u64;
            self.executions += executions;
        }
        if line.starts_with("model: ") {
            self.sequences += before(" sequences").unwrap_or(0);
        }
        if line.starts_with("test result: ") {
            self.passed += before(" passed").unwrap_or(0);
            self.failed += before(" failed").unwrap_or(0);
        }
        let found = ["WARNING: ThreadSanitizer", "error: Undefined Behavior"];
        self.reports += u64::from(found.iter().any(|report| line.contains(report)));
    }
}

/// Runs tests, shows what they say, and listens.
fn tell(command: &mut Command) -> Result<Told, Failure> {
    println!("$ {}", step::shown(command));
    let cannot = |error| Failure::missing(format!("cannot start the tests: {error}"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot)?;
    let errors = child.stderr.take();
    let heard = thread::spawn(move || {
        let mut told = Told::default();
        let lines = errors
            .into_iter()
            .flat_map(|errors| BufReader::new(errors).lines());
        for line in lines.map_while(Result::ok) {
            told.hear(&line, &mut Vec::new());
            eprintln!("{line}");
        }
        told
    });
    let mut told = Told::default();
    let mut names = Vec::new();
    let output = child.stdout.take().into_iter();
    for line in output.flat_map(|output| BufReader::new(output).lines()) {
        let Ok(line) = line else { break };
        told.hear(&line, &mut names);
        println!("{line}");
    }
    let status = child.wait().map_err(cannot)?;
    told.success = status.success();
    if let Ok(errors) = heard.join() {
        told.reports += errors.reports;
    }
    Ok(told)
}

/// Says in one line what was done; fails unless all of it was.
fn conclude(name: &str, done: &str, told: &Told, begun: Instant) -> Result<(), Failure> {
    // What did not come to its end, or did nothing, has shown nothing.
    let nothing = told.passed == 0 || !told.success && told.violations() == 0;
    let found = told.violations() + u64::from(nothing);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name:<12} {done}; {found} violations; {seconds:.1} s");
    match found {
        0 => Ok(()),
        _ => Err(Failure::step(format!(
            "{name} found something, or did not end"
        ))),
    }
}
