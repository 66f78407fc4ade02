//! Stores on each class of file system: in containers, on disks that copy on write, on full ones.
//!
//! On each place (`places/grounds.rs`) a store is made, or comes with the image of a container; several processes count
//! in it at once by the program; its files get holes, as those of a copy have, and new series are counted when the disk is full. Two processes have it open and count in all
//! of its pages, while its blocks come to be shared by a clone or a snapshot. They flush, then the disk is filled to the
//! last block, and they count on. On the full disk the program counts too. A copy is made once more while nobody has the store
//! open, the disk is filled, and the program may refuse, with the reason. In the end there is room, the store is compacted, and every count is
//! compared.
//!
//! Violations: a process that is ended by a signal; a command that fails otherwise than with a reason; a store that is made
//! without the consent that it needs, or a refusal that leaves something; another class or code of the doctor than
//! `docs/operations.md` says; a count that is lost or doubled.

mod grounds;

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use super::full::build;
use super::ground::{self, Task, apart};
use super::hand::Hand;
use super::orders::{Answer, NEW, Order};
use crate::Result;
use crate::audit::labelled;
use crate::harness::{Bench, Outcome};
use grounds::{Copies, GROUNDS, Ground, Laid, Layer, PROGRAMS};

/// Series enough for a second segment, so that all pages of cells of the first one are counted in.
const SERIES: u64 = 600;
/// Series that the first segment has room for.
const FEW: u64 = 300;
/// Processes that count at once by the program, and how often each.
const CROWD: u64 = 4;

pub(crate) fn lacks() -> Option<String> {
    ground::lacks(&[], PROGRAMS)
}

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let each = bench.count([5, 25, 100, 400]);
    apart("places", bench, each)
}

pub(crate) fn inside(task: &mut Task) -> Result<Outcome> {
    let program = build()?;
    let mut violations = Vec::new();
    for ground in GROUNDS {
        let memory = ground::memory()?;
        let mut case = Case {
            ground,
            program: &program,
            memory: memory.path(),
            each: task.count,
            counted: 0,
            rounds: 0,
            refused: 0,
            violations: Vec::new(),
        };
        if let Err(error) = case.run() {
            case.violations.push(crate::ui::chain(error.as_ref()));
        }
        let told = case.violations.into_iter();
        violations.extend(told.map(|what| format!("{}: {what}", ground.name)));
    }
    Ok(Outcome {
        done: format!(
            "{} places, {CROWD} x {} commands on each, then full disks and copies",
            GROUNDS.len(),
            task.count
        ),
        violations,
    })
}

struct Case<'a> {
    ground: &'a Ground,
    program: &'a Path,
    memory: &'a Path,
    each: u64,
    /// By the program, in `one_total`.
    counted: u64,
    /// How often each series was counted.
    rounds: u64,
    refused: u64,
    violations: Vec<String>,
}

