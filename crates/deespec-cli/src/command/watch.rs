//! `deespec watch`: live changes, redrawn in place on a terminal, one JSON line a change in a pipe.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use deespec::{LabelSet, Store, View};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::Cli;
use crate::command::show::{labels, transactions};
use crate::exit::{Code, Failure};
use crate::location;
use crate::ui::{Ui, columns, printable};

const AFTER_HELP: &str = "\
Example:
  deespec watch
  deespec watch --json | jq -c 'select(.name == \"commit_failed\")'

In a pipe, or with --json, each change is one line: at, epoch, name, labels,
value, delta. A line with \"event\": \"epoch\" says that a new epoch began; what
came after the last look at the epoch before is in its snapshot.";

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
    labels: &'a LabelSet,
    value: u64,
    delta: u64,
}

/// What was seen last.
struct Seen {
    epoch: u64,
    values: BTreeMap<Key, u64>,
}

/// One series that changed.
struct Change {
    key: Key,
    value: u64,
    delta: u64,
}

impl Seen {
    fn of(view: &View, filter: Option<&str>) -> Self {
        let four =
            transactions(view).map(|(name, value)| ((name.to_owned(), LabelSet::default()), value));
        let others = view
            .series
            .iter()
            .map(|s| ((s.name.clone(), s.labels.clone()), s.value));
        let wanted = |((name, labels), _): &(Key, u64)| {
            filter
                .is_none_or(|text| name.contains(text) || labels.values().any(|v| v.contains(text)))
        };
        let values = four.into_iter().chain(others).filter(wanted).collect();
        Self {
            epoch: view.epoch,
            values,
        }
    }

    /// What grew since `before`; in a new epoch, what it counts so far.
    fn changes_since(&self, before: &Self) -> Vec<Change> {
        let base = |key: &Key| {
            if self.epoch == before.epoch {
                before.values.get(key).copied().unwrap_or(0)
            } else {
                0
            }
        };
        self.values
            .iter()
            .map(|(key, &value)| Change {
                key: key.clone(),
                value,
                delta: value.wrapping_sub(base(key)),
            })
            .filter(|change| change.delta != 0)
            .collect()
    }
}

impl Watch {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "watch")?;
        let mut screen = (ui.is_terminal() && !self.json).then(Screen::new);
        let mut seen = Seen::of(&store.view()?, self.filter.as_deref());
        let first = Seen {
            epoch: seen.epoch,
            values: seen.values.clone(),
        };
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
                        labels: &change.key.1,
                        value: change.value,
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
    recent: BTreeMap<Key, (Instant, u64)>,
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
        let moved = |key: &Key, value: u64| {
            first.values.get(key) != Some(&value) || now.epoch != first.epoch
        };
        let shown: Vec<(&Key, u64)> = now
            .values
            .iter()
            .map(|(key, &value)| (key, value))
            .filter(|(key, value)| {
                deespec::TRANSACTIONS.contains(&key.0.as_str()) || moved(key, *value)
            })
            .collect();
        // The heading takes four lines, the last line and the cursor two more.
        let room = height().saturating_sub(6).max(1);
        let rows = shown.iter().take(room).map(|(key, value)| {
            let delta = self
                .recent
                .get(key)
                .map_or_else(String::new, |(_, delta)| format!("+{delta}"));
            vec![
                key.0.clone(),
                value.to_string(),
                delta,
                labels(key.1.iter()),
            ]
        });
        let table = columns(
            &["COUNTER", "VALUE", "CHANGE", "LABELS"],
            &[1, 2],
            rows.collect(),
        );
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
