//! What the decoders owe to any input: a function a decoder, which panics when it breaks its word. Not
//! a part of the library: there are these in tests and where the fuzzer builds it (`fuzz/`).

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::exposition::{Format, negotiate};
use crate::gate::Thresholds;
use crate::snapshot::{TransactionCounts, fuzzing as snapshot};
use crate::store::fuzzing as store;
use crate::{Error, Kind, Options, Store, View};

/// A target's name and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target that needs nothing but its input.
pub const TARGETS: &[Target] = &[
    ("segment", store::segment),
    ("entry", store::entry),
    ("family", store::family),
    ("record", store::record),
    ("lines", store::lines),
    ("records", snapshot::records),
    ("part", snapshot::part),
    ("document", snapshot::document),
    ("text", snapshot::text),
    ("name", snapshot::name),
    ("thresholds", thresholds),
    ("accept", accept),
    #[cfg(feature = "gate")]
    ("gate_rules", gate_rules),
    #[cfg(feature = "gate")]
    ("gate_history", gate_history),
];

/// Calls the target of this name.
///
/// # Panics
///
/// When there is none, and when a decoder breaks its word.
pub fn run(name: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let (_, target) = found.expect("a target of this name");
    target(input);
}

/// A configuration of the gate, and judging by it: whatever it says, the judgement can be told in
/// lines and in JSON.
fn thresholds(input: &[u8]) {
    let (counts, text) = match input.split_first_chunk::<32>() {
        Some((counts, text)) => (*counts, text),
        None => ([0; 32], input),
    };
    let (numbers, _) = counts.as_chunks::<8>();
    let number = |index: usize| u64::from_le_bytes(numbers[index]);
    let path = Path::new("input");
    let thresholds = match Thresholds::parse(&String::from_utf8_lossy(text), path) {
        Ok(thresholds) => thresholds,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("input") && !told.contains(char::is_control));
            return;
        }
    };
    let rate = thresholds.success_rate_threshold();
    assert!((0.0..=100.0).contains(&rate) && rate.is_sign_positive());
    let judgement = thresholds.judge(
        &TransactionCounts {
            success: number(0),
            failed: number(1),
            conflicts: number(2),
            recoveries: number(3),
        },
        &[],
    );
    let told = judgement.log_lines();
    let told = told.iter().map(ToString::to_string);
    assert!(
        told.into_iter()
            .all(|line| !line.contains(char::is_control))
    );
    let json = serde_json::to_string(&judgement).expect("a judgement has a form in JSON");
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    // What the file says, said again, is judged alike.
    let again = serde_json::json!({
        "success_rate_threshold": rate,
        "max_cas_conflicts": thresholds.max_cas_conflicts(),
        "max_recovery_count": thresholds.max_recovery_count(),
        "min_total_commits": thresholds.min_total_commits(),
        "enabled": thresholds.enabled(),
    });
    let again = Thresholds::parse(&again.to_string(), path).expect("all of it is lawful");
    assert_eq!(again.success_rate_threshold().to_bits(), rate.to_bits());
}

/// The rules of a gate: refused in one line that names the place, or they can be judged by, looked through, and
/// written so that they say the same.
#[cfg(feature = "gate")]
fn gate_rules(input: &[u8]) {
    use crate::gate::{History, Rules, Run};
    let path = Path::new("input");
    let parse = |text: &str| Rules::parse(text, path);
    let rules = match parse(&String::from_utf8_lossy(input)) {
        Ok(rules) => rules,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("input:") && !told.contains(char::is_control));
            let lines = 1 + input.iter().filter(|byte| **byte == b'\n').count();
            assert!(error.line().is_none_or(|line| (1..=lines).contains(&line)));
            return;
        }
    };
    let names = ["jobs", "m"].map(str::to_owned).into();
    for finding in rules.lint(Some(&names), Some("2026-11-28")) {
        assert!(!finding.to_string().contains(char::is_control));
    }
    let text = rules.to_toml();
    let mut again = parse(&text).expect("what was written is lawful");
    assert_eq!(again.to_toml(), text);
    for (rule, before) in again.rules.iter_mut().zip(&rules.rules) {
        rule.line = before.line;
    }
    for (mute, before) in again.mutes.iter_mut().zip(&rules.mutes) {
        mute.line = before.line;
    }
    assert_eq!(again, rules, "what was written says something else");
    let present = Run {
        value: Some(1.0),
        ..Run::default()
    };
    let report = rules.judge(&History::default(), &present, "2026-11-28");
    assert_eq!(report.rules.len(), rules.rules.len());
}

/// What a scraper asks for: it gets an answer, and the first of several equal wishes decides.
fn accept(input: &[u8]) {
    let header = String::from_utf8_lossy(input);
    let format = negotiate(Some(&header));
    // What is asked for by the name of the answer, and by nothing else, is the answer.
    assert_eq!(negotiate(Some(format.content_type())), format);
}

/// A whole store whose first segment is this, in a file below `root`: it is refused with the path and
/// nothing is written, or it counts and can be shown.
///
/// # Panics
///
/// When it does neither, and when the file cannot be written.
pub fn store_in(root: &Path, input: &[u8]) {
    let live = root.join("live");
    fs::create_dir_all(&live).expect("a folder");
    let path = live.join("segment-0000");
    // One bit of the first byte that says no checksum.
    let words = match input.first() {
        Some(flags) if flags & 0x80 != 0 => store::image_of_this_boot(input),
        _ => store::image(input),
    };
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let options = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let file = options.expect("the segment");
    file.write_all_at(&bytes, 0).expect("the image");
    let used = use_store(root);
    if let Err(error) = used {
        let told = error.to_string();
        let root = root.display().to_string();
        assert!(told.contains(&root), "the error names no path: {told}");
    }
    for name in ["live/epochs.jsonl", "live/imports.jsonl", "metrics.json"] {
        let _ = fs::remove_file(root.join(name));
    }
    for name in ["snapshots", "history"] {
        let _ = fs::remove_dir_all(root.join(name));
    }
}

