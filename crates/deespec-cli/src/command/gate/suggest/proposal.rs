//! Which rules fit what a metric was so far, and how often they would have been wrong: pure functions over a history.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deespec::gate::statistics::changes::{Limits, changes};
use deespec::gate::statistics::proportion::clopper_pearson_bounds;
use deespec::gate::statistics::{median, relative_spread};
use deespec::gate::{History, Outcome, Rules, Run, Status};

/// Fewer runs say too little of what is normal.
pub(super) const RUNS: usize = 10;

/// From here on a whole number is a size, such as bytes, and no count of events.
const COUNTS: f64 = 10_000.0;

/// The least effects that a rule may ask for, in percent.
const STEPS: [u32; 15] = [5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200];

/// A shift of the whole series explains an alarm so many runs after it.
const FOUND_WITHIN: usize = 12;

/// A run on either side: where exactly a level moves is not known.
const MARGIN: usize = 3;

/// A metric's values so far, of the branch and the kind of machine that have most of them.
pub(super) struct Series<'a> {
    pub(super) metric: &'a str,
    pub(super) branch: &'a str,
    pub(super) host_class: &'a str,
    values: Vec<f64>,
    /// Which of all runs have them.
    places: Vec<usize>,
}

/// A rule that fits, and what it would have said.
pub(super) struct Proposal {
    pub(super) id: String,
    pub(super) kind: &'static str,
    /// Its lines in a `gate.toml`.
    pub(super) toml: String,
    /// So many runs it would have judged.
    pub(super) judged: usize,
    /// Alarms that a shift of the whole series explains.
    pub(super) explained: usize,
    /// Alarms that nothing explains.
    pub(super) unexplained: usize,
}

impl Proposal {
    /// Expected false alarms per 100 runs, and how many they may be all the same, with 95 % confidence.
    pub(super) fn per_hundred(&self) -> (f64, f64) {
        let (k, n) = (self.unexplained as u64, self.judged as u64);
        let share = if n == 0 { 0.0 } else { k as f64 / n as f64 };
        (100.0 * share, 100.0 * clopper_pearson_bounds(k, n, 0.95).1)
    }
}

impl<'a> Series<'a> {
    /// Of runs that ended well.
    pub(super) fn of(history: &'a History, metric: &'a str) -> Option<Self> {
        let mut groups: BTreeMap<(&str, &str), Vec<(usize, f64)>> = BTreeMap::new();
        for (place, run) in history.runs.iter().enumerate() {
            if let (Status::Pass, Some(value)) = (run.status, run.value(metric)) {
                let group = groups.entry((&run.branch, &run.host_class)).or_default();
                group.push((place, value));
            }
        }
        let (&(branch, host_class), _) = groups.iter().max_by_key(|(_, group)| group.len())?;
        let (places, values) = groups.remove(&(branch, host_class))?.into_iter().unzip();
        Some(Self {
            metric,
            branch,
            host_class,
            values,
            places,
        })
    }

    pub(super) fn runs(&self) -> usize {
        self.values.len()
    }

    pub(super) fn median(&self) -> f64 {
        median(&self.values)
    }

    /// Where the level has moved, as indices of the values.
    fn moves(&self) -> Vec<usize> {
        let found = changes(&self.values, &Limits::default());
        found.iter().map(|change| change.index).collect()
    }

    /// The same, as places in the history.
    pub(super) fn shifts(&self) -> Vec<usize> {
        self.moves()
            .iter()
            .map(|&index| self.places[index])
            .collect()
    }

    /// The spread around the level of the time, as a share of it.
    pub(super) fn noise(&self) -> f64 {
        let mut edges = self.moves();
        edges.push(self.values.len());
        let mut begin = 0;
        let mut ratios = Vec::new();
        for end in edges {
            let level = median(&self.values[begin..end]);
            if level != 0.0 {
                ratios.extend(self.values[begin..end].iter().map(|value| value / level));
            }
            begin = end;
        }
        relative_spread(&ratios)
    }

    fn is_counted(&self) -> bool {
        let is_whole = |value: &f64| *value >= 0.0 && *value < COUNTS && value.fract() == 0.0;
        self.values.iter().all(is_whole)
    }

