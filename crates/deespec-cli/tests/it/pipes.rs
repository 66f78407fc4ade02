//! Readers that go away, and places that cannot be written to.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::support::{Sandbox, code, stderr};

/// A store whose table is longer than a pipe holds.
fn large(sandbox: &Sandbox) {
    let series: Vec<String> = (0..2000)
        .map(|n| {
            format!(r#"{{"name":"s_total","type":"counter","labels":{{"n":"{n:060}"}},"value":1}}"#)
        })
        .collect();
    let document = format!(
        r#"{{"commit_success": 0, "schema_version": 1, "series": [{}]}}"#,
        series.join(",")
    );
    std::fs::write(sandbox.path("large.json"), document).unwrap();
    sandbox.ok(&["import", "large.json"]);
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_program_quietly() {
    let sandbox = Sandbox::new();
    large(&sandbox);
    for arguments in [&["show"][..], &["show", "--json"], &["export", "csv"]] {
        let mut process = sandbox
            .deespec(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut reader = BufReader::with_capacity(16, process.stdout.take().unwrap());
        reader.read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        drop(reader);
        let output = process.wait_with_output().unwrap();
        assert_eq!(code(&output), 0, "{arguments:?}: {output:?}");
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}

#[test]
fn log_lines_that_nobody_reads_change_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success"]);
    let judged = &["doctor", "--check-thresholds"][..];
    for (arguments, exit) in [(judged, 2), (&["frob"], 3), (&["inc", "a b"], 3)] {
        let mut process = sandbox
            .deespec(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(process.stderr.take());
        assert_eq!(process.wait().unwrap().code(), Some(exit), "{arguments:?}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = sandbox.deespec(&["show"]).stdout(full).output().unwrap();
    assert_eq!(code(&output), 3);
    let said = stderr(&output);
    assert!(
        said.contains("cannot write the result: No space left"),
        "{said}"
    );
}

#[test]
fn an_export_goes_through_a_pipe_and_does_not_replace_it() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success"]);
    let made = sandbox.command("mkfifo").arg("pipe").status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("pipe", sandbox.path("link")).unwrap();
    for output in ["pipe", "link"] {
        let mut process = sandbox
            .deespec(&["export", "jsonl", "--output", output])
            .spawn()
            .unwrap();
        let read = std::fs::read_to_string(sandbox.path("pipe")).unwrap();
        assert!(
            read.starts_with(r#"{"name":"commit_success","type":"counter","labels":{},"value":1}"#),
            "{read}"
        );
        assert!(process.wait().unwrap().success());
    }
    use std::os::unix::fs::FileTypeExt as _;
    let pipe = std::fs::symlink_metadata(sandbox.path("pipe")).unwrap();
    assert!(pipe.file_type().is_fifo());
}
