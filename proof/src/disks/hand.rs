//! A process of the workload. It does what it is told, one order after the other, with the library as
//! any program uses it, and says what came of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use deespec::{Family, Options, Rotate, Store};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::known::Note;
use super::orders::{self, Answer, NEW, OBSERVED, OWN, Order, PASSING, Shown, WORK};
use super::pushes;
use crate::child::{self, argument, output};
use crate::opening;
use crate::{Result, ui};

/// A process that waits for orders. One that is dropped is killed.
pub(crate) struct Hand {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Hand {
    /// Starts a process for the store in `root`; the documents that it restores and imports lie in
    /// `papers`.
    pub(crate) fn start(root: &Path, papers: &Path) -> Result<Self> {
        let mut command = child::role("hand")?;
        command.arg(root).arg(papers).stderr(Stdio::inherit());
        Self::spawn(command)
    }

    /// As [`Hand::start`], for a process that may use less than others.
    pub(crate) fn start_limited(root: &Path, papers: &Path, limit: Limit) -> Result<Self> {
        let (what, most) = match limit {
            Limit::Files(most) => ("files", most),
            Limit::Memory(most) => ("memory", most),
        };
        let mut command = child::role("hand")?;
        command
            .arg(root)
            .arg(papers)
            .args([what, &most.to_string()]);
        // What the allocator says when it gives up is no news.
        command.stderr(Stdio::null());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command.spawn()?;
        Ok(Self {
            orders: child.stdin.take().ok_or("no pipe")?,
            answers: BufReader::new(child.stdout.take().ok_or("no pipe")?),
            child,
        })
    }

    /// Has an order carried out; what is begun and what is done is noted at that moment.
    pub(crate) fn act(&mut self, order: Order, note: &dyn Fn(Note)) -> Result<Answer> {
        note(Note::Begins(order.clone()));
        let answer = self.ask(&order)?;
        note(Note::Done(order, Box::new(answer.clone())));
        Ok(answer)
    }

    fn ask(&mut self, order: &Order) -> Result<Answer> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.orders.write_all(&line)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.is_empty() {
            return Err(format!("a process ended at {order:?}").into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Whether it has not ended yet.
    pub(crate) fn alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Kills it as a power cut does; gives how it ended, which may have been before.
    pub(crate) fn kill(mut self) -> Result<ExitStatus> {
        self.end_now()
    }

    fn end_now(&mut self) -> Result<ExitStatus> {
        // It may have died of the disk, but nobody has waited for it, so it is still this one.
        child::kill(&self.child)?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.end_now();
        }
    }
}

/// What a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Open files, in all.
    Files(u64),
    /// Bytes of memory, beside what it has.
    Memory(u64),
}

/// Limits this process from here on.
fn limit(what: &str, most: u64) -> Result<()> {
    let (resource, most) = match what {
        "files" => (Resource::Nofile, most),
        _ => {
            // The first number is the size of all that is mapped, in pages.
            let text = std::fs::read_to_string("/proc/self/statm")?;
            let pages = text.split(' ').next().unwrap_or_default();
            let page = rustix::param::page_size() as u64;
            (Resource::As, pages.parse::<u64>()? * page + most)
        }
    };
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(resource, limit)?)
}

/// `hand ROOT PAPERS [files|memory MOST]`: the other side.
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let papers: PathBuf = argument(arguments, 1)?;
    let mut hand = Worker {
        root,
        papers,
        store: None,
    };
    let mut out = output()?;
    if let Some(what) = arguments.get(2) {
        limit(what, argument(arguments, 3)?)?;
    }
    for line in std::io::stdin().lock().lines() {
        let order: Order = serde_json::from_str(&line?)?;
        let answer = hand.carry_out(&order).unwrap_or_else(|error| Answer {
            error: Some(ui::chain(error.as_ref())),
            degraded: hand.is_degraded(),
            ..Answer::default()
        });
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}

pub(crate) fn options() -> Options {
    opening::options().stripes(2)
}

