//! Processes that race: this program starts itself again and gives orders over a pipe.
//!
//! A worker prepares, says `ready`, and then for each line `N` does its work N times and answers with
//! the nanoseconds it took. All workers wait for their line, so a race begins when everyone is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::rows::{self, dead, million};
use crate::{Result, peers, table};

/// What a worker does when it is told a number.
pub(crate) type Work = Box<dyn FnMut(u64) -> Result<()>>;

/// No worker outlives this, whatever happens to it or to us.
const DEADLINE: Duration = Duration::from_secs(300);

/// Added to a role: a pause after each time, as real processes do other things between two counts.
pub(crate) const WITH_PAUSES: &str = " with pauses";
const PAUSE: Duration = Duration::from_micros(500);

/// Processes in one role, ready for orders. Dropping ends them.
pub(crate) struct Crew {
    workers: Vec<Worker>,
}

struct Worker {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Crew {
    /// Starts the workers and waits until each is ready.
    pub(crate) fn start(role: &str, place: &Path, count: usize) -> Result<Self> {
        let mut crew = Self {
            workers: Vec::new(),
        };
        for _ in 0..count {
            crew.workers.push(Worker::start(role, place)?);
        }
        for worker in &mut crew.workers {
            worker.answer()?;
        }
        Ok(crew)
    }

    /// One worker works, the others wait: nanoseconds per iteration.
    pub(crate) fn one(&mut self, index: usize, n: u64) -> Result<f64> {
        let worker = &mut self.workers[index];
        worker.order(n)?;
        Ok(worker.answer()? / n as f64)
    }

    /// All work at once: nanoseconds per iteration of each.
    pub(crate) fn all(&mut self, n: u64) -> Result<Vec<f64>> {
        for worker in &mut self.workers {
            worker.order(n)?;
        }
        self.workers
            .iter_mut()
            .map(|worker| Ok(worker.answer()? / n as f64))
            .collect()
    }

    /// All work at once: the seconds until the last has finished.
    pub(crate) fn race(&mut self, n: u64) -> Result<f64> {
        let start = Instant::now();
        self.all(n)?;
        Ok(start.elapsed().as_secs_f64())
    }
}

impl Worker {
    fn start(role: &str, place: &Path) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--worker", role])
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().ok_or("a worker without a pipe")?);
        Ok(Self {
            process,
            orders,
            answers,
        })
    }

    fn order(&mut self, n: u64) -> Result<()> {
        let orders = self.orders.as_mut().ok_or("a worker without a pipe")?;
        Ok(writeln!(orders, "{n}")?)
    }

    fn answer(&mut self) -> Result<f64> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.trim() {
            "ready" => Ok(0.0),
            "" => Err("a worker process ended early".into()),
            nanoseconds => Ok(nanoseconds.parse()?),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The closed pipe is the order to go home; an idle worker obeys at once.
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}

/// The life of a worker process.
pub(crate) fn serve(role: &str, place: &Path) -> ExitCode {
    if role == "nothing" {
        return ExitCode::SUCCESS;
    }
    std::thread::spawn(|| {
        std::thread::sleep(DEADLINE);
        std::process::exit(3);
    });
    let done = match role {
        dead::ENDS => dead::short_life(place, false),
        dead::IS_KILLED => dead::short_life(place, true),
        role if role.starts_with(million::ROLE) => {
            million::live(role.trim_start_matches(million::ROLE), place)
        }
        _ => prepare(role, place).and_then(obey),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            table::progress(&format!("worker `{role}`: {error}"));
            ExitCode::from(3)
        }
    }
}

fn prepare(role: &str, place: &Path) -> Result<Work> {
    if let Some(role) = role.strip_suffix(WITH_PAUSES) {
        let mut work = prepare(role, place)?;
        return Ok(Box::new(move |n| {
            for _ in 0..n {
                work(1)?;
                std::thread::sleep(PAUSE);
            }
            Ok(())
        }));
    }
    match role {
        "deespec" => rows::increment::worker(place),
        "deespec labels" => rows::lookup::worker(place),
        "deespec observe" => rows::observe::worker(place),
        "deespec gauge" => rows::gauge::worker(place),
        "deespec process gauge" => rows::gauge::process_worker(place),
        "bare cell" => rows::increment::bare_worker(place),
        "json file" => peers::json_file::worker(place),
        "redis" => peers::redis::worker(place),
        _ => Err("unknown role".into()),
    }
}

fn obey(mut work: Work) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    for line in std::io::stdin().lock().lines() {
        let n = line?.parse()?;
        let start = Instant::now();
        work(n)?;
        writeln!(out, "{}", start.elapsed().as_nanos())?;
    }
    Ok(())
}
