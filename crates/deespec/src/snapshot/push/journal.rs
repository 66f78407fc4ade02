//! `pushes.jsonl`: the last push of each writer, and what the last push of all added. Lines only; what they
//! mean for the cells is in `mod.rs`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::store::opened::read_own;
use crate::store::{Core, PUSHES, StoreError};

use super::super::import::Entry;

/// Where the checksum begins, which is of everything before it.
const CHECK: &str = ",\"check\":\"crc32:";
/// The checksum and the end of the line.
const CHECK_BYTES: usize = CHECK.len() + 8 + 2;
/// Two bytes of a block that was never written.
const UNWRITTEN: &[u8] = &[0, 0];
/// The file is not replaced before it has so many bytes.
const GROWN: usize = 256 << 10;
/// A line that tells the last push of a writer has no more bytes than these and the writer's name.
const LINE_BYTES: usize = 200;
/// Most writers that are known at once. Beyond it the one is forgotten that others have pushed after the longest; no
/// clock has a say in it.
const WRITERS_MAX: usize = 100_000;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) store: String,
    /// Empty where the line only says that the push before it is complete.
    pub(super) writer: String,
    pub(super) sequence: u64,
    /// Seconds since 1970.
    pub(super) at: u64,
    /// What identifies what was pushed; empty where nothing is known of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) digest: String,
    /// The pushes of others that are counted by this line too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) with: Vec<Numbered>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ledger: Vec<Entry>,
}

/// One push: whose, which, and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub(super) writer: String,
    pub(super) sequence: u64,
    pub(super) digest: String,
}

impl Line {
    /// The line that says that the push before it is complete.
    pub(super) fn done(store: String) -> Self {
        Self {
            store,
            writer: String::new(),
            sequence: 0,
            at: 0,
            digest: String::new(),
            with: Vec::new(),
            ledger: Vec::new(),
        }
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.pop();
        let check = crc32fast::hash(text.as_bytes());
        text + CHECK + &format!("{check:08x}\"}}")
    }

    /// `None` where it is damaged or not whole.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (text, end) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_BYTES)?)?;
        let check = crc32fast::hash(text);
        if end != format!("{CHECK}{check:08x}\"}}").as_bytes() {
            return None;
        }
        serde_json::from_slice(bytes).ok()
    }
}

/// The last push of a writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) sequence: u64,
    pub(super) digest: String,
    at: u64,
    /// How many pushes had been before it.
    order: u64,
}

/// The last push of each writer.
#[derive(Default)]
struct Writers {
    last: HashMap<Arc<str>, Last>,
    order: BTreeMap<u64, Arc<str>>,
    pushes: u64,
    /// A text of them all has no more bytes.
    bytes: usize,
}

impl Writers {
    fn take(&mut self, push: Numbered, at: u64) {
        let writer = match self.last.remove_entry(push.writer.as_str()) {
            Some((writer, before)) => {
                self.order.remove(&before.order);
                writer
            }
            None => {
                self.bytes += LINE_BYTES + push.writer.len();
                push.writer.into()
            }
        };
        let last = Last {
            sequence: push.sequence,
            digest: push.digest,
            at,
            order: self.pushes,
        };
        self.pushes += 1;
        self.order.insert(last.order, Arc::clone(&writer));
        self.last.insert(writer, last);
        if self.last.len() > WRITERS_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.last.remove(&oldest);
            self.bytes -= LINE_BYTES + oldest.len();
        }
    }

    /// From the one that others have pushed after the longest.
    fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Last)> {
        let writers = self.order.values();
        writers.filter_map(|writer| self.last.get_key_value(writer))
    }
}

/// What the file says.
#[derive(Default)]
pub(super) struct Journal {
    writers: Writers,
    /// What the last push added, where no line says that it is complete.
    pub(super) unfinished: Vec<Entry>,
    /// The first line that is damaged, counted from 1.
    damaged: Option<usize>,
    /// Nothing can be appended: the last line was not written, but for its newline, or lacks nothing else.
    torn: bool,
    /// Whose push the last line tells of, where that is whole but for its newline.
    unended: Option<String>,
    /// It ends with a newline, or is empty.
    is_ended: bool,
    bytes: usize,
}

impl Journal {
    pub(super) fn of(bytes: &[u8], store: &str) -> Self {
        let mut journal = Self {
            bytes: bytes.len(),
            is_ended: bytes.is_empty() || bytes.ends_with(b"\n"),
            ..Self::default()
        };
        // Behind the last newline stands nothing, or a line that was not written to its end.
        let lines = bytes.split(|&byte| byte == b'\n');
        let last = lines.clone().count();
        let is_ended = bytes.ends_with(b"\n");
        for (number, line) in (1..).zip(lines) {
            match Line::of(line) {
                Some(line) if line.store == store => journal.take(line),
                Some(_) => journal.unfinished.clear(),
                None if number == last => match without_newline(line) {
                    // One bit of its newline was flipped; it may have been answered.
                    Some(line) if line.store == store => {
                        journal.torn = true;
                        journal.unended = Some(line.writer.clone());
                        journal.take(line);
                    }
                    // Nobody was told that it is counted.
                    _ => {}
                },
                None if is_ended && number + 1 == last && is_unwritten(line) => {
                    // What is before it was complete before it was begun.
                    journal.unfinished.clear();
                    journal.torn = true;
                }
                None => {
                    journal.unfinished.clear();
                    journal.damaged.get_or_insert(number);
                }
            }
        }
        journal
    }

