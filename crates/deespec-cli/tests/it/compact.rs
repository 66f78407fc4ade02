//! `deespec compact`: only while nobody else has the store open, and only where all of it can be read.

use std::process::Stdio;

use serde_json::json;

use super::support::{Sandbox, code, lines, next, stderr, value};

#[test]
fn a_store_that_another_process_has_open_is_not_rebuilt_and_the_refusal_tells_how_to_find_it() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "misspelt_total"]);
    sandbox.ok(&["remove", "misspelt_total"]);
    let script = "echo begun; read end";
    let mut run = sandbox.deespec(&["run", "--name", "job", "--", "sh", "-c", script]);
    let run = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut run = run.unwrap();
    // The command begins only when the store is open.
    assert_eq!(next(&lines(run.stdout.take().unwrap())), "begun");

    let refused = sandbox.output(&["compact"]);
    assert_eq!(code(&refused), 3);
    let said = stderr(&refused);
    assert!(said.contains("is open in another process"), "{said}");
    let held = sandbox.path("store/live/segment-0000");
    let find = format!("`fuser -v {}`", held.display());
    assert!(said.contains(&find) && held.exists(), "{said}");

    drop(run.stdin.take());
    // The end of its input is no success for `read`.
    assert_eq!(run.wait().unwrap().code(), Some(1));
    let done = sandbox.json(&["compact", "--json"]);
    let series = &done["series"];
    assert_eq!(
        series["before"].as_u64(),
        series["after"].as_u64().map(|n| n + 1)
    );
    assert_eq!(sandbox.value("commit_failed", &json!({})), 1);
}

#[test]
fn counting_goes_on_after_a_compaction_and_while_one_runs() {
    const EACH: u64 = 100;
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let mut rebuilt = 0;
    std::thread::scope(|scope| {
        let counting = scope.spawn(|| {
            for _ in 0..EACH {
                sandbox.ok(&["inc", "jobs_total"]);
            }
        });
        while rebuilt == 0 || !counting.is_finished() {
            let output = sandbox.output(&["compact"]);
            match code(&output) {
                0 => rebuilt += 1,
                _ => assert!(stderr(&output).contains("is open in"), "{output:?}"),
            }
        }
    });
    assert_eq!(sandbox.value("jobs_total", &json!({})), EACH);
}

#[test]
fn a_damaged_store_is_left_as_it_is_and_the_refusal_tells_how_to_save_the_rest() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "spoilt_total"]);
    sandbox.ok(&["inc", "jobs_total"]);
    let segment = sandbox.path("store/live/segment-0000");
    let mut bytes = std::fs::read(&segment).unwrap();
    let name = b"spoilt_total";
    let found: Vec<usize> = (0..bytes.len() - name.len())
        .filter(|at| bytes[*at..].starts_with(name))
        .collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at] = b'S';
    }
    std::fs::write(&segment, &bytes).unwrap();

    let refused = sandbox.output(&["compact"]);
    assert_eq!(code(&refused), 3);
    let said = stderr(&refused);
    assert!(said.contains("is damaged"), "{said}");
    assert!(said.contains("export json --output FILE"), "{said}");
    // Which works.
    sandbox.ok(&["export", "json", "--output", "rest.json"]);
    let new = sandbox.path("new").display().to_string();
    sandbox.ok(&["--store", &new, "import", "rest.json"]);
    let saved = sandbox.json(&["--store", &new, "show", "--json"]);
    assert_eq!(value(&saved, "jobs_total", &json!({})), 1);
}
