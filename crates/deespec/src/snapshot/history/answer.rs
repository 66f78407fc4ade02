//! What a history says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;

use crate::Error;
use crate::metric::{Key, Kind, LabelSet};
use crate::snapshot::document::DocumentKind;
use crate::snapshot::name::SnapshotName;
use crate::store::Core;

use super::column::{Code, Column};
use super::order::Turn;
use super::part::{self, Row};
use super::query::HistoryQuery;
use super::state::{self, Bad, Look, Memory, Place, State};
use super::thin::thin;
use super::value::HistoryValue;

/// What series were over time, by the snapshots.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct History {
    /// How many snapshots there are between the times that were asked for, also where fewer are shown.
    pub found: usize,
    /// Those that are shown, the oldest first.
    pub points: Vec<HistoryPoint>,
    /// The series in the order in which they were asked for.
    pub series: Vec<HistorySeries>,
    /// Snapshots of that time which cannot be read, the oldest first. They are passed over.
    pub unreadable: Vec<UnreadableSnapshot>,
    /// Why the archive could not be written. The answer is the same, and the next one takes as long.
    pub unsaved: Option<String>,
}

/// A snapshot in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryPoint {
    /// Its name.
    pub name: SnapshotName,
    /// When it was taken, by its name.
    pub at: SystemTime,
    /// The epoch that it belongs to; `None` for a document of the legacy form.
    pub epoch: Option<u64>,
    /// Why it was taken.
    pub kind: DocumentKind,
}

/// A series in a history.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HistorySeries {
    /// The metric's name.
    pub name: String,
    /// The label set, sorted by name.
    pub labels: LabelSet,
    /// Its kind, by the youngest snapshot that is shown and has it, or else by any; `None` where no snapshot has it.
    pub kind: Option<Kind>,
    /// What it was at each point: its value in that epoch. `None` where it was not there, or of another kind.
    pub values: Vec<Option<HistoryValue>>,
}

/// A snapshot that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnreadableSnapshot {
    /// Its name.
    pub name: SnapshotName,
    /// Its file.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

impl UnreadableSnapshot {
    pub(super) fn of(core: &Core, bad: &Bad) -> Self {
        Self {
            name: SnapshotName { ns: bad.ns },
            path: state::path(core, bad.ns),
            reason: bad.reason.clone(),
        }
    }
}

/// Answers a query.
pub(crate) fn history(
    core: &Core,
    memory: &Memory,
    query: &HistoryQuery,
) -> Result<History, Error> {
    let keys = query.series.iter();
    let keys: Vec<Key> = keys
        .map(|(name, labels)| part::key(name, labels.iter()))
        .collect();
    let mut state = memory.refresh(core, &Look::Quick(&BTreeSet::new()))?;
    let mut chosen = Chosen::of(core, &state, query, &keys);
    if !chosen.stale.is_empty() {
        state = memory.refresh(core, &Look::Quick(&chosen.stale))?;
        chosen = Chosen::of(core, &state, query, &keys);
        // What changes that often is read from its file.
        chosen.read_stale(core, &keys);
    }
    let series = (query.series.iter().zip(&keys).enumerate()).map(|(index, (named, key))| {
        let at = |shown: &Shown| shown.values.get(index).copied().flatten();
        let mut values: Vec<Option<HistoryValue>> = chosen.shown.iter().map(at).collect();
        let youngest = values.iter().flatten().next_back();
        let kind = youngest.map(HistoryValue::kind);
        let kind = kind.or_else(|| kind_anywhere(core, &state, key));
        for value in &mut values {
            *value = value.filter(|value| Some(value.kind()) == kind);
        }
        HistorySeries {
            name: named.0.clone(),
            labels: named.1.clone(),
            kind,
            values,
        }
    });
    let series = series.collect();
    let point = |shown: &Shown| HistoryPoint {
        name: SnapshotName { ns: shown.row.ns },
        at: SnapshotName { ns: shown.row.ns }.taken_at(),
        epoch: shown.row.epoch,
        kind: shown.row.kind,
    };
    Ok(History {
        found: chosen.found,
        points: chosen.shown.iter().map(point).collect(),
        series,
        unreadable: chosen
            .bad
            .iter()
            .map(|bad| UnreadableSnapshot::of(core, bad))
            .collect(),
        unsaved: state.unsaved.clone(),
    })
}

/// A point with its values, in the order of the series.
struct Shown {
    row: Row,
    values: Vec<Option<HistoryValue>>,
}

/// What is shown, as far as it is known.
struct Chosen {
    found: usize,
    shown: Vec<Shown>,
    /// What is to be shown and is not what it was when it was read.
    stale: BTreeSet<u64>,
    bad: Vec<Bad>,
    /// What orders all snapshots, by their times.
    turns: Vec<(u64, Turn)>,
}

