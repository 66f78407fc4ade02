//! The least effect is that of the noise, and no alarm at a shift is false.

use super::*;

/// Noise that is the same each time.
fn noise(run: u32) -> f64 {
    f64::from(run * 7919 % 101) / 100.0 - 0.5
}

fn history(metric: &str, value: impl Fn(u32) -> f64) -> History {
    let run = |number: u32| Run {
        id: number.to_string(),
        values: [(metric.to_owned(), value(number))].into(),
        ..Run::default()
    };
    History {
        runs: (0..60).map(run).collect(),
        ..History::default()
    }
}

fn proposals(history: &History, metric: &str) -> Vec<Proposal> {
    let series = Series::of(history, metric).unwrap();
    series.proposals(history, &mut BTreeSet::new())
}

#[test]
fn noise_is_around_the_level_of_the_time() {
    let steady = history("x", |run| 100.0 + 10.0 * noise(run));
    let moved = history("x", |run| {
        (100.0 + 10.0 * noise(run)) * if run < 30 { 1.0 } else { 3.0 }
    });
    let noise = |history: &History| Series::of(history, "x").unwrap().noise();
    assert!((0.02..0.05).contains(&noise(&steady)), "{}", noise(&steady));
    assert!((noise(&moved) - noise(&steady)).abs() < 0.01);
}

#[test]
fn the_least_effect_is_that_of_the_noise() {
    for (width, least) in [(5.0, "5%"), (40.0, "15%"), (120.0, "50%")] {
        let history = history("build_seconds", |run| 100.0 + width * noise(run));
        for proposal in proposals(&history, "build_seconds") {
            let by = format!("by = \"{least}\"");
            assert!(proposal.toml.contains(&by), "{width}: {}", proposal.toml);
            assert_eq!((proposal.unexplained, proposal.explained), (0, 0));
        }
    }
}

#[test]
fn a_rule_that_would_have_cried_wolf_asks_for_more() {
    // Even for most of the time, and now and then three runs that are not.
    let odd = |run: u32| run > 20 && run % 19 < 3;
    let value = |run| (100.0 + 5.0 * noise(run)) * if odd(run) { 1.3 } else { 1.0 };
    let history = history("x", value);
    let series = Series::of(&history, "x").unwrap();
    let alarms = |by| {
        let moves = series.moves();
        let tried = series.tried("x", "adaptive", by, &history, &moves);
        tried.unwrap().unexplained
    };
    assert!(alarms(5) > 0);
    let found = &proposals(&history, "x")[0];
    assert!(found.unexplained < alarms(5));
}

#[test]
fn an_alarm_at_a_shift_is_not_false() {
    let history = history("x", |run| {
        100.0 + 5.0 * noise(run) + if run < 40 { 0.0 } else { 30.0 }
    });
    for proposal in proposals(&history, "x") {
        assert!(proposal.explained > 0, "{}", proposal.toml);
        assert_eq!(proposal.unexplained, 0, "{}", proposal.toml);
    }
}

#[test]
fn counts_are_judged_as_counts_and_of_some_metrics_less_is_worse() {
    let counts = history("failures", |run| (4.0 + 4.0 * noise(run)).round());
    let found = proposals(&counts, "failures");
    assert_eq!(found.len(), 1);
    assert!(found[0].toml.contains("model = \"gamma-poisson\""));
    assert!(found[0].toml.contains("bad = \"up\""));
    let rate = history("requests_per_second", |run| 1e6 + 1e4 * noise(run));
    let found = proposals(&rate, "requests_per_second");
    assert_eq!(found.len(), 2);
    assert!(
        found
            .iter()
            .all(|found| found.toml.contains("bad = \"down\""))
    );
}

#[test]
fn ids_differ_and_are_lawful_whatever_the_metric() {
    let mut taken = BTreeSet::new();
    let ids = ["a.p99", "a_p99", "A{p=\"99\"}", "_", &"x".repeat(300)].map(|metric| {
        let history = history(metric, |run| 10.0 + noise(run));
        let series = Series::of(&history, metric).unwrap();
        let found = series.proposals(&history, &mut taken);
        assert_eq!(found.len(), 2, "{metric}");
        found[1].id.clone()
    });
    assert_eq!(
        ids[..4],
        [
            "a-p99-shift",
            "a-p99-shift-2",
            "a-p-99-shift",
            "metric-shift"
        ]
    );
    // What no rule can name has none.
    let odd = history("a-b", |run| 10.0 + noise(run));
    assert!(proposals(&odd, "a-b").is_empty());
}

#[test]
fn the_branch_with_the_most_runs_counts_and_runs_that_failed_do_not() {
    let mut history = history("x", |run| 10.0 + noise(run));
    for (place, run) in history.runs.iter_mut().enumerate() {
        match place % 4 {
            0 => run.branch = "other".to_owned(),
            1 => run.status = Status::Fail,
            _ => run.branch = "main".to_owned(),
        }
    }
    let series = Series::of(&history, "x").unwrap();
    assert_eq!((series.branch, series.runs()), ("main", 30));
}
