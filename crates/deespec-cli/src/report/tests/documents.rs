//! Forms with a schema: the report itself, SARIF, and GitLab's.

use std::path::{Path, PathBuf};

use deespec::gate::{Outcome, Report, Verdict};
use serde_json::{Value, json};

use super::fixture::{hostile, look, report, usual};
use super::readers::{read, read_by};
use crate::report::words::shown;
use crate::report::{Format, Look, render};

fn rendered(report: &Report, format: Format) -> String {
    render(report, format, &look()).unwrap()
}

fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/report.schema.json")
}

#[test]
fn json_is_as_the_schema_says_by_two_validators() {
    let schema = schema();
    let text = std::fs::read_to_string(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&serde_json::from_str(&text).unwrap()).unwrap();
    for report in [usual(), hostile(), report(Vec::new())] {
        let text = rendered(&report, Format::Json);
        let document: Value = serde_json::from_str(&text).unwrap();
        validator.validate(&document).unwrap();
        let found = read_by("report", &text, Some(&schema));
        assert_eq!(found, document);
        for (rule, told) in report
            .rules
            .iter()
            .zip(document["rules"].as_array().unwrap())
        {
            assert_eq!(told["rule"], rule.rule.as_str());
            assert_eq!(told["sentence"], rule.sentence.as_str());
        }
        // Safe to show at a terminal, too.
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}']));
    }
    // The schema knows every field: it says so of one that it does not know, and of one that is missing.
    let whole: Value = serde_json::from_str(&rendered(&usual(), Format::Json)).unwrap();
    for place in [
        "",
        "/rules/2",
        "/rules/2/evidence",
        "/rules/2/evidence/baseline",
        "/rules/3/evidence/change",
    ] {
        let mut more = whole.clone();
        more.pointer_mut(place).unwrap()["surprise"] = json!(1);
        assert!(!validator.is_valid(&more), "{place}");
        let keys: Vec<String> = whole
            .pointer(place)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        for key in keys {
            let mut less = whole.clone();
            less.pointer_mut(place)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(&key);
            assert!(!validator.is_valid(&less), "{place} without {key}");
        }
    }
}

#[test]
fn sarif_locates_each_result_at_its_rule() {
    let found = read("sarif", &rendered(&usual(), Format::Sarif));
    assert_eq!(found["errors"], json!([]));
    let run = &found["document"]["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 6);
    let results: Vec<Value> = (run["results"].as_array().unwrap().iter())
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], ".deespec/gate.toml");
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(
                run["tool"]["driver"]["rules"][index]["id"],
                result["ruleId"]
            );
            json!([
                result["ruleId"],
                result["level"],
                place["region"]["startLine"]
            ])
        })
        .collect();
    let expected = json!([
        ["commit-p99", "error", 31],
        ["conflicts-trend", "warning", 52],
        ["success-rate", "note", 18],
        ["budget", "note", 63],
    ]);
    assert_eq!(json!(results), expected);
    assert_eq!(
        run["results"][0]["partialFingerprints"]["deespecIncident/v1"],
        "9f86d081884c7d65"
    );
}

#[test]
fn sarif_is_valid_whatever_the_texts_and_the_path() {
    let report = hostile();
    for (config, uri) in [
        (None, ".deespec/gate.toml"),
        (
            Some("/elsewhere/a b/\u{e9}%.toml"),
            "file:///elsewhere/a%20b/%C3%A9%25.toml",
        ),
        (Some("rules/#1?[x].toml"), "rules/%231%3F%5Bx%5D.toml"),
    ] {
        let look = Look {
            config: config.map(str::to_owned),
            ..look()
        };
        let found = read("sarif", &render(&report, Format::Sarif, &look).unwrap());
        assert_eq!(found["errors"], json!([]), "{config:?}");
        let run = &found["document"]["runs"][0];
        let place = &run["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], uri);
        let counted = report
            .rules
            .iter()
            .filter(|rule| rule.effect != Verdict::Pass);
        assert_eq!(run["results"].as_array().unwrap().len(), counted.count());
        let notifications = &run["invocations"][0]["toolExecutionNotifications"];
        assert_eq!(
            notifications.as_array().unwrap().len(),
            report.problems.len()
        );
    }
}

#[test]
fn gitlab_has_an_issue_for_each_rule_that_counts() {
    let found = read("gitlab", &rendered(&usual(), Format::Gitlab));
    let issues: Vec<Value> = (found.as_array().unwrap().iter())
        .map(|issue| {
            json!([
                issue["check_name"],
                issue["severity"],
                issue["location"]["lines"]["begin"]
            ])
        })
        .collect();
    let expected = json!([
        ["commit-p99", "critical", 31],
        ["conflicts-trend", "major", 52],
        ["success-rate", "minor", 18],
        ["budget", "minor", 63],
    ]);
    assert_eq!(json!(issues), expected);
    assert_eq!(found[0]["location"]["path"], ".deespec/gate.toml");
    assert_eq!(
        read("gitlab", &rendered(&report(Vec::new()), Format::Gitlab)),
        json!([])
    );
}

#[test]
fn gitlab_reads_every_text_back_whatever_it_holds() {
    let report = hostile();
    let found = read("gitlab", &rendered(&report, Format::Gitlab));
    let issues = found.as_array().unwrap();
    for rule in report
        .rules
        .iter()
        .filter(|rule| rule.effect != Verdict::Pass)
    {
        let issue = issues
            .iter()
            .find(|issue| issue["fingerprint"] == rule.fingerprint.as_str());
        let issue = issue.unwrap_or_else(|| panic!("{}", rule.rule));
        assert_eq!(issue["check_name"], shown(&rule.rule));
        let begin: String = shown(&rule.sentence).chars().take(1000).collect();
        assert!(issue["description"].as_str().unwrap().starts_with(&begin));
    }
    let counted = report
        .rules
        .iter()
        .filter(|rule| rule.effect != Verdict::Pass);
    assert_eq!(issues.len(), counted.count() + report.problems.len());
    assert!(
        report
            .rules
            .iter()
            .any(|rule| rule.verdict == Outcome::Pass)
    );
}
