//! Rules: what a `gate.toml` says, once it is valid.
//!
//! This room holds values; `parse` makes them of a text. How they are applied is `judge`.

mod error;
mod lint;
#[cfg(test)]
mod lint_tests;
mod metric;
mod of_thresholds;
mod parse;
mod write;
#[cfg(test)]
mod write_tests;

pub use error::RulesError;
pub use lint::{LintCheck, LintFinding};
pub use metric::{Metric, Part, Term};
pub use parse::RULES_SCHEMA;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Verdict;
use super::statistics::shift::Bad;

/// Everything that a `gate.toml` says. `Default` has no rule and the policy that holds where nothing is said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rules {
    /// The file; `None` where the rules are not from a file.
    pub source: Option<PathBuf>,
    /// What holds for all rules.
    pub policy: Policy,
    /// The rules, in the order of the file; their ids differ.
    pub rules: Vec<Rule>,
    /// Which metrics are to be compared with each other; `None` where nothing is said.
    pub correlate: Option<Correlate>,
    /// The rules whose verdict does not count for a while.
    pub mutes: Vec<Mute>,
}

impl Rules {
    /// The longest window of all error budgets: further back, nothing that happened matters to them. `None` where there
    /// is no budget.
    pub fn longest_budget(&self) -> Option<Duration> {
        let windows = self.rules.iter().flat_map(|rule| match &rule.kind {
            Kind::Burn(burn) => burn.windows.as_slice(),
            _ => &[],
        });
        windows.map(|window| window.long.max(window.short)).max()
    }
}

/// What holds for all rules: the table `[gate]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// From which verdict on the gate fails.
    pub fail_on: FailOn,
    /// What a rule without data counts as.
    pub no_data: Verdict,
    /// What it means that there is no store.
    pub no_store: NoStore,
    /// What a rule that cannot be sure counts as.
    pub inconclusive: Verdict,
    /// The share of gate runs in which all learned rules together may raise a false alarm.
    pub alpha: f64,
    /// Which earlier runs are looked at.
    pub history: Scope,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            fail_on: FailOn::Fail,
            no_data: Verdict::Warn,
            no_store: NoStore::Error,
            inconclusive: Verdict::Warn,
            alpha: 0.01,
            history: Scope::default(),
        }
    }
}

/// From which verdict on the gate fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    /// A rule that fails.
    Fail,
    /// A rule that warns, too.
    Warn,
    /// Nothing: what would fail warns.
    Never,
}

/// What it means for the gate that there is no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoStore {
    /// Nothing can be judged: its path may be wrong.
    #[default]
    Error,
    /// No rule has data: nothing was counted.
    NoData,
}

/// Which earlier runs a run is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// In what a run must be like the one that is judged.
    pub same: Vec<Likeness>,
    /// The branch that all are compared with, instead of their own; `None` for their own.
    pub branch: Option<String>,
    /// The most runs before that are looked at.
    pub window: usize,
    /// The fewest runs before that anything is learned from, where a rule says nothing.
    pub min: usize,
    /// Runs that ended like this are left out.
    pub exclude: Vec<Status>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            same: vec![Likeness::Branch, Likeness::HostClass],
            branch: None,
            window: 50,
            min: 10,
            exclude: vec![Status::Fail, Status::Error],
        }
    }
}

/// In what two runs must be like each other to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// The branch.
    Branch,
    /// The kind of machine.
    HostClass,
}

/// How a run ended, by the word of who recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Well, or nobody said anything.
    #[default]
    Pass,
    /// The job failed: what it measured may be of half a job.
    Fail,
    /// Something around the job went wrong.
    Error,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, unique in the file.
    pub id: String,
    /// The line in the file, from 1; 0 where it is not from a file.
    pub line: usize,
    /// What is judged.
    pub metric: Metric,
    /// How.
    pub kind: Kind,
    /// Which way is bad.
    pub bad: Bad,
    /// What counts when there is no data, where that differs from the policy.
    pub no_data: Option<Verdict>,
    /// What counts when the rule cannot be sure, where that differs from the policy.
    pub inconclusive: Option<Verdict>,
    /// The unit of the value, such as `seconds`; empty where nothing is said.
    pub unit: String,
    /// Why the rule is there.
    pub why: Option<String>,
    /// Where to read what to do.
    pub runbook: Option<String>,
}

impl Rule {
    /// A rule that says nothing but what it must: more is worse, and the policy holds.
    pub fn new(id: &str, metric: Metric, kind: Kind) -> Self {
        Self {
            id: id.to_owned(),
            line: 0,
            metric,
            kind,
            bad: Bad::Up,
            no_data: None,
            inconclusive: None,
            unit: String::new(),
            why: None,
            runbook: None,
        }
    }
}

/// The six kinds of rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A fixed limit.
    Limit(Limit),
    /// A share, with its uncertainty.
    Ratio(Ratio),
    /// One run against what the runs before it lead to expect.
    Adaptive(Adaptive),
    /// A level that has moved.
    Shift(Shift),
    /// A level that drifts.
    Trend(Trend),
    /// An error budget that is used up too fast.
    Burn(Burn),
}

