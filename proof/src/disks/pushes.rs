//! Pushes: what a client sends, what it knows of that, and whether each was counted once.
//!
//! A client sends one push after the other. Where it heard no answer it sends the same again: that is
//! what `judge.rs` does in its place with whatever a disk came back with.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use deespec::{Push, Store};
use serde::{Deserialize, Serialize};

use super::orders::Shown;
use crate::Result;
use crate::audit::{Values, bucket_key, labelled};

const OWN: &str = "pushed_total";
const KINDS: &str = "pushed_kinds_total";
const SECONDS: &str = "pushed_seconds";
/// What all clients push, and imports add to: their values stand in one cell.
pub(super) const ALL: &str = "pushed_all_total";
/// Label sets of each client. One push of so many has them all, so that its line is longer than a page.
const MANY: u64 = 24;

/// What one client knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Pushed {
    /// What its pushes added, of which it heard that they are counted.
    pub(super) answered: Values,
    /// The last one that it sent.
    pub(super) last: Option<Sent>,
}

/// One push, as often as it was sent.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(super) number: u64,
    pub(super) by: u64,
    /// Whether anybody said that it is counted.
    answered: bool,
}

impl Pushed {
    /// A push is sent; gives what it adds, where it is not sent again.
    pub(super) fn begins(&mut self, writer: u64, number: u64, by: u64) -> Values {
        if self.last.is_some_and(|last| last.number == number) {
            return Values::new();
        }
        self.last = Some(Sent {
            number,
            by,
            answered: false,
        });
        adds(writer, number, by)
    }

    /// It was answered, not for the first time perhaps.
    pub(super) fn done(&mut self, writer: u64) {
        if let Some(last) = self.last.as_mut().filter(|last| !last.answered) {
            last.answered = true;
            add(&mut self.answered, adds(writer, last.number, last.by));
        }
    }

    /// What is wrong with the pushes of a client, whose last one is sent again.
    pub(super) fn judge(&self, writer: u64, store: &Store) -> Result<Option<String>> {
        let Some(Sent {
            number,
            by,
            answered,
        }) = self.last
        else {
            return Ok(None);
        };
        let mut whole = self.answered.clone();
        if !answered {
            add(&mut whole, adds(writer, number, by));
        }
        let mut further = whole.clone();
        add(&mut further, adds(writer, number + 1, 1));
        // Others count there as well.
        for values in [&mut whole, &mut further] {
            values.remove(ALL);
        }
        let counts = |wanted: &Values| -> Result<bool> {
            let found = Shown::of_view(&store.view()?).totals;
            let mut counted = wanted.iter();
            Ok(counted.all(|(key, count)| found.get(key).copied().unwrap_or(0) == *count))
        };
        let mut without: Values = whole.keys().map(|key| (key.clone(), 0)).collect();
        without.extend(self.answered.clone());
        without.remove(ALL);
        let is_there = counts(&whole)?;
        let is_away = !answered && counts(&without)?;
        let before = Shown::of_view(&store.view()?).totals;
        let again = send(store, writer, number, by)?.counted;
        let once = counts(&whole)?;
        let next = send(store, writer, number + 1, 1)?.counted;
        let repeated = send(store, writer, number + 1, 1)?.counted;
        let lawful = (is_there || is_away)
            && again != is_there
            && once
            && (next, repeated) == (true, false)
            && counts(&further)?;
        if lawful {
            return Ok(None);
        }
        let before: BTreeMap<_, _> = whole.keys().map(|key| (key, before.get(key))).collect();
        Ok(Some(format!(
            "push {number} of {writer} (answered: {answered}) is to make {whole:?}, and there is {before:?}; \
             sent again it was counted: {again}, which was once: {once}; the next: {next}, {repeated}"
        )))
    }
}

/// Sends one push.
pub(super) fn send(store: &Store, writer: u64, number: u64, by: u64) -> Result<Push> {
    let text = text(writer, number, by)?;
    Ok(store.push(&format!("client-{writer}"), number, text.as_bytes())?)
}

fn kinds(number: u64) -> std::ops::Range<u64> {
    match number % 8 {
        0 => 0..MANY,
        _ => number % MANY..number % MANY + 1,
    }
}

fn text(writer: u64, number: u64, by: u64) -> Result<String> {
    let mut text = format!("# TYPE pushed counter\n{OWN}{{client=\"{writer}\"}} {by}\n");
    text += "# TYPE pushed_kinds counter\n";
    for kind in kinds(number) {
        writeln!(text, "{KINDS}{{kind=\"{writer}-{kind}\"}} {by}")?;
    }
    writeln!(text, "# TYPE pushed_all counter\n{ALL} {by}")?;
    let of = format!("{{client=\"{writer}\"");
    writeln!(text, "# TYPE {SECONDS} histogram")?;
    writeln!(text, "{SECONDS}_bucket{of},le=\"1.0\"}} {by}")?;
    writeln!(text, "{SECONDS}_bucket{of},le=\"+Inf\"}} {by}")?;
    writeln!(text, "{SECONDS}_sum{of}}} {by}\n{SECONDS}_count{of}}} {by}")?;
    Ok(text + "# EOF\n")
}

/// What a push adds to which series.
fn adds(writer: u64, number: u64, by: u64) -> Values {
    let client = writer.to_string();
    let kinds = kinds(number).map(|kind| labelled(KINDS, "kind", &format!("{writer}-{kind}")));
    kinds
        .chain([
            labelled(OWN, "client", &client),
            bucket_key(&labelled(SECONDS, "client", &client), 0),
            ALL.to_owned(),
        ])
        .map(|key| (key, by))
        .collect()
}

pub(super) fn add(values: &mut Values, more: Values) {
    for (key, more) in more {
        *values.entry(key).or_default() += more;
    }
}
