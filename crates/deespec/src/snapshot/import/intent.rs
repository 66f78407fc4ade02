//! The intent: what the cells of the ledger are to hold after an import. It is written and read one series after the
//! other, since there may be a million of them.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::Path;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::Error;
use crate::metric::{Family, LabelSet, Value};
use crate::store::opened::open_own;
use crate::store::{Amount, Exclusive, IMPORTS, StoreError};
use crate::sync::Ordering;

use super::super::error::DocumentError;
use super::record::{Line, is_imported};

/// What is being imported, until it is recorded.
const INTENT: &str = "import.json";
/// How much of it is read at a time.
const PIECE_BYTES: usize = 64 << 10;
/// The end of its first line, before a line for each series.
const LEDGER: &[u8] = b"\"ledger\":[";
/// Its last line.
const END: &[u8] = b"]}";
/// Far more bytes than a line has: a histogram's cells, or the longest labels in escapes.
const LINE_MAX: u64 = 16 << 20;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::snapshot) struct Entry {
    name: String,
    labels: LabelSet,
    /// The declaration of its family, for a series that a power loss took.
    family: Box<RawValue>,
    /// The number of each cell and what it is to hold.
    cells: Vec<(u32, u64)>,
}

/// Notes durably what is being imported.
pub(super) fn write(
    exclusive: &Exclusive<'_>,
    line: &Line,
    amounts: &[Amount],
) -> Result<(), StoreError> {
    let core = exclusive.core();
    let path = core.live_file(INTENT);
    core.files().write_with(&path, true, |out| {
        out.write_all(b"{\"line\":")?;
        serde_json::to_writer(&mut *out, line)?;
        out.write_all(b",")?;
        out.write_all(LEDGER)?;
        let mut is_first = true;
        for amount in amounts {
            if let Some(entry) = counted(exclusive, amount).map_err(io::Error::other)? {
                out.write_all(if is_first { b"\n" } else { b",\n" })?;
                is_first = false;
                serde_json::to_writer(&mut *out, &entry)?;
            }
        }
        out.write_all(b"\n")?;
        out.write_all(END)
    })
}

/// What the cells of a series are to hold that was registered; `None` for one that is not added up.
pub(super) fn counted(
    exclusive: &Exclusive<'_>,
    amount: &Amount,
) -> Result<Option<Entry>, StoreError> {
    match amount.value {
        Value::Counter(_)
        | Value::Fractions(_)
        | Value::Sum(_)
        | Value::Histogram(_)
        | Value::Summary(_) => {}
        Value::Gauge(_) | Value::Processes(_) | Value::Info => return Ok(None),
    }
    let shape = amount.value.shape();
    let cells = exclusive.series(&amount.name, &amount.labels, &shape)?;
    let add = |(cell, value): (u32, u64)| {
        let before = cells.ledger(cell, exclusive).load(Ordering::Relaxed);
        (cell, before.wrapping_add(value))
    };
    let family = Family::implicit(&amount.name, shape).encode();
    let family = String::from_utf8(family).unwrap_or_default();
    Ok(Some(Entry {
        name: amount.name.clone(),
        labels: amount.labels.clone(),
        family: RawValue::from_string(family).unwrap_or_default(),
        cells: amount.value.to_cells().into_iter().map(add).collect(),
    }))
}

/// Completes an import whose intent is written down.
pub(crate) fn complete(exclusive: &Exclusive<'_>) -> Result<(), Error> {
    let core = exclusive.core();
    let path = core.live_file(INTENT);
    // A link that leads nowhere is something too.
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    if let Some(line) = unrecorded(exclusive)? {
        exclusive.flush()?;
        core.files().append_line(&core.live_file(IMPORTS), &line)?;
    }
    Ok(core.files().remove(&path)?)
}

