//! What the tests share: a folder for each, and the program in it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_deespec");

/// A folder of its own, and the store in it.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command in this folder, which sees nothing of the environment that matters to it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        ignore_no_signal();
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_remove("DEESPEC_CONFIG")
            .env("DEESPEC_STORE", self.path("store"))
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn deespec(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(PROGRAM);
        command.args(arguments);
        command
    }

    /// Runs the program to its end, whatever that is.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.deespec(arguments).output().unwrap()
    }

    /// What the program prints; it must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments)).unwrap()
    }

    /// The value of a counter in the current epoch; 0 where it does not exist.
    pub(crate) fn value(&self, name: &str, labels: &Value) -> u64 {
        value(&self.json(&["show", "--json"]), name, labels)
    }
}

/// Gives to all that is started from now on the signals that a terminal would give it.
///
/// Whoever starts the tests with `nohup` or `&` has some of them ignored, which children inherit for good:
/// a shell may not even trap them. What is caught is inherited as the default, so this process catches
/// what it ignored, and goes on as if it still did.
fn ignore_no_signal() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
            if ignored & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
}

/// The value of a counter in a document.
pub(crate) fn value(document: &Value, name: &str, labels: &Value) -> u64 {
    if let Some(value) = document.get(name) {
        return value.as_u64().unwrap();
    }
    series(document, name, labels)["value"]
        .as_u64()
        .unwrap_or(0)
}

/// A series of a document; `null` where it does not exist.
pub(crate) fn series(document: &Value, name: &str, labels: &Value) -> Value {
    let series = document["series"].as_array().unwrap();
    let found = series
        .iter()
        .find(|s| s["name"] == name && s["labels"] == *labels);
    found.cloned().unwrap_or_default()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The file of a program in the PATH.
pub(crate) fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("there is no program {program} in the PATH"))
}

/// Looks again and again until `look` has found what it looks for; panics after a minute.
pub(crate) fn ends<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    ends_within(Duration::from_secs(60), what, look)
}

/// As [`ends`], with a patience of one's own.
pub(crate) fn ends_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < patience, "{what}: not yet");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The lines of a pipe, as they come.
pub(crate) fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The next line; panics when none comes in a minute.
pub(crate) fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(Duration::from_secs(60)).unwrap()
}