impl Kind {
    /// The words that a file may give as `kind`.
    pub const NAMES: [&'static str; 6] = ["limit", "ratio", "adaptive", "shift", "trend", "burn"];

    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Limit(_) => "limit",
            Self::Ratio(_) => "ratio",
            Self::Adaptive(_) => "adaptive",
            Self::Shift(_) => "shift",
            Self::Trend(_) => "trend",
            Self::Burn(_) => "burn",
        }
    }

    /// Whether it learns from earlier runs.
    pub fn is_learned(&self) -> bool {
        matches!(self, Self::Adaptive(_) | Self::Shift(_) | Self::Trend(_))
    }
}

/// A fixed limit: beyond `fail` it fails, beyond `warn` it warns. One of them is there; equality passes.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// Beyond this, it warns.
    pub warn: Option<f64>,
    /// Beyond this, it fails.
    pub fail: Option<f64>,
}

/// A share of all, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// Surely beyond this, it warns.
    pub warn: Option<f64>,
    /// Surely beyond this, it fails.
    pub fail: Option<f64>,
    /// How sure "surely" is, one-sided, from 0 to 1 exclusive.
    pub confidence: f64,
    /// The fewest that are judged.
    pub total: u64,
    /// Whether it passes only where the share is surely within `fail`.
    pub prove: bool,
}

/// How surprising, and how much, a run must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surprise {
    /// The probability of as much by chance.
    pub alpha: f64,
    /// The least effect, as a share of what is expected.
    pub by: f64,
}

/// One run against what the runs before it lead to expect.
#[derive(Debug, Clone, PartialEq)]
pub struct Adaptive {
    /// How the values are distributed.
    pub model: ModelChoice,
    /// What it warns of.
    pub warn: Surprise,
    /// What it fails for, where it can fail; else it warns.
    pub fail: Option<Surprise>,
    /// So many of the newest runs must be so: k of n.
    pub confirm: (usize, usize),
    /// The fewest runs before.
    pub runs: usize,
    /// The fewest different values among them.
    pub distinct: usize,
    /// The least spread, as a share of the median.
    pub floor: f64,
    /// Whether it may fail, and not only warn.
    pub can_fail: bool,
}

/// Which distribution an adaptive rule takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelChoice {
    /// The one that fits the values.
    Auto,
    /// A prediction interval of the logarithms.
    LogT,
    /// A prediction interval of the values.
    T,
    /// Counts.
    GammaPoisson,
}

/// How unlikely, and how large, a shift must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved {
    /// The probability of as much by chance at one run.
    pub p: f64,
    /// The least change, as a share of the level before.
    pub by: f64,
}

/// A level that has moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// What it warns of.
    pub warn: Moved,
    /// What it fails for, where it can fail.
    pub fail: Option<Moved>,
    /// The fewest runs before.
    pub before: usize,
    /// The fewest runs after.
    pub after: usize,
    /// Whether it may fail, and not only warn.
    pub can_fail: bool,
}

/// How steep, and how sure, a drift must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The change from run to run, as a share of the median.
    pub slope: f64,
    /// The probability of as much by chance.
    pub p: f64,
}

/// A level that drifts.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// Over how many runs.
    pub over: usize,
    /// What it warns of.
    pub warn: Slope,
    /// What it fails for, where it can fail.
    pub fail: Option<Slope>,
    /// A limit that the drift must not reach soon.
    pub eta: Option<Eta>,
    /// The fewest runs.
    pub runs: usize,
    /// Whether it may fail, and not only warn.
    pub can_fail: bool,
}

/// A limit, and how soon it would be too soon to reach it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eta {
    /// The limit.
    pub to: f64,
    /// So many runs.
    pub within: f64,
}

/// An error budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Burn {
    /// The share that must be good, from 0 to 1 exclusive.
    pub objective: f64,
    /// When it is used up too fast, the worst first as in the file.
    pub windows: Vec<Window>,
    /// The fewest bad ones that alarm.
    pub bad: u64,
    /// The fewest in all that are judged.
    pub total: u64,
}

/// One pair of windows: both must burn faster than `factor`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// The time that shows that it matters.
    pub long: Duration,
    /// The time that shows that it goes on.
    pub short: Duration,
    /// How much faster than the budget allows.
    pub factor: f64,
    /// What that is: [`Verdict::Warn`] or [`Verdict::Fail`].
    pub level: Verdict,
}

/// Which metrics are compared with each other: the table `[correlate]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlate {
    /// Whether differences from run to run are compared, and not values.
    pub differences: bool,
    /// By how many runs one may follow the other.
    pub lags: usize,
    /// The fewest runs.
    pub runs: usize,
    /// The share of pairs that may be chance.
    pub fdr: f64,
}

impl Default for Correlate {
    fn default() -> Self {
        Self {
            differences: true,
            lags: 2,
            runs: 20,
            fdr: 0.05,
        }
    }
}

/// A rule whose verdict does not count for a while: the tables `[[mute]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mute {
    /// The rule's id.
    pub rule: String,
    /// The last day, as `2026-12-31`.
    pub until: String,
    /// Why.
    pub reason: String,
    /// The line in the file.
    pub line: usize,
}

/// Label sets by name, as a [`Term`] selects them.
pub type Labels = BTreeMap<String, String>;