/// Stores the values of an import that is under way, as often as it is called, and gives the line that
/// records it; `None` where it is recorded, or where there is none.
pub(in crate::snapshot) fn unrecorded(exclusive: &Exclusive<'_>) -> Result<Option<String>, Error> {
    let core = exclusive.core();
    let path = core.live_file(INTENT);
    // Piece by piece, and of any length: it may be as long as the store is large.
    let Some((mut file, _)) = open_own(&path, false, u64::MAX)? else {
        return Ok(None);
    };
    let wrong = |source: serde_json::Error| match source.is_io() {
        true => Error::from(StoreError::io("read", &path)(source.into())),
        false => DocumentError::Syntax {
            path: path.clone(),
            source,
        }
        .into(),
    };
    // The whole of it first: half an import must not be done because of a bit that was flipped behind it.
    let line = read(&file, &mut |_| Ok(())).map_err(wrong)?;
    if is_imported(core, &line.digest)?.is_some() {
        core.files().keep_lines(&core.live_file(IMPORTS))?;
        return Ok(None);
    }
    // Whoever noted it may not have lived to make its name durable, or could not. Values without it would
    // be added once more by whoever imports the document again.
    if let Some(folder) = path.parent() {
        core.files().sync_directory(folder)?;
    }
    let mut done = Ok(());
    let mut each = |entry: Entry| {
        done = restate(exclusive, &entry, &path);
        done.is_ok().then_some(()).ok_or("it cannot be restated")
    };
    file.rewind().map_err(StoreError::io("read", &path))?;
    let read = read(&file, &mut each);
    done?;
    read.map_err(wrong)?;
    Ok(Some(serde_json::to_string(&line).unwrap_or_default()))
}

/// Stores what the cells of one series are to hold.
pub(in crate::snapshot) fn restate(
    exclusive: &Exclusive<'_>,
    entry: &Entry,
    path: &Path,
) -> Result<(), Error> {
    let family = entry.family.get().as_bytes();
    let family = Family::decode(entry.name.clone(), family).ok_or_else(|| {
        DocumentError::content(path, format!("the family of {} is not one", entry.name))
    })?;
    let cells = exclusive.series(&entry.name, &entry.labels, family.shape())?;
    for &(cell, value) in &entry.cells {
        if cell >= family.shape().cells() {
            let reason = format!("{} has no cell {cell}", entry.name);
            return Err(DocumentError::content(path, reason).into());
        }
        cells
            .ledger(cell, exclusive)
            .store(value, Ordering::Relaxed);
    }
    Ok(())
}

/// What becomes of the next series.
type Each<'a> = &'a mut dyn FnMut(Entry) -> Result<(), &'static str>;

/// Reads an intent: what is said of the import, and what cells are to hold, one series after the other.
fn read(intent: impl io::Read, each: Each<'_>) -> serde_json::Result<Line> {
    let mut intent = BufReader::with_capacity(PIECE_BYTES, intent);
    let mut first = Vec::new();
    read_line(&mut intent, &mut first)?;
    if !first.ends_with(LEDGER) {
        // Not in lines: an earlier program has written it. Byte by byte, which takes several times as long.
        return whole(
            serde_json::Deserializer::from_reader(first.chain(intent)),
            each,
        );
    }
    first.extend_from_slice(END);
    let line = whole(serde_json::Deserializer::from_slice(&first), each)?;
    let (mut text, mut is_last) = (Vec::new(), None);
    loop {
        text.clear();
        read_line(&mut intent, &mut text)?;
        if text == END {
            break;
        }
        let entry = text.strip_suffix(b",");
        if is_last.replace(entry.is_none()) == Some(true) {
            return Err(wrong("a series stands behind the last one"));
        }
        each(serde_json::from_slice(entry.unwrap_or(&text))?).map_err(wrong)?;
    }
    let behind = intent.bytes().next().transpose();
    match (is_last, behind.map_err(serde_json::Error::io)?) {
        (Some(false), _) => Err(wrong("its last series is missing")),
        (_, Some(_)) => Err(wrong("something stands behind its end")),
        (_, None) => Ok(line),
    }
}

