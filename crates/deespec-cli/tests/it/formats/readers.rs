//! Others who read reports. `cargo xtask test` installs them; a test that does not find one fails and says so.
//!
//! The unit tests of `src/report` use this file too: they have reports that no real gate would give.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const ADVICE: &str = "run `cargo xtask test`, which installs it";

/// What a program prints for a text; it must say yes.
fn ask(command: &mut Command, text: &str) -> String {
    let child = command
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}; {ADVICE}"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A program that does not read to the end says why on stderr, which tells more.
        scope.spawn(move || drop(stdin.write_all(text.as_bytes())));
        child.wait_with_output().unwrap()
    });
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let begin: String = text.chars().take(3000).collect();
    assert!(
        output.status.success(),
        "{command:?}: {said}{printed}\n{begin}"
    );
    printed
}

/// Where `cargo xtask test` puts it: beside this program, or in a folder around it.
fn python() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let found = program
        .ancestors()
        .map(|folder| folder.join("formats-venv/bin/python"))
        .find(|python| python.is_file());
    found.unwrap_or_else(|| panic!("there is no formats-venv/bin/python; {ADVICE}"))
}

/// What a reader of `read.py` makes of a text.
pub(crate) fn read(format: &str, text: &str) -> Value {
    read_by(format, text, None)
}

/// Reads a report in JSON by its schema.
pub(crate) fn read_by(format: &str, text: &str, schema: Option<&Path>) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/formats/read.py");
    let mut command = Command::new(python());
    command.arg(script).arg(format).args(schema);
    serde_json::from_str(&ask(&mut command, text)).unwrap()
}

/// Prometheus' own tool must have nothing to say.
pub(crate) fn promtool(text: &str) {
    let said = ask(Command::new("promtool").args(["check", "metrics"]), text);
    assert_eq!(said, "");
}

/// A command to the runner of GitHub Actions.
#[derive(Debug, PartialEq)]
pub(crate) struct Annotation {
    pub(crate) level: String,
    pub(crate) properties: std::collections::BTreeMap<String, String>,
    pub(crate) message: String,
}

/// What a runner finds in a line; `None` where it is text. There is no package that reads commands, so this is
/// written after the grammar of the runner itself: `TryParseV2`, and `TryParse` for its old commands, in
/// `src/Runner.Common/ActionCommand.cs` of github.com/actions/runner.
pub(crate) fn annotation(line: &str) -> Option<Annotation> {
    let known = [
        "error",
        "warning",
        "notice",
        "debug",
        "add-mask",
        "add-path",
        "add-matcher",
        "set-env",
        "set-output",
        "save-state",
        "stop-commands",
        "group",
        "endgroup",
        "echo",
    ];
    let unescaped = |text: &str, marks: &[(&str, &str)]| {
        marks.iter().fold(text.to_owned(), |text, (escape, mark)| {
            text.replace(escape, mark)
        })
    };
    let data = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
    let property = [
        ("%0D", "\r"),
        ("%0A", "\n"),
        ("%3A", ":"),
        ("%2C", ","),
        ("%25", "%"),
    ];
    let two = line
        .trim_start()
        .strip_prefix("::")
        .and_then(|rest| rest.split_once("::"));
    if let Some((command, message)) = two {
        let (level, properties) = command.split_once(' ').unwrap_or((command, ""));
        if known.contains(&level) {
            let pairs = properties
                .trim()
                .split(',')
                .filter_map(|pair| pair.split_once('='));
            let pairs = pairs.filter(|(name, value)| !name.is_empty() && !value.is_empty());
            return Some(Annotation {
                level: level.to_owned(),
                properties: pairs
                    .map(|(name, value)| (name.to_owned(), unescaped(value, &property)))
                    .collect(),
                message: unescaped(message, &data),
            });
        }
    }
    // The old form stands anywhere in a line.
    let (_, rest) = line.split_once("##[")?;
    let (command, message) = rest.split_once(']')?;
    let level = command.split(' ').next().unwrap_or_default();
    known.contains(&level).then(|| Annotation {
        level: level.to_owned(),
        properties: std::collections::BTreeMap::new(),
        message: message.to_owned(),
    })
}
