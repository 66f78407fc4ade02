//! How long the gate takes for many rules and a long history.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use deespec::gate::{History, Rules, Run};

use crate::Result;

const RULES: usize = 200;
const RUNS: usize = 10_000;
const LIMIT_MS: f64 = 100.0;
const REPEATS: usize = 5;

/// The judgement of the newest run by 200 rules that learn, each of a metric of its own, over 10,000 runs.
pub(crate) fn told() -> Result<String> {
    let mut told = String::from("200 rules, 10,000 runs, the newest judged (limit 100 ms):");
    for kind in ["shift", "adaptive", "trend", "mixed"] {
        let rules = rules(kind)?;
        let (history, present) = runs();
        let mut best = f64::INFINITY;
        for _ in 0..REPEATS {
            let begin = Instant::now();
            black_box(rules.judge(&history, &present, "2026-11-28"));
            best = best.min(begin.elapsed().as_secs_f64() * 1e3);
        }
        let verdict = if best <= LIMIT_MS { "met" } else { "MISSED" };
        let _ = write!(told, " {kind} {best:.1} ms ({verdict});");
    }
    Ok(told)
}

fn rules(kind: &str) -> Result<Rules> {
    let mut text = String::from("schema = \"deespec.gate/1\"\n");
    for rule in 0..RULES {
        let kind = match kind {
            "mixed" => ["shift", "adaptive", "trend"][rule % 3],
            kind => kind,
        };
        let _ = write!(
            text,
            "[[rule]]\nid = \"r{rule}\"\nmetric = \"metric_{rule}\"\nkind = \"{kind}\"\n"
        );
    }
    Ok(Rules::parse(&text, Path::new("gate.toml"))?)
}

/// Noise of some kinds, the same each time.
fn runs() -> (History, Run) {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut run = || Run {
        values: (0..RULES)
            .map(|metric| {
                let noise = uniform() + uniform() + uniform() - 1.5;
                (format!("metric_{metric}"), 100.0 * (noise * 0.1).exp())
            })
            .collect(),
        ..Run::default()
    };
    let runs = (0..RUNS).map(|_| run()).collect();
    let present = run();
    (
        History {
            runs,
            ..History::default()
        },
        present,
    )
}
