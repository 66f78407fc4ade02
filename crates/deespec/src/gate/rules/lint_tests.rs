//! What is found in rules, and what is not.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// The findings in a file with these lines behind the schema, as its user reads them.
#[track_caller]
fn found(lines: &str) -> Vec<String> {
    let rules = parse(lines);
    let found = rules.lint(None, Some("2026-11-28"));
    found.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn parse(lines: &str) -> Rules {
    let text = format!("schema = \"deespec.gate/1\"\n{lines}");
    Rules::parse(&text, Path::new("gate.toml")).unwrap()
}

/// A file with one rule.
fn rule(rest: &str) -> String {
    format!("[[rule]]\nid = \"a\"\n{rest}\n")
}

fn learned(kind: &str, rest: &str) -> String {
    rule(&format!("metric = \"m\"\nkind = \"{kind}\"\n{rest}"))
}

fn share(kind: &str, rest: &str) -> String {
    let metric = "metric = { good = \"g\", bad = \"b\" }";
    rule(&format!("{metric}\nkind = \"{kind}\"\n{rest}"))
}

#[test]
fn the_defaults_of_every_kind_are_sound() {
    for kind in ["adaptive", "shift", "trend"] {
        assert!(found(&learned(kind, "")).is_empty(), "{kind}");
    }
    assert!(found(&learned("limit", "fail = 0")).is_empty());
    assert!(found(&share("ratio", "fail = 0.95\nwarn = 1\nprove = true")).is_empty());
}

#[test]
fn the_example_of_the_specification_has_a_fail_that_only_warns() {
    let text = include_str!("parse/example.toml");
    let rules = Rules::parse(text, Path::new("gate.toml")).unwrap();
    let known = [
        "commit_success",
        "commit_failed",
        "cas_conflicts",
        "commit_seconds",
    ];
    let known: BTreeSet<String> = known.into_iter().map(str::to_owned).collect();
    let found = rules.lint(Some(&known), Some("2026-11-28"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].to_string(),
        "gate.toml:31: commit-p99 has fail but only warns: say can_fail = true, or leave fail out"
    );
    assert_eq!(
        serde_json::to_value(&found[0]).unwrap(),
        serde_json::json!({
            "path": "gate.toml",
            "line": 31,
            "rule": "commit-p99",
            "check": "never-fails",
            "sentence": "commit-p99 has fail but only warns: say can_fail = true, or leave fail out"
        })
    );
}

#[test]
fn a_metric_that_nobody_measures_is_found_where_the_names_are_known_and_only_there() {
    let rules = parse(&format!(
        "{}[[rule]]\nid = \"b\"\nmetric = \"cas_conflict\"\nkind = \"limit\"\nfail = 1\n",
        share("ratio", "fail = 0.9").replace("\"b\" }", "\"b{x=\\\"y\\\"}.count\" }")
    ));
    assert!(rules.lint(None, None).is_empty());
    let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let found = rules.lint(Some(&known(&["g", "cas_conflicts"])), None);
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.check, one.to_string()))
        .collect();
    let check = LintCheck::UnknownMetric;
    assert_eq!(
        found,
        [
            (check, "gate.toml:2: a judges b, which nothing has ever counted or recorded".to_owned()),
            (check, "gate.toml:7: b judges cas_conflict, which nothing has ever counted or recorded, did you mean cas_conflicts?".to_owned()),
        ]
    );
    assert!(
        rules
            .lint(Some(&known(&["g", "b", "cas_conflict"])), None)
            .is_empty()
    );
}

#[test]
fn a_rule_that_is_content_without_data_may_wait_for_its_metric_but_not_misspell_it() {
    let rules =
        parse(&learned("shift", "no_data = \"pass\"").replace("\"m\"", "\"run_seconds.p90\""));
    let known = |name: &str| [name.to_owned()].into();
    assert!(rules.lint(Some(&known("jobs")), None).is_empty());
    let found = rules.lint(Some(&known("runs_seconds")), None);
    assert_eq!(found[0].check, LintCheck::UnknownMetric);
}

#[test]
fn minima_above_what_is_looked_at_are_found() {
    let window = "gate.history.window = 20\n";
    for (lines, sentence) in [
        (
            learned("adaptive", "min = { runs = 21, distinct = 2 }"),
            "min.runs = 21 is more than gate.history.window = 20",
        ),
        (
            learned("adaptive", "min = { distinct = 21 }"),
            "min.distinct = 21 is more than gate.history.window = 20",
        ),
        (
            learned("shift", "min = { before = 21 }"),
            "min.before = 21 is more than gate.history.window = 20",
        ),
        (
            learned("trend", "min = { runs = 15 }"),
            "min.runs = 15 is more than over = 14",
        ),
        (
            learned("trend", "over = 30\nmin = { runs = 21 }"),
            "min.runs = 21 is more than gate.history.window = 20",
        ),
    ] {
        let lines = format!("{window}{lines}");
        assert_eq!(
            found(&lines),
            [format!("gate.toml:3: a never fires: {sentence}")]
        );
        let lawful = lines
            .replace("21", "20")
            .replace("13", "12")
            .replace("15", "14");
        assert!(found(&lawful).is_empty(), "{lawful}");
    }
    assert_eq!(
        found(&format!(
            "{window}{}[correlate]\nmin_runs = 21",
            learned("adaptive", "")
        )),
        [
            "gate.toml: [correlate] never compares anything: min_runs = 21 is more than gate.history.window = 20"
        ]
    );
}

