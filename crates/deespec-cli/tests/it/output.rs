//! What is printed: keys in order, columns that line up, and nothing that a terminal obeys.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::{Value, json};

use super::support::{PROGRAM, Sandbox, code, find, stderr};

/// The keys of a JSON object in the order in which they are printed, at one depth.
fn keys(text: &str, indent: usize) -> Vec<&str> {
    let start = format!("{}\"", " ".repeat(indent));
    text.lines()
        .filter_map(|line| line.strip_prefix(&start)?.split_once("\":"))
        .map(|(key, _)| key)
        .collect()
}

#[test]
fn the_json_of_the_doctor_has_its_keys_in_the_order_of_the_report() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "10"]);
    let text = sandbox.ok(&["doctor", "--json", "--check-thresholds"]);
    assert_eq!(
        keys(&text, 2),
        ["metrics", "store", "histograms", "problems", "thresholds"]
    );
    let inner = keys(&text, 4);
    for part in [
        &[
            "commit_success",
            "commit_failed",
            "cas_conflicts",
            "recovery_count",
            "total_commits",
            "success_rate_percent",
            "last_update",
        ][..],
        &["path", "place", "id", "epoch"],
        &[
            "durable_lag_seconds",
            "degraded",
            "metrics_json",
            "files_skipped",
        ],
        &[
            "passed",
            "checked_at",
            "verdict",
            "config",
            "failed_checks",
            "warnings",
        ],
        &["success_rate", "total_commits", "details"],
    ] {
        assert!(
            inner.windows(part.len()).any(|keys| keys == part),
            "{part:?}: {inner:?}"
        );
    }
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["thresholds"]["passed"], true);
    assert_eq!(report["store"]["series"], 4);
}

#[test]
fn results_go_to_stdout_and_log_lines_to_stderr() {
    let sandbox = Sandbox::new();
    for (name, by) in [
        ("commit_success", "970"),
        ("commit_failed", "30"),
        ("cas_conflicts", "85"),
    ] {
        sandbox.ok(&["inc", name, "--by", by]);
    }
    let output = sandbox.output(&["doctor", "--check-thresholds", "--json"]);
    assert_eq!(code(&output), 2);
    assert_eq!(
        stderr(&output),
        "INFO: Metrics threshold check passed success_rate=97.00% total_commits=1000\n\
         WARN: Threshold warning: CAS conflicts 85 approaching threshold 100\n"
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["metrics"]["success_rate_percent"], 97.0);

    let output = sandbox.output(&["doctor", "--check-thresholds", "--config", "missing.json"]);
    assert_eq!(code(&output), 3);
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn the_store_is_made_in_this_folder_where_there_is_none_upward() {
    let sandbox = Sandbox::new();
    let here = sandbox.path("");
    let upward = here
        .ancestors()
        .find(|folder| folder.join(".deespec").exists());
    assert_eq!(upward, None, "a store of somebody else would be used");
    let output = sandbox
        .deespec(&["inc", "commit_success"])
        .env_remove("DEESPEC_STORE")
        .output()
        .unwrap();
    assert_eq!(code(&output), 0);
    let store = sandbox.path(".deespec/var");
    let said = format!("INFO: Made a new store path={}\n", store.display());
    assert_eq!(stderr(&output), said);
    let store = store.display().to_string();
    let shown = sandbox.json(&["--store", &store, "show", "--json"]);
    assert_eq!(shown["commit_success"], 1);
}

#[test]
fn without_commits_there_is_no_success_rate() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let report = sandbox.json(&["doctor", "--json"]);
    assert_eq!(report["metrics"]["success_rate_percent"], Value::Null);
    assert_eq!(report["metrics"]["total_commits"], 0);
}

