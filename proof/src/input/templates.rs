//! The stores that the cases of the catalogue begin with.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use deespec::exposition::Format;
use deespec::{Options, Rotate, Store};

use super::catalogue::Target;
use super::image;
use crate::Result;
use crate::opening;
use crate::operations::scenario::copy;

pub(super) const STORE: &str = ".deespec/var";
/// What each store counts under this name, in its second epoch.
pub(super) const NAME: &str = "plain_total";
pub(super) const COUNT: u64 = 8;
/// Series that do not fit into one segment.
const MANY: u64 = 600;

/// The stores, each in a folder of its own.
pub(super) struct Templates {
    folder: PathBuf,
}

impl Templates {
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let templates = Self {
            folder: folder.to_owned(),
        };
        let small = templates.at("small");
        let store = open(&small)?;
        store.transactions().success.add(100);
        store.counter(NAME)?.add(COUNT);
        store.gauge("depth")?.set(2.5);
        store.histogram("wait_seconds")?.observe(0.25);
        let earlier = small.join("earlier.json");
        fs::write(&earlier, r#"{"commit_success": 1}"#)?;
        store.import(&earlier, false)?;
        store.rotate(Rotate::Reset)?;
        store.transactions().success.add(100);
        store.counter(NAME)?.add(COUNT);
        let taken = store.snapshot()?.path;
        fs::rename(taken, small.join(Target::Snapshot.path()))?;
        let input = "{\"commit_success\": 7, \"series\": [{\"name\": \"given_total\", \
                     \"type\": \"counter\", \"value\": 3}],\n \"schema_version\": 1}\n";
        fs::write(small.join(Target::Document.path()), input)?;
        let text = "# TYPE scraped_total counter\nscraped_total 5\n# TYPE level gauge\nlevel 2\n";
        fs::write(small.join(Target::Text.path()), text)?;
        let thresholds = "{\"max_cas_conflicts\": 100,\n \"min_total_commits\": 1}\n";
        fs::write(small.join(Target::Thresholds.path()), thresholds)?;
        // Made by whoever first needs it.
        fs::write(small.join(Target::Processes.path()), "")?;
        store.sync()?;
        copy(&small, &templates.at("older"))?;
        let older = Store::open_with(templates.at("older").join(STORE), &options())?;
        older.sync()?;
        drop((older, store));

        let large = templates.at("large");
        copy(&small, &large)?;
        let store = open(&large)?;
        for index in 0..MANY {
            store
                .counter_with("many_total", &[("index", &index.to_string())])?
                .inc();
        }
        store.sync()?;
        drop(store);

        let other = templates.at("other");
        let store = open(&other)?;
        store.counter("theirs_total")?.add(2);
        for index in 0..MANY {
            store
                .counter_with("many_total", &[("index", &index.to_string())])?
                .inc();
        }
        store.rotate(Rotate::Reset)?;
        let taken = store.snapshot()?.path;
        fs::rename(taken, other.join(Target::Snapshot.path()))?;
        store.import(&small.join(Target::Document.path()), false)?;
        fs::copy(
            other.join(STORE).join("metrics.json"),
            other.join(Target::Document.path()),
        )?;
        fs::write(
            other.join(Target::Text.path()),
            Format::OpenMetrics.encode(&store.view()?),
        )?;
        drop(store);

        let pending = templates.at("pending");
        copy(&small, &pending)?;
        let segment = fs::File::options()
            .write(true)
            .open(pending.join(Target::FirstSegment.path()))?;
        segment.write_all_at(&[1], image::PENDING as u64 * 8)?;
        let intent = r#"{"line":{"digest":"00112233445566778899aabbccddeeff","at":"2026-11-23T07:08:09Z",
            "by":"a","file":"b","counts":4},"ledger":[{"name":"intended_total","labels":{},
            "family":{"type":"counter"},"cells":[[0,4]]}]}"#;
        fs::write(
            pending.join(Target::ImportIntent.path()),
            intent.replace("\n            ", ""),
        )?;
        let unrestored = templates.at("unrestored");
        copy(&pending, &unrestored)?;
        fs::remove_file(unrestored.join(Target::ImportIntent.path()))?;
        fs::copy(
            unrestored.join(Target::Snapshot.path()),
            unrestored.join(Target::RestoreIntent.path()),
        )?;
        Ok(templates)
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What a case about this file begins with.
    pub(super) fn of(&self, target: Target) -> PathBuf {
        self.at(match target {
            Target::SecondSegment => "large",
            Target::ImportIntent => "pending",
            Target::RestoreIntent => "unrestored",
            _ => "small",
        })
    }
}

fn options() -> Options {
    opening::options().stripes(1)
}

fn open(folder: &Path) -> Result<Store> {
    Ok(options().open(folder.join(STORE))?)
}
