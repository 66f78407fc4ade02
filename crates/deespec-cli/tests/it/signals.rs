//! Signals that reach `deespec run`: they are passed on to the command, once.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::support::{PROGRAM, Sandbox, lines, next};

/// Starts a script under `deespec run`, and gives the lines that it prints.
fn start(sandbox: &Sandbox, script: &str) -> (Child, Receiver<String>) {
    spawn(&mut sandbox.deespec(&["run", "--", "sh", "-c", script]))
}

fn spawn(command: &mut Command) -> (Child, Receiver<String>) {
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let printed = lines(process.stdout.take().unwrap());
    (process, printed)
}

fn send(process: &Child, signal: Signal) {
    kill_process(Pid::from_child(process), signal).unwrap();
}

#[test]
fn a_signal_reaches_the_command_which_may_end_as_it_likes() {
    let sandbox = Sandbox::new();
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
    ] {
        let script = format!("trap 'echo got {name}; exit 5' {name}; echo ready; read line");
        let (mut process, printed) = start(&sandbox, &script);
        assert_eq!(next(&printed), "ready");
        send(&process, signal);
        assert_eq!(next(&printed), format!("got {name}"));
        assert_eq!(process.wait().unwrap().code(), Some(5), "{name}");
    }
    assert_eq!(sandbox.value("commit_failed", &json!({})), 6);
}

#[test]
fn a_command_that_a_passed_on_signal_kills_is_counted() {
    let sandbox = Sandbox::new();
    let (mut process, printed) = start(&sandbox, "echo ready; read line");
    // Waiting would close it, and that would end the command.
    let _input = process.stdin.take();
    assert_eq!(next(&printed), "ready");
    send(&process, Signal::TERM);
    assert_eq!(process.wait().unwrap().code(), Some(143));
    assert_eq!(sandbox.value("commit_failed", &json!({})), 1);
}

#[test]
fn a_command_that_goes_on_after_a_signal_is_waited_for() {
    let sandbox = Sandbox::new();
    let script = "trap 'echo got TERM' TERM; echo ready; read a; read b && echo \"$b\"";
    let (mut process, printed) = start(&sandbox, script);
    assert_eq!(next(&printed), "ready");
    let mut input = process.stdin.take().unwrap();
    send(&process, Signal::TERM);
    assert_eq!(next(&printed), "got TERM");
    // Whether the signal ended the first `read` is the shell's own affair.
    input.write_all(b"on\non\n").unwrap();
    assert_eq!(next(&printed), "on");
    assert_eq!(process.wait().unwrap().code(), Some(0));
    assert_eq!(sandbox.value("commit_success", &json!({})), 1);
}

#[test]
fn a_signal_that_is_ignored_from_outside_stays_ignored_as_under_nohup() {
    let sandbox = Sandbox::new();
    let script = format!(
        "trap '' HUP; exec {PROGRAM} run -- sh -c 'kill -HUP $$; echo ready; read line; echo survived'"
    );
    let (mut process, printed) = spawn(sandbox.command("sh").args(["-c", &script]));
    assert_eq!(next(&printed), "ready");
    // The shell has become `deespec run`.
    send(&process, Signal::HUP);
    process.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    assert_eq!(next(&printed), "survived");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
