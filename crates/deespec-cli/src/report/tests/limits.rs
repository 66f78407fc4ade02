//! What is too much for a service or a terminal: many rules, long texts, narrow lines.

use deespec::gate::{Explanation, Outcome, Report, Verdict};

use super::fixture::{hostile, look, report, rule, usual};
use super::readers::{annotation, read};
use crate::report::{Format, Look, github, render};
use crate::ui::fits;

fn many(count: usize, verdict: Outcome, effect: Verdict) -> Vec<Explanation> {
    (0..count)
        .map(|number| Explanation {
            verdict,
            effect,
            ..rule(&format!("{verdict}-{number}"), "limit")
        })
        .collect()
}

#[test]
fn the_worst_nine_of_a_level_are_annotated_and_then_how_many_more() {
    let mut rules = many(30, Outcome::NoData, Verdict::Warn);
    rules.extend(many(12, Outcome::Warn, Verdict::Warn));
    rules.extend(many(10, Outcome::Fail, Verdict::Fail));
    let text = render(&report(rules), Format::Github, &look()).unwrap();
    let found: Vec<_> = text.lines().filter_map(annotation).collect();
    let of = |level: &str| {
        let all = found.iter().filter(|one| one.level == level);
        all.map(|one| (one.properties["title"].clone(), one.message.clone()))
            .collect::<Vec<_>>()
    };
    // Ten fit as they are.
    assert_eq!(of("error").len(), 10);
    assert_eq!(of("error")[9].0, "fail-9");
    let warnings = of("warning");
    assert_eq!(warnings.len(), 10);
    assert_eq!(warnings[8].0, "warn-8");
    assert!(
        warnings[9].1.starts_with("and 33 more; the summary"),
        "{warnings:?}"
    );

    let eleven = report(many(11, Outcome::Fail, Verdict::Fail));
    let text = render(&eleven, Format::Github, &look()).unwrap();
    assert_eq!(text.matches("::error ").count(), 10);
    assert!(text.contains("::and 2 more; "), "{text}");
}

#[test]
fn a_summary_has_at_most_a_mebibyte_and_ends_with_a_whole_rule() {
    let mut rules = many(1500, Outcome::Warn, Verdict::Warn);
    for rule in &mut rules {
        rule.sentence = "It is | too much. ".repeat(40);
    }
    let report = report(rules);
    for written in [
        0,
        700_000,
        github::SUMMARY - 400,
        github::SUMMARY,
        10 * github::SUMMARY,
    ] {
        let text = github::summary(&report, &look(), written);
        let room = github::SUMMARY.saturating_sub(written);
        assert!(text.len() <= room.max(600), "{written}: {}", text.len());
        assert!(text.contains("is cut here"), "{written}");
        assert!(text.ends_with("has everything.\n"), "{written}");
        let found = read("markdown", &text);
        for row in found["rows"].as_array().unwrap() {
            assert_eq!(row.as_array().unwrap().len(), 6);
        }
    }
    let whole = github::summary(&usual(), &look(), 0);
    assert_eq!(whole, render(&usual(), Format::Markdown, &look()).unwrap());
}

#[test]
fn a_terminal_of_80_columns_gets_one_line_for_each_rule_that_passes() {
    for width in [80, 60, 300] {
        let look = Look {
            width: Some(width),
            ..look()
        };
        let mut report = usual();
        report.rules[0].sentence =
            "It is as it should be, and there is much to say of it. ".repeat(4);
        let text = render(&report, Format::Text, &look).unwrap();
        assert!(fits(&text, width), "{text}");
        assert_eq!(
            text.lines().filter(|line| line.starts_with("pass")).count(),
            1
        );
        assert_eq!(text.contains('…'), width < 300, "{text}");
    }
}

#[test]
fn a_terminal_obeys_nothing_of_a_report() {
    for width in [None, Some(80), Some(1)] {
        let look = Look { width, ..look() };
        let text = render(&hostile(), Format::Text, &look).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && crate::ui::is_obeyed(c)));
        assert!(text.contains("\\u{1b}[31mred"));
    }
}

#[test]
fn a_report_without_rules_says_so_in_every_form() {
    let none = Report {
        config: None,
        run: None,
        checked_at: None,
        ..report(Vec::new())
    };
    let look = Look::default();
    let text = |format| render(&none, format, &look).unwrap();
    assert_eq!(
        text(Format::Text),
        "GATE PASS  no rules\nrules: defaults, history: 40 runs\n"
    );
    assert_eq!(text(Format::Github), "GATE PASS  no rules\n");
    assert_eq!(text(Format::Tap), "TAP version 14\n1..0\n# gate pass\n");
    assert_eq!(text(Format::Markdown), "## Gate: pass\n\nno rules.\n");
    assert_eq!(
        read("junit", &text(Format::Junit))
            .as_array()
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        read("sarif", &text(Format::Sarif))["errors"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        read("prometheus", &text(Format::Prometheus))
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_difference_that_rounding_would_hide_is_shown() {
    let mut only = Explanation {
        value: Some(100.25),
        limit: Some(100.0),
        unit: "bytes".to_owned(),
        ..rule("x", "limit")
    };
    let text = |rule: &Explanation| {
        let text = render(&report(vec![rule.clone()]), Format::Text, &look()).unwrap();
        text.lines()
            .nth(4)
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        text(&only),
        "pass x 100.25 bytes 100 bytes It is as it should be."
    );
    only.value = Some(90.0);
    assert_eq!(text(&only), "pass x 90 B 100 B It is as it should be.");
}

#[test]
fn what_fails_the_gate_fails_in_every_form_and_nothing_else_does() {
    let warns = many(1, Outcome::Warn, Verdict::Fail);
    let fails = many(1, Outcome::Fail, Verdict::Warn);
    // What rules count as by the policies: fail_on = "warn", and fail_on = "never".
    for (rules, verdict, failures) in [(warns, Verdict::Fail, 1), (fails, Verdict::Warn, 0)] {
        let report = Report {
            verdict,
            ..report(rules)
        };
        let text = |format| render(&report, format, &look()).unwrap();
        let junit = format!("failures=\"{failures}\"");
        assert!(text(Format::Junit).contains(&junit));
        assert_eq!(text(Format::Tap).matches("\nnot ok").count(), failures);
        assert_eq!(text(Format::Github).matches("::error ").count(), failures);
        assert_eq!(text(Format::Sarif).matches("\"error\"").count(), failures);
        assert_eq!(text(Format::Gitlab).matches("critical").count(), failures);
        assert!(text(Format::Text).contains(&format!("counts as  {verdict}")));
    }
}

#[test]
fn a_warning_behind_a_failure_of_the_same_metric_is_not_told_twice() {
    let mut rules = many(1, Outcome::Fail, Verdict::Fail);
    rules.extend(many(1, Outcome::Warn, Verdict::Warn));
    rules[1].hidden_by = Some("fail-0".to_owned());
    let report = report(rules);
    let text = |format| render(&report, format, &look()).unwrap();
    assert!(!text(Format::Github).contains("::warning"));
    assert_eq!(
        read("gitlab", &text(Format::Gitlab))
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let found = read("sarif", &text(Format::Sarif));
    assert_eq!(
        found["document"]["runs"][0]["results"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(text(Format::Text).contains("hidden by  fail-0, which fails for the same"));
}
