//! How new snapshots, and the rows of parts that have lost many, get into new parts.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::store::Core;

use super::archive::{self, Part, Source};
use super::column::{Code, Column};
use super::part::{Builder, Head, Row};
use super::state::{Bad, Place, read};

/// Parts that may have room at the same time: each addition goes into the last one only.
const OPEN_PARTS: usize = 8;

/// The parts and places there are, and the part that is being made.
pub(super) struct Gathering<'a> {
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
    pub(super) fn of(
        core: &'a Core,
        parts: Vec<Arc<Part>>,
        places: Vec<Place>,
        is_thorough: bool,
    ) -> Self {
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

    pub(super) fn work(&mut self, mut new: Vec<u64>, bad: &mut Vec<Bad>) {
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
    pub(super) fn changes(&self) -> bool {
        self.retired.contains(&true) || self.parts.len() > self.before
    }

    /// Removes what is not needed any more.
    pub(super) fn end(self) -> (Vec<Arc<Part>>, Vec<Place>, Option<String>) {
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
