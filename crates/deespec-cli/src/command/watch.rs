//! `deespec watch`: live changes, redrawn in place on a terminal, one JSON line a change in a pipe.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use clap::Args;
use deespec::{Distribution, Kind, LabelSet, Store, TRANSACTIONS, Value, View};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::Cli;
use crate::command::show::transactions;
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{Ui, columns, printable};
use crate::values::{self, are_mixed, exact, is_without_processes, labels, signed};

const AFTER_HELP: &str = "\
Example:
  deespec watch
  deespec watch --json | jq -c 'select(.name == \"commit_failed\")'

In a pipe, or with --json, each change is one line: at, epoch, name, type,
labels, value, delta. Of a histogram the value is its count and sum, and the
delta that of the count. A line with \"event\": \"epoch\" says that a new epoch
began; what came after the last look at the epoch before is in its snapshot.";

/// Show changes as they happen
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Watch {
    /// Only series whose name or label values contain this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// How often to look, in milliseconds
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=60_000))]
    interval: u64,

    /// End after this many changes
    #[arg(long, value_name = "N")]
    changes: Option<u64>,

    /// Print JSON lines on a terminal too
    #[arg(long)]
    json: bool,
}

type Key = (String, LabelSet);

/// The line for a new epoch.
#[derive(Serialize)]
struct EpochLine<'a> {
    event: &'static str,
    at: &'a str,
    epoch: u64,
}

/// The line for a change.
#[derive(Serialize)]
struct ChangeLine<'a> {
    at: &'a str,
    epoch: u64,
    name: &'a str,
    #[serde(rename = "type")]
    kind: Kind,
    labels: &'a LabelSet,
    value: Shown<'a>,
    delta: Delta,
}

/// The value of a series that changed: as in documents, but without the buckets of a histogram.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Histogram { count: u64, sum: f64 },
    Other(&'a Value),
}

impl<'a> From<&'a Value> for Shown<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Histogram(found) => Self::Histogram {
                count: found.count(),
                sum: found.sum(),
            },
            other => Self::Other(other),
        }
    }
}

/// By how much a series changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
enum Delta {
    /// What was counted or observed.
    Count(u64),
    /// By how much a gauge moved; `null` in JSON where that is no finite number.
    Moved(f64),
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "+{count}"),
            Self::Moved(by) => f.write_str(&signed(*by)),
        }
    }
}

impl Delta {
    /// `None` where nothing changed. An info metric never changes.
    fn between(before: Option<&Value>, after: &Value) -> Option<Self> {
        let grown = |after: u64, before: Option<u64>| {
            let delta = after.wrapping_sub(before.unwrap_or(0));
            (delta != 0).then_some(Self::Count(delta))
        };
        match after {
            Value::Counter(count) => grown(*count, before.and_then(Value::counter)),
            Value::Histogram(found) => {
                let count = |value: &Value| value.histogram().map(Distribution::count);
                grown(found.count(), before.and_then(count))
            }
            after => {
                let now = after.gauge()?;
                match before.and_then(Value::gauge) {
                    Some(before) if before.total_cmp(&now).is_eq() => None,
                    before => Some(Self::Moved(now - before.unwrap_or(0.0))),
                }
            }
        }
    }
}

/// What was seen last.
#[derive(Clone)]
struct Seen {
    epoch: u64,
    values: BTreeMap<Key, Value>,
    /// Of the families that have one.
    units: BTreeMap<String, String>,
}

/// One series that changed.
struct Change {
    key: Key,
    value: Value,
    delta: Delta,
}

impl Seen {
    fn of(view: &View, filter: Option<&str>) -> Self {
        let four = transactions(view).map(|(name, count)| {
            let key = (name.to_owned(), LabelSet::default());
            (key, Value::Counter(count))
        });
        let others = view
            .series
            .iter()
            .map(|s| ((s.name.clone(), s.labels.clone()), s.value.clone()));
        let wanted = |((name, labels), _): &(Key, Value)| {
            filter
                .is_none_or(|text| name.contains(text) || labels.values().any(|v| v.contains(text)))
        };
        let values = four.into_iter().chain(others).filter(wanted).collect();
        let families = view.families.iter();
        let units = families.filter(|family| !family.unit().is_empty());
        let units = units.map(|family| (family.name().to_owned(), family.unit().to_owned()));
        Self {
            epoch: view.epoch,
            values,
            units: units.collect(),
        }
    }

    /// What changed since `before`. In a new epoch, what counts has begun again at 0.
    fn changes_since(&self, before: &Self) -> Vec<Change> {
        let is_same_epoch = self.epoch == before.epoch;
        let changed = self.values.iter().filter_map(|(key, value)| {
            let goes_on = is_same_epoch || value.kind() == Kind::Gauge;
            let base = before.values.get(key).filter(|_| goes_on);
            Some(Change {
                key: key.clone(),
                value: value.clone(),
                delta: Delta::between(base, value)?,
            })
        });
        changed.collect()
    }
}

