//! Pushes that come at once share the lock, the line in `pushes.jsonl` and its flushes: one thread does it for all that wait.
//! Also what is remembered of the file, so that a push reads what was appended and not what all writers ever pushed.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::Error;
use crate::metric::Value;
use crate::store::opened::open_own;
use crate::store::{Core, Exclusive, PUSHES, StoreError};

use super::super::import;
use super::super::settle::locked;
use super::journal::{Journal, Last, Line, Numbered};
use super::turns::Waiting;
use super::{Added, Fault, Push, PushError, Request, add, check, set};

/// Enough of the end of the file to hold the checksum of its last line.
const TAIL_BYTES: usize = 256;
const NS: u64 = 1_000_000_000;

/// The pushes of an open store that wait, and what is known of its file.
#[derive(Default)]
pub(crate) struct Pushes {
    queue: Mutex<Queue>,
    answered: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Of whom it is; a forked child begins anew.
    process: u32,
    is_led: bool,
    next: u64,
    waiting: Waiting,
    answers: HashMap<u64, Answer>,
    /// Used by whoever leads.
    memory: Option<Memory>,
}

type Answer = Result<Push, Fault>;

/// A file that was read, up to its end then.
struct Memory {
    /// Open, so that no other file can get its number; `None` where there was none.
    file: Option<File>,
    length: u64,
    /// What it ended in: whoever wrote it anew in its place did not leave that.
    tail: Vec<u8>,
    journal: Journal,
}

