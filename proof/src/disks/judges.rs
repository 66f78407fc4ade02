//! Processes that judge states of a disk, two at once. Each mounts the image that it is given, which
//! replays the journal, and looks at the store on it. That it is a process of its own keeps a harness
//! alive whose store kills whoever opens it, and that is a finding too.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use super::ground::{self, Kind, Mounted};
use super::judge::judge;
use super::known::Known;
use super::states::State;
use crate::child::{self, argument, output};
use crate::{Result, ui};

const AT_ONCE: usize = 2;
/// Findings that are told of one state.
const TOLD: usize = 3;

/// What was found, by whoever looked.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) judged: u64,
    /// States that the file system itself did not survive, where sectors of its own were torn: it
    /// takes a block for what a disk writes at once, and there is no store to look at.
    pub(crate) unmounted: u64,
    pub(crate) violations: Vec<String>,
}

/// Where things lie for those who judge.
#[derive(Clone)]
struct Places {
    memory: PathBuf,
    papers: PathBuf,
    /// Where the first bad image is kept.
    kept: PathBuf,
}

pub(crate) struct Judges {
    states: Option<SyncSender<(State, Kind)>>,
    threads: Vec<JoinHandle<Result<()>>>,
    found: Arc<Mutex<Found>>,
}

#[derive(Serialize, Deserialize)]
struct Question {
    kind: Kind,
    known: Known,
}

/// What is wrong with an image.
#[derive(Serialize, Deserialize)]
enum Verdict {
    Judged(Vec<String>),
    Unmountable(String),
}

impl Judges {
    pub(crate) fn start(memory: &Path, papers: &Path, kept: &Path) -> Self {
        let (states, receiver) = sync_channel(AT_ONCE);
        let receiver = Arc::new(Mutex::new(receiver));
        let found = Arc::new(Mutex::new(Found::default()));
        let places = Places {
            memory: memory.to_owned(),
            papers: papers.to_owned(),
            kept: kept.to_owned(),
        };
        let start = |number| {
            let (receiver, found) = (Arc::clone(&receiver), Arc::clone(&found));
            let places = places.clone();
            std::thread::spawn(move || work(number, &places, &receiver, &found))
        };
        Self {
            threads: (0..AT_ONCE).map(start).collect(),
            states: Some(states),
            found,
        }
    }

    /// Has one state judged; waits while all are busy.
    pub(crate) fn judge(&self, state: State, kind: Kind) {
        if let Some(states) = &self.states {
            // Nobody hears it only where a thread has failed, which `end` tells.
            let _ = states.send((state, kind));
        }
    }

    /// What was found, once everything is judged.
    pub(crate) fn end(mut self) -> Result<Found> {
        drop(self.states.take());
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *found))
    }
}

/// A process that judges.
struct Worker {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    fn start(image: &Path, point: &Path, papers: &Path) -> Result<Self> {
        let mut command = child::role("judge")?;
        command.stderr(Stdio::inherit());
        let mut child = command.arg(image).arg(point).arg(papers).spawn()?;
        Ok(Self {
            questions: child.stdin.take().ok_or("no pipe")?,
            answers: BufReader::new(child.stdout.take().ok_or("no pipe")?),
            child,
        })
    }

    /// What is wrong with the image; `None` where the process died of it.
    fn ask(&mut self, question: &Question) -> Result<Option<Verdict>> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        if self.questions.write_all(&line).is_err() {
            return Ok(None);
        }
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(serde_json::from_str(&line).ok())
    }
}

fn work(
    number: usize,
    places: &Places,
    states: &Mutex<Receiver<(State, Kind)>>,
    found: &Mutex<Found>,
) -> Result<()> {
    let image = places.memory.join(format!("judged-{number}.img"));
    let point = places.memory.join(format!("judged-{number}"));
    let mut worker = Worker::start(&image, &point, &places.papers)?;
    loop {
        let next = {
            let states = states.lock().unwrap_or_else(PoisonError::into_inner);
            states.recv()
        };
        let Ok((state, kind)) = next else {
            break;
        };
        let State {
            image: content,
            known,
            story,
            torn,
        } = state;
        content.save(&image)?;
        let question = Question { kind, known };
        let violations = match worker.ask(&question)? {
            Some(Verdict::Judged(violations)) => violations,
            Some(Verdict::Unmountable(_)) if torn => {
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.unmounted += 1;
                continue;
            }
            Some(Verdict::Unmountable(why)) => vec![why],
            None => {
                let status = worker.child.wait()?;
                ground::clear(&point);
                worker = Worker::start(&image, &point, &places.papers)?;
                vec![format!("whoever opened the store ended with {status}")]
            }
        };
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.judged += 1;
        if violations.is_empty() {
            continue;
        }
        let mut told = violations.clone();
        told.truncate(TOLD);
        let mut story = format!("{} {story}: {}", kind.name(), told.join("; "));
        if found.violations.is_empty() {
            content.save(&places.kept.join("first-bad.img"))?;
            let known = serde_json::to_string_pretty(&question.known)?;
            let text = format!("{story}\n{}\n{known}\n", violations.join("\n"));
            fs::write(places.kept.join("first-bad.txt"), text)?;
            story.push_str(
                " (kept: first-bad.img, to be mounted with `mount -o loop`, and first-bad.txt)",
            );
        }
        found.violations.push(story);
    }
    let Worker {
        mut child,
        questions,
        ..
    } = worker;
    drop(questions);
    child.wait()?;
    Ok(())
}

/// `judge IMAGE POINT PAPERS`: the other side.
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let image: PathBuf = argument(arguments, 0)?;
    let point: PathBuf = argument(arguments, 1)?;
    let papers: PathBuf = argument(arguments, 2)?;
    let mut out = output()?;
    for line in std::io::stdin().lock().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        let verdict = look(&image, &point, &papers, &question)?;
        let mut line = serde_json::to_vec(&verdict)?;
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}

fn look(image: &Path, point: &Path, papers: &Path, question: &Question) -> Result<Verdict> {
    let mounted = match Mounted::image(image, point, question.kind) {
        Ok(mounted) => mounted,
        Err(error) => return Ok(Verdict::Unmountable(ui::chain(error.as_ref()))),
    };
    let violations = judge(&store_on(point), papers, &question.known);
    mounted.unmount()?;
    Ok(Verdict::Judged(violations))
}

/// Where the store lies on a file system.
pub(crate) fn store_on(point: &Path) -> PathBuf {
    point.join("var")
}
