//! The race itself: starts the processes, rotates in the middle, kills some, and adds up.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use deespec::{Rotate, Store, TransactionCounts};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::accept;
use crate::exit::Failure;
use crate::files;
use crate::location;
use crate::ui::Ui;

use super::repository::Repository;
use super::worker::{stall_held, stall_request, store_path};
use super::{Demo, io};

/// How often the orchestra looks up when nothing is reported.
const TICK: Duration = Duration::from_millis(5);

/// What the race came to.
pub(super) struct Outcome {
    /// What each epoch counted, in order.
    pub(super) epochs: Vec<TransactionCounts>,
    pub(super) commits_in_git: u64,
    pub(super) killed: u32,
    pub(super) seconds: f64,
    pub(super) store: Store,
}

impl Outcome {
    /// The sum over all epochs.
    pub(super) fn total(&self) -> TransactionCounts {
        self.epochs
            .iter()
            .fold(TransactionCounts::default(), |sum, epoch| {
                TransactionCounts {
                    success: sum.success + epoch.success,
                    failed: sum.failed + epoch.failed,
                    conflicts: sum.conflicts + epoch.conflicts,
                    recoveries: sum.recoveries + epoch.recoveries,
                }
            })
    }

    /// Every commit in Git was counted once; a kill may leave the one uncounted that it struck.
    pub(super) fn is_exact(&self) -> bool {
        let counted = self.total().success;
        counted <= self.commits_in_git && self.commits_in_git - counted <= u64::from(self.killed)
    }
}

/// What a worker reports.
enum Event {
    Counted(u32),
    Ended(u32),
}

/// The processes at work.
struct Workers<'a> {
    folder: &'a Path,
    running: BTreeMap<u32, (Child, u32)>,
    started: u32,
    events: Sender<Event>,
}

pub(super) fn run(demo: &Demo, folder: &Path, ui: &Ui) -> Result<Outcome, Failure> {
    let repository = Repository::at(folder);
    let first = repository.create()?;
    let store = Store::open_with(
        store_path(folder),
        &accept::whatever_it_is(location::options("demo")),
    )?;
    let thresholds = folder.join(location::FOLDER).join("thresholds.json");
    // Conflicts are what this race is made of, and each kill asks for a recovery.
    let most = u64::from(demo.processes) * u64::from(demo.processes) * u64::from(demo.commits) * 2;
    let text = format!(
        "{{\n  \"max_cas_conflicts\": {},\n  \"max_recovery_count\": {}\n}}\n",
        most.max(100),
        demo.kill.max(8) * 2
    );
    files::create(&thresholds, text.as_bytes(), 0o600).map_err(io("write", &thresholds))?;

    let (sender, events) = channel();
    let mut workers = Workers {
        folder,
        running: BTreeMap::new(),
        started: 0,
        events: sender,
    };
    let begun = Instant::now();
    for _ in 0..demo.processes {
        workers.start(demo.commits)?;
    }
    let mut race = Race {
        demo,
        store: &store,
        workers,
        counted: 0,
        killed: 0,
        stalling: None,
        closed: None,
    };
    let raced = race.watch(&events, ui);
    race.workers.kill_all();
    raced?;
    let closed = race.closed;
    let killed = race.killed;
    let epochs = closed
        .into_iter()
        .chain([store.view()?.transactions])
        .collect();
    Ok(Outcome {
        epochs,
        commits_in_git: repository.commits_since(&first)?,
        killed,
        seconds: begun.elapsed().as_secs_f64(),
        store,
    })
}

impl Workers<'_> {
    /// Starts a process, in a group of its own so that it can be killed together with its Git.
    fn start(&mut self, commits: u32) -> Result<(), Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::new(format!("cannot find this program's own file: {error}"))
        })?;
        let number = self.started;
        let mut child = Command::new(&program)
            .arg("demo-worker")
            .arg(self.folder)
            .args([number.to_string(), commits.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(io("start", &program))?;
        if let Some(stdout) = child.stdout.take() {
            let events = self.events.clone();
            std::thread::spawn(move || {
                for _ in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = events.send(Event::Counted(number));
                }
                let _ = events.send(Event::Ended(number));
            });
        }
        self.running.insert(number, (child, commits));
        self.started += 1;
        Ok(())
    }

    fn kill(child: &Child) {
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    }

    fn kill_all(&mut self) {
        for (child, _) in self.running.values_mut() {
            Self::kill(child);
            let _ = child.wait();
        }
        self.running.clear();
    }
}

