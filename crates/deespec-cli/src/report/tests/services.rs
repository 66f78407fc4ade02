//! Forms of which others say in a few words what stands where: test reports, samples, Markdown, commands.

use deespec::gate::{Explanation, Outcome};
use serde_json::{Value, json};

use super::fixture::{hostile, look, report, usual};
use super::readers::{annotation, promtool, read};
use crate::report::sparkline::sparkline;
use crate::report::words::{shown, word};
use crate::report::{Format, render};

fn rendered(report: &deespec::gate::Report, format: Format) -> String {
    render(report, format, &look()).unwrap()
}

fn texts(found: &Value, key: &str) -> Vec<String> {
    let all = found.as_array().unwrap().iter();
    all.map(|one| one[key].as_str().unwrap().to_owned())
        .collect()
}

fn ids(report: &deespec::gate::Report) -> Vec<String> {
    report.rules.iter().map(|rule| shown(&rule.rule)).collect()
}

#[test]
fn junit_fails_skips_and_passes_as_the_rules_count() {
    let found = read("junit", &rendered(&usual(), Format::Junit));
    assert_eq!(texts(&found, "name"), ids(&usual()));
    assert_eq!(
        texts(&found, "class"),
        ["limit", "ratio", "adaptive", "shift", "trend", "burn"]
    );
    let kinds: Vec<&Value> = (0..6).map(|case| &found[case]["results"][0][0]).collect();
    assert_eq!(
        json!(kinds),
        json!([null, "Skipped", "Failure", "Skipped", null, "Skipped"])
    );
    let failure = &found[2]["results"][0];
    assert_eq!(failure[1], "fail");
    assert_eq!(failure[2], usual().rules[2].sentence.as_str());
    let text = failure[3].as_str().unwrap();
    for told in [
        "value: 0.312 s",
        "limit: 0.26 s",
        "runbook: docs/runbooks/slow-commits.md",
        "at: .deespec/gate.toml:31",
    ] {
        let told = told
            .replace("0.312 s", "312 ms")
            .replace("0.26 s", "260 ms");
        assert!(text.contains(&told), "{told}: {text}");
    }
    assert!(
        found[1]["results"][0][2]
            .as_str()
            .unwrap()
            .starts_with("inconclusive: 15 of 16")
    );
    assert!(
        found[4]["out"]
            .as_str()
            .unwrap()
            .starts_with("warn: It grows by")
    );
}

#[test]
fn junit_reads_every_text_back_whatever_it_holds() {
    let report = hostile();
    let found = read("junit", &rendered(&report, Format::Junit));
    let mut names = ids(&report);
    names.push("problems".to_owned());
    assert_eq!(texts(&found, "name"), names);
    for (rule, case) in report.rules.iter().zip(found.as_array().unwrap()) {
        let sentence = shown(&rule.sentence);
        let result = &case["results"][0];
        match (rule.verdict, rule.effect) {
            (Outcome::Pass, _) => assert_eq!(case["results"], json!([])),
            (Outcome::Warn, _) => assert!(case["out"].as_str().unwrap().contains(&sentence)),
            (_, deespec::gate::Verdict::Fail) => assert_eq!(result[2], sentence.as_str()),
            _ => assert_eq!(result[2], format!("{}: {sentence}", word(rule))),
        }
    }
}

#[test]
fn tap_has_a_point_for_each_rule_with_its_directive() {
    let found = read("tap", &rendered(&usual(), Format::Tap));
    let lines = found.as_array().unwrap();
    assert_eq!(lines[0], json!({"is": "version", "version": 14}));
    assert_eq!(lines[1]["expected"], 6);
    let points: Vec<&Value> = lines.iter().filter(|line| line["is"] == "test").collect();
    let told: Vec<Value> = points
        .iter()
        .map(|point| json!([point["ok"], point["number"], point["directive"]]))
        .collect();
    let expected = json!([
        [true, 1, null],
        [true, 2, "skip"],
        [false, 3, null],
        [false, 4, "todo"],
        [true, 5, null],
        [true, 6, "skip"]
    ]);
    assert_eq!(json!(told), expected);
    assert_eq!(points[2]["yaml"]["severity"], "fail");
    assert_eq!(points[2]["yaml"]["value"], "312 ms");
    assert_eq!(
        points[3]["reason"],
        "muted until 2026-12-31: known, issue 123"
    );
    let is_warning = |line: &&Value| {
        let text = line["text"].as_str().unwrap_or_default();
        text.starts_with("# warn: It grows by")
    };
    assert_eq!(lines.iter().filter(is_warning).count(), 1);
}

