//! Sentences about the rules, beside `judgement.rs` because the two together pass 400 lines.

use super::*;
use std::path::Path;

fn counts(success: u64, failed: u64, conflicts: u64, recoveries: u64) -> TransactionCounts {
    TransactionCounts {
        success,
        failed,
        conflicts,
        recoveries,
    }
}

fn thresholds(text: &str) -> Thresholds {
    Thresholds::parse(text, Path::new("t.json")).unwrap()
}

fn limit(percent: &str) -> Thresholds {
    thresholds(&format!(r#"{{"success_rate_threshold": {percent}}}"#))
}

#[track_caller]
fn passes(thresholds: &Thresholds, counts: TransactionCounts) {
    let judgement = thresholds.judge(&counts, &[]);
    assert_eq!(
        (judgement.warnings(), judgement.failed_checks()),
        (&[][..], &[][..])
    );
    assert_eq!(
        (judgement.verdict(), judgement.passed()),
        (Verdict::Pass, true)
    );
}

#[track_caller]
fn warns(thresholds: &Thresholds, counts: TransactionCounts, message: &str) {
    let judgement = thresholds.judge(&counts, &[]);
    assert_eq!(
        (judgement.warnings(), judgement.failed_checks()),
        (&[message.into()][..], &[][..])
    );
    assert_eq!(
        (judgement.verdict(), judgement.passed()),
        (Verdict::Warn, true)
    );
}

#[track_caller]
fn fails(thresholds: &Thresholds, counts: TransactionCounts, message: &str) {
    let judgement = thresholds.judge(&counts, &[]);
    assert_eq!(
        (judgement.failed_checks(), judgement.warnings()),
        (&[message.into()][..], &[][..])
    );
    assert_eq!(
        (judgement.verdict(), judgement.passed()),
        (Verdict::Fail, false)
    );
}

#[test]
fn a_rate_below_the_limit_fails_and_one_that_equals_it_only_warns() {
    let t = Thresholds::default();
    fails(
        &t,
        counts(8_923, 1_077, 0, 0),
        "Success rate 89.23% is below threshold 95.00%",
    );
    fails(
        &t,
        counts(9_499, 501, 0, 0),
        "Success rate 94.99% is below threshold 95.00%",
    );
    warns(
        &t,
        counts(9_500, 500, 0, 0),
        "Success rate 95.00% approaching threshold 95.00%",
    );
    warns(
        &t,
        counts(9_610, 390, 0, 0),
        "Success rate 96.10% approaching threshold 95.00%",
    );
}

#[test]
fn two_points_above_the_limit_there_is_no_warning_any_more() {
    let t = Thresholds::default();
    warns(
        &t,
        counts(9_699, 301, 0, 0),
        "Success rate 96.99% approaching threshold 95.00%",
    );
    passes(&t, counts(9_700, 300, 0, 0));
}

#[test]
fn boundaries_do_not_move_by_floating_point_noise() {
    for tenths in 0..=980 {
        let t = limit(&format!("{}.{}", tenths / 10, tenths % 10));
        let at = |tenths| {
            t.judge(&counts(tenths, 1_000 - tenths, 0, 0), &[])
                .verdict()
        };
        assert_eq!(at(tenths), Verdict::Warn, "the limit {tenths} itself");
        assert_eq!(
            at(tenths + 19),
            Verdict::Warn,
            "just under the margin of {tenths}"
        );
        assert_eq!(
            at(tenths + 20),
            Verdict::Pass,
            "the margin of {tenths} itself"
        );
        if tenths > 0 {
            assert_eq!(
                at(tenths - 1),
                Verdict::Fail,
                "just under the limit {tenths}"
            );
        }
    }
}

#[test]
fn counts_beyond_what_a_float_holds_are_judged_to_the_last_commit() {
    let t = limit("50");
    let (half, all) = (u64::MAX / 2, u64::MAX);
    let text = "Success rate 49.999999999999999997% is below threshold 50.00%";
    fails(&t, counts(half, half + 1, 0, 0), text);
    warns(
        &t,
        counts(all, all, 0, 0),
        "Success rate 50.00% approaching threshold 50.00%",
    );
    passes(&t, counts(all, 0, 0, 0));
}

#[test]
fn a_rate_is_never_shown_as_the_limit_that_it_misses() {
    let t = Thresholds::default();
    fails(
        &t,
        counts(94_996, 5_004, 0, 0),
        "Success rate 94.996% is below threshold 95.00%",
    );
    let text = "Success rate 94.9999999% is below threshold 95.00%";
    fails(&t, counts(949_999_999, 50_000_001, 0, 0), text);
    warns(
        &t,
        counts(95_003, 4_997, 0, 0),
        "Success rate 95.003% approaching threshold 95.00%",
    );
    warns(
        &t,
        counts(96_998, 3_002, 0, 0),
        "Success rate 96.998% approaching threshold 95.00%",
    );
    let text = "Success rate 94.1255% is below threshold 94.126%";
    fails(&limit("94.126"), counts(941_255, 58_745, 0, 0), text);
}

#[test]
fn a_limit_near_100_can_be_met_without_a_warning() {
    passes(&limit("99.5"), counts(7, 0, 0, 0));
    passes(&limit("100"), counts(7, 0, 0, 0));
    passes(&limit("98"), counts(7, 0, 0, 0));
    let text = "Success rate 99.9999% approaching threshold 99.50%";
    warns(&limit("99.5"), counts(999_999, 1, 0, 0), text);
    let text = "Success rate 99.9999% is below threshold 100.00%";
    fails(&limit("100"), counts(999_999, 1, 0, 0), text);
}

#[test]
fn a_limit_of_0_never_fails() {
    warns(
        &limit("0"),
        counts(0, 9, 0, 0),
        "Success rate 0.00% approaching threshold 0.00%",
    );
    passes(&limit("0"), counts(2, 98, 0, 0));
}

#[test]
fn a_count_at_80_percent_is_calm_above_it_warns_and_above_the_maximum_fails() {
    let t = Thresholds::default();
    passes(&t, counts(9, 0, 80, 8));
    warns(
        &t,
        counts(9, 0, 81, 0),
        "CAS conflicts 81 approaching threshold 100",
    );
    warns(
        &t,
        counts(9, 0, 100, 0),
        "CAS conflicts 100 approaching threshold 100",
    );
    fails(
        &t,
        counts(9, 0, 101, 0),
        "CAS conflicts 101 exceed threshold 100",
    );
    warns(
        &t,
        counts(9, 0, 0, 9),
        "Recovery count 9 approaching threshold 10",
    );
    warns(
        &t,
        counts(9, 0, 0, 10),
        "Recovery count 10 approaching threshold 10",
    );
    fails(
        &t,
        counts(9, 0, 0, 11),
        "Recovery count 11 exceeds threshold 10",
    );
}

#[test]
fn a_maximum_of_0_allows_0_in_silence_and_nothing_else() {
    let t = thresholds(r#"{"max_cas_conflicts": 0, "max_recovery_count": 0}"#);
    passes(&t, counts(9, 0, 0, 0));
    fails(&t, counts(9, 0, 1, 0), "CAS conflicts 1 exceed threshold 0");
    fails(
        &t,
        counts(9, 0, 0, 1),
        "Recovery count 1 exceeds threshold 0",
    );
}

#[test]
fn the_largest_maximum_does_not_overflow() {
    let t = thresholds(r#"{"max_cas_conflicts": 18446744073709551615}"#);
    passes(&t, counts(9, 0, u64::MAX / 5 * 4, 0));
    let text = "CAS conflicts 18446744073709551615 approaching threshold 18446744073709551615";
    warns(&t, counts(9, 0, u64::MAX, 0), text);
}

#[test]
fn too_few_commits_warn_and_the_rate_is_not_judged() {
    let t = Thresholds::default();
    let text = |n| format!("Insufficient data: {n}, 5 needed to judge the success rate");
    warns(&t, counts(0, 0, 0, 0), &text("0 commits"));
    warns(&t, counts(0, 1, 0, 0), &text("1 commit"));
    warns(&t, counts(0, 2, 0, 0), &text("2 commits"));
    warns(&t, counts(4, 0, 0, 0), &text("4 commits"));
    passes(&t, counts(5, 0, 0, 0));
    fails(
        &t,
        counts(0, 5, 0, 0),
        "Success rate 0.00% is below threshold 95.00%",
    );
    let judgement = t.judge(&counts(1, 1, 0, 0), &[]);
    assert_eq!(judgement.details()[0].verdict, DetailVerdict::Insufficient);
    assert_eq!(judgement.success_rate(), Some(50.0));
}

#[test]
fn too_few_commits_do_not_hide_a_broken_maximum() {
    let judgement = Thresholds::default().judge(&counts(1, 0, 101, 9), &[]);
    assert_eq!(judgement.verdict(), Verdict::Fail);
    assert_eq!(
        judgement.failed_checks(),
        ["CAS conflicts 101 exceed threshold 100"]
    );
    assert_eq!(judgement.warnings().len(), 2);
}

#[test]
fn no_commits_are_insufficient_even_if_none_are_asked_for() {
    let t = thresholds(r#"{"min_total_commits": 0}"#);
    let text = "Insufficient data: 0 commits, 1 needed to judge the success rate";
    warns(&t, counts(0, 0, 0, 0), text);
    assert_eq!(
        t.judge(&counts(0, 0, 0, 0), &[]).details()[0].value,
        Measure::Undefined
    );
    passes(&t, counts(1, 0, 0, 0));
}

#[test]
fn each_caveat_is_a_warning_and_never_a_silent_pass() {
    let caveats = [
        "2 entries were skipped".to_owned(),
        "the store is degraded".to_owned(),
    ];
    let judgement = Thresholds::default().judge(&counts(9, 0, 85, 0), &caveats);
    assert_eq!(judgement.verdict(), Verdict::Warn);
    assert_eq!(
        judgement.warnings()[0],
        "CAS conflicts 85 approaching threshold 100"
    );
    assert_eq!(judgement.warnings()[1..], caveats);
    let calm = Thresholds::default().judge(&counts(9, 0, 0, 0), &caveats);
    assert_eq!(
        (calm.verdict(), calm.warnings()),
        (Verdict::Warn, &caveats[..])
    );
    let failing = Thresholds::default().judge(&counts(0, 9, 0, 0), &caveats);
    assert_eq!(
        (failing.verdict(), failing.warnings()),
        (Verdict::Fail, &caveats[..])
    );
}

#[test]
fn a_disabled_gate_passes_whatever_the_counts_and_lists_the_caveats() {
    let t = thresholds(r#"{"enabled": false}"#);
    let caveats = ["the store is degraded".to_owned()];
    let judgement = t.judge(&counts(0, 99, 999, 999), &caveats);
    assert_eq!(
        (judgement.verdict(), judgement.passed()),
        (Verdict::Pass, true)
    );
    assert_eq!(judgement.summary(), "Metrics threshold check disabled");
    assert_eq!(judgement.warnings(), caveats);
    assert!(judgement.failed_checks().is_empty() && judgement.details().is_empty());
}

#[test]
fn a_judgement_serialises_as_the_documented_object() {
    let t = thresholds(r#"{"success_rate_threshold": 95, "max_cas_conflicts": 100}"#);
    let mut judgement = t.judge(&counts(8_923, 1_077, 85, 0), &["a caveat".to_owned()]);
    judgement.checked_at = Some("2026-11-23T07:08:09Z".to_owned());
    let expected = concat!(
        r#"{"passed":false,"checked_at":"2026-11-23T07:08:09Z","verdict":"fail","#,
        r#""config":{"source":"t.json","success_rate_threshold":95.0,"max_cas_conflicts":100,"#,
        r#""max_recovery_count":10,"min_total_commits":5,"enabled":true,"#,
        r#""defaulted":["max_recovery_count","min_total_commits","enabled"]},"#,
        r#""failed_checks":["Success rate 89.23% is below threshold 95.00%"],"#,
        r#""warnings":["CAS conflicts 85 approaching threshold 100","a caveat"],"#,
        r#""success_rate":89.23,"total_commits":10000,"details":["#,
        r#"{"check":"success_rate","value":89.23,"limit":95.0,"verdict":"fail","#,
        r#""message":"Success rate 89.23% is below threshold 95.00%"},"#,
        r#"{"check":"cas_conflicts","value":85,"limit":100,"verdict":"warn","#,
        r#""message":"CAS conflicts 85 approaching threshold 100"},"#,
        r#"{"check":"recovery_count","value":0,"limit":10,"verdict":"pass","#,
        r#""message":"Recovery count 0 within threshold 10"}]}"#,
    );
    assert_eq!(serde_json::to_string(&judgement).unwrap(), expected);
}

#[test]
fn without_commits_or_a_time_the_object_holds_null() {
    let judgement = Thresholds::default().judge(&counts(0, 0, 0, 0), &[]);
    let json = serde_json::to_value(&judgement).unwrap();
    assert_eq!(
        (json["passed"].as_bool(), json["verdict"].as_str()),
        (Some(true), Some("warn"))
    );
    for key in ["checked_at", "success_rate"] {
        assert!(json[key].is_null() && json.as_object().unwrap().contains_key(key));
    }
    assert!(json["details"][0]["value"].is_null());
    assert_eq!(json["details"][0]["verdict"], "insufficient");
    let passing = Thresholds::default().judge(&counts(9, 0, 0, 0), &[]);
    assert_eq!(
        passing.details()[0].message,
        "Success rate 100.00% meets threshold 95.00%"
    );
}
