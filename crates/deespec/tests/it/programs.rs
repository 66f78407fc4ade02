//! Programs that read what we expose. `cargo xtask test` installs them; a test that does not find one
//! fails and says so.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use deespec::View;
use deespec::exposition::{openmetrics, prometheus};
use serde_json::Value;

const ADVICE: &str = "run `cargo xtask test`, which installs it";

/// What a program answers to a text.
fn ask(command: &mut Command, text: &str) -> (Option<i32>, String) {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}; {ADVICE}"));
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read to the end says why on stderr, which tells more.
    std::thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(text.as_bytes())));
        let output = child.wait_with_output().unwrap();
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    })
}

pub(crate) fn promtool(view: &View) -> (Option<i32>, String) {
    ask(
        Command::new("promtool").args(["check", "metrics"]),
        &prometheus::encode(view),
    )
}

/// Reads a text with the parser of a Python module and prints its families as JSON.
const PARSE: &str = "
import importlib, io, json, math, sys
module = importlib.import_module(sys.argv[1])
text = io.TextIOWrapper(sys.stdin.buffer, encoding='utf-8', newline='\\n').read()
json.dump([
    {'name': f.name, 'type': f.type, 'help': f.documentation, 'unit': f.unit,
     'samples': [[s.name, s.labels, s.value if math.isfinite(s.value) else str(s.value)]
                 for s in f.samples]}
    for f in module.text_string_to_metric_families(text)
], sys.stdout)
";

/// Where `cargo xtask test` puts it, beside the folder that cargo gives to tests.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("test-venv/bin/python");
    assert!(
        python.is_file(),
        "there is no {} with Python's prometheus_client; {ADVICE}",
        python.display()
    );
    python
}

/// What Python's parser finds: the families, each with its samples.
fn parse(module: &str, text: &str) -> Vec<Value> {
    let mut command = Command::new(python());
    command.args(["-c", PARSE, module]).env("PYTHONUTF8", "1");
    let (code, said) = ask(&mut command, text);
    assert_eq!(code, Some(0), "{module}: {said}\n{text}");
    serde_json::from_str(&said).unwrap()
}

pub(crate) fn both(view: &View) -> [Vec<Value>; 2] {
    [
        parse(
            "prometheus_client.openmetrics.parser",
            &openmetrics::encode(view),
        ),
        parse("prometheus_client.parser", &prometheus::encode(view)),
    ]
}