#[test]
fn tap_takes_no_part_of_a_text_for_its_own() {
    let report = hostile();
    let found = read("tap", &rendered(&report, Format::Tap));
    let lines = found.as_array().unwrap();
    assert!(
        lines
            .iter()
            .all(|line| line["is"] != "unknown" && line["is"] != "bail"),
        "{lines:?}"
    );
    assert_eq!(lines.iter().filter(|line| line["is"] == "plan").count(), 1);
    let points: Vec<&Value> = lines.iter().filter(|line| line["is"] == "test").collect();
    assert_eq!(points.len(), report.rules.len());
    for (number, (rule, point)) in (1..).zip(report.rules.iter().zip(points)) {
        assert_eq!(point["number"], number);
        let (ok, directive) = match (rule.verdict, rule.effect) {
            (_, deespec::gate::Verdict::Fail) => (false, json!(null)),
            (Outcome::Fail, _) => (false, json!("todo")),
            (Outcome::NoData, _) => (true, json!("skip")),
            _ => (true, json!(null)),
        };
        assert_eq!(
            (&point["ok"], &point["directive"]),
            (&json!(ok), &directive),
            "{}",
            rule.rule
        );
        if !ok {
            // The block has the texts as they are.
            assert_eq!(point["yaml"]["id"], rule.rule.as_str());
            assert_eq!(point["yaml"]["message"], rule.sentence.as_str());
        }
    }
}

fn label<'a>(sample: &'a Value, name: &str) -> &'a str {
    sample["labels"][name].as_str().unwrap_or_default()
}

#[test]
fn prometheus_has_one_state_that_holds_and_no_sample_for_what_is_not_known() {
    let text = rendered(&usual(), Format::Prometheus);
    promtool(&text);
    let found = read("prometheus", &text);
    let samples: Vec<&Value> = found.as_array().unwrap().iter().collect();
    let of = |name: &str| {
        samples
            .iter()
            .filter(|one| one["name"] == name)
            .copied()
            .collect::<Vec<_>>()
    };
    for rule in &usual().rules {
        let states = of("deespec_gate_verdict");
        let states = states.iter().filter(|one| label(one, "rule") == rule.rule);
        let holds: Vec<&str> = states
            .filter(|one| one["value"] == "1.0")
            .map(|one| label(one, "verdict"))
            .collect();
        assert_eq!(holds, [rule.verdict.as_str()]);
        let value = of("deespec_gate_value")
            .into_iter()
            .find(|one| label(one, "rule") == rule.rule);
        let value = value.map(|one| one["value"].as_str().unwrap().parse::<f64>().unwrap());
        assert_eq!(value, rule.value);
    }
    let whole = of("deespec_gate_status")
        .into_iter()
        .find(|one| one["value"] == "1.0");
    assert_eq!(label(whole.unwrap(), "verdict"), "fail");
    assert_eq!(of("deespec_gate_limit").len(), 3);
    assert_eq!(of("deespec_gate_samples").len(), 5);
}

#[test]
fn prometheus_reads_every_id_back_whatever_it_holds() {
    let report = hostile();
    let text = rendered(&report, Format::Prometheus);
    promtool(&text);
    let found = read("prometheus", &text);
    let samples = found.as_array().unwrap().iter();
    let holds =
        samples.filter(|one| one["name"] == "deespec_gate_verdict" && one["value"] == "1.0");
    let read: Vec<&str> = holds.map(|one| label(one, "rule")).collect();
    let ids: Vec<&str> = report.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(read, ids);
    assert!(!text.contains("NaN"));
}

