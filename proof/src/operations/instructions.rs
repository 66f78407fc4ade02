//! A kill at every instruction.
//!
//! A process does one thing and is single-stepped through it (`PTRACE_SINGLESTEP`), from the call to
//! its return, the kernel's work included, which is one step for each system call.
//!
//! *Counting*: an increment, an observation, a shared gauge, a share of a gauge. The process is started
//! anew for each n and killed with SIGKILL after its n-th instruction, until it survives.
//!
//! *Operations* (`scenario.rs`), from the registration to the compaction: what a kill -9 leaves of a
//! process is its files as they are at that moment; its memory and its locks are gone. So one process
//! is stepped through the whole operation, and each time that an instruction changed the files, they are
//! copied while it stands still. Each copy is what a kill after that instruction leaves.
//!
//! After each of those the store is opened, synced, audited and counted again.
//!
//! Violations: an opener or a sync that fails; a count that is lost, doubled, or there without its call
//! having begun; a return before the count is there; whatever `Scenario::check` finds; an operation
//! that ends otherwise than with success; files after the last step that are not those of the last copy.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use deespec::{Aggregation, Family, Store, Value};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::{getpid, kill_process};

use super::scenario::{self, ALL, IN_MEMORY, Scenario, options, store_in};
use crate::audit::{History, audit};
use crate::child::{self, argument};
use crate::harness::{Bench, Outcome, Size};
use crate::{Result, ui};

/// What is counted, with the value that it has afterwards.
const COUNTED: [(&str, f64); 4] = [
    ("counter", 1.0),
    ("histogram", 1.0),
    ("gauge", 7.0),
    ("share", 7.0),
];

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let mut steps = Steps {
        folder: bench.folder.clone(),
        instructions: 0,
        kills: 0,
        states: 0,
        violations: Vec::new(),
    };
    for what in COUNTED {
        let stride = bench.stride(12);
        steps.counting(what, stride)?;
    }
    // A change has to pass those that come most often. The two that write a new segment take hours, since
    // each word of it that is written makes another state.
    let few = [Scenario::Rotate, Scenario::Snapshot];
    let large = [Scenario::Grow, Scenario::TakeOverLarge];
    let all = IN_MEMORY.into_iter().chain(ALL);
    let wanted = all.filter(|scenario| match bench.size {
        Size::Sample => *scenario == Scenario::Register,
        Size::Quick => IN_MEMORY.contains(scenario) || few.contains(scenario),
        Size::Long => !large.contains(scenario),
        Size::Full => true,
    });
    let mut operations = 0;
    for scenario in wanted {
        steps.operation(scenario)?;
        operations += 1;
    }
    Ok(Outcome {
        done: format!(
            "{} ways to count and {operations} operations, {} instructions, {} kills, {} states",
            COUNTED.len(),
            steps.instructions,
            steps.kills,
            steps.states
        ),
        violations: steps.violations,
    })
}

struct Steps {
    folder: PathBuf,
    instructions: u64,
    kills: u64,
    states: u64,
    violations: Vec<String>,
}

