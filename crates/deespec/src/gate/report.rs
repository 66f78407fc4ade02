//! What the gate says: a verdict, and an explanation of each rule from which every format is rendered.

use std::fmt;

use serde::Serialize;

use super::Verdict;
use super::rules::Labels;

/// So many values of the newest runs are shown at most.
pub(super) const RECENT: usize = 50;

/// The schema that a report in JSON names.
pub const REPORT_SCHEMA: &str = "deespec.report/1";

/// What the gate says of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`REPORT_SCHEMA`].
    pub schema: &'static str,
    /// The outcome of the whole: the worst effect of its rules, as the policy maps it.
    pub verdict: Verdict,
    /// When it was judged, as an RFC 3339 time; `None` where the caller did not say.
    pub checked_at: Option<String>,
    /// The file with the rules; `None` where there is none.
    pub config: Option<String>,
    /// The run that was judged; `None` where it has no name.
    pub run: Option<String>,
    /// How many earlier runs were known.
    pub history_runs: usize,
    /// What makes the counts incomplete or unsafe, a sentence each. Each warns.
    pub problems: Vec<String>,
    /// One for each rule, in the order of the file.
    pub rules: Vec<Explanation>,
}

/// What one rule says of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Within its limits.
    Pass,
    /// Near the limit, or beyond the one for warnings.
    Warn,
    /// Beyond the limit.
    Fail,
    /// Nothing, or too little, to judge.
    NoData,
    /// Data, but not enough to be sure.
    Inconclusive,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::NoData => "no_data",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// From best to worst: pass, no data, inconclusive, warn, fail.
    pub fn severity(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::NoData => 1,
            Self::Inconclusive => 2,
            Self::Warn => 3,
            Self::Fail => 4,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a rule says what it says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The rule's id.
    pub rule: String,
    /// Its kind: `limit`, `ratio`, `adaptive`, `shift`, `trend` or `burn`.
    pub kind: &'static str,
    /// What it says.
    pub verdict: Outcome,
    /// What that counts as in the whole: mapped by the policy, `fail_on` with it, and `pass` where the rule is muted.
    pub effect: Verdict,
    /// What was judged.
    pub metric: String,
    /// The labels that its series must have.
    pub labels: Labels,
    /// The value; `None` where there is none.
    pub value: Option<f64>,
    /// Its unit; empty where none is known.
    pub unit: String,
    /// What the value was held against; `None` where there is no one number.
    pub limit: Option<f64>,
    /// How far the value is within the limit, in the unit; negative beyond it.
    pub margin: Option<f64>,
    /// What it was judged from.
    pub evidence: Evidence,
    /// How many of the newest runs were beyond; `None` for rules that do not ask.
    pub confirm: Option<Confirm>,
    /// What kept the rule from judging, as a key of the file such as `min.runs`.
    pub guard: Option<String>,
    /// The rule that fails for the same metric, so that this warning says nothing new.
    pub hidden_by: Option<String>,
    /// Metrics that moved with this one, a few words each.
    pub moved_together: Vec<String>,
    /// When a limit would be reached, at this slope.
    pub eta: Option<EtaFound>,
    /// All of this in one sentence.
    pub sentence: String,
    /// What to do now.
    pub next_step: Option<String>,
    /// Why the rule is there.
    pub why: Option<String>,
    /// Where to read what to do.
    pub runbook: Option<String>,
    /// The same for the same incident: 16 hexadecimal digits.
    pub fingerprint: String,
    /// The rule's place, as `gate.toml:31`; `None` where it is not from a file.
    pub config_at: Option<String>,
    /// Why its verdict does not count now.
    pub muted: Option<MutedFor>,
    /// The newest values before and with this run, the oldest first, for a sparkline; at most 50.
    pub recent: Vec<f64>,
}

/// What a verdict was judged from. What does not concern the rule's kind is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Evidence {
    /// How many: runs for learned rules, attempts for shares.
    pub n: Option<u64>,
    /// The most runs that are looked at.
    pub window: Option<usize>,
    /// Runs that were left out: of other branches and machines, failed, or without the value.
    pub excluded: Option<usize>,
    /// What is normal.
    pub baseline: Option<Baseline>,
    /// The bounds of what is expected, or of the share.
    pub interval: Option<(f64, f64)>,
    /// The probability of as much by chance.
    pub p: Option<f64>,
    /// The same, allowing for the other learned rules (Holm).
    pub p_adjusted: Option<f64>,
    /// The change in percent of the baseline.
    pub effect_percent: Option<f64>,
    /// The correlation of one run with the next that was allowed for.
    pub lag_one: Option<f64>,
    /// Where the level moved.
    pub change: Option<ChangeFound>,
    /// The slope per run, in the unit.
    pub slope: Option<f64>,
    /// The burn rates of the windows.
    pub burn: Vec<BurnFound>,
}

/// What is normal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baseline {
    /// The median.
    pub centre: f64,
    /// The spread as a share of the centre.
    pub spread: f64,
    /// The model: `log-t`, `t`, `gamma-poisson` or `ranks`.
    pub model: &'static str,
    /// The first run of it; empty where it has no name.
    pub since: String,
}

/// A level that moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeFound {
    /// The first run of the new level, counted from 0 in the order of the history.
    pub index: usize,
    /// What that run is called.
    pub run: String,
    /// The level before.
    pub before: LevelMean,
    /// The level since.
    pub after: LevelMean,
}

/// A mean of runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LevelMean {
    /// The mean.
    pub mean: f64,
    /// Of how many runs.
    pub n: usize,
}

/// How many of the newest runs were beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Confirm {
    /// So many must be.
    pub k: usize,
    /// Of so many.
    pub of: usize,
    /// So many were.
    pub seen: usize,
}

/// When a limit would be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EtaFound {
    /// The limit.
    pub to: f64,
    /// In how many runs, at this slope.
    pub runs: f64,
}

/// How fast a budget burned in a pair of windows; 1 is as fast as it allows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BurnFound {
    /// The long window, in seconds.
    pub long_seconds: f64,
    /// The short window, in seconds.
    pub short_seconds: f64,
    /// The burn rate that alarms.
    pub factor: f64,
    /// The burn rate in the long window; `None` where nothing happened in it.
    pub long: Option<f64>,
    /// The burn rate in the short window.
    pub short: Option<f64>,
    /// What it says.
    pub level: Verdict,
}

/// Why a verdict does not count now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MutedFor {
    /// The last day.
    pub until: String,
    /// Why.
    pub reason: String,
}
