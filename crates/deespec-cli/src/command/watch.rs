//! `deespec watch`: live changes, redrawn in place on a terminal, one JSON line a change in a pipe.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use deespec::{Changed, Delta, Family, LabelSet, Sample, Store, TRANSACTIONS, View};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::Cli;
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
    #[serde(flatten)]
    change: &'a Changed,
}

/// Which series are to be shown.
struct Filter<'a>(Option<&'a str>);

impl Filter<'_> {
    fn shows(&self, name: &str, labels: &LabelSet) -> bool {
        let has = |text: &str| name.contains(text) || labels.values().any(|v| v.contains(text));
        self.0.is_none_or(has)
    }

    /// What changed since `before` and is still there.
    fn changes(&self, now: &View, before: &View) -> Vec<Changed> {
        let mut changes = now.changes_since(before);
        changes.retain(|change| change.delta.is_some() && self.shows(&change.name, &change.labels));
        changes
    }
}

impl Watch {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let store = location::open(cli, ui, "watch")?;
        let filter = Filter(self.filter.as_deref());
        let mut seen = store.view()?;
        let mut screen = (ui.is_terminal() && !self.json).then(|| Screen::new(seen.clone()));
        if let Some(screen) = &mut screen {
            screen.draw(&store, &seen, &filter, &[], ui);
        }
        let mut left = self.changes.unwrap_or(u64::MAX);
        while left > 0 {
            ui.pause(Duration::from_millis(self.interval));
            let now = store.view()?;
            let changes = filter.changes(&now, &seen);
            let turned = now.epoch != seen.epoch;
            if let Some(screen) = &mut screen {
                screen.draw(&store, &now, &filter, &changes, ui);
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
                        change,
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
    /// What there was when the watch began.
    first: View,
    /// When each series changed last, and by how much.
    recent: BTreeMap<Key, (Instant, Delta)>,
}

impl Screen {
    fn new(first: View) -> Self {
        Self {
            lines: 0,
            begun: Instant::now(),
            first,
            recent: BTreeMap::new(),
        }
    }

    /// Draws the four built-in counters and the series that changed since the watch began.
    fn draw(
        &mut self,
        store: &Store,
        now: &View,
        filter: &Filter<'_>,
        changes: &[Changed],
        ui: &Ui,
    ) {
        for change in changes {
            if let Some(delta) = change.delta {
                let key = (change.name.clone(), change.labels.clone());
                self.recent.insert(key, (Instant::now(), delta));
            }
        }
        self.recent
            .retain(|_, (at, _)| at.elapsed() < Duration::from_secs(2));
        let known: BTreeMap<_, _> = self.first.samples().map(|s| (key(s), &s.value)).collect();
        let moved = |sample: &Sample| {
            let first_seen = known.get(&key(sample)).copied();
            now.epoch != self.first.epoch || Delta::between(first_seen, &sample.value).is_some()
        };
        let is_built_in = |sample: &Sample| TRANSACTIONS.contains(&sample.name.as_str());
        let wanted: Vec<&Sample> = now
            .samples()
            .filter(|sample| filter.shows(&sample.name, &sample.labels))
            .collect();
        let mut shown: Vec<&Sample> = wanted
            .iter()
            .copied()
            // As in `deespec show`, what went with its process is nothing to look at.
            .filter(|sample| !is_without_processes(&sample.value))
            .filter(|sample| is_built_in(sample) || moved(sample))
            .collect();
        // The heading takes four lines, the last line and the cursor two more.
        let room = height().saturating_sub(6).max(1);
        // Where not all have room, what moves now is what somebody looks for.
        let are_cut = shown.len() > room;
        let is_still = |sample: &Sample| are_cut && !self.recent.contains_key(&key(sample));
        shown.sort_by_cached_key(|sample| (!is_built_in(sample), is_still(sample)));
        let mixed = are_mixed(shown.iter().map(|sample| &sample.value));
        let rows = shown.iter().take(room).map(|sample| {
            let recent = self.recent.get(&key(sample));
            let delta = recent.map_or_else(String::new, |(_, delta)| moved_by(*delta));
            let unit = now.family(&sample.name).map_or("", Family::unit);
            let mut row = vec![sample.name.clone(), exact(&sample.value, unit), delta];
            row.extend(mixed.then(|| values::kind(&sample.value)));
            row.push(labels(sample.labels.iter()));
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
            wanted.len(),
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

/// A change with its sign.
fn moved_by(delta: Delta) -> String {
    match delta {
        Delta::Moved(by) => signed(by),
        delta => delta.to_string(),
    }
}

fn key(sample: &Sample) -> Key {
    (sample.name.clone(), sample.labels.clone())
}

/// Rows of the terminal.
fn height() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .filter(|size| size.ws_row > 0)
        .map_or(24, |size| usize::from(size.ws_row))
}
