//! Verdicts of the real program, read by somebody else's parser in each form. The unit tests of `src/report` have
//! worse reports than a real gate gives.

mod readers;

use std::path::Path;

use serde_json::{Value, json};

use self::readers::{annotation, promtool, read, read_by};
use crate::support::{Sandbox, code, stderr};

/// A file that thresholds lie in, named to be mistaken for something else by whoever does not escape it.
const CONFIG: &str = "rules/a b,c:%0A#[x].json";

/// A repository with a store in which a rule fails, one warns and one passes.
fn failing() -> Sandbox {
    let sandbox = Sandbox::new();
    for folder in [".git", "rules"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
    }
    std::fs::write(sandbox.path(CONFIG), "{}").unwrap();
    for (name, count) in [
        ("commit_success", "90"),
        ("commit_failed", "10"),
        ("cas_conflicts", "85"),
    ] {
        sandbox.ok(&["inc", name, "--by", count]);
    }
    sandbox
}

/// What is printed in a form; the gate must fail.
fn printed(sandbox: &Sandbox, format: &str) -> String {
    let arguments = ["doctor", "--config", CONFIG, "--format", format];
    let output = sandbox.output(&arguments);
    assert_eq!(
        (code(&output), stderr(&output).as_str()),
        (1, ""),
        "{format}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Whoever knows only text sees these words of each rule.
fn has_all(text: &str) {
    for word in ["success-rate", "cas-conflicts", "below threshold 95.00%"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn each_form_is_read_by_somebody_else() {
    let sandbox = failing();
    let found = read("junit", &printed(&sandbox, "junit"));
    let kinds: Vec<&Value> = (0..3).map(|case| &found[case]["results"][0][0]).collect();
    assert_eq!(json!(kinds), json!(["Failure", null, null]));
    assert!(found[1]["out"].as_str().unwrap().starts_with("warn: "));

    let found = read("sarif", &printed(&sandbox, "sarif"));
    assert_eq!(found["errors"], json!([]));
    let results = found["document"]["runs"][0]["results"].as_array().unwrap();
    let levels: Vec<&Value> = results.iter().map(|result| &result["level"]).collect();
    assert_eq!(json!(levels), json!(["error", "warning"]));
    let place = &results[0]["locations"][0]["physicalLocation"];
    let uri = "rules/a%20b%2Cc%3A%250A%23%5Bx%5D.json";
    assert_eq!(place["artifactLocation"]["uri"], uri);

    let found = read("gitlab", &printed(&sandbox, "gitlab"));
    assert_eq!(found[0]["location"]["path"], CONFIG);
    assert_eq!(found[0]["severity"], "critical");

    let found = read("tap", &printed(&sandbox, "tap"));
    let lines = found.as_array().unwrap().iter();
    let points: Vec<&Value> = lines
        .filter(|line| line["is"] == "test")
        .map(|line| &line["ok"])
        .collect();
    assert_eq!(json!(points), json!([false, true, true]));

    let found = read("markdown", &printed(&sandbox, "markdown"));
    assert_eq!(found["rows"].as_array().unwrap().len(), 4);

    let text = printed(&sandbox, "prometheus");
    promtool(&text);
    let found = read("prometheus", &text);
    let of = |name: &str, rule: &str| {
        let all = found.as_array().unwrap().iter();
        let mut of = all.filter(|one| one["name"] == name && one["labels"]["rule"] == rule);
        of.next().unwrap()["value"].clone()
    };
    assert_eq!(of("deespec_gate_value", "cas-conflicts"), "85.0");
    assert_eq!(of("deespec_gate_limit", "cas-conflicts"), "100.0");
    assert_eq!(of("deespec_gate_value", "success-rate"), "0.9");

    let schema =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/report.schema.json");
    let found = read_by("report", &printed(&sandbox, "json"), Some(&schema));
    assert_eq!(found["verdict"], "fail");
    has_all(&printed(&sandbox, "text"));
}

#[test]
fn one_judgement_goes_to_the_terminal_to_files_and_to_the_summary() {
    let sandbox = failing();
    let summary = sandbox.path("summary.md");
    std::fs::write(&summary, "of another command\n").unwrap();
    let mut command = sandbox.deespec(&["doctor", "--config", CONFIG, "--format", "github"]);
    command
        .args(["--report", "junit=gate.xml", "--report", "markdown=gate.md"])
        .env("GITHUB_STEP_SUMMARY", &summary);
    let output = command.output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (1, ""));
    let text = String::from_utf8(output.stdout).unwrap();
    let found: Vec<_> = text.lines().filter_map(annotation).collect();
    let told: Vec<(&str, &str, &str)> = (found.iter())
        .map(|one| {
            let property = |name: &str| one.properties[name].as_str();
            (one.level.as_str(), property("title"), property("file"))
        })
        .collect();
    let expected = [
        ("error", "success-rate", CONFIG),
        ("warning", "cas-conflicts", CONFIG),
    ];
    assert_eq!(told, expected);
    let written = |name: &str| std::fs::read_to_string(sandbox.path(name)).unwrap();
    has_all(&written("gate.xml"));
    let markdown = written("gate.md");
    assert_eq!(
        written("summary.md"),
        format!("of another command\n{markdown}")
    );
    // Without --format the doctor says what it always says.
    let output = sandbox.output(&["doctor", "--config", CONFIG, "--report", "tap=gate.tap"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("\nGATE FAIL  (thresholds: "), "{text}");
    assert!(written("gate.tap").starts_with("TAP version 14\n"));
}

#[test]
fn a_verdict_that_cannot_be_delivered_is_none() {
    let sandbox = failing();
    let told = |arguments: &[&str]| {
        let output = sandbox.output(&[&["doctor", "--config", CONFIG], arguments].concat());
        assert_eq!(code(&output), 3, "{arguments:?}");
        stderr(&output)
    };
    let said = told(&[
        "--report",
        "junit=missing/gate.xml",
        "--report",
        "tap=gate.tap",
    ]);
    assert!(
        said.contains("cannot write the report to missing/gate.xml"),
        "{said}"
    );
    assert!(said.contains("make the folder first"), "{said}");
    assert!(sandbox.path("gate.tap").exists());
    let said = told(&["--report", "tap=a", "--report", "text=a"]);
    assert!(said.contains("--report names a twice"), "{said}");
    let said = told(&["--json", "--format", "tap"]);
    assert!(said.contains("cannot both print"), "{said}");
    for wrong in ["tap", "xml=a", "tap="] {
        let said = told(&["--report", wrong]);
        assert!(
            said.contains("FORMAT=FILE with one of text, json, junit"),
            "{said}"
        );
    }
}

#[test]
fn a_report_that_is_asked_for_is_a_judgement() {
    let sandbox = failing();
    let output = sandbox.output(&["doctor", "--format", "tap"]);
    assert_eq!(code(&output), 1);
    let output = sandbox.output(&["doctor", "--report", "tap=gate.tap"]);
    assert_eq!(code(&output), 1);
}

/// Rules whose texts want to be something else, and one of each other kind.
const RULES: &str = r###"schema = "deespec.gate/1"
[[rule]]
id = '::error::##[error]x<img/src=x>|`*_#1,a:b%0A'
metric = "cas_conflicts"
kind = "limit"
fail = 80
why = "]]> -->\n::error::why\n# SKIP | <script> \u001b[31m"
runbook = "https://x.example/a b\"|<>"
[[rule]]
id = "rate"
metric = { good = "commit_success", bad = "commit_failed" }
kind = "ratio"
bad = "down"
fail = 0.95
[[rule]]
id = "slow"
metric = "seconds"
kind = "adaptive"
unit = "seconds"
[[rule]]
id = "moved"
metric = "seconds"
kind = "shift"
[[rule]]
id = "grows"
metric = "seconds"
kind = "trend"
[[rule]]
id = "budget"
metric = { good = "commit_success", bad = "commit_failed" }
kind = "burn"
objective = 0.95
windows = [ { long = "1h", short = "5m", factor = 14.4, level = "fail" } ]
[[rule]]
id = "never"
metric = "nobody_has_it"
kind = "limit"
fail = 1
[[mute]]
rule = "rate"
until = "9999-12-31"
reason = "# TODO | not ok ::error::x"
"###;

#[test]
fn rules_of_each_kind_are_told_in_each_form() {
    let sandbox = failing();
    sandbox.ok(&["set", "seconds", "4"]);
    std::fs::create_dir(sandbox.path(".deespec")).unwrap();
    std::fs::write(sandbox.path(".deespec/gate.toml"), RULES).unwrap();
    let runs = (0..40).map(|run| {
        let value = 1.0 + f64::from(run % 7) / 100.0;
        format!("{{\"run\":{run},\"value\":{value}}}\n")
    });
    std::fs::write(sandbox.path("runs.jsonl"), runs.collect::<String>()).unwrap();
    let names = [
        "junit",
        "sarif",
        "gitlab",
        "tap",
        "markdown",
        "prometheus",
        "json",
        "github",
    ];
    let reports = names.map(|name| format!("--report={name}=gate.{name}"));
    let mut command = sandbox.deespec(&["doctor", "--config", ".deespec/gate.toml"]);
    command.args(["--history", "runs.jsonl", "--format", "text", "--run", "41"]);
    for name in [
        "GITHUB_STEP_SUMMARY",
        "GITHUB_REF_NAME",
        "CI_COMMIT_REF_NAME",
        "DEESPEC_HOST_CLASS",
    ] {
        command.env_remove(name);
    }
    let output = command.args(reports).output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (1, ""));
    let written =
        |name: &str| std::fs::read_to_string(sandbox.path(format!("gate.{name}"))).unwrap();

    let schema =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/report.schema.json");
    let report = read_by("report", &written("json"), Some(&schema));
    let rules = report["rules"].as_array().unwrap();
    let told: Vec<Value> = (rules.iter())
        .map(|rule| json!([rule["kind"], rule["verdict"], rule["effect"]]))
        .collect();
    let expected = json!([
        ["limit", "fail", "fail"],
        ["ratio", "fail", "pass"],
        ["adaptive", "pass", "pass"],
        ["shift", "pass", "pass"],
        ["trend", "pass", "pass"],
        ["burn", "pass", "pass"],
        ["limit", "no_data", "warn"],
    ]);
    assert_eq!(json!(told), expected, "{report:#}");

    let ids: Vec<&str> = rules
        .iter()
        .map(|rule| rule["rule"].as_str().unwrap())
        .collect();
    let found = read("junit", &written("junit"));
    let cases: Vec<&str> = (0..7)
        .map(|case| found[case]["name"].as_str().unwrap())
        .collect();
    assert_eq!(cases, ids);
    let found = read("sarif", &written("sarif"));
    assert_eq!(found["errors"], json!([]));
    let results = &found["document"]["runs"][0]["results"];
    let lines = (0..2)
        .map(|result| &results[result]["locations"][0]["physicalLocation"]["region"]["startLine"]);
    assert_eq!(json!(lines.collect::<Vec<_>>()), json!([2, 34]));
    assert_eq!(
        read("gitlab", &written("gitlab")).as_array().unwrap().len(),
        2
    );
    let found = read("tap", &written("tap"));
    let lines = found.as_array().unwrap().iter();
    let directives: Vec<&Value> = lines
        .filter(|line| line["is"] == "test")
        .map(|line| &line["directive"])
        .collect();
    assert_eq!(
        json!(directives),
        json!([null, "todo", null, null, null, null, "skip"])
    );
    let found = read("markdown", &written("markdown"));
    let rows = found["rows"].as_array().unwrap();
    let names: Vec<&str> = rows[1..]
        .iter()
        .map(|row| row[1].as_str().unwrap())
        .collect();
    assert_eq!(names, ids);
    promtool(&written("prometheus"));
    let text = written("github");
    let found: Vec<_> = text.lines().filter_map(annotation).collect();
    let told: Vec<(&str, &str)> = (found.iter())
        .map(|one| (one.level.as_str(), one.properties["title"].as_str()))
        .collect();
    assert_eq!(told, [("error", ids[0]), ("warning", "never")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("gate.toml:2\n"), "{text}");
}
