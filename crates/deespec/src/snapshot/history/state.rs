//! What a process knows of the snapshots, and how it learns what is new. Each snapshot is read once; its
//! values are in the archive from then on.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;
use crate::snapshot::document::{Document, DocumentKind};
use crate::snapshot::error::DocumentError;
use crate::snapshot::name::SnapshotName;
use crate::store::opened::read_document_as_it_was;
use crate::store::{Core, StoreError};

use super::archive::{self, Part, Source};
use super::column::{Code, Column};
use super::folder::{self, Listing, Watched};
use super::part::{Builder, Head, Row};
use super::stamp::Stamp;

/// Parts that may have room at the same time: each addition goes into the last one only.
const OPEN_PARTS: usize = 8;

/// What one process knows, for all who ask it.
#[derive(Default)]
pub(crate) struct Memory {
    state: Mutex<Option<Arc<State>>>,
    /// A lock of its own: the names are there while snapshots are read.
    listing: Mutex<Option<Arc<Listing>>>,
}

/// What was known at one moment.
pub(super) struct State {
    snapshots: Watched,
    archive: Watched,
    /// By their numbers.
    pub(super) parts: Vec<Arc<Part>>,
    /// The snapshots that can be read, the oldest first.
    pub(super) places: Vec<Place>,
    /// Those that cannot, the oldest first.
    pub(super) bad: Vec<Bad>,
    /// Why a part could not be written.
    pub(super) unsaved: Option<String>,
}

/// Where a snapshot is: the part by its index, and the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) ns: u64,
    pub(super) part: u32,
    pub(super) row: u32,
}

/// A snapshot that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Bad {
    pub(super) ns: u64,
    /// Its file; `None` where that it could not be read may have nothing to do with the file.
    stamp: Option<Stamp>,
    pub(super) reason: String,
}

/// How closely one looks at what is there.
pub(super) enum Look<'a> {
    /// Only where something changed; and at these snapshots, whose files are not as they were.
    Quick(&'a BTreeSet<u64>),
    /// At each file. The parts are gathered into as few as there can be.
    Thorough,
}

impl State {
    pub(super) fn row(&self, place: &Place) -> &Row {
        &self.parts[place.part as usize].head.rows[place.row as usize]
    }

    /// Whether it is what is there still, as far as that shows at a glance.
    fn is_current(&self, core: &Core) -> bool {
        let is_bad_still = |bad: &Bad| bad.stamp.is_some() && stamp(core, bad.ns) == bad.stamp;
        self.snapshots.is_as_it_was(&folder::path(core))
            && self.archive.is_as_it_was(&archive::folder(core))
            && self.bad.iter().all(is_bad_still)
    }
}

impl Memory {
    /// The snapshots there are. Whoever comes while another one reads waits for what he finds.
    pub(super) fn refresh(&self, core: &Core, look: &Look<'_>) -> Result<Arc<State>, Error> {
        let mut known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let may_stay = matches!(look, Look::Quick(stale) if stale.is_empty());
        if let Some(state) = known.as_ref()
            && may_stay
            && state.is_current(core)
        {
            return Ok(Arc::clone(state));
        }
        let listing = self.listing(core)?;
        let state = Arc::new(learn(core, &listing, known.as_deref(), look));
        *known = Some(Arc::clone(&state));
        Ok(state)
    }