impl Case<'_> {
    fn run(&mut self) -> Result<()> {
        let mut laid = self.ground.lay(self.memory)?;
        match self.ground.layer {
            Layer::None => {}
            Layer::Overlay | Layer::Volatile => laid.cover(self.ground.layer)?,
            Layer::Baked => {
                laid.lower()?;
                self.make(&laid)?;
                self.pierce(&laid)?;
                laid.cover(self.ground.layer)?;
            }
        }
        if self.ground.layer != Layer::Baked {
            self.refusal(&laid)?;
            self.make(&laid)?;
            self.crowd(&laid)?;
            self.pierce(&laid)?;
        }
        self.pages(&laid)?;
        self.crowd(&laid)?;
        self.place(&laid)?;
        self.beside(&laid)?;
        self.closed(&laid)?;
        self.compact(&laid)?;
        self.sums(&laid)
    }

    fn command(&self, laid: &Laid, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.arg("--store").arg(laid.root()).args(arguments);
        command.stdin(Stdio::null()).env_remove("DEESPEC_ACCEPT");
        command
    }

    /// Runs the program; a signal is a violation.
    fn say(&mut self, laid: &Laid, arguments: &[&str]) -> Result<Output> {
        let output = self.command(laid, arguments).output()?;
        if let Some(signal) = output.status.signal() {
            self.violations
                .push(format!("{arguments:?} was ended by signal {signal}"));
        }
        Ok(output)
    }

    /// Without its consent no store is made, and nothing else is.
    fn refusal(&mut self, laid: &Laid) -> Result<()> {
        if self.ground.accept.is_none() {
            return Ok(());
        }
        let output = self.say(laid, &["inc", "one_total"])?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(3) || !said.contains("--accept full-disk") {
            self.violations.push(format!(
                "a store without consent: {}: {said}",
                output.status
            ));
        }
        if laid.root().parent().is_some_and(Path::exists) {
            self.violations.push("a refusal left a folder".to_owned());
        }
        Ok(())
    }

    fn make(&mut self, laid: &Laid) -> Result<()> {
        let mut command = self.command(laid, &["init", "--stripes", "2"]);
        if let Some(accepted) = self.ground.accept {
            command.env("DEESPEC_ACCEPT", accepted);
        }
        ground::run(&mut command)?;
        Ok(())
    }

    /// Several processes count at once, each of them by commands.
    fn crowd(&mut self, laid: &Laid) -> Result<()> {
        let each = self.each;
        let this = &*self;
        let failed: Vec<String> = std::thread::scope(|scope| {
            let crowd: Vec<_> = (0..CROWD)
                .map(|_| {
                    scope.spawn(move || {
                        let inc = || ground::run(&mut this.command(laid, &["inc", "one_total"]));
                        (0..each).filter_map(|_| inc().err()).next()
                    })
                })
                .collect();
            let ended = crowd
                .into_iter()
                .filter_map(|one| one.join().ok())
                .flatten();
            ended.map(|error| error.to_string()).collect()
        });
        self.violations.extend(failed);
        self.counted += CROWD * self.each;
        Ok(())
    }

    /// Gives a segment holes. A copy on btrfs takes copying on write with it, and is refused.
    fn pierce(&mut self, laid: &Laid) -> Result<()> {
        match self.ground.copies {
            Copies::Snapshot => Ok(()),
            _ => laid.pierce(&laid.root().join("live").join("segment-0000")),
        }
    }

    /// The disk is full before the pages of new series are touched: the holes must have been filled by then.
    fn pages(&mut self, laid: &Laid) -> Result<()> {
        let mut hand = Hand::start(&laid.root(), self.memory)?;
        act(&mut hand, &Order::Open)?;
        // An overlay copies the lock of an image up when it is first taken.
        act(&mut hand, &Order::Flush)?;
        let filler = laid.fill()?;
        let few = Order::Register { from: 0, to: FEW };
        if self.ground.accept.is_some() {
            let refused = hand.act(few.clone(), &|_| ())?.error.unwrap_or_default();
            if !refused.contains("nearly full") {
                self.violations
                    .push(format!("new series on the full disk: {refused:?}"));
            }
            let run = self.say(laid, &["run", "--", "true"])?;
            if run.status.code() != Some(125) {
                self.violations
                    .push(format!("run on the full disk: {}", run.status));
            }
            laid.empty(&filler)?;
            act(&mut hand, &few)?;
            return Ok(());
        }
        act(&mut hand, &few)?;
        laid.empty(&filler)
    }

    /// What the doctor says of the place.
    fn place(&mut self, laid: &Laid) -> Result<()> {
        let output = self.say(laid, &["doctor", "--json"])?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let class = &said["store"]["place"]["class"];
        let code = if self.ground.accept.is_some() { 2 } else { 0 };
        if class != self.ground.class || output.status.code() != Some(code) {
            self.violations.push(format!(
                "the doctor says {class} and ends with {}",
                output.status
            ));
        }
        Ok(())
    }

    /// Two processes count while a copy is made, and when the disk is full.
    fn beside(&mut self, laid: &Laid) -> Result<()> {
        let papers = self.memory.join("papers");
        let mut hands = [
            Hand::start(&laid.root(), &papers)?,
            Hand::start(&laid.root(), &papers)?,
        ];
        for hand in &mut hands {
            act(hand, &Order::Open)?;
            self.round(hand)?;
        }
        let copies = self.ground.copies;
        let (begun, begins) = mpsc::channel();
        let copy = std::thread::scope(|scope| {
            let counting: Vec<_> = hands
                .iter_mut()
                .map(|hand| {
                    let begun = begun.clone();
                    scope.spawn(move || -> Result<u64> {
                        for round in 0..ROUNDS {
                            let _ = begun.send(());
                            act(hand, &ROUND).map_err(|error| format!("round {round}: {error}"))?;
                        }
                        Ok(ROUNDS)
                    })
                })
                .collect();
            // Both of them count by now.
            for _ in 0..counting.len() * 2 {
                let _ = begins.recv();
            }
            let copy = laid.copy(copies);
            for one in counting {
                match one.join().map_err(|_| "a thread panicked")? {
                    Ok(rounds) => self.rounds += rounds,
                    Err(error) => self.violations.push(error.to_string()),
                }
            }
            copy
        })?;
        for hand in &mut hands {
            act(hand, &Order::Flush)?;
        }
        let filler = laid.fill()?;
        for hand in &mut hands {
            self.round(hand)?;
            act(hand, &Order::Flush)?;
            self.round(hand)?;
        }
        self.inc_or_refusal(laid, "")?;
        laid.empty(&filler)?;
        if let Some(copy) = copy {
            laid.forget(copies, &copy)?;
        }
        let closed: Result<Vec<_>> = hands
            .iter_mut()
            .map(|hand| act(hand, &Order::Sync))
            .collect();
        closed.map(drop)
    }

    /// A copy is made while nobody has the store open, and then the disk is full.
    fn closed(&mut self, laid: &Laid) -> Result<()> {
        let copies = self.ground.copies;
        let Some(copy) = laid.copy(copies)? else {
            return Ok(());
        };
        let filler = laid.fill()?;
        for _ in 0..2 {
            self.inc_or_refusal(laid, "shares its blocks with a copy")?;
        }
        laid.empty(&filler)?;
        laid.forget(copies, &copy)
    }

    /// Counts by the program, which may refuse with this reason.
    fn inc_or_refusal(&mut self, laid: &Laid, reason: &str) -> Result<()> {
        let output = self.say(laid, &["inc", "one_total"])?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => self.counted += 1,
            Some(3) if !reason.is_empty() && said.contains(reason) => self.refused += 1,
            _ => self
                .violations
                .push(format!("inc on the full disk: {}: {said}", output.status)),
        }
        Ok(())
    }

    fn compact(&mut self, laid: &Laid) -> Result<()> {
        let output = self.say(laid, &["compact"])?;
        let said = String::from_utf8_lossy(&output.stderr);
        let is_right = match self.ground.layer {
            Layer::Baked => output.status.code() == Some(3) && said.contains("came with the image"),
            _ => output.status.success(),
        };
        if !is_right {
            self.violations
                .push(format!("compact: {}: {said}", output.status));
        }
        Ok(())
    }

    /// Nothing is lost, and nothing doubled.
    fn sums(&mut self, laid: &Laid) -> Result<()> {
        let mut hand = Hand::start(&laid.root(), self.memory)?;
        act(&mut hand, &Order::Open)?;
        let answer = act(&mut hand, &Order::Flush)?;
        let shown = answer.shown.ok_or("nothing was shown")?;
        let mut check = |key: String, wanted: u64| {
            let found = shown.totals.get(&key).copied();
            if found != Some(wanted) {
                self.violations
                    .push(format!("{key} is {found:?} and not {wanted}"));
            }
        };
        check("one_total".to_owned(), self.counted);
        for id in 0..SERIES {
            let rounds = self.rounds + u64::from(id < FEW);
            check(labelled(NEW, "id", &id.to_string()), rounds);
        }
        Ok(())
    }

    fn round(&mut self, hand: &mut Hand) -> Result<()> {
        act(hand, &ROUND)?;
        self.rounds += 1;
        Ok(())
    }
}

const ROUNDS: u64 = 4;
const ROUND: Order = Order::Register {
    from: 0,
    to: SERIES,
};

/// Has it done; that it cannot be done ends the case, and so does the end of the process.
fn act(hand: &mut Hand, order: &Order) -> Result<Answer> {
    let answer = hand.act(order.clone(), &|_| ())?;
    match answer.error {
        Some(error) => Err(format!("{order:?}: {error}").into()),
        None => Ok(answer),
    }
}