#[test]
fn a_table_of_200_series_lines_up() {
    let sandbox = Sandbox::new();
    let series: Vec<Value> = (0..200_u64)
        .map(|n| {
            let text = ["backup", "日本語", "👩\u{200d}💻", "a b", ""][n as usize % 5];
            json!({
                "name": format!("jobs_{}_total", "x".repeat(n as usize % 7)),
                "type": "counter",
                "labels": { "n": n.to_string(), "text": text },
                "value": 7_u64.pow(n as u32 % 18),
            })
        })
        .collect();
    let document = json!({ "commit_success": 1, "schema_version": 1, "series": series });
    std::fs::write(sandbox.path("many.json"), document.to_string()).unwrap();
    sandbox.ok(&["import", "many.json"]);
    let text = sandbox.ok(&["show"]);
    let mut lines = text.lines().skip(2);
    let header = lines.next().unwrap();
    let value_ends = header.find("VALUE").unwrap() + "VALUE".len();
    let labels = header.find("LABELS").unwrap();
    let mut rows = 0;
    for line in lines {
        // Up to the labels everything is ASCII.
        assert!(line.as_bytes()[value_ends - 1].is_ascii_digit(), "{line}");
        assert_eq!(
            line.as_bytes().get(value_ends).copied().unwrap_or(b' '),
            b' ',
            "{line}"
        );
        let has_labels = line.len() > labels;
        assert!(!has_labels || line[labels..].starts_with("n="), "{line}");
        assert!(!line.ends_with(' '), "{line}");
        rows += 1;
    }
    assert_eq!(rows, 204);
}

#[test]
fn a_very_long_value_moves_no_number_out_of_sight() {
    let sandbox = Sandbox::new();
    let long = format!("text={}", "y".repeat(1024));
    sandbox.ok(&["inc", "long_total", "-l", &long]);
    for line in sandbox.ok(&["show"]).lines().skip(3) {
        let number = line.split_whitespace().nth(1).unwrap();
        assert!(number.parse::<u64>().is_ok(), "{line}");
        assert!(line.find(number).unwrap() < 40, "{line}");
    }
}

#[test]
fn nothing_in_a_label_is_obeyed_by_a_terminal_or_looks_like_something_else() {
    let sandbox = Sandbox::new();
    for (value, shown) in [
        ("plain", "plain"),
        ("", "\"\""),
        ("two words", "\"two words\""),
        ("a=b", "\"a=b\""),
        ("say \"hi\"", "\"say \\\"hi\\\"\""),
        ("back\\slash", "\"back\\\\slash\""),
        ("line\nbreak", "\"line\\nbreak\""),
        ("line\\nbreak", "\"line\\\\nbreak\""),
        ("\x1b[31mred", "\"\\u{1b}[31mred\""),
        ("\u{9b}31mred", "\"\\u{9b}31mred\""),
        ("\x07\x08\r", "\"\\u{7}\\u{8}\\r\""),
        ("gpj.\u{202e}exe", "\"gpj.\\u{202e}exe\""),
        // What has no width would join what stands beside it.
        ("👩\u{200d}💻 é", "\"👩\\u{200d}💻 é\""),
    ] {
        let label = format!("text={value}");
        sandbox.ok(&["inc", "odd_total", "-l", &label, "-l", "a=1"]);
        let text = sandbox.ok(&["show", "--filter", "odd_"]);
        let expected = format!("a=1 text={shown}");
        assert!(
            text.lines().any(|line| line.ends_with(&expected)),
            "{value:?}: {text}"
        );
        let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!text.contains(obeyed), "{text:?}");
    }
    // The other forms escape by their own rules and keep the text whole.
    let document = sandbox.json(&["show", "--json"]);
    assert_eq!(document["series"].as_array().unwrap().len(), 13);
    let lines = sandbox.ok(&["export", "jsonl"]);
    assert_eq!(lines.lines().count(), 4 + 13);
    for line in lines.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        assert!(row["value"].is_u64() && row["labels"].is_object(), "{line}");
    }
    let table = sandbox.ok(&["export", "csv"]);
    let quoted = r#"odd_total,counter,"{""a"":""1"",""text"":""say \""hi\""""}",1"#;
    assert!(table.split("\r\n").any(|line| line == quoted), "{table}");
    assert_eq!(table.split("\r\n").count(), 1 + 4 + 13 + 1);
}

