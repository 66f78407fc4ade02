//! Which metrics moved with one that alarms. It explains and groups, and never decides.
//!
//! Spearman's rank correlation of what changed from run to run, at some lags, with Benjamini and Hochberg's
//! correction over all pairs that were looked at.

use std::collections::BTreeSet;

use super::values::metric_value;
use super::words::count;
use crate::gate::history::Run;
use crate::gate::report::{Explanation, Outcome};
use crate::gate::rules::{Correlate, Metric, Rules};
use crate::gate::statistics::correlation::spearman;
use crate::gate::statistics::multiplicity::benjamini_hochberg;

/// So many are told of one rule.
const MOST: usize = 5;

/// A pair that was looked at.
struct Pair {
    rule: usize,
    metric: String,
    lag: usize,
    rho: f64,
    p: f64,
}

/// Fills in what moved together with each metric that alarms.
pub(super) fn moved_together(
    rules: &Rules,
    known: &[(usize, &Run)],
    present: &Run,
    explanations: &mut [Explanation],
) {
    let Some(correlate) = &rules.correlate else {
        return;
    };
    let window = rules.policy.history.window.max(correlate.runs);
    let newest = &known[known.len().saturating_sub(window)..];
    let runs: Vec<&Run> = newest
        .iter()
        .map(|(_, run)| *run)
        .chain([present])
        .collect();
    let names: BTreeSet<&str> = runs
        .iter()
        .flat_map(|run| run.values.keys().map(String::as_str))
        .collect();
    let mut pairs = Vec::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        let is_alarm = matches!(explanations[index].verdict, Outcome::Warn | Outcome::Fail);
        if !is_alarm {
            continue;
        }
        let own: Vec<Option<f64>> = runs
            .iter()
            .map(|run| metric_value(&rule.metric, run))
            .collect();
        for name in names.iter().filter(|name| !is_of(&rule.metric, name)) {
            let other: Vec<Option<f64>> = runs
                .iter()
                .map(|run| run.values.get(*name).copied())
                .collect();
            let found = (0..=correlate.lags).filter_map(|lag| {
                let (rho, p) = together(correlate, &own, &other, lag)?;
                Some(Pair {
                    rule: index,
                    metric: (*name).to_owned(),
                    lag,
                    rho,
                    p,
                })
            });
            pairs.extend(found);
        }
    }
    let p: Vec<f64> = pairs.iter().map(|pair| pair.p).collect();
    let mut sure: Vec<&Pair> = pairs
        .iter()
        .zip(benjamini_hochberg(&p))
        .filter(|(_, adjusted)| *adjusted <= correlate.fdr)
        .map(|(pair, _)| pair)
        .collect();
    sure.sort_by(|one, other| one.p.total_cmp(&other.p));
    let mut told: BTreeSet<(usize, &str)> = BTreeSet::new();
    for pair in sure {
        let together = &mut explanations[pair.rule].moved_together;
        if together.len() < MOST && told.insert((pair.rule, &pair.metric)) {
            let lag = match pair.lag {
                0 => String::new(),
                lag => format!(", {} before", count(lag as u64, "run")),
            };
            together.push(format!("{} (rho {:+.2}{lag})", pair.metric, pair.rho));
        }
    }
}

fn is_of(metric: &Metric, name: &str) -> bool {
    metric.terms().any(|term| term.text() == name)
}

/// The correlation of one with what another was so many runs before.
fn together(
    correlate: &Correlate,
    own: &[Option<f64>],
    other: &[Option<f64>],
    lag: usize,
) -> Option<(f64, f64)> {
    let series = |values: &[Option<f64>]| match correlate.differences {
        true => values
            .windows(2)
            .map(|pair| Some(pair[1]? - pair[0]?))
            .collect(),
        false => values.to_vec(),
    };
    let (own, other) = (series(own), series(other));
    let pairs = own.iter().skip(lag).zip(&other);
    let both = pairs.filter_map(|(own, other)| Some(((*own)?, (*other)?)));
    let (own, other): (Vec<f64>, Vec<f64>) = both.unzip();
    if own.len() < correlate.runs {
        return None;
    }
    spearman(&own, &other)
}
