//! What each decoder of the bytes in `live/` owes to any bytes at all. The fuzzer calls these, and a
//! test calls them with each input that it once found worth keeping.
//!
//! A checksum would keep the fuzzer from everything behind it. So most inputs begin with a byte that
//! says which checksums are put right, as somebody would who means harm.

use std::io::Cursor;
use std::sync::Arc;

use crate::metric::{Family, Key, LabelSet, check_series};
use crate::sync::Ordering;

use super::control::{BOOT, DURABLE_TAIL, EPOCH, RECORD_WORDS, SEGMENTS, TAIL, Tail, record_at};
use super::epoch::Record;
use super::layout::{BLOCK, Geometry, Header, checksum, seal};
use super::register::borrowed;
use super::registry::{self, Content, Entry, Form, NewEntry, Scan};
use super::segment::Segment;
use super::{lines, recovery};

/// The store id of segments in memory.
const ID: [u64; 2] = [1, 2];
/// Words of the header that its checksum covers, which stands behind them.
const HEADER: usize = 9;
/// Bytes that tell where a patch goes and how long it is.
const PATCH: usize = 3;

/// Which checksums of an image are put right, by the bits of its first byte.
const SEAL_HEADER: u8 = 1;
const SEAL_WORDS: u8 = 1 << 1;
const SEAL_ENTRIES: u8 = 1 << 2;
const SEAL_RECORDS: u8 = 1 << 3;
/// Recovery is tried too: it goes over the whole segment, which is slow.
const RECOVER: u8 = 1 << 4;

fn geometry() -> Geometry {
    Geometry::of(0, 1)
}

/// The words of a segment of one stripe from its sparse form: a byte that says which checksums are
/// put right, and patches, each the number of a word in two bytes, how many bytes there are in one, and
/// those bytes. All else is 0.
pub(crate) fn image(bytes: &[u8]) -> Vec<u64> {
    let mut words = vec![0_u64; geometry().words()];
    let (flags, mut rest) = bytes.split_first().unwrap_or((&0, &[]));
    while let Some((&[low, high, length], behind)) = rest.split_first_chunk::<PATCH>() {
        let (patch, behind) = behind.split_at(usize::from(length).min(behind.len()));
        let at = usize::from(u16::from_le_bytes([low, high]));
        for (word, bytes) in words.iter_mut().skip(at).zip(patch.chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(eight);
        }
        rest = behind;
    }
    if flags & SEAL_HEADER != 0 {
        words[HEADER] = u64::from(checksum(&words[..HEADER]));
    }
    if flags & SEAL_WORDS != 0 {
        for word in [TAIL, DURABLE_TAIL] {
            let (blocks, cells) = (words[word] as u32, (words[word] >> 24) as u32);
            words[word] = Tail { blocks, cells }.encode();
        }
        for word in [EPOCH, SEGMENTS] {
            words[word] = seal(words[word] as u32);
        }
    }
    if flags & SEAL_ENTRIES != 0 {
        let at = geometry().registry_at();
        registry::seal_all(&mut words[at..at + geometry().blocks() * BLOCK]);
    }
    if flags & SEAL_RECORDS != 0 {
        for at in [0, 1].map(record_at) {
            words[at] = u64::from(checksum(&words[at + 1..at + RECORD_WORDS]));
        }
    }
    words
}

fn segment_of(words: &[u64]) -> Arc<Segment> {
    let segment = Segment::in_memory(geometry());
    for (word, value) in segment.words().iter().zip(words) {
        word.store(*value, Ordering::Relaxed);
    }
    Arc::new(segment)
}