impl Steps {
    /// Kills the process after each of its instructions, or after some of them.
    fn counting(&mut self, (what, after): (&str, f64), (first, by): (u64, usize)) -> Result<()> {
        let mut counted = false;
        for n in (first..).step_by(by) {
            let folder = self.empty("counted")?;
            let mut traced = Traced::start("stepped", &["counting", what], &folder)?;
            let mut survived = false;
            for _ in 0..n {
                survived = traced.step()? == Step::Done;
                self.instructions += 1;
                if survived {
                    break;
                }
            }
            traced.kill()?;
            self.kills += 1;
            let story = format!("{what}, killed after instruction {n}");
            let found = value(&folder, what);
            let found = found.unwrap_or_else(|error| Err(ui::chain(error.as_ref())));
            match found {
                // A share goes with its process.
                Ok(found) if what == "share" && found == 0.0 => {}
                Ok(found) if found == after && what != "share" => counted = true,
                Ok(0.0) if !counted && !survived => {}
                Ok(found) => self.violations.push(format!("{story}: {what} is {found}")),
                Err(why) => self.violations.push(format!("{story}: {why}")),
            }
            if survived || !self.violations.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Copies the files whenever an instruction has changed them, and checks each copy.
    fn operation(&mut self, scenario: Scenario) -> Result<()> {
        let folder = self.empty("operation")?;
        scenario.prepare(&folder)?;
        let mut traced = Traced::start("stepped", &["operation", &scenario.name()], &folder)?;
        let mut files = Files::default();
        let mut n = 0_u64;
        loop {
            let called = traced.is_at_system_call()?;
            let step = traced.step()?;
            n += 1;
            let changed = files.look(&folder, called || n == 1)?;
            if changed || step == Step::Done {
                self.judge(scenario, &folder, &format!("{scenario:?}, instruction {n}"))?;
            }
            if step == Step::Done || self.violations.len() > 10 {
                break;
            }
        }
        self.instructions += n;
        traced.kill()?;
        if files.look(&folder, true)? {
            let what = format!("{scenario:?}: the files changed in no step");
            self.violations.push(what);
        }
        Ok(())
    }

    fn judge(&mut self, scenario: Scenario, folder: &Path, story: &str) -> Result<()> {
        let copy = self.empty("state")?;
        scenario::copy(folder, &copy)?;
        self.states += 1;
        let found = scenario.check(&copy);
        let found = found.unwrap_or_else(|error| vec![ui::chain(error.as_ref())]);
        let found = found.into_iter().map(|what| format!("{story}: {what}"));
        self.violations.extend(found);
        Ok(())
    }

    fn empty(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// What was counted in the end, or what is wrong with the store.
fn value(folder: &Path, what: &str) -> Result<std::result::Result<f64, String>> {
    let root = store_in(folder);
    let audit = audit(&root, &History::default());
    if let Some(violation) = audit.violations.first() {
        return Ok(Err(violation.clone()));
    }
    let view = options(None).open(&root)?.view()?;
    Ok(Ok(
        match view.sample(what, &[]).map(|sample| &sample.value) {
            Some(Value::Counter(count)) => *count as f64,
            Some(Value::Fractions(sum) | Value::Sum(sum)) => sum.to_f64(),
            Some(Value::Histogram(found)) => found.count() as f64,
            Some(Value::Summary(found)) => found.count as f64,
            Some(Value::Gauge(value)) => *value,
            Some(Value::Processes(shares)) => shares.sum,
            other => return Ok(Err(format!("{what} is {other:?}"))),
        },
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Stepped,
    /// It has done what it was to do.
    Done,
}

/// A process that goes one instruction at a time.
pub(crate) struct Traced {
    child: Child,
    pid: Pid,
}

impl Traced {
    /// Starts the role and lets it run to the beginning of what it does.
    pub(crate) fn start(role: &str, what: &[&str], folder: &Path) -> Result<Self> {
        let mut command = child::role(role)?;
        command.args(what).arg(folder).stderr(Stdio::inherit());
        let mut child = command.spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        // It is ready, and waits.
        child
            .stdout
            .as_mut()
            .ok_or("no pipe")?
            .read_exact(&mut [0])?;
        ptrace::attach(pid)?;
        let mut traced = Self { child, pid };
        traced.wait_for_stop()?;
        let pipe = traced.child.stdin.as_mut().ok_or("no pipe")?;
        pipe.write_all(b".")?;
        ptrace::cont(pid, None)?;
        traced.wait_for_stop()?;
        Ok(traced)
    }

    /// Waits for one of the stops that the process asks for.
    fn wait_for_stop(&mut self) -> Result<()> {
        match waitpid(self.pid, None)? {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => Ok(()),
            other => Err(format!("a process was to stop, but: {other:?}").into()),
        }
    }

    /// Whether the next instruction may be a system call.
    #[cfg(not(target_arch = "x86_64"))]
    fn is_at_system_call(&self) -> Result<bool> {
        Ok(true)
    }

    /// Whether the next instruction is a system call.
    #[cfg(target_arch = "x86_64")]
    fn is_at_system_call(&self) -> Result<bool> {
        let at = ptrace::getregs(self.pid)?.rip;
        let word = ptrace::read(self.pid, at as ptrace::AddressType)?;
        Ok(word.to_le_bytes().starts_with(&[0x0f, 0x05]))
    }

    pub(crate) fn step(&mut self) -> Result<Step> {
        ptrace::step(self.pid, None)?;
        match waitpid(self.pid, None)? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(Step::Stepped),
            WaitStatus::Stopped(_, Signal::SIGSTOP) => Ok(Step::Done),
            other => Err(format!("a process that was stepped did not stop: {other:?}").into()),
        }
    }

    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        let status = self.child.wait()?;
        match child::was_killed(status) {
            true => Ok(()),
            false => Err(format!("a process that was killed ended with {status}").into()),
        }
    }
}

/// The files of a folder as they were when one last looked.
#[derive(Default)]
struct Files {
    /// Segments, which change by instructions too: open, with what they held.
    mapped: BTreeMap<PathBuf, (File, Vec<u8>)>,
    /// All others, which change by system calls only.
    others: BTreeMap<PathBuf, Vec<u8>>,
    buffer: Vec<u8>,
}

impl Files {
    /// Whether anything has changed; `called` where a system call came before.
    fn look(&mut self, folder: &Path, called: bool) -> Result<bool> {
        let mut changed = false;
        if called {
            let before = std::mem::take(&mut self.others);
            let mut mapped = BTreeMap::new();
            self.list(folder, &mut mapped)?;
            // What is left among those that were mapped is not there any more.
            changed = self.others != before || !self.mapped.is_empty();
            self.mapped = mapped;
        }
        for (file, before) in self.mapped.values_mut() {
            self.buffer
                .resize(usize::try_from(file.metadata()?.len())?, 0);
            file.read_exact_at(&mut self.buffer, 0)?;
            if self.buffer != *before {
                before.clone_from(&self.buffer);
                changed = true;
            }
        }
        Ok(changed)
    }

    fn list(
        &mut self,
        folder: &Path,
        mapped: &mut BTreeMap<PathBuf, (File, Vec<u8>)>,
    ) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.list(&path, mapped)?;
                self.others.insert(path, Vec::new());
            } else if path.to_string_lossy().contains("segment-") {
                let known = self.mapped.remove(&path);
                let before = known.map(|(_, bytes)| bytes).unwrap_or_default();
                mapped.insert(path.clone(), (File::open(&path)?, before));
            } else {
                let bytes = fs::read(&path)?;
                self.others.insert(path, bytes);
            }
        }
        Ok(())
    }
}

/// `stepped counting|operation WHAT FOLDER`: says that it is ready, waits for a byte, stops itself, does
/// it, and stops itself again.
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let how: String = argument(arguments, 0)?;
    let what: String = argument(arguments, 1)?;
    let folder: PathBuf = argument(arguments, 2)?;
    let root = store_in(&folder);
    if how == "counting" {
        let store = options(None).open(root)?;
        return counting(&store, &what);
    }
    let scenario = Scenario::of(&what).ok_or("no such operation")?;
    let options = options(None);
    if scenario.opens() {
        ready()?;
        drop(scenario.open(&options, &folder)?);
    } else {
        let store = options.open(root)?;
        scenario.count_before(&store);
        ready()?;
        scenario.perform(&store, &folder)?;
    }
    stop()
}

fn counting(store: &Store, what: &str) -> Result<()> {
    match what {
        "counter" => {
            let counter = store.counter(what)?;
            ready()?;
            counter.inc();
        }
        "histogram" => {
            let histogram = store.histogram(what)?;
            ready()?;
            histogram.observe(0.25);
        }
        "gauge" => {
            let gauge = store.gauge(what)?;
            ready()?;
            gauge.set(7.0);
        }
        _ => {
            store.declare(&Family::process_gauge(what, Aggregation::Sum))?;
            let share = store.process_gauge(what)?;
            ready()?;
            share.set(7.0)?;
        }
    }
    stop()
}

/// Says that the process is ready, waits to be followed, and stops.
pub(crate) fn ready() -> Result<()> {
    child::output()?.write_all(b".")?;
    std::io::stdin().read_exact(&mut [0])?;
    stop()
}

pub(crate) fn stop() -> Result<()> {
    Ok(kill_process(getpid(), rustix::process::Signal::STOP)?)
}
