//! `pushes.jsonl`: the last push of each writer, and what the last push of all added. Lines only; what they
//! mean for the cells is in `mod.rs`.

use std::collections::BTreeMap;

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
/// How long a writer that pushes nothing is known, in seconds.
const KNOWN_FOR: u64 = 30 * 24 * 3600;
/// Most writers that are known at once.
const WRITERS_MAX: usize = 10_000;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) store: String,
    /// Empty where the line only says that the push before it is complete.
    pub(super) writer: String,
    pub(super) sequence: u64,
    /// Seconds since 1970.
    pub(super) at: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ledger: Vec<Entry>,
}

impl Line {
    /// The line that says that the push before it is complete.
    pub(super) fn done(store: String) -> Self {
        Self {
            store,
            writer: String::new(),
            sequence: 0,
            at: 0,
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

/// When a writer pushed last, and which number.
struct Last {
    sequence: u64,
    at: u64,
}

/// What the file says.
#[derive(Default)]
pub(super) struct Journal {
    writers: BTreeMap<String, Last>,
    /// What the last push added, where no line says that it is complete.
    pub(super) unfinished: Vec<Entry>,
    /// The first line that is damaged, counted from 1.
    damaged: Option<usize>,
    /// Nothing can be appended: the last line was not written, but for its newline, or lacks nothing else.
    torn: bool,
    /// Whose push the last line tells of, where that is whole but for its newline.
    unended: Option<String>,
    bytes: usize,
}

impl Journal {
    pub(super) fn of(bytes: &[u8], store: &str) -> Self {
        let mut journal = Self {
            bytes: bytes.len(),
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
            let (sequence, at) = (line.sequence, line.at);
            self.writers.insert(line.writer, Last { sequence, at });
        }
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

    /// The writer's last number.
    pub(super) fn last(&self, writer: &str) -> Option<u64> {
        self.writers.get(writer).map(|last| last.sequence)
    }

    /// Whether another writer can be known, at this time.
    pub(super) fn has_room(&self, now: u64) -> bool {
        let known = |last: &&Last| is_known(last, now);
        self.writers.len() < WRITERS_MAX
            || self.writers.values().filter(known).count() < WRITERS_MAX
    }

    /// A shorter file that says the same, where this one has grown or nothing may stand behind its end.
    pub(super) fn shortened(&self, store: &str, now: u64) -> Option<String> {
        if !self.torn && self.bytes <= GROWN {
            return None;
        }
        let line = |(writer, last): (&String, &Last), ledger| {
            let line = Line {
                store: store.to_owned(),
                writer: writer.clone(),
                sequence: last.sequence,
                at: last.at,
                ledger,
            };
            line.to_text() + "\n"
        };
        let is_unended = |writer: &String| self.unended.as_ref() == Some(writer);
        let (unended, others): (Vec<_>, Vec<_>) = self
            .writers
            .iter()
            .partition(|(writer, _)| is_unended(writer));
        let others = others.into_iter().filter(|(_, last)| is_known(last, now));
        let mut text: String = others.map(|last| line(last, Vec::new())).collect();
        // It may be incomplete, and whoever completes it reads the last line.
        text.extend(
            unended
                .into_iter()
                .map(|last| line(last, self.unfinished.clone())),
        );
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

fn is_known(last: &Last, now: u64) -> bool {
    now.saturating_sub(last.at) < KNOWN_FOR
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
        let Some(short) = journal.shortened(&store, 0) else {
            continue;
        };
        assert!(!journal.torn || short.len() <= journal.bytes);
        let again = Journal::of(short.as_bytes(), &store);
        assert!(again.damaged.is_none() && !again.torn);
        let left = match journal.unended {
            Some(_) => journal.unfinished.len(),
            None => 0,
        };
        assert_eq!(again.unfinished.len(), left);
        assert_eq!(again.writers.len(), journal.writers.len());
        for (writer, last) in &journal.writers {
            assert_eq!(again.last(writer), Some(last.sequence));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = "00000000000000010000000000000002";

    fn line(writer: &str, sequence: u64, at: u64) -> String {
        let line = Line {
            store: STORE.to_owned(),
            writer: writer.to_owned(),
            sequence,
            at,
            ledger: Vec::new(),
        };
        line.to_text()
    }

    #[test]
    fn the_last_line_of_a_writer_counts_and_every_flipped_bit_of_it_shows() {
        let text = format!("{}\n{}\n", line("a", 1, 5), line("a", 9, 6));
        let journal = Journal::of(text.as_bytes(), STORE);
        assert_eq!((journal.last("a"), journal.damaged), (Some(9), None));
        let other = Journal::of(text.as_bytes(), "another");
        assert_eq!((other.last("a"), other.damaged), (None, None));
        for bit in 0..8 * text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let journal = Journal::of(&bytes, STORE);
            // A newline at the very end that is gone takes nothing away.
            let is_last = bit / 8 == text.len() - 1;
            assert_eq!(journal.damaged.is_none(), is_last, "bit {bit}");
            if is_last {
                let mended = journal.shortened(STORE, 6).unwrap();
                let mended = Journal::of(mended.as_bytes(), STORE);
                assert_eq!((journal.last("a"), mended.last("a")), (Some(9), Some(9)));
            }
        }
    }

    #[test]
    fn what_was_never_written_to_its_end_is_no_push() {
        let whole = line("a", 1, 5);
        let next = line("a", 2, 6);
        for cut in 1..next.len() {
            let text = format!("{whole}\n{}", &next[..cut]);
            let journal = Journal::of(text.as_bytes(), STORE);
            assert_eq!(
                (journal.last("a"), journal.damaged),
                (Some(1), None),
                "{cut}"
            );
        }
        let mut torn = format!("{whole}\n{next}\n").into_bytes();
        let from = whole.len() + 20;
        torn[from..from + 9].fill(0);
        let journal = Journal::of(&torn, STORE);
        assert_eq!((journal.last("a"), journal.damaged), (Some(1), None));
        assert!(Journal::of(&torn, STORE).shortened(STORE, 6).is_some());
        // A block that ends behind the first byte of the line.
        let mut first = format!("{whole}\n{next}\n").into_bytes();
        first[whole.len() + 1] = 0;
        let journal = Journal::of(&first, STORE);
        assert_eq!((journal.last("a"), journal.damaged), (Some(1), None));
        // A line behind it: it was written once.
        torn.extend_from_slice(format!("{next}\n").as_bytes());
        assert_eq!(Journal::of(&torn, STORE).damaged, Some(2));
    }

    #[test]
    fn a_file_that_has_grown_is_replaced_by_what_it_needs_without_old_writers() {
        let mut text = format!("{}\n", line("old", 7, 0));
        let now = KNOWN_FOR + 5;
        while text.len() <= GROWN {
            text += &format!("{}\n{}\n", line("a", 8, now), line("b", 9, now));
        }
        let journal = Journal::of(text.as_bytes(), STORE);
        assert_eq!(journal.last("old"), Some(7));
        let short = journal.shortened(STORE, now).unwrap();
        let again = Journal::of(short.as_bytes(), STORE);
        let last = ["a", "b", "old"].map(|writer| again.last(writer));
        assert_eq!((last, again.damaged), ([Some(8), Some(9), None], None));
        assert_eq!(again.shortened(STORE, now), None);
    }

    #[test]
    fn writers_that_are_silent_make_room_for_others() {
        let lines = (0..WRITERS_MAX).map(|n| line(&format!("w{n}"), 1, 5) + "\n");
        let journal = Journal::of(lines.collect::<String>().as_bytes(), STORE);
        assert!(!journal.has_room(5));
        assert!(journal.has_room(5 + KNOWN_FOR));
    }
}
