//! Writes the inputs with which the fuzzer begins, into `FOLDER/TARGET/seed-*`: what a real store has
//! of everything, and the texts that tests found telling. Only where the format has changed:
//!
//! ```sh
//! cd fuzz && tar -xzf corpus.tar.gz                          # what there is, as corpus/
//! cargo run --example seeds -- corpus
//! cargo fuzz cmin --sanitizer none TARGET                    # makes those of a target few again
//! tar --sort=name --mtime=@0 --owner=0 --group=0 -czf corpus.tar.gz corpus && rm -r corpus
//! ```
#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a tool for whoever changes the format"
)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use deespec::exposition::Format;
use deespec::{Aggregation, Buckets, Family, Options, Rotate, Store};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the first byte of an image asks for: checksums that are put right, a recovery, and none.
const SEAL_ALL: u8 = 0b1111;
const RECOVER: u8 = 1 << 4;
const THIS_BOOT: u8 = 1 << 7;
/// Where the registry of a first segment begins, and the length of a block in it, in bytes.
const REGISTRY: usize = 16_384;
const BLOCK: usize = 64;
/// Where the record of odd epochs stands, and its length.
const RECORD: std::ops::Range<usize> = 5_632..6_656;

fn main() -> Result<()> {
    let wanted = std::env::args_os()
        .nth(1)
        .ok_or("name a folder for the seeds")?;
    let mut seeds = Seeds {
        folder: std::path::absolute(wanted)?,
        numbers: std::collections::BTreeMap::new(),
    };
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("var");
    let store = Options::new()
        .background_sync(None)
        .stripes(1)
        .program("seeds")
        .open(&root)?;
    seeds.image(&root)?;
    fill(&store)?;
    let closed = store.rotate(Rotate::Reset)?;
    seeds.file("document", &closed.path)?;
    fill(&store)?;
    store.remove("removed_total", &[])?;
    let snapshot = store.snapshot()?.path;
    let legacy = folder.path().join("legacy.json");
    fs::write(&legacy, r#"{"commit_success": 5, "recovery_count": 1}"#)?;
    // A path that is the same wherever this runs.
    std::env::set_current_dir(folder.path())?;
    store.import(Path::new("legacy.json"), false)?;
    let pushed = "# TYPE pushed counter\npushed_total 1\n# EOF\n";
    for number in 1..=2 {
        store.push("seeds", number, pushed.as_bytes())?;
    }
    store.restore(&snapshot, "to see what that writes", false)?;
    fill(&store)?;
    store.sync()?;
    seeds.image(&root)?;
    seeds.parts(&root)?;
    seeds.file("document", &root.join("metrics.json"))?;
    seeds.file("document", &snapshot)?;
    seeds.file("document", &legacy)?;
    for name in ["epochs.jsonl", "imports.jsonl"] {
        seeds.file("lines", &root.join("live").join(name))?;
    }
    store.compact_snapshots()?;
    for part in fs::read_dir(root.join("history"))? {
        seeds.file("part", &part?.path())?;
    }
    for name in ["imports.jsonl", "pushes.jsonl"] {
        seeds.file("records", &root.join("live").join(name))?;
    }
    let view = store.view()?;
    for format in [Format::OpenMetrics, Format::Prometheus] {
        seeds.add("text", &format.encode(&view))?;
    }
    seeds.texts()
}

/// Counts in every kind of series.
fn fill(store: &Store) -> Result<()> {
    store.transactions().success.add(3);
    store.transactions().failed.inc();
    store.counter("removed_total")?.inc();
    let long = "v".repeat(150);
    let labels = [("branch", "feature/ä \"quoted\"\n"), ("long", &*long)];
    store.counter_with("builds_total", &labels)?.add(7);
    let seconds = Family::histogram("wait_seconds", Buckets::seconds());
    store.declare(&seconds.with_unit("seconds").with_help("How long."))?;
    store.histogram("wait_seconds")?.observe(0.25);
    let sizes = Buckets::classic([0.5, 1.0, 16.0])?;
    store.declare(&Family::histogram("size_ratio", sizes).with_labels(["job"]))?;
    store
        .histogram_with("size_ratio", &[("job", "a")])?
        .observe(2.0);
    store.gauge("depth")?.set(-2.5);
    store.fraction_counter("cpu_seconds_total")?.add(0.25);
    store.summary("answer_bytes")?.observe(512.5);
    store.sum_gauge("queued_bytes")?.sub(0.25);
    let wide = Buckets::classic([0.5, 1e9])?;
    store.declare(&Family::wide_histogram("load_bytes", wide))?;
    store.wide_histogram("load_bytes")?.observe(1e12);
    let shares = Family::process_gauge("in_flight", Aggregation::Max);
    store.declare(&shares.with_limit(1))?;
    store.process_gauge("in_flight")?.set(4.0)?;
    store.info("build_info", &[("version", "1.2.3")])?;
    store.declare(&Family::counter("limited_total").with_limit(1))?;
    for part in ["a", "b"] {
        store
            .counter_with("limited_total", &[("part", part)])?
            .inc();
    }
    Ok(())
}

/// Where the seeds are written, and how many each target has got.
struct Seeds {
    folder: PathBuf,
    numbers: std::collections::BTreeMap<String, usize>,
}

impl Seeds {
    fn add(&mut self, target: &str, bytes: &[u8]) -> Result<()> {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        let number = self.numbers.entry(target.to_owned()).or_default();
        *number += 1;
        Ok(fs::write(folder.join(format!("seed-{number:02}")), bytes)?)
    }

    fn file(&mut self, target: &str, path: &Path) -> Result<()> {
        self.add(target, &fs::read(path)?)
    }

    /// A segment in its sparse form, as it is and with all checksums put right.
    fn image(&mut self, root: &Path) -> Result<()> {
        let bytes = fs::read(root.join("live/segment-0000"))?;
        let mut patches = Vec::new();
        let words: Vec<&[u8]> = bytes.chunks(8).collect();
        let mut at = 0;
        while at < words.len() {
            let run = words[at..].iter().take(31);
            let run = run
                .take_while(|word| word.iter().any(|byte| *byte != 0))
                .count();
            if run > 0 {
                patches.extend(u16::try_from(at)?.to_le_bytes());
                patches.push(u8::try_from(run * 8)?);
                patches.extend(words[at..at + run].concat());
            }
            at += run.max(1);
        }
        for flags in [0, SEAL_ALL | RECOVER, SEAL_ALL | THIS_BOOT] {
            let seed = [&[flags], &*patches].concat();
            self.add("segment", &seed)?;
            self.add("store", &seed)?;
        }
        Ok(())
    }

    /// The entries, declarations and records of a segment, one by one.
    fn parts(&mut self, root: &Path) -> Result<()> {
        let bytes = fs::read(root.join("live/segment-0000"))?;
        self.add("record", &[&[0], &bytes[RECORD]].concat())?;
        self.add("record", &[&[SEAL_ALL], &bytes[RECORD]].concat())?;
        let mut at = REGISTRY;
        while bytes[at] == 0xff {
            let number = |at: usize| usize::from(bytes[at]) | usize::from(bytes[at + 1]) << 8;
            let end = at + number(at + 8) * BLOCK;
            self.add("entry", &[&[SEAL_ALL], &bytes[at..end]].concat())?;
            // A key of an empty text and the name, then the declaration.
            let (key, length) = (at + 48, number(at + 12));
            if bytes[at + 10] == 128 {
                let name = &bytes[key + 4..key + length];
                let json = bytes[key + length..end].split(|byte| *byte == 0).next();
                self.add("family", &[name, &[0], json.unwrap_or_default()].concat())?;
            }
            at = end;
        }
        Ok(())
    }

    /// What is short enough to stand here.
    fn texts(&mut self) -> Result<()> {
        let all: [(&str, &[&str]); 9] = [
            (
                "name",
                &[
                    "metrics_20261123_070809_123456789.json",
                    "20261123_070809_123456789",
                ],
            ),
            (
                "accept",
                &[
                    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
                    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                     encoding=delimited;q=0.6, */*;q=0.1",
                    "text/*;q=0, text/plain;charset=\"a,b\\\"\"",
                ],
            ),
            (
                "thresholds",
                &[
                    "........................................................................{}",
                    "\u{feff}{\"enabled\": true}",
                ],
            ),
            (
                "records",
                &[
                    r#"{"line":{"digest":"00","at":"2026-11-23T07:08:09Z","by":"a","file":"b",
                     "counts":1},"ledger":[{"name":"a_total","labels":{"k":"v"},
                     "family":{"type":"counter"},"cells":[[0,5]]}]}"#,
                    "{\"store\":\"\",\"writer\":\"a\",\"sequence\":1,\"at\":5}\n{\"store\":\"\",\"writer\":\"\",\"sequence\":0,\"at\":0}\n\0\0\n",
                ],
            ),
            (
                "lines",
                &[
                    "{\"epoch\":1,\"next\":2}\n{\"epoch\":2}",
                    "one\ntorn {",
                    "\n\n",
                    "[]",
                ],
            ),
            (
                "text",
                &[
                    "# TYPE a counter\na_total 1.5 # {x=\"y\"} 1 2\n# EOF\n",
                    "# HELP a Text \\n with \\\\ escapes\n# TYPE a untyped\na{b=\"c\\\"\"} NaN 12\n",
                    "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
                    "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\n# EOF\n",
                ],
            ),
            (
                "statsd",
                &[
                    "jobs.done:3|c|@0.3|#queue:mail,urgent|c:abc|T1656581400",
                    "a:1:2:3|c\na:5:+1.5:-2|g\r\na:250|ms|@0.5\na:-1e-3|d\na:x|s",
                ],
            ),
            (
                "arguments",
                &[
                    "branch=main",
                    "a=b=c",
                    "-1e-3",
                    "+Inf",
                    "0.1,0.5,1",
                    "0.001..60:4",
                    "1..2",
                    "30d",
                    "P1DT2H",
                    "0.01",
                ],
            ),
            (
                "gate_rules",
                &[
                    include_str!("../../crates/deespec/src/gate/rules/parse/example.toml"),
                    include_str!("../../crates/deespec-cli/src/command/init/gate.toml"),
                    "schema = \"deespec.gate/1\"\nrule = [{ id = \"a\", metric = \"m{a=\\\"b\\\"}.p99.9\", kind = \"trend\", bad = \"down\", fail = { slope = 0.1, p = 0.1 }, can_fail = true }]\n",
                    "schema = \"deespec.gate/1\"\n[gate]\nhistory = { scope = [], branch = \"b\", window = 3, min = 2, exclude = [] }\n[correlate]\non = \"values\"\n[[mute]]\nrule = \"a\"\nuntil = 2026-01-01\nreason = \"r\"\n",
                ],
            ),
        ];
        for (target, texts) in all {
            for text in texts {
                self.add(target, text.as_bytes())?;
            }
        }
        let judged = r#"{"success_rate_threshold": 99.5, "max_cas_conflicts": 20,
            "max_recovery_count": 1, "min_total_commits": 7, "enabled": false, "$schema": "x"}"#;
        let counts: Vec<u8> = [90_u64, 10, 17, 1]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        self.add("thresholds", &[&counts, judged.as_bytes()].concat())?;
        println!(
            "{} seeds below {}",
            self.numbers.values().sum::<usize>(),
            self.folder.display()
        );
        Ok(())
    }
}
