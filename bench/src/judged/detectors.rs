//! What is scored: the rules that people write by hand, the gate's own, and Apache Otava.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use deespec::gate::statistics::changes::{self, changes};
use deespec::gate::statistics::prediction::Prediction;
use deespec::gate::{History, Outcome, Replayed, Rules, Run};

use crate::Result;
use crate::score::Online;

/// Runs before anything is judged.
const LEAST: usize = 10;

/// The rules that `deespec init --gate` writes.
const FRESH: &str = include_str!("../../../crates/deespec-cli/src/command/init/gate.toml");

/// The one of them that finds most.
pub(crate) const DEFAULT: (&str, Online) =
    ("fresh gate.toml, shift", |values| fresh(values, &["shift"]));

pub(crate) const ONLINE: &[(&str, Online)] = &[
    ("never an alarm", |values| vec![false; values.len()]),
    ("mean + 10 %", |values| {
        each(values, |before, value| value > 1.1 * mean(before))
    }),
    ("mean + 3 sigma", |values| {
        each(values, |before, value| {
            value > mean(before) + 3.0 * deviation(before)
        })
    }),
    ("prediction interval, p 0.001", |values| {
        each(values, |before, value| surprise(before, value) < 0.001)
    }),
    ("2 of 3 beyond p 0.02, 5 %", two_of_three),
    DEFAULT,
    ("fresh gate.toml, adaptive", |values| {
        fresh(values, &["adaptive"])
    }),
    ("fresh gate.toml, all that learn", |values| {
        fresh(values, &["adaptive", "shift", "trend"])
    }),
];

pub(crate) type Whole = fn(&[f64]) -> Vec<usize>;

pub(crate) const WHOLE: &[(&str, Whole)] = &[
    ("never a change", |_| Vec::new()),
    ("DeeSpec changes, p 0.01", |values| found(values, 0.01)),
    ("DeeSpec changes, p 0.001", |values| found(values, 0.001)),
    ("DeeSpec changes, p 1e-4", |values| found(values, 1e-4)),
    ("DeeSpec changes, p 1e-6", |values| found(values, 1e-6)),
];

fn found(values: &[f64], p: f64) -> Vec<usize> {
    let limits = changes::Limits {
        p,
        ..changes::Limits::default()
    };
    changes(values, &limits)
        .into_iter()
        .map(|change| change.index)
        .collect()
}

/// The rules that learn of a fresh `gate.toml`.
pub(crate) fn fresh_rules() -> Result<Rules> {
    Ok(Rules::parse(FRESH, Path::new("gate.toml"))?.concerning(None))
}

/// An alarm at each run that rules of these kinds, as a fresh `gate.toml` has them, warn of: as `deespec gate replay`
/// says.
fn fresh(values: &[f64], kinds: &[&str]) -> Vec<bool> {
    let mut rules = fresh_rules().unwrap_or_default();
    rules.rules.retain(|rule| kinds.contains(&rule.kind.name()));
    let run = |value: &f64| Run {
        value: Some(*value),
        ..Run::default()
    };
    let history = History {
        runs: values.iter().map(run).collect(),
        ..History::default()
    };
    let is_alarm = |run: &Replayed| matches!(run.verdict, Outcome::Warn | Outcome::Fail);
    rules.replay(&history).iter().map(is_alarm).collect()
}

fn two_of_three(values: &[f64]) -> Vec<bool> {
    let beyond = each(values, |before, value| {
        surprise(before, value) < 0.02 && value > 1.05 * mean(before)
    });
    (0..values.len())
        .map(|run| beyond[run] && beyond[run.saturating_sub(2)..run].contains(&true))
        .collect()
}

fn surprise(before: &[f64], value: f64) -> f64 {
    Prediction::from(before, 0.0).map_or(1.0, |found| found.upper_tail(value))
}

fn each(values: &[f64], is_alarm: impl Fn(&[f64], f64) -> bool) -> Vec<bool> {
    let judge =
        |run: usize| run >= LEAST && is_alarm(&values[run.saturating_sub(50)..run], values[run]);
    (0..values.len()).map(judge).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

const OTAVA: &str = "
import json, sys
from otava.analysis import compute_change_points

def found(values, wanted):
    points, _ = compute_change_points(values, window_len=50, max_pvalue=wanted['p'], min_magnitude=wanted['by'])
    return [int(point.index) for point in points]

def mean(values):
    return sum(values) / len(values)

# An alarm at each run that adds a change for the worse to those that were told before.
def alarms(values, wanted):
    told, raised = [], []
    for runs in range(1, len(values) + 1):
        known = values[:runs]
        new = [at for at in (found(known, wanted) if runs > 10 else [])
               if all(abs(at - other) > 3 for other in told) and mean(known[at:]) > mean(known[:at])]
        told += new
        raised.append(bool(new))
    return raised

wanted = json.load(sys.stdin)
print(json.dumps([(alarms if wanted['online'] else found)(values, wanted) for values in wanted['series']]))
";

/// The changes that Apache Otava finds in a whole series.
pub(crate) fn otava(python: &Path, values: &[f64], p: f64) -> Result<Vec<usize>> {
    let wanted = serde_json::json!({"series": [values], "p": p, "by": 0.0, "online": false});
    let found: Vec<Vec<usize>> = asked(python, &wanted)?;
    Ok(found.into_iter().flatten().collect())
}

/// At which runs Apache Otava would have told of a change for the worse of at least 5 %, asked anew at each run.
pub(crate) fn otava_online(python: &Path, series: &[&[f64]], p: f64) -> Result<Vec<Vec<bool>>> {
    asked(
        python,
        &serde_json::json!({"series": series, "p": p, "by": 0.05, "online": true}),
    )
}

fn asked<T: serde::de::DeserializeOwned>(python: &Path, wanted: &serde_json::Value) -> Result<T> {
    let mut child = Command::new(python)
        .args(["-c", OTAVA])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    child
        .stdin
        .take()
        .ok_or("no pipe")?
        .write_all(wanted.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout)?),
        false => Err("apache-otava failed".into()),
    }
}