impl Chosen {
    fn of(core: &Core, state: &State, query: &HistoryQuery, keys: &[Key]) -> Self {
        let is_before = |ns: u64| query.from.is_some_and(|from| ns < from);
        let is_behind = |ns: u64| query.to.is_some_and(|to| ns > to);
        let begin = state.places.partition_point(|place| is_before(place.ns));
        let end = state.places.partition_point(|place| !is_behind(place.ns));
        let turns = state.turns();
        let mut order: Vec<usize> = (begin..end.max(begin)).collect();
        order.sort_by_key(|index| turns[*index]);
        let places: Vec<Place> = order.into_iter().map(|index| state.places[index]).collect();
        let closes = |place: &Place| state.row(place).kind == DocumentKind::Rotation;
        // Where the clock went back, it stood still: what came later is not shown in a stretch before.
        let mut latest = 0;
        let times: Vec<_> = places
            .iter()
            .map(|place| {
                latest = latest.max(place.ns);
                (latest, closes(place))
            })
            .collect();
        let bad = state.bad.iter();
        let bad = bad.filter(|bad| !is_before(bad.ns) && !is_behind(bad.ns));
        let mut chosen = Self {
            found: places.len(),
            shown: Vec::new(),
            stale: BTreeSet::new(),
            bad: bad.cloned().collect(),
            turns: turns.iter().map(|turn| (turn.2, *turn)).collect(),
        };
        let mut by_part: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        for index in thin(&times, query.points) {
            let place = places[index];
            match state::stamp(core, place.ns) == Some(state.row(&place).stamp) {
                true => by_part.entry(place.part).or_default().push(place),
                false => drop(chosen.stale.insert(place.ns)),
            }
        }
        for (part, places) in by_part {
            match chosen.values(core, state, part, &places, keys) {
                Some(shown) => chosen.shown.extend(shown),
                None => {
                    // Damaged; or gone, where another process has put it into a larger one.
                    let path = state.parts[part as usize].path(core);
                    let _ = core.files().remove(&path);
                    chosen.stale.extend(places.iter().map(|place| place.ns));
                }
            }
        }
        chosen.sort();
        chosen
    }

    /// The points of one part; `None` where that cannot be read.
    fn values(
        &self,
        core: &Core,
        state: &State,
        part: u32,
        places: &[Place],
        keys: &[Key],
    ) -> Option<Vec<Shown>> {
        let columns = state.parts[part as usize].columns(core)?;
        let columns = keys.iter().map(|key| columns.of(key.bytes()));
        let columns: Vec<Vec<(Code, Column)>> = columns.collect::<Option<_>>()?;
        let value = |columns: &Vec<(Code, Column)>, row| {
            columns
                .iter()
                .find_map(|(code, column)| column.value(*code, row))
        };
        let shown = |place: &Place| Shown {
            row: *state.row(place),
            values: columns
                .iter()
                .map(|columns| value(columns, place.row))
                .collect(),
        };
        Some(places.iter().map(shown).collect())
    }

    fn sort(&mut self) {
        let turns = &self.turns;
        let turn = |ns: u64| {
            let at = turns.binary_search_by_key(&ns, |(ns, _)| *ns);
            at.map_or((0, false, ns), |at| turns[at].1)
        };
        self.shown.sort_by_cached_key(|shown| turn(shown.row.ns));
    }

    /// Reads from their files what changed again and again.
    fn read_stale(&mut self, core: &Core, keys: &[Key]) {
        for ns in std::mem::take(&mut self.stale) {
            match state::read(core, ns) {
                Some(Ok((row, document))) => {
                    let values = part::values(&document, keys);
                    self.shown.push(Shown { row, values });
                    continue;
                }
                Some(Err(bad)) => self.bad.push(bad),
                None => {}
            }
            self.found -= 1;
        }
        self.sort();
        self.bad.sort_by_key(|bad| bad.ns);
    }
}

/// The kind of a series that no snapshot has which is shown: by the youngest that has it at all.
fn kind_anywhere(core: &Core, state: &State, key: &Key) -> Option<Kind> {
    let turns = state.turns();
    let mut youngest: Option<(Turn, Kind)> = None;
    for (index, part) in state.parts.iter().enumerate() {
        if part.head.find(key.bytes()).is_empty() {
            continue;
        }
        let found = part
            .columns(core)
            .and_then(|columns| columns.of(key.bytes()));
        let found = found.unwrap_or_default();
        let places =
            (state.places.iter().zip(&turns)).filter(|(place, _)| place.part as usize == index);
        for (place, turn) in places {
            let value = found
                .iter()
                .find_map(|(code, column)| column.value(*code, place.row));
            if let Some(value) = value
                && youngest.is_none_or(|(youngest, _)| youngest < *turn)
            {
                youngest = Some((*turn, value.kind()));
            }
        }
    }
    youngest.map(|(_, kind)| kind)
}