#[test]
fn a_probability_that_no_history_of_this_length_reaches_is_found() {
    assert_eq!(
        found(&learned("trend", "over = 4\nmin = { runs = 3 }")),
        [
            "gate.toml:2: a never fires: over 4 runs not even a drift that each of them confirms is as improbable as warn.p = 0.01"
        ]
    );
    assert!(found(&learned("trend", "over = 6\nmin = { runs = 3 }")).is_empty());
    assert_eq!(
        found(&format!(
            "gate.history.window = 3\n{}",
            learned("shift", "warn = { p = 1e-6 }\nmin = { before = 3 }")
        )),
        [
            "gate.toml:3: a never fires: after 3 runs not even the clearest shift is as improbable as warn.p = 0.000001"
        ]
    );
    assert_eq!(found(&learned("shift", "warn = { p = 1e-300 }")).len(), 1);
    assert!(found(&learned("shift", "warn = { p = 1e-6, by = 5 }")).is_empty());
    // More runs than are looked at otherwise are looked at where the rule asks for them.
    assert!(found(&learned("shift", "min = { after = 13 }")).is_empty());
}

#[test]
fn a_share_that_cannot_be_is_no_limit() {
    assert_eq!(
        found(&share("ratio", "fail = 0")),
        ["gate.toml:2: fail of a never fires: no share is beyond 0"]
    );
    assert_eq!(
        found(&share("ratio", "bad = \"up\"\nwarn = 0.5\nfail = \"100%\"")),
        ["gate.toml:2: fail of a never fires: no share is beyond 1"]
    );
    assert_eq!(
        found(&share("ratio", "fail = 1\nprove = true")),
        ["gate.toml:2: a never passes: that a share is 1 cannot be proved by any number of tries"]
    );
    assert!(found(&share("ratio", "fail = 1")).is_empty());
}

#[test]
fn a_burn_factor_that_not_even_an_outage_reaches_is_found() {
    let burn = |factor: &str| {
        let window =
            format!("{{ long = \"90m\", short = \"5m\", factor = {factor}, level = \"fail\" }}");
        share("burn", &format!("objective = 0.95\nwindows = [{window}]"))
    };
    assert!(found(&burn("20")).is_empty());
    assert_eq!(
        found(&burn("20.1")),
        [
            "gate.toml:2: the window of 90m in a never fires: even if all is bad, an objective of 0.95 burns 20 times as fast as the budget allows, less than factor = 20.1"
        ]
    );
}

#[test]
fn what_a_learned_rule_says_of_failing_must_fit_together() {
    for (kind, strict, loose) in [
        (
            "adaptive",
            "{ alpha = 0.01, by = \"5%\" }",
            ["{ alpha = 0.02, by = 0.2 }", "{ alpha = 0.001, by = 0.04 }"],
        ),
        (
            "shift",
            "{ p = 0.001, by = \"5%\" }",
            ["{ p = 0.002, by = 0.2 }", "{ p = 0.0001, by = 0.04 }"],
        ),
        (
            "trend",
            "{ p = 0.01, slope = \"5%/run\" }",
            ["{ p = 0.02, slope = 0.2 }", "{ p = 0.001, slope = 0.04 }"],
        ),
    ] {
        let lines = |rest: &str| learned(kind, rest);
        assert!(found(&lines(&format!("fail = {strict}\ncan_fail = true"))).is_empty());
        assert_eq!(
            found(&lines(&format!("fail = {strict}"))),
            ["gate.toml:2: a has fail but only warns: say can_fail = true, or leave fail out"]
        );
        assert_eq!(
            found(&lines("can_fail = true")),
            [
                "gate.toml:2: a has can_fail = true but only warns: say what fails, with fail = { … }"
            ]
        );
        for loose in loose {
            let found = found(&lines(&format!("fail = {loose}\ncan_fail = true")));
            assert_eq!(found.len(), 1, "{loose}");
            assert!(
                found[0].starts_with("gate.toml:2: fail of a is looser than warn in "),
                "{found:?}"
            );
        }
    }
}

#[test]
fn mutes_of_nothing_and_of_the_past_are_found() {
    let mute = |rule: &str, until: &str| {
        format!(
            "{}[[mute]]\nrule = \"{rule}\"\nuntil = \"{until}\"\nreason = \"r\"",
            learned("limit", "fail = 1").replace("\"a\"", "\"conflicts\"")
        )
    };
    assert!(found(&mute("conflicts", "2026-11-28")).is_empty());
    assert_eq!(
        found(&mute("conflicts", "2026-11-27")),
        ["gate.toml:7: the mute of conflicts ended on 2026-11-27: remove it"]
    );
    assert_eq!(
        found(&mute("conflict", "2027-01-01")),
        ["gate.toml:7: it mutes conflict, which is no rule of this file, did you mean conflicts?"]
    );
    // Nobody said what day it is.
    assert!(
        parse(&mute("conflicts", "2026-11-27"))
            .lint(None, None)
            .is_empty()
    );
}

#[test]
fn a_file_without_rules_is_found() {
    assert_eq!(
        found(""),
        ["gate.toml: there are no rules, so nothing is judged"]
    );
}
