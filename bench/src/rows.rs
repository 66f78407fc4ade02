//! The first table: one file per group of limits, in the order in which they are shown.

use crate::Result;
use crate::place::Bench;
use crate::table::{self, Line};

pub(crate) mod dead;
mod disk;
mod gate;
pub(crate) mod gauge;
mod history;
pub(crate) mod increment;
mod lock;
pub(crate) mod lookup;
pub(crate) mod million;
pub(crate) mod observe;
mod open;
mod process;
mod push;
mod register;
pub(crate) mod scrape;
pub(crate) mod serve;
mod snapshot;

type Measure = fn(&Bench) -> Result<Vec<Line>>;

const GROUPS: &[(&str, Measure)] = &[
    ("increment", increment::measure),
    ("labelled lookup", lookup::measure),
    ("observe", observe::measure),
    ("gauge", gauge::measure),
    ("open", open::measure),
    ("register", register::measure),
    ("a whole process", process::measure),
    ("scrape", scrape::measure),
    ("lock", lock::measure),
    ("snapshot", snapshot::measure),
    ("history", history::measure),
    ("push", push::measure),
    ("a million series", million::measure),
    ("threshold check", gate::measure),
    ("disk", disk::measure),
    ("dead processes", dead::measure),
    ("server: asked often", serve::scrapes),
    ("server: idle", serve::idle),
    ("server: live", serve::live::measure),
    ("server: readers that are gone", serve::gone::measure),
    ("server: the page", serve::page::measure),
];

/// Measures every group whose name contains `only`; one that goes wrong becomes a row that says so.
pub(crate) fn all(bench: &Bench, only: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, measure) in GROUPS.iter().filter(|(name, _)| is_meant(name, only)) {
        table::progress(&format!("measuring: {name}"));
        match measure(bench) {
            Ok(measured) => lines.extend(measured),
            Err(error) => lines.push(Line::failed(*name, error.to_string())),
        }
    }
    lines
}

/// Whether a group or a peer of this name is to be measured.
pub(crate) fn is_meant(name: &str, only: &str) -> bool {
    name.to_lowercase().contains(&only.to_lowercase())
}

/// Registers this many series, spread so that no family comes near its cardinality limit.
pub(crate) fn register(store: &deespec::Store, labels: &[[String; 2]]) -> Result<()> {
    for [family, shard] in labels {
        std::hint::black_box(store.counter_with(family, &[("shard", shard)])?);
    }
    Ok(())
}

/// The names that `register` takes, made beforehand so that their making is not measured.
pub(crate) fn names(count: usize) -> Vec<[String; 2]> {
    const PER_FAMILY: usize = 1000;
    (0..count)
        .map(|index| {
            [
                format!("family_{}_total", index / PER_FAMILY),
                format!("shard-{index}"),
            ]
        })
        .collect()
}
