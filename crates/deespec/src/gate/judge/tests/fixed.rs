//! Limits, shares and error budgets.

use super::*;
use crate::gate::Verdict;

const RATIO: &str = r#"
[[rule]]
id = "success-rate"
metric = { good = "good", bad = "bad" }
kind = "ratio"
bad = "down"
warn = 0.97
fail = 0.95
min = { total = 5 }
"#;

fn share(text: &str, good: f64, bad: f64) -> Explanation {
    only(rules(text).judge(
        &History::default(),
        &run(&[("good", good), ("bad", bad)]),
        "2026-11-28",
    ))
}

#[test]
fn a_limit_is_broken_by_what_is_beyond_it_and_not_by_what_equals_it() {
    let up = rules(
        "[[rule]]\nid = \"a\"\nmetric = \"x\"\nkind = \"limit\"\nbad = \"up\"\nwarn = 80\nfail = 100\n",
    );
    let down = rules(
        "[[rule]]\nid = \"a\"\nmetric = \"x\"\nkind = \"limit\"\nbad = \"down\"\nwarn = 80\nfail = 60\n",
    );
    for (value, verdict, limit) in [
        (80.0, Outcome::Pass, 80.0),
        (80.5, Outcome::Warn, 80.0),
        (100.0, Outcome::Warn, 80.0),
        (100.5, Outcome::Fail, 100.0),
    ] {
        let found = only(last(&up, &[value]));
        assert_eq!(
            (found.verdict, found.limit),
            (verdict, Some(limit)),
            "{value}"
        );
        assert_eq!(found.margin, Some(limit - value));
        assert_eq!(found.config_at.as_deref(), Some("gate.toml:2"));
    }
    for (value, verdict) in [
        (80.0, Outcome::Pass),
        (79.0, Outcome::Warn),
        (60.0, Outcome::Warn),
        (59.0, Outcome::Fail),
    ] {
        assert_eq!(only(last(&down, &[value])).verdict, verdict, "{value}");
    }
    assert_eq!(
        only(last(&up, &[120.0])).sentence,
        "x is 120, above the limit 100."
    );
}

#[test]
fn nan_is_no_value_and_no_silent_pass() {
    let limit = rules("[[rule]]\nid = \"a\"\nmetric = \"x\"\nkind = \"limit\"\nfail = 100\n");
    for value in [f64::NAN, f64::INFINITY] {
        let report = last(&limit, &[1.0, value]);
        assert_eq!(report.verdict, Verdict::Warn);
        assert_eq!(only(report).verdict, Outcome::NoData);
    }
}

#[test]
fn a_metric_that_never_appeared_is_told_from_one_that_was_not_measured() {
    let limit = rules("[[rule]]\nid = \"a\"\nmetric = \"y\"\nkind = \"limit\"\nfail = 100\n");
    let never = only(last(&limit, &[1.0, 2.0]));
    assert_eq!(
        (never.verdict, never.guard.as_deref()),
        (Outcome::NoData, Some("never_measured"))
    );
    assert_eq!(never.sentence, "y has never been measured: no run has it.");
    let mut known = history(&[1.0]);
    known.runs[0].values.insert("y".to_owned(), 1.0);
    let missing = only(limit.judge(&known, &run(&[("x", 1.0)]), "2026-11-28"));
    assert_eq!(missing.guard.as_deref(), Some("not_measured"));
}

#[test]
fn what_snapshots_say_of_budgets_does_not_hide_what_runs_say_of_the_rest() {
    let both = rules(&format!(
        "[[rule]]\nid = \"a\"\nmetric = \"y\"\nkind = \"limit\"\nfail = 100\n{BURN}"
    ));
    let mut known = history(&[1.0]);
    known.runs[0].values.insert("y".to_owned(), 1.0);
    known.increments = vec![run(&[("good", 30.0)])];
    let report = both.judge(&known, &run(&[("x", 1.0)]), "2026-11-28");
    assert_eq!(report.rules[0].guard.as_deref(), Some("not_measured"));
}

#[test]
fn a_share_fails_only_when_it_is_surely_below_the_limit() {
    for (good, bad, verdict) in [
        // Nothing of nothing.
        (0.0, 0.0, Outcome::NoData),
        (3.0, 1.0, Outcome::NoData),
        (5.0, 0.0, Outcome::Pass),
        // 80 % of five is a coin.
        (4.0, 1.0, Outcome::Inconclusive),
        // The upper bound of 1 of 5 at 95 % is 66 %.
        (1.0, 4.0, Outcome::Fail),
        (90.0, 10.0, Outcome::Fail),
        (965.0, 35.0, Outcome::Pass),
        (9_600.0, 400.0, Outcome::Warn),
        (9_400.0, 600.0, Outcome::Fail),
        (2.5, 3.0, Outcome::NoData),
        (-5.0, 30.0, Outcome::NoData),
    ] {
        assert_eq!(share(RATIO, good, bad).verdict, verdict, "{good} {bad}");
    }
    let found = share(RATIO, 4.0, 1.0);
    assert_eq!((found.evidence.n, found.value), (Some(5), Some(0.8)));
    assert!(
        found.sentence.contains("which so few cannot tell"),
        "{}",
        found.sentence
    );
}

