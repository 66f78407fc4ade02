//! The published schema of `gate.toml` against the parser, in both directions: what one accepts the other accepts,
//! and what one refuses the other refuses, but for what no schema can tell.

use std::path::{Path, PathBuf};
use std::process::Command;

use deespec::gate::Rules;
use serde_json::Value;

const EXAMPLE: &str = include_str!("../../../deespec/src/gate/rules/parse/example.toml");
const REFUSED: &str = include_str!("../../../deespec/src/gate/rules/parse/refused.toml");
const FRESH: &str = include_str!("../../src/command/init/gate.toml");

fn schema() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/gate.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// A file as a checker of schemas sees it: dates are texts, and what is no number is nothing.
fn seen(value: &toml::Value) -> Value {
    match value {
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(list) => list.iter().map(seen).collect(),
        toml::Value::Table(table) => {
            let entries = table.iter().map(|(key, value)| (key.clone(), seen(value)));
            Value::Object(entries.collect())
        }
        other => serde_json::to_value(other).unwrap(),
    }
}

/// What the schema says of a text; `None` where it is not TOML.
fn holds(schema: &jsonschema::Validator, text: &str) -> Option<Result<(), String>> {
    let value: toml::Value = toml::from_str(text).ok()?;
    let value = seen(&value);
    let errors: Vec<String> = schema
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    Some(if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n"))
    })
}

/// Files that are lawful in ways that the example is not: with few keys, and with all of them.
fn good() -> Vec<String> {
    let rule = |rest: &str| format!("schema = \"deespec.gate/1\"\n[[rule]]\nid = \"a\"\n{rest}");
    let learned = |rest: &str| rule(&format!("metric = \"m\"\n{rest}"));
    let share = |rest: &str| {
        rule(&format!(
            "metric = {{ good = \"g\", bad = \"b.count\" }}\n{rest}"
        ))
    };
    let window = |rest: &str| share(&format!("kind = \"burn\"\nobjective = \"99.9%\"\n{rest}"));
    let mut good = vec![
        EXAMPLE.to_owned(),
        FRESH.to_owned(),
        "schema = \"deespec.gate/1\"".to_owned(),
        "schema = \"deespec.gate/1\"\n[gate]\nfail_on = \"never\"\nno_data = \"fail\"\n\
         inconclusive = \"pass\"\nalpha = 0.5\n[gate.history]\nscope = []\nbranch = \"main\"\n\
         window = 1\nmin = 2\nexclude = [\"error\"]\n[correlate]\non = \"values\"\n\
         method = \"spearman\"\nlags = 0\nmin_runs = 4\nfdr = 0.9\n[[mute]]\nrule = \"a\"\n\
         until = 2026-02-28\nreason = \"r\""
            .to_owned(),
        "schema = \"deespec.gate/1\"\nrule = []\nmute = []".to_owned(),
        learned(
            "kind = \"limit\"\nwarn = -1.5e300\nbad = \"down\"\nno_data = \"pass\"\nunit = \"s\"",
        ),
        share(
            "kind = \"limit\"\nfail = 0.9\nwhy = \"w\"\nrunbook = \"r\"\ninconclusive = \"fail\"",
        ),
        share(
            "kind = \"ratio\"\nfail = \"0%\"\nwarn = \"100.0%\"\nconfidence = \"99.5%\"\nmin = {}",
        ),
        share("kind = \"ratio\"\nwarn = 1\nmin = { total = 1 }\nprove = false"),
        share("kind = \"ratio\"\nfail = 0.5\nprove = true"),
        learned("kind = \"adaptive\"\nmodel = \"log-t\"\nwarn = {}\nmin = {}\nfloor = 0"),
        learned(
            "kind = \"adaptive\"\nmodel = \"t\"\nwarn = { by = \"300%\" }\n\
             fail = { alpha = 1e-9, by = 3 }\nconfirm = { k = 1, of = 100 }\n\
             min = { runs = 2, distinct = 1 }\nfloor = \"100%\"\ncan_fail = true",
        ),
        learned("kind = \"shift\"\nfail = { p = 1e-9, by = 0 }\nmin = { before = 2, after = 1 }"),
        learned(
            "kind = \"trend\"\nover = 3\nwarn = { slope = 0 }\nfail = { slope = \"0.5%/run\", p = 0.1 }\n\
             eta = { to = -7, within = \"1 run\" }\nmin = { runs = 3 }",
        ),
        learned("kind = \"trend\"\nover = \"1000000 runs\"\neta = { to = 0.5, within = 1 }"),
        window("windows = [{ long = \"10w\", short = \"1s\", factor = 0.1, level = \"warn\" }]"),
        window(
            "min = { bad = 0, total = 1 }\nwindows = [{ long = \"2d\", short = \"1d\", factor = 1, level = \"fail\" }]",
        ),
    ];
    for metric in [
        "a:b_c9",
        " rate( x ) ",
        "x.p99",
        "x.p99.9",
        "x.p.5",
        "x.count",
        "rate(x{a=\\\"}{\\\",b=\\\"\\\\\\\\ \\\\n\\\"}.sum)",
        "x.mean{a=\\\"b\\\"}",
        "x{}",
    ] {
        good.push(rule(&format!(
            "metric = \"{metric}\"\nkind = \"limit\"\nfail = 1"
        )));
    }
    for id in ["a", "ä.b/c:d_e-f#1", "9"] {
        let text = learned("kind = \"shift\"").replace("\"a\"", &format!("\"{id}\""));
        good.push(text);
    }
    good
}

