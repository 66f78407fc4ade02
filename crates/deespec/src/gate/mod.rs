//! The gate: may this pass? Limits on the four transaction counters ([`Thresholds`]); and, with the feature `gate`, `Rules` of
//! a `gate.toml`, which know how sure they can be, learn from a `History` of runs, and say why in a `Report`.
//!
//! This room holds pure functions over what someone else has read. It may touch `crate::snapshot` for counts, views and
//! documents, and nothing else of the library: no file, no clock, no printing. The caller reads files, says what
//! time it is, and prints.
//!
//! # Example
//!
//! ```
//! use deespec::gate::{Thresholds, Verdict};
//! use deespec::TransactionCounts;
//! use std::path::Path;
//!
//! let thresholds = Thresholds::parse(
//!     r#"{ "success_rate_threshold": 95.0, "max_cas_conflicts": 100 }"#,
//!     Path::new(".deespec/thresholds.json"),
//! )?;
//! let counts = TransactionCounts { success: 8923, failed: 1077, conflicts: 85, recoveries: 2 };
//! let judgement = thresholds.judge(&counts, &[]);
//!
//! assert_eq!(judgement.verdict(), Verdict::Fail);
//! assert_eq!(judgement.failed_checks(), ["Success rate 89.23% is below threshold 95.00%"]);
//! assert_eq!(judgement.warnings(), ["CAS conflicts 85 approaching threshold 100"]);
//! # Ok::<(), deespec::gate::ThresholdError>(())
//! ```

#[cfg(feature = "gate")]
mod history;
#[cfg(feature = "gate")]
mod judge;
#[cfg(feature = "gate")]
mod of_judgement;
#[cfg(feature = "gate")]
mod report;
#[cfg(feature = "gate")]
mod rules;
#[cfg(feature = "gate")]
pub mod statistics;
mod thresholds;

#[cfg(feature = "gate")]
pub use history::{ACCEPT_SCHEMA, Accepted, History, HistoryError, RUN_SCHEMA, Run, merge};
#[cfg(feature = "gate")]
pub use judge::{Replayed, ReplayedRule, RunName};
#[cfg(feature = "gate")]
pub use report::{
    Baseline, BurnFound, ChangeFound, Confirm, EtaFound, Evidence, Explanation, LevelMean,
    MutedFor, Outcome, REPORT_SCHEMA, Report,
};
#[cfg(feature = "gate")]
pub use rules::{
    Adaptive, Burn, Correlate, Eta, FailOn, Kind, Labels, Likeness, Limit, LintCheck, LintFinding,
    Metric, ModelChoice, Moved, Mute, NoStore, Part, Policy, RULES_SCHEMA, Ratio, Rule, Rules,
    RulesError, Scope, Shift, Slope, Status, Surprise, Term, Trend, Window,
};
pub use thresholds::{
    Detail, DetailVerdict, Judgement, Level, LogLine, Measure, ThresholdError, Thresholds,
};

use serde::Serialize;
use std::fmt;

/// What the gate says to CI, from best to worst, so that the worse of two is their `max`.
///
/// # Examples
///
/// ```
/// use deespec::gate::Verdict;
///
/// assert_eq!(Verdict::Pass.max(Verdict::Warn), Verdict::Warn);
/// assert_eq!(Verdict::Fail.to_string(), "fail");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check was made and is well within its limit, or the gate is switched off.
    Pass,
    /// No limit is broken, but one is near, or there was too little data to judge.
    Warn,
    /// At least one limit is broken.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}