fn use_store(root: &Path) -> Result<(), Error> {
    let options = Options::new().background_sync(None).create(false);
    let store: Store = options.open(root)?;
    let before = store.view()?;
    check_view(&before);
    // Counting goes on, in cells of its own.
    let counted = store.counter("fuzz_total").and_then(|counter| {
        let start = store.view()?;
        counter.add(5);
        Ok(start)
    });
    if let Ok(start) = counted {
        let after = store.view()?;
        check_view(&after);
        for sample in start.samples() {
            let same = |other: &&crate::Sample| {
                (&other.name, &other.labels) == (&sample.name, &sample.labels)
            };
            let other = after.samples().find(same).expect("it was there");
            let more = match sample.name.as_str() {
                "fuzz_total" if sample.labels.is_empty() => 5,
                _ => 0,
            };
            if let (Some(one), Some(other)) = (sample.value.counter(), other.value.counter()) {
                assert_eq!(one.wrapping_add(more), other, "{}", sample.name);
            }
        }
    }
    Ok(())
}

fn check_view(view: &View) {
    let mut keys: Vec<_> = view.samples().map(|s| (&s.name, &s.labels)).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "a series stands twice");
    snapshot::document(view.to_json().as_bytes());
    for format in [Format::OpenMetrics, Format::Prometheus, Format::Protobuf] {
        let text = format.encode(view);
        // Sums of a hostile histogram may be anything.
        let is_plain = view.samples().all(|s| s.value.kind() != Kind::Histogram);
        if is_plain && format != Format::Protobuf {
            snapshot::exposed(std::str::from_utf8(&text).expect("a text"));
        }
    }
}

/// A history of runs: what is read can be written and read again, and merging it with itself changes nothing.
#[cfg(feature = "gate")]
fn gate_history(input: &[u8]) {
    use crate::gate::{History, merge};

    let text = String::from_utf8_lossy(input);
    let path = Path::new("input");
    let history = match History::parse(&text, path) {
        Ok(history) => history,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("input:"));
            return;
        }
    };
    assert!(history.runs.iter().all(|run| {
        let mut numbers = run.values.values().copied().chain(run.value).chain(run.at);
        numbers.all(f64::is_finite)
    }));
    let runs = history.runs.iter().map(crate::gate::Run::to_line);
    let accepted = history.accepted.iter().map(crate::gate::Accepted::to_line);
    let lines: String = runs.chain(accepted).collect();
    let again = History::parse(&lines, path).expect("what was written");
    assert_eq!(again.runs, history.runs);
    assert_eq!(again.accepted, history.accepted);
    let once = merge(&[(&*text, path)]).expect("what was read");
    assert_eq!(merge(&[(&*text, path), (&*once, path)]).as_ref(), Ok(&once));
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::PathBuf;
    use std::process::Command;

    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;

    /// The inputs that the fuzzer keeps, unpacked: a folder for each target.
    fn corpus() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus.tar.gz");
        let mut unpack = Command::new("tar");
        unpack
            .arg("-xzf")
            .arg(&archive)
            .arg("-C")
            .arg(folder.path());
        assert!(unpack.status().unwrap().success(), "{}", archive.display());
        folder
    }

    /// Says which input it was, should one break its word; gives each input to `more` as well.
    fn try_all(name: &str, target: impl Fn(&[u8]), more: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
        let corpus = corpus();
        let files = fs::read_dir(corpus.path().join("corpus").join(name)).unwrap();
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no inputs");
        for path in files {
            let input = fs::read(&path).unwrap();
            for input in more(&input).iter().chain([&input]) {
                let run = std::panic::AssertUnwindSafe(|| target(input));
                let lawful = std::panic::catch_unwind(run).is_ok();
                assert!(lawful, "{}: {}", path.display(), input.escape_ascii());
            }
        }
    }

    /// Some inputs that are nearly this one: a byte is another, is missing or is there twice.
    fn nearly(input: &[u8]) -> Vec<Vec<u8>> {
        let mut runner = TestRunner::deterministic();
        let change = (0..input.len().max(1), 0..3, proptest::num::u8::ANY);
        let changed = |_| {
            let (place, how, byte) = change.new_tree(&mut runner).unwrap().current();
            let mut bytes = input.to_vec();
            match how {
                _ if input.is_empty() => bytes.push(byte),
                0 => bytes[place] = byte,
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, bytes[place]),
            }
            bytes
        };
        (0..4).map(changed).collect()
    }

    #[test]
    fn every_input_that_the_fuzzer_has_kept_is_lawful_still_and_what_is_nearly_one() {
        for (name, target) in TARGETS {
            try_all(name, target, nearly);
        }
    }

    #[test]
    fn every_segment_that_the_fuzzer_has_kept_is_refused_or_counts() {
        let folder = tempfile::tempdir().unwrap();
        try_all(
            "store",
            |input| store_in(folder.path(), input),
            |_| Vec::new(),
        );
    }
}