    /// The snapshots there are, read and unread.
    fn listing(&self, core: &Core) -> Result<Arc<Listing>, StoreError> {
        let mut known = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = known.as_ref()
            && listing.folder.is_as_it_was(&folder::path(core))
        {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(Listing::read(core)?);
        *known = Some(Arc::clone(&listing));
        Ok(listing)
    }

    /// The names of the snapshots, the oldest first.
    pub(crate) fn names(&self, core: &Core) -> Result<Vec<SnapshotName>, Error> {
        Ok(self.listing(core)?.names())
    }
}

pub(super) fn path(core: &Core, ns: u64) -> PathBuf {
    folder::path(core).join(SnapshotName { ns }.to_string())
}

/// A snapshot's file as it is now.
pub(super) fn stamp(core: &Core, ns: u64) -> Option<Stamp> {
    let found = fs::symlink_metadata(path(core, ns)).ok()?;
    Some(Stamp::of(&found))
}

/// What a snapshot says; `None` where it is gone.
pub(super) fn read(core: &Core, ns: u64) -> Option<Result<(Row, Document), Bad>> {
    let path = path(core, ns);
    let bad = |stamp, error: &dyn std::fmt::Display| {
        let reason = error.to_string();
        Some(Err(Bad { ns, stamp, reason }))
    };
    let (bytes, found) = match read_document_as_it_was(&path) {
        Ok(None) => return None,
        Ok(Some(read)) => read,
        Err(error) => {
            let is_lasting = match &error {
                StoreError::Io { source, .. } => {
                    source.kind() == std::io::ErrorKind::PermissionDenied
                }
                _ => true,
            };
            return bad(stamp(core, ns).filter(|_| is_lasting), &error);
        }
    };
    let stamp = Stamp::of(&found);
    match Document::parse(&bytes, &path) {
        Err(error) => bad(Some(stamp), &with_source(&error)),
        Ok(document) => {
            let row = Row {
                ns,
                stamp,
                epoch: document.epoch.filter(|epoch| *epoch > 0),
                kind: document.kind.unwrap_or(DocumentKind::Snapshot),
            };
            Some(Ok((row, document)))
        }
    }
}

/// An error with what is behind it, which its own text does not repeat.
fn with_source(error: &DocumentError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Reads what is new, and puts it into the archive.
fn learn(core: &Core, listing: &Listing, known: Option<&State>, look: &Look<'_>) -> State {
    let (known_parts, known_bad) = known.map_or((&[][..], &[][..]), |known| {
        (known.parts.as_slice(), known.bad.as_slice())
    });
    let found = archive::load(core, known_parts);
    let mut parts = found.parts;
    let in_memory = |part: &&Arc<Part>| matches!(part.source, Source::Memory(_));
    parts.extend(known_parts.iter().filter(in_memory).cloned());
    let mut places = Vec::new();
    let mut new = Vec::new();
    let mut bad = Vec::new();
    let rows = Rows::of(&parts);
    for (ns, inode) in &listing.files {
        let is_stale = match look {
            Look::Quick(stale) => stale.contains(ns),
            Look::Thorough => true,
        };
        let place = match is_stale {
            false => rows.find(*ns, |row| row.stamp.inode == *inode),
            true => {
                let stamp = stamp(core, *ns);
                rows.find(*ns, |row| Some(row.stamp) == stamp)
            }
        };
        if let Some(place) = place {
            places.push(place);
            continue;
        }
        let is_bad_still =
            |bad: &&Bad| bad.ns == *ns && bad.stamp.is_some() && bad.stamp == stamp(core, *ns);
        match known_bad.iter().find(is_bad_still) {
            Some(one) if !matches!(look, Look::Thorough) => bad.push(one.clone()),
            _ => new.push(*ns),
        }
    }
    let mut gathering = Gathering::of(core, parts, places, matches!(look, Look::Thorough));
    gathering.work(new, &mut bad);
    let is_same = found.damaged.is_empty() && !gathering.changes();
    for path in found.damaged {
        // What cannot be removed is passed over each time.
        let _ = core.files().remove(&path);
    }
    let (parts, places, unsaved) = gathering.end();
    let archive = match is_same {
        true => found.folder,
        false => Watched::look(&archive::folder(core)),
    };
    bad.sort_by_key(|bad| bad.ns);
    State {
        snapshots: listing.folder,
        archive,
        parts,
        places,
        bad,
        unsaved,
    }
}

/// The rows of all parts, to be found by their times.
struct Rows<'a> {
    parts: &'a [Arc<Part>],
    sorted: Vec<Place>,
}

impl<'a> Rows<'a> {
    fn of(parts: &'a [Arc<Part>]) -> Self {
        let of_part = |(index, part): (usize, &Arc<Part>)| {
            let rows: Vec<u64> = part.head.rows.iter().map(|row| row.ns).collect();
            let place = move |(row, ns)| Place {
                ns,
                part: index as u32,
                row: row as u32,
            };
            rows.into_iter().enumerate().map(place)
        };
        let mut sorted: Vec<Place> = parts.iter().enumerate().flat_map(of_part).collect();
        sorted.sort_unstable();
        Self { parts, sorted }
    }

    /// The row that was read last of those with this time which are lawful.
    fn find(&self, ns: u64, is_it: impl Fn(&Row) -> bool) -> Option<Place> {
        let begin = self.sorted.partition_point(|place| place.ns < ns);
        let same = self.sorted[begin..]
            .iter()
            .take_while(|place| place.ns == ns);
        let row = |place: &&Place| &self.parts[place.part as usize].head.rows[place.row as usize];
        same.filter(|place| is_it(row(place)))
            .max_by_key(|place| (row(place).stamp.changed, place.part, place.row))
            .copied()
    }
}

/// How new snapshots and the rows of old parts get into new parts.
struct Gathering<'a> {
    core: &'a Core,
    parts: Vec<Arc<Part>>,
    /// How many there were.
    before: usize,
    places: Vec<Place>,
    is_thorough: bool,
    /// The parts that go, by their index.
    retired: Vec<bool>,
    builder: Builder,
    next: u32,
    unsaved: Option<String>,
}

