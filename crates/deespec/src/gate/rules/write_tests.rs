//! What is written says what was read; what thresholds mean.

use std::path::Path;

use super::*;
use crate::gate::{History, Outcome, Run, Thresholds};

/// The rules without their places, which writing changes.
fn unplaced(mut rules: Rules) -> Rules {
    rules.rules.iter_mut().for_each(|rule| rule.line = 0);
    rules.mutes.iter_mut().for_each(|mute| mute.line = 0);
    rules
}

fn parse(text: &str) -> Rules {
    Rules::parse(text, Path::new("gate.toml")).unwrap()
}

#[track_caller]
fn is_kept(text: &str) {
    let rules = parse(text);
    let written = rules.to_toml();
    assert_eq!(unplaced(parse(&written)), unplaced(rules), "{written}");
}

#[test]
fn what_is_written_says_what_was_read() {
    is_kept("schema = \"deespec.gate/1\"");
    is_kept(include_str!("parse/example.toml"));
    is_kept(
        "schema = \"deespec.gate/1\"
        [gate]
        fail_on = \"never\"
        no_data = \"fail\"
        no_store = \"no_data\"
        inconclusive = \"pass\"
        alpha = 1e-7
        history = { scope = [], branch = \"a\\\"b\\u007f\\n\", window = 7, min = 3, exclude = [] }
        [[rule]]
        id = \"a\"
        metric = \"m{a=\\\"\\\\\\\\ \\\\\\\" é\\\"}.p99.9\"
        kind = \"limit\"
        bad = \"down\"
        warn = -1e300
        no_data = \"pass\"
        inconclusive = \"fail\"
        unit = \"s\"
        why = \"two\\nlines\"
        runbook = \"r\"
        [[rule]]
        id = \"b\"
        metric = \"rate(m)\"
        kind = \"trend\"
        bad = \"down\"
        over = 1000000
        fail = { slope = 0.07, p = 0.3 }
        eta = { to = -0.1, within = 1 }
        can_fail = true
        [[rule]]
        id = \"c\"
        metric = { good = \"g.count\", bad = \"b{x=\\\"y\\\"}\" }
        kind = \"shift\"
        fail = { p = 1e-9, by = 33 }
        [[rule]]
        id = \"d\"
        metric = \"m\"
        kind = \"adaptive\"
        model = \"gamma-poisson\"
        fail = { alpha = 1e-5, by = \"7%\" }
        can_fail = true
        [[rule]]
        id = \"e\"
        metric = { good = \"g\", bad = \"b\" }
        kind = \"ratio\"
        bad = \"up\"
        fail = \"0.1%\"
        prove = true
        [[rule]]
        id = \"f\"
        metric = { good = \"g\", bad = \"b\" }
        kind = \"burn\"
        objective = \"99.9%\"
        windows = [{ long = \"2w\", short = \"100s\", factor = 0.5, level = \"warn\" }]
        min = { bad = 0, total = 9007199254740992 }
        [correlate]
        on = \"values\"
        lags = 0",
    );
}

#[test]
fn thresholds_are_shown_as_rules_that_a_file_can_hold() {
    for text in [
        "{}",
        r#"{"success_rate_threshold": 94.9, "max_cas_conflicts": 7, "max_recovery_count": 0}"#,
        r#"{"success_rate_threshold": 100, "min_total_commits": 18446744073709551615, "max_cas_conflicts": 18446744073709551615}"#,
        r#"{"success_rate_threshold": 0, "min_total_commits": 0}"#,
        r#"{"enabled": false}"#,
    ] {
        let thresholds = Thresholds::parse(text, Path::new("t.json")).unwrap();
        is_kept(&Rules::of_thresholds(&thresholds).to_toml());
    }
}

#[test]
fn the_rules_of_thresholds_have_their_limits() {
    let text =
        r#"{"success_rate_threshold": 94.9, "max_cas_conflicts": 7, "min_total_commits": 9}"#;
    let thresholds = Thresholds::parse(text, Path::new("t.json")).unwrap();
    let rules = Rules::of_thresholds(&thresholds);
    let ids: Vec<_> = rules.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["success-rate", "cas-conflicts", "recovery-count"]);
    let rate = Ratio {
        warn: Some(0.969),
        fail: Some(0.949),
        confidence: 0.95,
        total: 9,
        prove: false,
    };
    assert_eq!(rules.rules[0].kind, Kind::Ratio(rate));
    assert_eq!(
        rules.rules[0].metric.to_string(),
        "commit_success / (commit_success + commit_failed)"
    );
    let limit = |warn, fail| {
        Kind::Limit(Limit {
            warn: Some(warn),
            fail: Some(fail),
        })
    };
    assert_eq!(rules.rules[1].kind, limit(5.6, 7.0));
    assert_eq!(rules.rules[2].kind, limit(8.0, 10.0));
    let off = Thresholds::parse(r#"{"enabled": false}"#, Path::new("t.json")).unwrap();
    assert!(Rules::of_thresholds(&off).rules.is_empty());
}

#[test]
fn rules_of_thresholds_judge_maxima_alike_and_a_rate_only_beyond_doubt() {
    let rules = Rules::of_thresholds(&Thresholds::default());
    let judge = |success: f64, failed: f64, conflicts: f64| {
        let values = [
            ("commit_success", success),
            ("commit_failed", failed),
            ("cas_conflicts", conflicts),
            ("recovery_count", 0.0),
        ];
        let run = Run {
            values: values.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Run::default()
        };
        let report = rules.judge(&History::default(), &run, "2026-11-28");
        (report.rules[0].verdict, report.rules[1].verdict)
    };
    for (conflicts, outcome) in [
        (80.0, Outcome::Pass),
        (81.0, Outcome::Warn),
        (100.0, Outcome::Warn),
        (101.0, Outcome::Fail),
    ] {
        assert_eq!(judge(1_000.0, 0.0, conflicts), (Outcome::Pass, outcome));
    }
    // 90 % of 20 fails by thresholds; of as few, a rule cannot be sure.
    assert_eq!(judge(18.0, 2.0, 0.0).0, Outcome::Inconclusive);
    assert_eq!(judge(900.0, 100.0, 0.0).0, Outcome::Fail);
    assert_eq!(judge(2.0, 2.0, 0.0).0, Outcome::NoData);
}
