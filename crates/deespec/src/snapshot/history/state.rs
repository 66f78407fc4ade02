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
use super::folder::{self, Listing, Watched};
use super::gather::Gathering;
use super::order::{Turn, turns};
use super::part::Row;
use super::stamp::Stamp;

/// What one process knows, for all who ask it.
#[derive(Default)]
pub(crate) struct Memory {
    state: Mutex<Option<Arc<State>>>,
    /// A lock of its own: the names are there while snapshots are read.
    listing: Mutex<Option<Arc<Listing>>>,
    /// The listing whose order was asked for last: what it knows is not read again.
    ordered: Mutex<Option<Arc<Listing>>>,
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
    /// What orders the snapshots, in the order of the places.
    pub(super) fn turns(&self) -> Vec<Turn> {
        let epoch = |place: &Place| {
            let row = self.row(place);
            (
                row.epoch.unwrap_or_default(),
                row.kind == DocumentKind::Rotation,
            )
        };
        turns(self.places.iter().map(|place| (place.ns, epoch(place))))
    }

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
        let before = self
            .ordered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let listing = self.listing(core)?;
        let names = listing.names(core, before.as_deref());
        *self.ordered.lock().unwrap_or_else(PoisonError::into_inner) = Some(listing);
        Ok(names)
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