impl<'a> Gathering<'a> {
    fn of(core: &'a Core, parts: Vec<Arc<Part>>, places: Vec<Place>, is_thorough: bool) -> Self {
        let next = parts.iter().map(|part| part.number).max();
        Self {
            core,
            retired: vec![false; parts.len()],
            before: parts.len(),
            parts,
            places,
            is_thorough,
            builder: Builder::default(),
            next: next.map_or(1, |last| last.saturating_add(1)),
            unsaved: None,
        }
    }

    fn work(&mut self, mut new: Vec<u64>, bad: &mut Vec<Bad>) {
        let mut wanted: Vec<Vec<u32>> = vec![Vec::new(); self.parts.len()];
        for place in &self.places {
            wanted[place.part as usize].push(place.row);
        }
        // They come by their times, and stand as they were read.
        wanted.iter_mut().for_each(|rows| rows.sort_unstable());
        for index in self.chosen(&wanted, !new.is_empty()) {
            self.retired[index] = true;
            let rows = std::mem::take(&mut wanted[index]);
            if rows.is_empty() {
                continue;
            }
            let part = Arc::clone(&self.parts[index]);
            match self.columns(&part) {
                Some(columns) => {
                    if !self.builder.has_room(rows.len()) {
                        self.save();
                    }
                    self.builder.absorb(&part.head, &rows, &columns);
                }
                None => new.extend(rows.iter().map(|row| part.head.rows[*row as usize].ns)),
            }
        }
        let retired = &self.retired;
        self.places.retain(|place| !retired[place.part as usize]);
        new.sort_unstable();
        for ns in new {
            match read(self.core, ns) {
                None => {}
                Some(Err(one)) => bad.push(one),
                Some(Ok((row, document))) => {
                    self.builder.push(row, &document);
                    if self.builder.is_full() {
                        self.save();
                    }
                }
            }
        }
        self.save();
    }

    fn columns(&self, part: &Part) -> Option<Vec<(Code, Vec<u8>, Column)>> {
        part.columns(self.core)?.all()
    }

    /// The parts that are put into others, by their index, when there is something to add or not.
    fn chosen(&self, wanted: &[Vec<u32>], adding: bool) -> Vec<usize> {
        let mut chosen = BTreeSet::new();
        let mut open = Vec::new();
        for (index, (part, wanted)) in self.parts.iter().zip(wanted).enumerate() {
            let rows = part.head.rows.len();
            let is_worn = match self.is_thorough {
                true => wanted.len() < rows || self.columns(part).is_none(),
                false => wanted.len() * 2 < rows,
            };
            // What could not be written is tried again.
            if wanted.is_empty() || is_worn || matches!(part.source, Source::Memory(_)) {
                chosen.insert(index);
            } else if !part.head.is_full() {
                open.push(index);
            }
        }
        let is_merged = |index: &usize| !wanted[*index].is_empty();
        let is_adding = adding || chosen.iter().any(is_merged);
        if (self.is_thorough && open.len() > 1) || open.len() > OPEN_PARTS {
            chosen.extend(open);
        } else if is_adding {
            chosen.extend(open.last());
        }
        chosen.into_iter().collect()
    }

    /// Makes a part of what was gathered.
    fn save(&mut self) {
        if self.builder.rows.is_empty() {
            return;
        }
        let bytes = self.builder.finish();
        // It was made just now.
        let Some(head) = Head::of(&bytes) else {
            return;
        };
        let (number, source) = match archive::save(self.core, self.next, &bytes) {
            Ok((number, stamp)) => (number, Source::File(stamp)),
            Err(error) => {
                self.unsaved = Some(error.to_string());
                (self.next, Source::Memory(bytes))
            }
        };
        self.next = number.saturating_add(1);
        let part = self.parts.len() as u32;
        let place = |(row, found): (u32, &Row)| Place {
            ns: found.ns,
            part,
            row,
        };
        self.places.extend((0..).zip(&head.rows).map(place));
        self.retired.push(false);
        self.parts.push(Arc::new(Part {
            number,
            head,
            source,
        }));
    }

    /// Whether there are other parts than before.
    fn changes(&self) -> bool {
        self.retired.contains(&true) || self.parts.len() > self.before
    }

    /// Removes what is not needed any more.
    fn end(self) -> (Vec<Arc<Part>>, Vec<Place>, Option<String>) {
        let mut kept = Vec::new();
        let mut moved = Vec::new();
        for (part, retired) in self.parts.into_iter().zip(self.retired) {
            moved.push(kept.len() as u32);
            if !retired {
                kept.push(part);
                continue;
            }
            // Its rows are elsewhere, but perhaps not on the disk.
            if self.unsaved.is_none() && matches!(part.source, Source::File(_)) {
                // Somebody else may have done so.
                let _ = self.core.files().remove(&part.path(self.core));
            }
        }
        let mut places = self.places;
        for place in &mut places {
            place.part = moved[place.part as usize];
        }
        places.sort_unstable();
        (kept, places, self.unsaved)
    }
}