    /// Rules that fit, with the smallest effect that would not have cried wolf.
    pub(super) fn proposals(
        &self,
        history: &History,
        taken: &mut BTreeSet<String>,
    ) -> Vec<Proposal> {
        // Alone: other groups of runs have other noise.
        let alone = History {
            runs: self
                .places
                .iter()
                .map(|&place| history.runs[place].clone())
                .collect(),
            accepted: history.accepted.clone(),
            ..History::default()
        };
        let moves = self.moves();
        let least = STEPS
            .iter()
            .position(|step| f64::from(*step) >= 100.0 * self.noise());
        let least = least.unwrap_or(STEPS.len() - 1);
        let kinds: &[&str] = match self.is_counted() {
            true => &["adaptive"],
            false => &["adaptive", "shift"],
        };
        let name = id(self.metric);
        let mut found = Vec::new();
        for kind in kinds {
            let wanted = match *kind {
                "shift" => format!("{name}-shift"),
                _ => name.clone(),
            };
            let id = free(wanted, taken);
            let tried = STEPS[least..]
                .iter()
                .filter_map(|by| self.tried(&id, kind, *by, &alone, &moves));
            let mut best: Option<Proposal> = None;
            for proposal in tried {
                let is_quiet = proposal.unexplained == 0;
                if best
                    .as_ref()
                    .is_none_or(|best| proposal.unexplained < best.unexplained)
                {
                    best = Some(proposal);
                }
                if is_quiet {
                    break;
                }
            }
            found.extend(best);
        }
        found
    }

    /// What a rule that asks for this effect would have said of the runs.
    fn tried(
        &self,
        id: &str,
        kind: &'static str,
        by: u32,
        alone: &History,
        moves: &[usize],
    ) -> Option<Proposal> {
        let toml = self.toml(id, kind, by);
        let text = format!("schema = \"deespec.gate/1\"\n\n{toml}");
        let rules = Rules::parse(&text, Path::new("gate.toml")).ok()?;
        let is_explained = |place: usize, change: Option<usize>| {
            moves.iter().any(|&moved| {
                (moved..moved + FOUND_WITHIN).contains(&place)
                    || change.is_some_and(|change| change.abs_diff(moved) <= MARGIN)
            })
        };
        let mut proposal = Proposal {
            id: id.to_owned(),
            kind,
            toml,
            judged: 0,
            explained: 0,
            unexplained: 0,
        };
        for (place, replayed) in rules.replay(alone).iter().enumerate() {
            let Some(rule) = replayed.rules.first() else {
                continue;
            };
            proposal.judged += usize::from(rule.verdict != Outcome::NoData);
            if let Outcome::Warn | Outcome::Fail = rule.verdict {
                match is_explained(place, rule.change_index) {
                    true => proposal.explained += 1,
                    false => proposal.unexplained += 1,
                }
            }
        }
        Some(proposal)
    }

    fn toml(&self, id: &str, kind: &str, by: u32) -> String {
        let metric = quoted(self.metric);
        let bad = if is_better_high(self.metric) {
            "down"
        } else {
            "up"
        };
        let mut toml = format!(
            "[[rule]]\nid = {}\nmetric = {metric}\nkind = \"{kind}\"\nbad = \"{bad}\"\nno_data = \"pass\"\n",
            quoted(id)
        );
        if kind == "adaptive" && self.is_counted() {
            toml += "model = \"gamma-poisson\"\n";
        }
        toml += &match kind {
            "shift" => format!("warn = {{ p = 0.001, by = \"{by}%\" }}\n"),
            _ => format!("warn = {{ alpha = 0.01, by = \"{by}%\" }}\n"),
        };
        toml
    }
}

/// The metrics of the runs, in their order.
pub(super) fn metrics(runs: &[Run]) -> BTreeSet<&str> {
    runs.iter()
        .flat_map(|run| run.values.keys())
        .map(String::as_str)
        .collect()
}

/// Of most metrics more is worse: seconds, bytes, failures. These words say the opposite.
fn is_better_high(metric: &str) -> bool {
    let words = [
        "success",
        "throughput",
        "per_second",
        "hits",
        "coverage",
        "score",
    ];
    words.iter().any(|word| metric.contains(word))
}

/// A text as TOML has it: JSON's strings are among them.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An id that says which metric it is.
fn id(metric: &str) -> String {
    let lower = metric.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    match words.join("-") {
        none if none.is_empty() => "metric".to_owned(),
        // Room for `-shift` and a number.
        id => id.chars().take(80).collect(),
    }
}

fn free(wanted: String, taken: &mut BTreeSet<String>) -> String {
    let numbered = |number: u32| format!("{wanted}-{number}");
    let candidates = std::iter::once(wanted.clone()).chain((2..).map(numbered));
    let id = candidates.into_iter().find(|id| !taken.contains(id));
    let id = id.unwrap_or_else(|| wanted.clone());
    taken.insert(id.clone());
    id
}
