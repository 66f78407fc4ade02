//! The second process of a test: this binary again, in a role that the environment names.
//!
//! Processes that have to race say "ready" and then wait for the end of their standard input. All
//! of one race share that pipe, so closing its other end releases them at the same time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::puppet;
use crate::support::{moment, quiet};

const ROLE: &str = "DEESPEC_TEST_ROLE";
const STORE: &str = "DEESPEC_TEST_STORE";
/// What a line of a role's report begins with; the test harness prints lines of its own.
const REPORT: &str = "role: ";

/// A command that runs this binary in a role.
pub(crate) fn command(role: &str, store: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "roles::role", "--ignored", "--nocapture"])
        .arg("--test-threads=1")
        .env(ROLE, role)
        .env(STORE, store)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// What a process in a role reported; it must have ended well.
pub(crate) fn report(child: Child) -> Vec<String> {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "the other process failed: {text}");
    let lines = text.lines();
    lines
        .filter_map(|line| Some(line.split_once(REPORT)?.1.to_owned()))
        .collect()
}

/// Starts a process in each of `roles`, releases all at once, and gives what each reported.
pub(crate) fn race(roles: &[&str], store: &Path) -> Vec<Vec<String>> {
    let (gate, open) = std::io::pipe().unwrap();
    let mut racers = Vec::new();
    for role in roles {
        let stdin = Stdio::from(gate.try_clone().unwrap());
        racers.push(start_with(role, store, stdin));
    }
    drop(open);
    let finish = |(mut child, mut output): (Child, BufReader<_>)| {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success(), "a racer failed: {text}");
        let lines = text.lines();
        lines
            .filter_map(|line| Some(line.split_once(REPORT)?.1.to_owned()))
            .collect()
    };
    racers.into_iter().map(finish).collect()
}

/// Starts a process in a role and waits until it is ready; it goes on when its input is closed.
pub(crate) fn start(role: &str, store: &Path) -> Child {
    start_with(role, store, Stdio::piped()).0
}

fn start_with(role: &str, store: &Path, stdin: Stdio) -> (Child, BufReader<ChildStdout>) {
    let mut child = command(role, store).stdin(stdin).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("role: ready") {
        line.clear();
        let read = output.read_line(&mut line).unwrap();
        assert_ne!(read, 0, "{role} ended before it was ready");
    }
    (child, output)
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{REPORT}{text}").unwrap();
    out.flush().unwrap();
}

fn wait_for_release() {
    say("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
#[ignore = "no test of its own: other tests run it as a second process"]
fn role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let store = PathBuf::from(std::env::var_os(STORE).unwrap());
    let (role, argument) = role.split_once(' ').unwrap_or((&role, ""));
    match role {
        "snapshot" => {
            let options = quiet().fixed_clock(moment(0));
            let store = options.open(&store).unwrap();
            wait_for_release();
            for _ in 0..argument.parse().unwrap() {
                say(&store.snapshot().unwrap().name.to_string());
            }
        }
        "register" => {
            let store = quiet().open(&store).unwrap();
            wait_for_release();
            let name = format!("made_{argument}_total");
            for number in 0..1500 {
                let number = number.to_string();
                let labels = [("by", argument), ("number", &number)];
                store.counter_with(&name, &labels).unwrap().inc();
            }
        }
        "crowd" => {
            let store = quiet().open(&store).unwrap();
            wait_for_release();
            for number in 0..500 {
                let label = format!("{argument}{number}");
                let labels = [("number", label.as_str())];
                store.counter_with("crowd_total", &labels).unwrap().inc();
            }
        }
        "declare" => {
            let store = quiet().open(&store).unwrap();
            wait_for_release();
            for number in 0..200 {
                let family = deespec::Family::counter(format!("family_{number}_total"));
                match store.declare(&family.with_help(argument)) {
                    Ok(()) => say("declared"),
                    Err(error) => say(&error.to_string()),
                }
            }
        }
        "redeclare" => {
            let store = quiet().open(&store).unwrap();
            wait_for_release();
            for number in 0..100 {
                let family = deespec::Family::counter(format!("family_{number}_total"));
                match store.redeclare(&family.with_help(argument)) {
                    Ok(()) => say("declared"),
                    Err(error) => say(&error.to_string()),
                }
            }
        }
        "observe" => {
            use std::os::fd::AsFd as _;
            let store = quiet().open(&store).unwrap();
            let seconds = store.histogram("work_seconds").unwrap();
            let bare = std::io::stdout().as_fd().try_clone_to_owned().unwrap();
            let mut bare = std::fs::File::from(bare);
            say("ready");
            loop {
                seconds.observe(0.25);
                bare.write_all(b"!").unwrap();
            }
        }
        "history" => {
            wait_for_release();
            crate::history::ask(&store, argument.parse().unwrap(), say);
        }
        "puppet" => puppet::play(&store),
        "hold" => {
            let _store = quiet().open(&store).unwrap();
            wait_for_release();
        }
        "create" => {
            wait_for_release();
            let store = quiet().open(&store).unwrap();
            store.transactions().success.add(7);
            say(&store.id().to_string());
        }
        "umask" => {
            let mask = u32::from_str_radix(argument, 8).unwrap();
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
            let store = quiet().open(&store).unwrap();
            store.process_gauge("load").unwrap();
            store.snapshot().unwrap();
            store.rotate(deespec::Rotate::Reset).unwrap();
        }
        #[cfg(feature = "metrics")]
        "record" => {
            let store = quiet().open(&store).unwrap();
            wait_for_release();
            crate::recorder::record(&store, argument);
        }
        #[cfg(feature = "metrics")]
        "gauge" => {
            let store = quiet().open(&store).unwrap();
            let recorder = deespec::recorder::Recorder::new(&store);
            metrics::with_local_recorder(&recorder, || {
                metrics::gauge!("in_flight").set(argument.parse::<f64>().unwrap());
            });
            wait_for_release();
        }
        #[cfg(feature = "metrics")]
        "install" => {
            let store = quiet().open(&store).unwrap();
            let install = || deespec::recorder::Recorder::new(&store).install();
            install().unwrap();
            metrics::counter!("installed_total").increment(1);
            say(&install().unwrap_err().to_string());
        }
        "everything" => crate::access::everything(&store, argument, say),
        "poor" => crate::attacks::poor(&store, argument, say),
        "share" => crate::access::share(&store, argument, say),
        "open" => match quiet().open(&store) {
            Ok(_) => say("opened"),
            Err(error) => say(&error.to_string()),
        },
        other => panic!("there is no role {other}"),
    }
}