#[test]
fn a_counter_that_was_never_counted_is_zero() {
    let found =
        only(rules(RATIO).judge(&History::default(), &run(&[("good", 100.0)]), "2026-11-28"));
    assert_eq!((found.verdict, found.value), (Outcome::Pass, Some(1.0)));
}

#[test]
fn to_prove_95_percent_takes_59_clean_commits() {
    let proof = RATIO
        .replace("min =", "prove = true\nmin =")
        .replace("warn = 0.97\n", "");
    assert_eq!(share(&proof, 58.0, 0.0).verdict, Outcome::Inconclusive);
    assert_eq!(share(&proof, 59.0, 0.0).verdict, Outcome::Pass);
    assert_eq!(share(&proof, 10.0, 30.0).verdict, Outcome::Fail);
}

#[test]
fn where_more_is_worse_the_share_of_bad_ones_is_judged() {
    let errors = RATIO
        .replace("\"down\"", "\"up\"")
        .replace("0.97", "0.03")
        .replace("0.95", "0.05");
    let found = share(&errors, 80.0, 20.0);
    assert_eq!((found.verdict, found.value), (Outcome::Fail, Some(0.2)));
    assert_eq!(share(&errors, 1000.0, 10.0).verdict, Outcome::Pass);
}

const BURN: &str = r#"
[[rule]]
id = "budget"
metric = { good = "good", bad = "bad" }
kind = "burn"
objective = 0.95
windows = [ { long = "1h", short = "5m", factor = 14.4, level = "fail" },
            { long = "3d", short = "6h", factor = 1, level = "warn" } ]
min = { bad = 3, total = 20 }
"#;

/// Runs at these minutes with so many good and bad; judged at the last one.
fn burned(minutes: &[(f64, f64, f64)]) -> Explanation {
    let run = |(minute, good, bad): &(f64, f64, f64)| Run {
        at: Some(1_000_000.0 + minute * 60.0),
        ..run(&[("good", *good), ("bad", *bad)])
    };
    let mut runs: Vec<Run> = minutes.iter().map(run).collect();
    let present = runs.pop().unwrap();
    let history = History {
        runs,
        ..History::default()
    };
    only(rules(BURN).judge(&history, &present, "2026-11-28"))
}

#[test]
fn a_budget_alarms_when_it_burns_fast_in_both_windows() {
    let calm = burned(&[(0.0, 100.0, 2.0), (30.0, 100.0, 3.0)]);
    assert_eq!(calm.verdict, Outcome::Pass);
    let over = burned(&[(0.0, 100.0, 90.0), (58.0, 10.0, 90.0)]);
    // 180 of 290 are 62 %: 12.4 times 5 %, and 18 times in the last five minutes; but not 14.4 in both.
    assert_eq!(over.verdict, Outcome::Warn);
    let fast = burned(&[(0.0, 10.0, 90.0), (58.0, 10.0, 90.0)]);
    assert_eq!(fast.verdict, Outcome::Fail);
    assert!(
        fast.sentence.contains("burns 18 times as fast"),
        "{}",
        fast.sentence
    );
    // It burned, but that is over: nothing in the last five minutes.
    let ended = burned(&[(0.0, 0.0, 100.0), (20.0, 100.0, 0.0)]);
    assert_eq!(ended.verdict, Outcome::Warn);
    assert_eq!(ended.evidence.burn[0].short, Some(0.0));
}

#[test]
fn few_events_raise_no_alarm_of_a_budget() {
    assert_eq!(burned(&[(0.0, 5.0, 5.0)]).verdict, Outcome::NoData);
    assert_eq!(burned(&[(0.0, 18.0, 2.0)]).verdict, Outcome::Pass);
    assert_eq!(burned(&[(0.0, 17.0, 3.0)]).verdict, Outcome::Warn);
}

#[test]
fn when_the_clock_went_back_what_seems_later_than_now_is_left_out() {
    let found = burned(&[(90.0, 0.0, 100.0), (0.0, 100.0, 0.0)]);
    assert_eq!(
        (found.verdict, found.evidence.n),
        (Outcome::Pass, Some(100))
    );
}