#[test]
fn markdown_is_a_table_with_a_row_for_each_rule_and_text_only() {
    for report in [usual(), hostile()] {
        let found = read("markdown", &rendered(&report, Format::Markdown));
        let rows = found["rows"].as_array().unwrap();
        assert_eq!(rows.len(), report.rules.len() + 1);
        let begin = |text: &str| shown(text).trim().chars().take(40).collect::<String>();
        for (rule, row) in report.rules.iter().zip(&rows[1..]) {
            let cells: Vec<&str> = row
                .as_array()
                .unwrap()
                .iter()
                .map(|cell| cell.as_str().unwrap())
                .collect();
            assert_eq!(cells.len(), 6, "{cells:?}");
            assert!(
                cells[1].starts_with(&begin(&rule.rule)),
                "{cells:?} {}",
                rule.rule
            );
            assert!(cells[5].starts_with(&begin(&rule.sentence)), "{cells:?}");
            assert_eq!(cells[4], sparkline(&rule.recent));
        }
        // Nothing that somebody wrote has become a mark.
        let kinds = found["kinds"].as_array().unwrap();
        for mark in [
            "html_inline",
            "html_block",
            "link_open",
            "image",
            "em_open",
            "strong_open",
            "s_open",
            "code_inline",
            "fence",
            "code_block",
            "hr",
            "blockquote_open",
            "ordered_list_open",
            "softbreak",
            "hardbreak",
        ] {
            let ours = mark == "strong_open" || mark == "softbreak";
            assert!(ours || !kinds.contains(&json!(mark)), "{mark}");
        }
        assert!(!kinds.contains(&json!("softbreak")));
        let others = |rule: &&Explanation| rule.verdict != Outcome::Pass;
        let items: Vec<&str> = (found["items"].as_array().unwrap().iter())
            .map(|item| item.as_str().unwrap())
            .collect();
        for rule in report.rules.iter().filter(others) {
            let sentence = begin(&rule.sentence);
            assert!(
                items.iter().any(|item| item.starts_with(&sentence)),
                "{sentence}"
            );
        }
        let problems = usize::from(!report.problems.is_empty());
        let sections = report.rules.iter().filter(others).count();
        assert_eq!(
            found["headings"].as_array().unwrap().len(),
            1 + problems + sections
        );
    }
}

#[test]
fn a_runner_finds_the_annotations_and_no_other_command() {
    let found: Vec<_> = rendered(&usual(), Format::Github)
        .lines()
        .filter_map(annotation)
        .collect();
    let told: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|one| {
            (
                one.level.as_str(),
                one.properties["title"].as_str(),
                one.properties["line"].as_str(),
            )
        })
        .collect();
    let expected = [
        ("error", "commit-p99", "31"),
        ("warning", "conflicts-trend", "52"),
        ("warning", "success-rate", "18"),
        ("warning", "budget", "63"),
    ];
    assert_eq!(told, expected);
    assert_eq!(found[0].properties["file"], ".deespec/gate.toml");
    let rule = &usual().rules[2];
    assert_eq!(
        found[0].message,
        format!("{}\n{}", rule.sentence, rule.next_step.clone().unwrap())
    );

    // Each hostile text alone, so that it is among those that are shown.
    for rule in hostile().rules {
        let alone = report(vec![rule.clone()]);
        let text = rendered(&alone, Format::Github);
        let lines: Vec<&str> = text.lines().collect();
        let found: Vec<_> = lines.iter().copied().filter_map(annotation).collect();
        if rule.effect == deespec::gate::Verdict::Pass {
            assert_eq!((lines.len(), found.len()), (1, 0), "{text}");
            continue;
        }
        assert_eq!((lines.len(), found.len()), (2, 1), "{text}");
        let title: String = shown(&rule.rule).trim().chars().take(100).collect();
        let told = found[0].properties["title"].trim();
        assert!(told.starts_with(&title), "{found:?}");
        assert_eq!(found[0].properties.len(), 3);
        let message: String = shown(&rule.sentence).chars().take(100).collect();
        assert!(found[0].message.starts_with(&message), "{found:?}");
    }
}
