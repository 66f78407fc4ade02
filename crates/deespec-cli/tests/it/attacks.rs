//! Texts that try to speak for the program: to the terminal, to whoever reads the log, to a script. And
//! files that never end.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Output;

use serde_json::Value;

use super::support::{PROGRAM, Sandbox, code, find, stderr};
use super::terminal::Terminal;

/// Sets the title of a window, hides what follows, forges a line, turns the direction, and erases.
const EVIL: &str = "x\u{1b}]0;t\u{7}\u{1b}[8m\nINFO: all is well\r\u{202e}\u{9b}2J\u{7f}\u{2028}y";

/// What a terminal or a reader of lines would obey, but for the ends of lines.
fn obeyed(text: &str) -> Vec<char> {
    let is_bad = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(is_bad).collect()
}

/// A store in a folder with an evil name, with evil labels, reasons and documents.
fn evil() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let store = sandbox.path(EVIL).display().to_string();
    let label = format!("k={EVIL}");
    let run = |arguments: &[&str]| {
        let output = sandbox.output(&[&["--store", store.as_str()], arguments].concat());
        assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
        assert_eq!(obeyed(&stderr(&output)), [], "{arguments:?}");
    };
    run(&["inc", "a_total", "-l", &label]);
    run(&["observe", "work_seconds", "1", "-l", &label]);
    run(&["declare", "gauge", "depth", "--help-text", EVIL]);
    run(&["set", "depth", "1"]);
    run(&["rotate", "--reason", EVIL]);
    run(&["inc", "a_total", "-l", &label]);
    run(&["snapshot"]);
    (sandbox, store)
}

/// Every command that tells something, and how it may end.
const TELLING: [&[&str]; 22] = [
    &["init"],
    &["show"],
    &["show", "--json"],
    &["doctor"],
    &["doctor", "--json"],
    &["doctor", "--check-thresholds", "--config", EVIL],
    &["snapshot"],
    &["snapshot", "--json"],
    &["snapshots", "list"],
    &["snapshots", "list", "--json"],
    &["snapshots", "show", "latest"],
    &["snapshots", "show", EVIL],
    &["snapshots", "diff", "latest", EVIL],
    &["sync"],
    &["sync", "--json"],
    &["restore", EVIL],
    &["import", EVIL],
    &["export", "prometheus"],
    &["export", "json"],
    &["run", "--name", EVIL, "--", EVIL],
    &["inc", EVIL, "-l", EVIL],
    &["rotate", "--reason", EVIL],
];

#[test]
fn nothing_that_a_terminal_obeys_reaches_it() {
    let (sandbox, store) = evil();
    for log_format in ["text", "json"] {
        let differing: &[&str] = &["snapshots", "diff", "latest", "current"];
        for arguments in TELLING.iter().copied().chain([differing]) {
            let mut command = sandbox.deespec(&["--store", &store, "--log-format", log_format]);
            command.args(arguments);
            let shown = Terminal::start(command, 200, 50).drain();
            let shown = String::from_utf8(shown).unwrap().replace("\r\n", "\n");
            assert_eq!(obeyed(&shown), [], "{arguments:?}: {shown}");
            assert!(
                !shown.contains("\nINFO: all is well"),
                "{arguments:?}: {shown}"
            );
        }
    }
}

#[test]
fn each_log_line_is_one_line_of_ours_and_json_stays_json() {
    let (sandbox, store) = evil();
    let others: [&[&str]; 8] = [
        &["inc", "a_total", "--by", EVIL],
        &["inc", "a_total", "--label", EVIL],
        &["frobnicate", EVIL],
        &[EVIL],
        &["show", EVIL],
        &["show", "--frob=\nERROR: forged"],
        &["set", "a", EVIL],
        &["snapshots", "prune", "--max-age", EVIL],
    ];
    for arguments in TELLING.iter().copied().chain(others) {
        let run = |log_format: &str| -> Output {
            let global = ["--store", &store, "--log-format", log_format];
            sandbox.output(&[&global, arguments].concat())
        };
        let text = stderr(&run("text"));
        assert_eq!(obeyed(&text), [], "{arguments:?}: {text}");
        let forged =
            |line: &str| line.starts_with("INFO: all is well") || line.starts_with("ERROR: forged");
        assert!(!text.lines().any(forged), "{arguments:?}: {text}");
        let output = run("json");
        let json = stderr(&output);
        assert_eq!(obeyed(&json), [], "{arguments:?}: {json}");
        for line in json.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line["level"].is_string(), "{arguments:?}: {json}");
        }
        if arguments.contains(&"--json") || arguments.contains(&"latest") && output.status.success()
        {
            let _: Value = serde_json::from_slice(&output.stdout).unwrap();
        }
    }
}