impl Pushes {
    /// Counts a push, together with those that wait meanwhile.
    pub(super) fn commit(&self, core: &Core, request: Request) -> Answer {
        let mut queue = self.queue();
        if queue.process != std::process::id() {
            *queue = Queue {
                process: std::process::id(),
                ..Queue::default()
            };
        }
        let ticket = queue.next;
        queue.next += 1;
        queue.waiting.add(ticket, request);
        loop {
            if let Some(answer) = queue.answers.remove(&ticket) {
                return answer;
            }
            if queue.is_led {
                let waited = self.answered.wait(queue);
                queue = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.is_led = true;
            drop(queue);
            let answers = self.lead(core);
            queue = self.queue();
            queue.is_led = false;
            queue.answers.extend(answers);
            self.answered.notify_all();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the store's lock, and then those whose turn it is by now.
    fn lead(&self, core: &Core) -> Vec<(u64, Answer)> {
        let exclusive = locked(core);
        let mut queue = self.queue();
        let next = queue.waiting.next();
        let (tickets, requests): (Vec<u64>, Vec<Request>) = next.into_iter().unzip();
        let memory = queue.memory.take();
        drop(queue);
        let counted = exclusive.and_then(|exclusive| count(&exclusive, memory, requests));
        let answers = counted.map(|(answers, memory)| {
            self.queue().memory = memory;
            answers
        });
        let answers = answers.unwrap_or_else(|error| failed(error, tickets.len()));
        tickets.into_iter().zip(answers).collect()
    }
}

/// Counts pushes, each as a whole or not at all, with one line.
fn count(
    exclusive: &Exclusive<'_>,
    memory: Option<Memory>,
    requests: Vec<Request>,
) -> Result<(Vec<Answer>, Option<Memory>), Error> {
    let core = exclusive.core();
    let store = core.id().to_string();
    let mut known = Memory::read(memory, core)?;
    known.journal.check(core)?;
    if let Some(short) = known.journal.shortened(&store) {
        core.files()
            .write(&core.live_file(PUSHES), short.as_bytes(), true)?;
        known = Memory::read(None, core)?;
    }
    let mut now: HashMap<String, Numbered> = HashMap::new();
    let mut counted: Vec<Numbered> = Vec::new();
    let mut added = Added::default();
    let mut answers = Vec::new();
    for mut request in requests {
        import::as_declared(core, &mut request.amounts);
        let numbered = &request.push;
        let last = now.get(&numbered.writer);
        let last = last.map(|last| (last.sequence, last.digest.as_str()));
        let before = known.journal.last(&numbered.writer);
        let last = last.or(before.map(|last: &Last| (last.sequence, last.digest.as_str())));
        let answer = match judged(numbered, last) {
            Ok(true) => check(exclusive, &request, &added).map(|()| request.answer(true)),
            Ok(false) => Ok(request.answer(false)),
            Err(conflict) => Err(Fault::Refused(conflict)),
        };
        if matches!(answer, Ok(Push { counted: true, .. })) {
            if counted.is_empty() {
                // A store that cannot be made durable must not take a push that it could not record.
                exclusive.flush()?;
                exclusive.begin();
            }
            now.insert(numbered.writer.clone(), numbered.clone());
            counted.push(numbered.clone());
            register(exclusive, request, &mut added)?;
        }
        answers.push(answer);
    }
    let mut counted = counted.into_iter();
    if let Some(first) = counted.next() {
        // The line says nothing of gauges: they must be durable before it is.
        let ledger = added.ledger(exclusive)?;
        exclusive.flush()?;
        let line = Line {
            store,
            writer: first.writer,
            sequence: first.sequence,
            at: core.now_ns() / NS,
            digest: first.digest,
            with: counted.collect(),
            ledger,
        };
        core.files()
            .append_line(&core.live_file(PUSHES), &line.to_text())?;
        add(exclusive, &line.ledger)?;
        exclusive.flush()?;
        exclusive.end();
    }
    let memory = known.journal.is_whole().then_some(known);
    Ok((answers, memory))
}

/// Whether a push is to be counted; `false` where it was counted before.
fn judged(push: &Numbered, last: Option<(u64, &str)>) -> Result<bool, PushError> {
    let Some((last, digest)) = last else {
        return Ok(true);
    };
    // Of a line of an earlier version only the number is known.
    let is_same = digest.is_empty() || digest == push.digest;
    match push.sequence.cmp(&last) {
        std::cmp::Ordering::Greater => Ok(true),
        std::cmp::Ordering::Equal if is_same => Ok(false),
        _ => Err(PushError::Conflict {
            writer: push.writer.clone(),
            last,
            sequence: push.sequence,
        }),
    }
}

/// Declares and registers what a push has, and sets its gauges.
fn register(exclusive: &Exclusive<'_>, request: Request, added: &mut Added) -> Result<(), Error> {
    for family in &request.families {
        // What this store says of the family came first.
        if exclusive.core().family(family.name()).is_none() {
            exclusive.declare(family)?;
        }
    }
    for amount in request.amounts {
        match amount.value {
            Value::Gauge(value) => set(exclusive, &amount, value)?,
            _ => {
                // Now, so that the next push of the line finds it.
                exclusive.series(&amount.name, &amount.labels, &amount.value.shape())?;
                added.add(amount);
            }
        }
    }
    Ok(())
}

/// The same error for all.
fn failed(error: Error, count: usize) -> Vec<Answer> {
    if count == 1 {
        return vec![Err(Fault::Store(error))];
    }
    let error = Arc::new(error);
    let each = || Err(Fault::Refused(PushError::Together(Arc::clone(&error))));
    (0..count).map(|_| each()).collect()
}

impl Memory {
    /// Reads the file, of which what was read before is left out where it is the same one.
    fn read(before: Option<Self>, core: &Core) -> Result<Self, Error> {
        let path = core.live_file(PUSHES);
        let fail = StoreError::io("read", &path);
        let known = match before {
            Some(known) => known.grown(core).map_err(fail)?,
            None => None,
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let file = open_own(&path, false, u64::MAX)?.map(|(file, _)| file);
        let bytes = file.as_ref().map(|file| read_from(file, 0)).transpose();
        let bytes = bytes.map_err(StoreError::io("read", &path))?;
        let bytes = bytes.unwrap_or_default();
        Ok(Self {
            length: bytes.len() as u64,
            tail: tail(&bytes),
            journal: Journal::of(&bytes, &core.id().to_string()),
            file,
        })
    }

    /// With what was appended; `None` where the path names another file by now, or a shorter one.
    fn grown(mut self, core: &Core) -> io::Result<Option<Self>> {
        let named = core.live_file(PUSHES).symlink_metadata();
        let (Some(file), Ok(named)) = (&self.file, named) else {
            return Ok(None);
        };
        let known = file.metadata()?;
        let is_same = (known.dev(), known.ino()) == (named.dev(), named.ino());
        if !is_same || known.len() < self.length {
            return Ok(None);
        }
        let before = self.tail.len();
        let bytes = read_from(file, self.length - before as u64)?;
        let (again, bytes) = bytes.split_at(before.min(bytes.len()));
        if again != self.tail {
            return Ok(None);
        }
        self.length += bytes.len() as u64;
        if !bytes.is_empty() {
            self.tail = tail(bytes);
        }
        let store = core.id().to_string();
        Ok(self.journal.absorb(bytes, &store).then_some(self))
    }
}

/// The end of what was read.
fn tail(bytes: &[u8]) -> Vec<u8> {
    let from = bytes.len().saturating_sub(TAIL_BYTES);
    bytes.get(from..).unwrap_or_default().to_vec()
}

/// What stands in a file from there on.
fn read_from(file: &File, from: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().saturating_sub(from);
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}