/// A whole segment: its header, its registry, looking up what is in it, and its recovery.
pub(crate) fn segment(bytes: &[u8]) {
    let words = image(bytes);
    let length = geometry().bytes();
    if let Ok(header) = Header::decode(&words, length) {
        assert_eq!(header.geometry, geometry());
        assert_eq!(Header::decode(&header.encode(), length), Ok(header));
    }
    let segment = segment_of(&words);
    if let Ok(tail) = segment.tail() {
        let scan = registry::scan(&segment, Tail::default(), tail, true);
        check_scan(&scan, tail.blocks);
        for entry in &scan.entries {
            check_lookup(&segment, entry);
        }
        // Nothing that stands behind the tail may tell.
        let behind = geometry().registry_at() + tail.blocks as usize * BLOCK;
        let invert = || {
            for word in &segment.words()[behind..] {
                word.store(!word.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        };
        invert();
        let other = registry::scan(&segment, Tail::default(), tail, true);
        assert_eq!((scan.entries, scan.bad), (other.entries, other.bad));
        invert();
    }
    if bytes.first().is_some_and(|flags| flags & RECOVER != 0) {
        recover(&segment);
    }
}

/// Entries and bad blocks do not overlap, end before `end`, and no cell belongs to two entries.
fn check_scan(scan: &Scan, end: u32) {
    let entries = scan.entries.iter().map(|entry| (entry.block, entry.blocks));
    let bad = scan.bad.iter().map(|bad| (bad.first, bad.count));
    let mut spans: Vec<(u32, u32)> = entries.chain(bad).collect();
    spans.sort_unstable();
    let mut free = 0;
    for (first, count) in spans {
        assert!(first >= free && count > 0, "block {first} is taken twice");
        free = first + count;
    }
    assert!(free <= end, "block {free} is behind the tail");
    let mut cells = 0;
    for entry in &scan.entries {
        assert!(entry.cell >= cells, "cell {} is taken twice", entry.cell);
        cells = entry.cell + entry.cells;
        check_entry(entry);
    }
    assert!(cells <= geometry().cells);
}

/// What an entry says is lawful: nobody could have declared or registered anything else.
fn check_entry(entry: &Entry) {
    match &entry.content {
        Content::Family(family) => {
            assert_eq!((family.check(), entry.cells), (Ok(()), 0));
        }
        Content::Series { name, labels, form } => {
            assert_eq!(check_series(name, &borrowed(labels)), Ok(()));
            let lawful = match form {
                Form::Counter | Form::Gauge | Form::Info => entry.cells == 1,
                Form::ProcessGauge => {
                    entry.cells.is_multiple_of(2) && (2..=128).contains(&entry.cells)
                }
                Form::Histogram => entry.cells > 2,
                Form::WideHistogram => entry.cells > 4,
                Form::FractionCounter | Form::SumGauge => entry.cells == 3,
                Form::Summary => entry.cells == 4,
            };
            assert!(lawful, "{form:?} of {} cells", entry.cells);
        }
    }
}

fn key_of(content: &Content) -> Key {
    match content {
        Content::Family(family) => Key::of_family(family.name()),
        Content::Series { name, labels, .. } => Key::new(name, &borrowed(labels)),
    }
}

/// Whoever is found by a key has that key, whatever the index says.
fn check_lookup(segment: &Segment, entry: &Entry) {
    let key = key_of(&entry.content);
    for place in registry::find_each(segment, &key, key.hash(ID)) {
        let found = registry::read(segment, place.block).expect("what was found can be read");
        assert_eq!(key_of(&found.content).bytes(), key.bytes());
        assert_eq!((place.cell, place.cells), (found.cell, found.cells));
    }
}

/// After a recovery all entries that count are found, and doing it again changes nothing.
fn recover(segment: &Arc<Segment>) {
    let scan = |to| registry::scan(segment, Tail::default(), to, false);
    let recover = || {
        let mut scans = vec![(Arc::clone(segment), scan(geometry().all()))];
        let families = recovery::declared(&scans);
        let (_, found) = &mut scans[0];
        recovery::recover_segment(segment, found, &families);
        std::mem::take(&mut found.entries)
    };
    let found = recover();
    let tail = segment.tail().expect("a recovery gives a lawful tail");
    let kept = scan(tail);
    assert_eq!(kept.entries, found);
    for entry in &kept.entries {
        let key = key_of(&entry.content);
        // An entry may lie about its hash; then a second one of its key is made.
        if key.hash(ID) == entry.hash {
            let mut places = registry::find_each(segment, &key, entry.hash);
            assert!(places.any(|place| place.block == entry.block));
        }
    }
    // A declaration that is torn may let another one count again.
    recover();
    let digest = || {
        let words = segment.words().iter();
        words.fold(0_u64, |digest, word| {
            digest.rotate_left(5) ^ word.load(Ordering::Relaxed)
        })
    };
    let recovered = digest();
    recover();
    assert_eq!(digest(), recovered, "a further recovery changed something");
}

/// One entry: what it says is lawful, and written again it says the same.
pub(crate) fn entry(bytes: &[u8]) {
    let Some((flags, bytes)) = bytes.split_first() else {
        return;
    };
    let blocks = bytes.len().div_ceil(8 * BLOCK);
    if blocks == 0 || blocks > geometry().blocks() {
        return;
    }
    let mut words = vec![0_u64; blocks * BLOCK];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(eight);
    }
    if flags & SEAL_ENTRIES != 0 {
        registry::seal_all(&mut words);
    }
    let segment = Segment::in_memory(geometry());
    let blocks = blocks as u32;
    segment.set_tail(Tail { blocks, cells: 0 });
    for (word, value) in segment.words()[geometry().registry_at()..]
        .iter()
        .zip(words)
    {
        word.store(value, Ordering::Relaxed);
    }
    let Some(entry) = registry::read(&segment, 0) else {
        return;
    };
    assert!(entry.blocks <= blocks);
    check_entry(&entry);
    let (key, created) = (key_of(&entry.content), entry.created_ns);
    let new = match &entry.content {
        Content::Series { form, .. } => {
            NewEntry::series(&key, entry.hash, *form, entry.cells, created)
        }
        Content::Family(family) => NewEntry::family(&key, entry.hash, family, created),
    };
    let other = Segment::in_memory(geometry());
    let place = registry::append(&other, &new).expect("its tail is right");
    // Numbers of a declaration may have had fewer digits than they get here.
    let place = place.expect("an empty segment has room");
    let again = registry::read(&other, place.block).expect("what was written can be read");
    assert_eq!(again.content, entry.content);
    assert_eq!((again.created_ns, again.hash), (created, entry.hash));
    assert_eq!(again.cells, entry.cells);
}

/// An epoch record: written again it is the same.
pub(crate) fn record(bytes: &[u8]) {
    let Some((flags, bytes)) = bytes.split_first() else {
        return;
    };
    let segment = Segment::in_memory(geometry());
    let at = record_at(0);
    let mut words = vec![0_u64; RECORD_WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(eight);
    }
    if flags & SEAL_RECORDS != 0 {
        words[0] = u64::from(checksum(&words[1..]));
    }
    for (word, value) in segment.words()[at..].iter().zip(words) {
        word.store(value, Ordering::Relaxed);
    }
    let Some(record) = Record::read_any(&segment, 0) else {
        return;
    };
    assert!(record.by.len() + record.why.len() <= (RECORD_WORDS - 5) * 8);
    let other = Segment::in_memory(geometry());
    record.write(&other);
    let again = Record::read_any(&other, u64::from(record.epoch)).expect("it was written");
    // Only the first of the two texts may be cut, where it takes the other's half.
    let whole = record.by.len() <= (RECORD_WORDS - 5) * 4;
    assert!(record.by.starts_with(&again.by));
    assert!(!whole || again == record);
}

/// Lines: the last one is what stands between the last two newlines, and one that is appended is
/// the last one then, behind all whole lines that were there.
pub(crate) fn lines(bytes: &[u8]) {
    let last = lines::last_line_of(Cursor::new(bytes)).expect("memory can be read");
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let expected = whole.and_then(|end| bytes[..end].rsplit(|byte| *byte == b'\n').next());
    let expected = expected.map(|line| String::from_utf8_lossy(line).into_owned());
    assert_eq!(last, expected.filter(|line| !line.is_empty()));
    let (kept, lacks) = lines::end_of_whole_lines(&mut Cursor::new(bytes)).expect("as before");
    let mut appended = bytes[..kept as usize].to_vec();
    assert!(kept as usize >= whole.map_or(0, |end| end + 1));
    if lacks {
        appended.push(b'\n');
    }
    assert!(appended.is_empty() || appended.ends_with(b"\n"));
    appended.extend_from_slice(b"{}\n");
    let last = lines::last_line_of(Cursor::new(&appended)).expect("as before");
    assert_eq!(last.as_deref(), Some("{}"));
}

/// A declaration: what is taken is lawful, and written again it is the same.
pub(crate) fn family(bytes: &[u8]) {
    let (name, json) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&b"a_total"[..], bytes),
    };
    let name = String::from_utf8_lossy(name).into_owned();
    let Some(family) = Family::decode(name.clone(), json) else {
        return;
    };
    assert_eq!(family.check(), Ok(()));
    assert_eq!(Family::decode(name, &family.encode()), Some(family.clone()));
    assert_eq!(family.check_agrees(&family.clone()), Ok(()));
    // A message tells it.
    let labels: LabelSet = [("a", "b")].into_iter().collect();
    let _ = family.check_series(&borrowed(&labels));
    assert!(family.shape().cells() >= 1);
}

/// As [`image`], of a store that needs no recovery.
pub(crate) fn image_of_this_boot(bytes: &[u8]) -> Vec<u64> {
    let mut words = image(bytes);
    let boot = super::identity::boot_id();
    words[BOOT..][..2].copy_from_slice(&boot);
    words
}