/// A process that carries out orders.
pub(crate) struct Worker {
    pub(crate) root: PathBuf,
    pub(crate) papers: PathBuf,
    pub(crate) store: Option<Store>,
}

impl Worker {
    fn store(&self) -> Result<&Store> {
        Ok(self.store.as_ref().ok_or("the store is not open")?)
    }

    fn is_degraded(&self) -> bool {
        let health = self.store.as_ref().map(Store::health);
        matches!(health, Some(Ok(health)) if health.degraded)
    }

    pub(crate) fn carry_out(&mut self, order: &Order) -> Result<Answer> {
        let mut answer = Answer::default();
        match order {
            Order::Open => self.store = Some(options().open(&self.root)?),
            Order::Close => self.store = None,
            Order::Count { by } => self.store()?.transactions().success.add(*by),
            Order::Own { hand, by } => {
                let labels = [("hand", &*hand.to_string())];
                self.store()?.counter_with(OWN, &labels)?.add(*by);
            }
            Order::Register { from, to } => {
                for id in *from..*to {
                    let labels = [("id", &*id.to_string())];
                    self.store()?.counter_with(NEW, &labels)?.inc();
                }
            }
            Order::Observe { step, times } => {
                let labels = [("step", &*step.to_string())];
                let work = self.store()?.histogram_with(WORK, &labels)?;
                (0..*times).for_each(|_| work.observe(OBSERVED));
            }
            Order::Set { hand, value } => {
                let labels = [("hand", &*hand.to_string())];
                let level = self.store()?.gauge_with(orders::LEVEL, &labels)?;
                level.set(*value as f64);
            }
            Order::Pass { hand, number } => {
                let label = orders::passing_label(*hand, *number);
                let labels = [("number", &*label)];
                self.store()?.counter_with(PASSING, &labels)?.inc();
            }
            Order::Remove { hand, number } => {
                let label = orders::passing_label(*hand, *number);
                self.store()?.remove(PASSING, &[("number", &label)])?;
            }
            Order::Redeclare { number } => {
                let help = format!("What hands count, as told for the {number}th time.");
                let family = Family::counter(OWN).with_help(help);
                self.store()?.redeclare(&family)?;
            }
            Order::Flush => {
                let view = self.store()?.view()?;
                self.store()?.flush()?;
                answer.shown = Some(Shown::of_view(&view));
            }
            Order::Sync => answer.shown = Some(Shown::of_view(&self.store()?.sync()?)),
            Order::Snapshot => {
                let done = self.store()?.snapshot()?;
                answer.shown = Some(Shown::of_view(&done.view));
                answer.snapshot = Some((done.name.to_string(), orders::digest(&done.path)?));
            }
            Order::Rotate { keep } => {
                let how = match keep {
                    true => Rotate::KeepCounters,
                    false => Rotate::Reset,
                };
                let done = self.store()?.rotate(how)?;
                answer.epoch = done.epoch;
                answer.shown = Some(Shown::of_document(&done.closing));
                answer.snapshot = Some((done.snapshot.to_string(), orders::digest(&done.path)?));
            }
            Order::Restore => {
                let path = orders::restore_in(&self.papers);
                let done = self.store()?.restore(&path, "a proof", true)?;
                answer.shown = Some(Shown::of_view(&done.view));
                let name = done.path.file_name().unwrap_or_default().to_string_lossy();
                answer.snapshot = Some((name.into_owned(), orders::digest(&done.path)?));
            }
            Order::Import { number } => {
                let path = orders::import_in(&self.papers, *number);
                self.store()?.import(&path, false)?;
            }
            Order::Push { writer, number, by } => {
                answer.counted = pushes::send(self.store()?, *writer, *number, *by)?.counted;
            }
            Order::Program => {}
            Order::Compact => {
                options().compact(&self.root)?;
            }
            Order::Examine => {
                let view = self.store()?.view()?;
                answer.shown = Some(Shown::of_view(&view));
                answer.degraded = self.is_degraded();
            }
        }
        Ok(answer)
    }
}