struct Race<'a> {
    demo: &'a Demo,
    store: &'a Store,
    workers: Workers<'a>,
    counted: u64,
    killed: u32,
    /// The worker that was asked to stop while Git holds the lock.
    stalling: Option<u32>,
    closed: Option<TransactionCounts>,
}

impl Race<'_> {
    fn watch(&mut self, events: &Receiver<Event>, ui: &Ui) -> Result<(), Failure> {
        let total = u64::from(self.demo.processes) * u64::from(self.demo.commits);
        let bar = progress(total, ui);
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))
                .map_err(|error| Failure::new(format!("cannot catch signals: {error}")))?;
        }
        while !self.workers.running.is_empty() {
            if stop.load(Ordering::Relaxed) {
                bar.finish_and_clear();
                return Err(Failure::new("the demo was stopped by a signal"));
            }
            match events.recv_timeout(TICK) {
                Ok(Event::Counted(number)) => {
                    self.counted += 1;
                    if let Some((_, left)) = self.workers.running.get_mut(&number) {
                        *left = left.saturating_sub(1);
                    }
                }
                Ok(Event::Ended(number)) => self.ended(number)?,
                Err(RecvTimeoutError::Timeout) => self.show(&bar)?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            bar.set_position(self.counted.min(total));
            if self.closed.is_none() && self.counted * 2 >= total {
                self.closed = Some(self.store.rotate(Rotate::Reset)?.closing.transactions);
            }
            self.strike(total)?;
        }
        if self.closed.is_none() {
            self.closed = Some(self.store.rotate(Rotate::Reset)?.closing.transactions);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn show(&self, bar: &ProgressBar) -> Result<(), Failure> {
        if !bar.is_hidden() {
            let view = self.store.view()?;
            let now = view.transactions;
            let before = self.closed.unwrap_or_default();
            bar.set_message(format!(
                "epoch {}, {} conflicts, {} recoveries, {} killed",
                view.epoch,
                before.conflicts + now.conflicts,
                before.recoveries + now.recoveries,
                self.killed
            ));
        }
        Ok(())
    }

    /// Kills the next process when its turn has come: the kills are spread over the race.
    fn strike(&mut self, total: u64) -> Result<(), Failure> {
        if let Some(number) = self.stalling {
            if !self.workers.running.contains_key(&number) {
                self.stalling = None;
            } else if stall_held(self.workers.folder, number).exists() {
                self.stalling = None;
                self.kill(number)?;
            }
            return Ok(());
        }
        let turn = total * u64::from(self.killed + 1) / u64::from(self.demo.kill + 1);
        if self.killed >= self.demo.kill || self.counted < turn {
            return Ok(());
        }
        // Whoever has most left to do: it will still be there when the blow falls.
        let busiest = self
            .workers
            .running
            .iter()
            .max_by_key(|(_, (_, left))| *left);
        let Some((&number, _)) = busiest else {
            return Ok(());
        };
        if self.killed.is_multiple_of(2) {
            let request = stall_request(self.workers.folder, number);
            files::create(&request, b"", 0o600).map_err(io("write", &request))?;
            self.stalling = Some(number);
            return Ok(());
        }
        self.kill(number)
    }

    /// Kills a process together with its Git. Its end is reported by its pipe.
    fn kill(&mut self, number: u32) -> Result<(), Failure> {
        if let Some((child, _)) = self.workers.running.get_mut(&number)
            && child
                .try_wait()
                .map_err(|error| Failure::new(error.to_string()))?
                .is_none()
        {
            Workers::kill(child);
            self.killed += 1;
        }
        Ok(())
    }

    /// A process has ended: it was done, or was killed and is replaced, or failed.
    fn ended(&mut self, number: u32) -> Result<(), Failure> {
        use std::os::unix::process::ExitStatusExt as _;
        let Some((mut child, left)) = self.workers.running.remove(&number) else {
            return Ok(());
        };
        let status = child
            .wait()
            .map_err(|error| Failure::new(format!("cannot wait for worker {number}: {error}")))?;
        if status.signal() == Some(Signal::KILL.as_raw()) {
            if left > 0 {
                self.workers.start(left)?;
            }
            return Ok(());
        }
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("worker {number} failed: {status}")))
        }
    }
}

fn progress(total: u64, ui: &Ui) -> ProgressBar {
    if !ui.is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} commits  {wide_msg}");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