#[test]
fn nothing_in_an_argument_is_obeyed_by_a_terminal() {
    let sandbox = Sandbox::new();
    let bad = "\x1b[31mred\u{202e}\r";
    for arguments in [
        &[bad][..],
        &["inc", bad],
        &["inc", "a", "--by", bad],
        &["inc", "a", "-l", bad],
        &["show", "--filter", bad],
        &["snapshots", "show", bad],
        &["import", bad],
        &["run", "--", bad],
        &["doctor", "--config", bad],
        &["--log-format", "json", "inc", bad],
        &["--log-format", "json", bad],
    ] {
        let output = sandbox.output(arguments);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let obeyed = |c: char| c != '\n' && c.is_control();
        assert!(!said.contains(obeyed), "{arguments:?}: {said:?}");
    }
}

#[test]
fn a_store_whose_name_is_not_text_works_and_is_shown_as_well_as_can_be() {
    let sandbox = Sandbox::new();
    let store = sandbox.path(OsStr::from_bytes(b"st\xffore"));
    let commands: [&[&str]; 10] = [
        &["init", "--json"],
        &["init", "--thresholds", "--json"],
        &["sync", "--json"],
        &["snapshot", "--json"],
        &["snapshots", "list", "--json"],
        &["doctor", "--check-thresholds", "--json"],
        &["rotate", "--json"],
        &["restore", "latest", "--json"],
        &["show"],
        &["doctor"],
    ];
    for arguments in commands {
        let output = sandbox
            .command(PROGRAM)
            .arg("--store")
            .arg(&store)
            .args(arguments)
            .output()
            .unwrap();
        assert!([0, 2].contains(&code(&output)), "{arguments:?}: {output:?}");
        if arguments.contains(&"--json") {
            let _: Value = serde_json::from_slice(&output.stdout).unwrap();
        }
    }
    assert!(store.join("metrics.json").exists());
}

#[test]
fn an_exported_file_is_replaced_whole_and_has_the_rights_that_its_owner_gave_it() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let script = format!("umask 000; {PROGRAM} export csv --output out.csv");
    let export = || {
        sandbox
            .command("sh")
            .args(["-c", &script])
            .output()
            .unwrap()
            .status
    };
    assert!(export().success());
    let first = std::fs::metadata(sandbox.path("out.csv")).unwrap();
    assert_eq!(first.permissions().mode() & 0o7777, 0o600);
    let readable = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(sandbox.path("out.csv"), readable).unwrap();
    assert!(export().success());
    let second = std::fs::metadata(sandbox.path("out.csv")).unwrap();
    assert_ne!(first.ino(), second.ino());
    assert_eq!(second.permissions().mode() & 0o7777, 0o640);
    let left: Vec<_> = std::fs::read_dir(sandbox.path("")).unwrap().collect();
    assert_eq!(left.len(), 2, "the file and the store: {left:?}");
}

#[test]
fn the_completions_load_in_bash_and_offer_the_commands() {
    let sandbox = Sandbox::new();
    let script = format!(
        "source <({PROGRAM} completions bash)
        COMP_WORDS=(deespec sn) COMP_CWORD=1
        _deespec deespec sn deespec
        printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let output = sandbox
        .command(find("bash"))
        .args(["--norc", "-c", &script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let offered = String::from_utf8(output.stdout).unwrap();
    assert_eq!(offered, "snapshot\nsnapshots\n");
}

#[test]
fn a_manual_page_is_written_for_every_command_of_the_help() {
    let sandbox = Sandbox::new();
    let help = sandbox.ok(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap();
    let commands: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        // Where a description is too long for its line, the next one is indented further.
        .filter_map(|line| {
            line.strip_prefix("  ")
                .filter(|rest| !rest.starts_with(' '))
        })
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|name| *name != "help")
        .collect();
    assert_eq!(commands.len(), 28);
    sandbox.ok(&["man", "--output", "pages"]);
    for command in commands {
        let page = std::fs::read_to_string(sandbox.path(format!("pages/deespec-{command}.1")));
        let page = page.unwrap();
        assert!(page.contains(".SH NAME\n"), "{command}");
        let has_example = ["Example:\n", "Examples:\n"]
            .iter()
            .any(|title| page.contains(title));
        assert!(has_example, "{command}");
        assert_eq!(page, sandbox.ok(&["man", command]));
    }
    assert!(sandbox.path("pages/deespec.1").exists());
}