#[test]
fn the_schema_and_the_parser_accept_the_same_files() {
    let schema = schema();
    for text in good() {
        let parsed = Rules::parse(&text, Path::new("gate.toml"));
        let rules = parsed.unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(holds(&schema, &text), Some(Ok(())), "{text}");
        // So do they what is written of it.
        let written = rules.to_toml();
        assert_eq!(holds(&schema, &written), Some(Ok(())), "{written}");
    }
}

#[test]
fn the_schema_refuses_what_the_parser_refuses_but_for_what_no_schema_can_tell() {
    let schema = schema();
    let cases: toml::Value = toml::from_str(REFUSED).unwrap();
    let mut wrong = Vec::new();
    for case in cases["case"].as_array().unwrap() {
        let text = match case.get("whole") {
            Some(whole) => whole.as_str().unwrap().to_owned(),
            None => {
                let text = case["text"].as_str().unwrap();
                format!("schema = \"deespec.gate/1\"\n{text}")
            }
        };
        assert!(Rules::parse(&text, Path::new("gate.toml")).is_err());
        let can_tell = case
            .get("by_schema")
            .is_none_or(|can| can.as_bool().unwrap());
        // What is not TOML does not come to a checker of schemas at all.
        let is_refused = holds(&schema, &text).is_none_or(|held| held.is_err());
        let is_toml = toml::from_str::<toml::Value>(&text).is_ok();
        if is_toml && is_refused != can_tell {
            wrong.push(format!("by_schema should be {is_refused}:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_fresh_file_is_sound_and_also_what_it_shows_as_comments() {
    let all: String = FRESH
        .lines()
        .map(|line| {
            let shown = line.strip_prefix("# ").unwrap_or(line);
            let key = shown.split_once(" = ").map_or("", |(key, _)| key);
            let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let is_shown = is_key || shown.starts_with(['[', ']']) || shown.starts_with("  {");
            if is_shown {
                format!("{shown}\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    for (text, rules, mutes) in [(FRESH, 5, 0), (&all, 7, 1)] {
        let parsed = Rules::parse(text, Path::new("gate.toml"));
        let parsed = parsed.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!((parsed.rules.len(), parsed.mutes.len()), (rules, mutes));
        assert_eq!(parsed.lint(None, Some("2026-11-28")), []);
        assert_eq!(holds(&schema(), text), Some(Ok(())));
    }
}

#[test]
fn the_rules_as_json_are_what_the_schema_describes() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("gate.toml");
    std::fs::write(&path, EXAMPLE).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_deespec"))
        .args(["gate", "rules", "--json", "--rules"])
        .arg(&path)
        .env("DEESPEC_STORE", folder.path().join("none"))
        .output()
        .unwrap();
    assert!(output.status.success());
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let errors: Vec<_> = schema()
        .iter_errors(&value)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(value["rule"][2]["warn"]["alpha"], 0.01);
    assert!(
        !folder.path().join("none").exists(),
        "looking makes no store"
    );
}