impl Watch {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "watch")?;
        let mut screen = (ui.is_terminal() && !self.json).then(Screen::new);
        let mut seen = Seen::of(&store.view()?, self.filter.as_deref());
        let first = seen.clone();
        if let Some(screen) = &mut screen {
            screen.draw(&store, &seen, &first, &[], ui);
        }
        let mut left = self.changes.unwrap_or(u64::MAX);
        while left > 0 {
            ui.pause(Duration::from_millis(self.interval));
            let now = Seen::of(&store.view()?, self.filter.as_deref());
            let changes = now.changes_since(&seen);
            let turned = now.epoch != seen.epoch;
            if let Some(screen) = &mut screen {
                screen.draw(&store, &now, &first, &changes, ui);
                left = left.saturating_sub(changes.len() as u64);
            } else {
                let at = Timestamp::now().to_string();
                if turned {
                    ui.json_line(&EpochLine {
                        event: "epoch",
                        at: &at,
                        epoch: now.epoch,
                    })?;
                }
                for change in &changes {
                    if left == 0 {
                        break;
                    }
                    left -= 1;
                    ui.json_line(&ChangeLine {
                        at: &at,
                        epoch: now.epoch,
                        name: &change.key.0,
                        kind: change.value.kind(),
                        labels: &change.key.1,
                        value: (&change.value).into(),
                        delta: change.delta,
                    })?;
                }
            }
            seen = now;
        }
        Ok(Code::Done)
    }
}

/// The part of the terminal that is drawn again and again.
struct Screen {
    lines: usize,
    begun: Instant,
    /// When each series changed last, and by how much.
    recent: BTreeMap<Key, (Instant, Delta)>,
}

impl Screen {
    fn new() -> Self {
        Self {
            lines: 0,
            begun: Instant::now(),
            recent: BTreeMap::new(),
        }
    }

    /// Draws the four built-in counters and the series that changed since the watch began.
    fn draw(&mut self, store: &Store, now: &Seen, first: &Seen, changes: &[Change], ui: &Ui) {
        for change in changes {
            self.recent
                .insert(change.key.clone(), (Instant::now(), change.delta));
        }
        self.recent
            .retain(|_, (at, _)| at.elapsed() < Duration::from_secs(2));
        let moved = |key: &Key, value: &Value| {
            let first_seen = first.values.get(key);
            now.epoch != first.epoch || Delta::between(first_seen, value).is_some()
        };
        let is_built_in = |key: &Key| TRANSACTIONS.contains(&key.0.as_str());
        let mut shown: Vec<(&Key, &Value)> = now
            .values
            .iter()
            // As in `deespec show`, what went with its process is nothing to look at.
            .filter(|(_, value)| !is_without_processes(value))
            .filter(|(key, value)| is_built_in(key) || moved(key, value))
            .collect();
        // The heading takes four lines, the last line and the cursor two more.
        let room = height().saturating_sub(6).max(1);
        // Where not all have room, what moves now is what somebody looks for.
        let are_cut = shown.len() > room;
        let is_still = |key: &Key| are_cut && !self.recent.contains_key(key);
        shown.sort_by_cached_key(|(key, _)| (!is_built_in(key), is_still(key)));
        let mixed = are_mixed(shown.iter().map(|(_, value)| *value));
        let rows = shown.iter().take(room).map(|(key, value)| {
            let recent = self.recent.get(key);
            let delta = recent.map_or_else(String::new, |(_, delta)| delta.to_string());
            let unit = now.units.get(&key.0).map_or("", String::as_str);
            let mut row = vec![key.0.clone(), exact(value, unit), delta];
            row.extend(mixed.then(|| values::kind(value)));
            row.push(labels(key.1.iter()));
            row
        });
        let header: &[&str] = if mixed {
            &["METRIC", "VALUE", "CHANGE", "TYPE", "LABELS"]
        } else {
            &["COUNTER", "VALUE", "CHANGE", "LABELS"]
        };
        let table = columns(header, &[1, 2], rows.collect());
        let mut text = format!(
            "epoch {}, {} series, {} shown, watching for {} s (Ctrl-C ends)\n{}\n\n{table}",
            now.epoch,
            now.values.len(),
            shown.len(),
            self.begun.elapsed().as_secs(),
            printable(&store.path().display().to_string()),
        );
        if shown.len() > room {
            text.push_str(&format!("and {} more\n", shown.len() - room));
        }
        let back = match self.lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A"),
        };
        self.lines = text.lines().count();
        // Each line is cleared where it ends, so that nothing flickers. Wrapping is off meanwhile: a
        // line that wraps would spoil the count of lines to go back.
        let text = text.replace('\n', "\x1b[K\n");
        ui.print(&format!("{back}\x1b[?7l{text}\x1b[J\x1b[?7h"));
    }
}

/// Rows of the terminal.
fn height() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .filter(|size| size.ws_row > 0)
        .map_or(24, |size| usize::from(size.ws_row))
}
