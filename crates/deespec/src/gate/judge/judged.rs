//! What one rule finds at one run, in numbers; `explain` makes words of it.

use crate::gate::report::{BurnFound, Confirm, EtaFound, LevelMean, Outcome};

/// The outcome of a rule at a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) outcome: Outcome,
    /// What the rule would say if it were the only one, and were allowed to: for learned rules.
    pub(super) candidate: Option<Alarm>,
    pub(super) guard: Option<Guard>,
    pub(super) value: Option<f64>,
    pub(super) limit: Option<f64>,
    /// Runs for learned rules, attempts for shares.
    pub(super) n: Option<u64>,
    pub(super) baseline: Option<Normal>,
    pub(super) interval: Option<(f64, f64)>,
    pub(super) p: Option<f64>,
    pub(super) p_adjusted: Option<f64>,
    /// The change as a share of the baseline.
    pub(super) effect: Option<f64>,
    pub(super) lag_one: Option<f64>,
    pub(super) change: Option<Changed>,
    /// The place of the first run of an incident.
    pub(super) began: Option<usize>,
    pub(super) slope: Option<f64>,
    pub(super) confirm: Option<Confirm>,
    pub(super) eta: Option<EtaFound>,
    pub(super) burn: Vec<BurnFound>,
}

/// How bad a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    Warn,
    Fail,
}

/// What kept a rule from judging, or from alarming.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Guard {
    /// The metric was not measured in this run; whether in another, is looked up where it is told.
    Missing,
    /// The value is no number that the rule can judge.
    NotACount,
    /// Too few: the key of the file, how many there are, how many are needed.
    TooFew(&'static str, u64, u64),
    /// Surprising, but not so for as many rules as there are.
    Alpha,
    /// An incident that is over once this many clean runs have followed.
    Clearing(usize),
    /// The level moved at this run, and since then there are too few, so many.
    Moved(Changed, usize),
}

/// What is normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Normal {
    pub(super) centre: f64,
    pub(super) spread: f64,
    pub(super) model: &'static str,
    /// The place of its first run.
    pub(super) since: usize,
}

/// A level that moved, by the place of its first run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Changed {
    pub(super) place: usize,
    pub(super) before: LevelMean,
    pub(super) after: LevelMean,
}

impl Judged {
    pub(super) fn new(outcome: Outcome, value: Option<f64>) -> Self {
        Self {
            outcome,
            candidate: None,
            guard: None,
            value,
            limit: None,
            n: None,
            baseline: None,
            interval: None,
            p: None,
            p_adjusted: None,
            effect: None,
            lag_one: None,
            change: None,
            began: None,
            slope: None,
            confirm: None,
            eta: None,
            burn: Vec::new(),
        }
    }

    /// Not judged, and why.
    pub(super) fn kept(outcome: Outcome, value: Option<f64>, guard: Guard) -> Self {
        Self {
            guard: Some(guard),
            ..Self::new(outcome, value)
        }
    }

    /// Nothing to judge: there is no value.
    pub(super) fn missing() -> Self {
        Self::kept(Outcome::NoData, None, Guard::Missing)
    }
}