    fn take(&mut self, line: Line) {
        self.unfinished = line.ledger;
        if !line.writer.is_empty() {
            let first = Numbered {
                writer: line.writer,
                sequence: line.sequence,
                digest: line.digest,
            };
            self.writers.take(first, line.at);
        }
        for push in line.with {
            self.writers.take(push, line.at);
        }
    }

    /// Takes what was appended; `false` where it is not whole, and then nothing is known any more.
    pub(super) fn absorb(&mut self, bytes: &[u8], store: &str) -> bool {
        let Some(lines) = bytes.strip_suffix(b"\n") else {
            return bytes.is_empty();
        };
        self.bytes += bytes.len();
        for line in lines.split(|&byte| byte == b'\n') {
            match Line::of(line) {
                Some(line) if line.store == store => self.take(line),
                Some(_) => self.unfinished.clear(),
                None => return false,
            }
        }
        true
    }

    /// Whether all of it was written and can be read.
    pub(super) fn is_whole(&self) -> bool {
        self.is_ended && !self.torn && self.damaged.is_none()
    }

    pub(super) fn read(core: &Core) -> Result<Self, Error> {
        let bytes = read_own(&core.live_file(PUSHES))?.unwrap_or_default();
        Ok(Self::of(&bytes, &core.id().to_string()))
    }

    /// Fails where the file cannot tell what was counted.
    pub(super) fn check(&self, core: &Core) -> Result<(), Error> {
        let Some(number) = self.damaged else {
            return Ok(());
        };
        let reason = format!(
            "line {number} cannot be read, so it is not known which pushes were counted; \
             removing the file lets a push that is sent again count again"
        );
        Err(StoreError::damaged(&core.live_file(PUSHES), reason).into())
    }

    /// The writer's last push.
    pub(super) fn last(&self, writer: &str) -> Option<&Last> {
        self.writers.last.get(writer)
    }

    /// A shorter file that says the same, where this one has grown or nothing may stand behind its end.
    pub(super) fn shortened(&self, store: &str) -> Option<String> {
        if !self.torn && (self.bytes <= GROWN || self.bytes <= 4 * self.writers.bytes) {
            return None;
        }
        let line = |(writer, last): (&Arc<str>, &Last), ledger| {
            let line = Line {
                store: store.to_owned(),
                writer: writer.to_string(),
                sequence: last.sequence,
                at: last.at,
                digest: last.digest.clone(),
                with: Vec::new(),
                ledger,
            };
            line.to_text() + "\n"
        };
        let unended = self.unended.as_deref();
        let others = self
            .writers
            .iter()
            .filter(|(writer, _)| Some(&***writer) != unended);
        let mut text: String = others.map(|last| line(last, Vec::new())).collect();
        // It may be incomplete, and whoever completes it reads the last line.
        let unended = unended.and_then(|writer| self.writers.last.get_key_value(writer));
        text.extend(unended.map(|last| line(last, self.unfinished.clone())));
        (self.torn || self.bytes > 4 * text.len()).then_some(text)
    }

    /// Whether nothing can be appended to it.
    pub(super) fn is_torn(&self) -> bool {
        self.torn
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

/// Whether a part of the line never came to the disk, which then reads as zeros. A single one inside it may be
/// a flipped bit. Its first byte cannot: that alone is missing where it was the last one of a block.
fn is_unwritten(line: &[u8]) -> bool {
    line.first() == Some(&0) || line.windows(2).any(|two| two == UNWRITTEN)
}

/// The line of which only the newline, one byte, is something else.
fn without_newline(bytes: &[u8]) -> Option<Line> {
    bytes.split_last().and_then(|(_, line)| Line::of(line))
}

/// What the lines owe to any bytes, also where checksums are right: whatever they are, each line that is read
/// can be written again, and a shorter file knows the same pushes.
#[cfg(any(test, fuzzing))]
pub(in crate::snapshot) fn check_records(bytes: &[u8]) {
    check_journal(bytes);
    let lines = bytes.split(|&byte| byte == b'\n');
    let sealed = lines.map(|line| {
        let end = line
            .windows(CHECK.len())
            .rposition(|part| part == CHECK.as_bytes());
        let text = &line[..end.unwrap_or(line.len())];
        let check = format!("{CHECK}{:08x}\"}}", crc32fast::hash(text));
        [text, check.as_bytes()].concat()
    });
    check_journal(&sealed.collect::<Vec<_>>().join(&b'\n'));
}

#[cfg(any(test, fuzzing))]
fn check_journal(bytes: &[u8]) {
    let store = bytes
        .split(|&byte| byte == b'\n')
        .find_map(Line::of)
        .map_or(String::new(), |line| {
            assert!(Line::of(line.to_text().as_bytes()).is_some());
            line.store
        });
    assert!(Journal::of(bytes, &store).is_empty() == bytes.is_empty());
    for journal in [
        Journal::of(bytes, &store),
        // As if it had grown.
        Journal {
            bytes: usize::MAX,
            ..Journal::of(bytes, &store)
        },
    ] {
        let Some(short) = journal.shortened(&store) else {
            continue;
        };
        let again = Journal::of(short.as_bytes(), &store);
        assert!(again.damaged.is_none() && !again.torn);
        let left = match journal.unended {
            Some(_) => journal.unfinished.len(),
            None => 0,
        };
        assert_eq!(again.unfinished.len(), left);
        assert_eq!(again.writers.last.len(), journal.writers.last.len());
        for (writer, last) in &journal.writers.last {
            let again = again
                .last(writer)
                .map(|again| (again.sequence, &again.digest));
            assert_eq!(again, Some((last.sequence, &last.digest)));
        }
    }
}