#[test]
fn what_a_terminal_shows_of_json_means_the_same() {
    let (sandbox, store) = evil();
    let show = ["--store", store.as_str(), "show", "--json"];
    let shown = Terminal::start(sandbox.deespec(&show), 200, 50).drain();
    let shown: Value = serde_json::from_slice(&shown).unwrap();
    let told = sandbox.output(&show).stdout;
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(shown["series"], told["series"]);
    assert_eq!(shown["series"][0]["labels"]["k"], EVIL);
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "a_total"]);
    let bad = OsStr::from_bytes(b"\xff\xfe\x1b[31m");
    for arguments in [
        &["inc"][..],
        &["inc", "a_total", "-l"],
        &["rotate", "--reason"],
        &["snapshots", "show"],
        &["restore"],
        &["import"],
        &["run", "--name"],
        &["doctor", "--config"],
        &["frobnicate"],
        &["init", "--group"],
    ] {
        let output = sandbox.deespec(arguments).arg(bad).output().unwrap();
        assert_eq!(code(&output), 3, "{arguments:?}: {output:?}");
        assert_eq!(obeyed(&stderr(&output)), [], "{arguments:?}");
    }
    let output = sandbox
        .deespec(&["show"])
        .env("DEESPEC_STORE", bad)
        .output()
        .unwrap();
    assert_eq!(obeyed(&stderr(&output)), []);
    let long = "a".repeat(100_000);
    let output = sandbox.output(&["inc", &long]);
    assert_eq!(code(&output), 3);
}

#[test]
fn a_file_that_never_ends_neither_hangs_nor_fills_the_memory() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "a_total"]);
    let fifo = sandbox.path("fifo");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, 0o600.into(), 0).unwrap();
    std::os::unix::fs::symlink("fifo", sandbox.path("link")).unwrap();
    let huge = std::fs::File::create(sandbox.path("huge")).unwrap();
    huge.set_len(8 << 40).unwrap();
    for file in ["fifo", "link", "/dev/zero", "/dev/tty", ".", "huge"] {
        for arguments in [
            &["import"][..],
            &["restore"],
            &["snapshots", "show"],
            &["snapshots", "diff"],
            &["doctor", "--check-thresholds", "--config"],
        ] {
            // Whoever waits for ever is ended, and that is another code.
            let mut command = sandbox.command(find("timeout"));
            command.args(["60", "prlimit", "--data=268435456", PROGRAM]);
            let output = command.args(arguments).arg(file).output().unwrap();
            assert_eq!(code(&output), 3, "{arguments:?} {file}: {output:?}");
            let said = stderr(&output);
            assert!(said.contains(file), "{arguments:?} {file}: {said}");
        }
    }
}

#[test]
fn the_name_of_a_snapshot_does_not_lead_out_of_its_folder() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    sandbox.ok(&["snapshot"]);
    let secret = sandbox.path("secret");
    std::fs::write(&secret, "root:hunter2").unwrap();
    for name in ["../../secret", "../secret", "secret", "/etc/passwd"] {
        let output = sandbox.output(&["snapshots", "show", name]);
        assert_eq!(code(&output), 3, "{name}");
        let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        // It is a file that the user names; nothing of one that is no document is told.
        assert!(
            !said.contains("hunter2") && !said.contains("root:"),
            "{name}: {said}"
        );
    }
}
