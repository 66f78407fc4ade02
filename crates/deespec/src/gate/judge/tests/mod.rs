//! What the rules say, each kind and each awkward case with the verdict that is promised for it.

mod edges;
mod fixed;
mod foreign;
mod learned;
mod policy;

use std::path::Path;

use crate::gate::history::{History, Run};
use crate::gate::report::{Explanation, Outcome, Report};
use crate::gate::rules::Rules;

fn rules(text: &str) -> Rules {
    let text = format!("schema = \"deespec.gate/1\"\n{text}");
    Rules::parse(&text, Path::new("conf/gate.toml")).unwrap()
}

/// The present run with these values.
fn run(values: &[(&str, f64)]) -> Run {
    Run {
        values: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect(),
        ..Run::default()
    }
}

/// A history of `x`, with the names `r0`, `r1` and so on.
fn history(values: &[f64]) -> History {
    let run = |(index, value): (usize, &f64)| Run {
        id: format!("r{index}"),
        ..run(&[("x", *value)])
    };
    History {
        runs: values.iter().enumerate().map(run).collect(),
        ..History::default()
    }
}

/// Judged with the last value as the present run.
fn last(rules: &Rules, values: &[f64]) -> Report {
    let (present, before) = values.split_last().unwrap();
    rules.judge(&history(before), &run(&[("x", *present)]), "2026-11-28")
}

fn only(report: Report) -> Explanation {
    assert_eq!(report.rules.len(), 1);
    report.rules.into_iter().next().unwrap()
}

/// Numbers around 100 that look random: bell-shaped, with a standard deviation of about 2.5.
fn steady(runs: usize) -> Vec<f64> {
    let part = |k: usize| (k as f64 * 0.618_033_988_749_895).fract() - 0.5;
    (0..runs)
        .map(|n| 100.0 + 5.0 * (part(n * 7 + 1) + part(n * n + 3) + part(n * 31 + 11)))
        .collect()
}

fn outcomes(rules: &Rules, values: &[f64]) -> Vec<Outcome> {
    rules
        .replay(&history(values))
        .into_iter()
        .map(|run| run.verdict)
        .collect()
}