fn wrong(what: impl fmt::Display) -> serde_json::Error {
    serde_json::Error::custom(what)
}

/// Reads the next line, without its end.
fn read_line(intent: &mut impl BufRead, line: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut piece = intent.take(LINE_MAX);
    piece
        .read_until(b'\n', line)
        .map_err(serde_json::Error::io)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(())
}

fn whole<'de, R: serde_json::de::Read<'de>>(
    mut reader: serde_json::Deserializer<R>,
    each: Each<'_>,
) -> serde_json::Result<Line> {
    let line = reader.deserialize_map(Intent(each))?;
    reader.end()?;
    Ok(line)
}

struct Intent<'a>(Each<'a>);

impl<'de> Visitor<'de> for Intent<'_> {
    type Value = Line;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an import that is under way")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
        let (mut line, mut has_ledger) = (None, false);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "line" if line.is_some() => return Err(A::Error::duplicate_field("line")),
                "line" => line = Some(map.next_value()?),
                "ledger" if has_ledger => return Err(A::Error::duplicate_field("ledger")),
                "ledger" => {
                    map.next_value_seed(Ledger(&mut *self.0))?;
                    has_ledger = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match line {
            Some(line) if has_ledger => Ok(line),
            Some(_) => Err(A::Error::missing_field("ledger")),
            None => Err(A::Error::missing_field("line")),
        }
    }
}

struct Ledger<'a>(Each<'a>);

impl<'de> DeserializeSeed<'de> for Ledger<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Ledger<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(entry) = seq.next_element::<Entry>()? {
            (self.0)(entry).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// What an intent owes to any bytes.
#[cfg(any(test, fuzzing))]
pub(super) fn check(bytes: &[u8]) {
    let mut entries = Vec::new();
    let read = read(bytes, &mut |entry| {
        entries.push(entry);
        Ok(())
    });
    if read.is_ok() {
        let text = serde_json::to_vec(&entries).expect("numbers and strings");
        let again: Vec<Entry> = serde_json::from_slice(&text).expect("we wrote it");
        assert_eq!(serde_json::to_vec(&again).expect("as before"), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_has_one_line_and_one_ledger_and_nothing_behind_it() {
        let line = r#""line":{"digest":"d","at":"a","by":"b","file":"f","counts":1}"#;
        let entry =
            r#"{"name":"n","labels":{"k":"v"},"family":{"kind":"counter"},"cells":[[0,1]]}"#;
        let ledger = format!(r#""ledger":[{entry},{entry}]"#);
        let lines = format!("{{{line},\"ledger\":[\n{entry},\n{entry}\n");
        for (text, entries) in [
            (format!("{{{line},{ledger}}}"), Some(2)),
            (format!("{{{ledger},{line},\"later\":[1]}}\n"), Some(2)),
            (format!("{{{line}}}"), None),
            (format!("{{{ledger}}}"), None),
            (format!("{{{line},{line},{ledger}}}"), None),
            (format!("{{{line},{ledger},{ledger}}}"), None),
            (format!("{{{line},{ledger}}}{{}}"), None),
            (format!("{{{line},{ledger}"), None),
            // As it is written.
            (format!("{lines}]}}"), Some(2)),
            (format!("{{{line},\"ledger\":[\n]}}"), Some(0)),
            (format!("{{{line},\"ledger\":[\n{entry},\n]}}"), None),
            (format!("{lines}{entry}\n]}}"), None),
            (format!("{lines}]}}{{}}"), None),
            (format!("{lines}]}}\n{entry}"), None),
            (lines.clone(), None),
            (format!("{{\"ledger\":[\n{entry}\n]}}"), None),
        ] {
            let mut found = 0;
            let mut each = |_| {
                found += 1;
                Ok(())
            };
            let read = read(text.as_bytes(), &mut each);
            assert_eq!(read.ok().map(|_| found), entries, "{text}");
        }
    }
}
