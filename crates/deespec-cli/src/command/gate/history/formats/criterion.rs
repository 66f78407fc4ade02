//! What Criterion leaves in `target/criterion`: a folder for each benchmark, with `new/estimates.json` in it; or the
//! messages of `cargo criterion --message-format=json`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use super::{BYTES, Measured, json, unit};
use crate::exit::Failure;
use crate::files;

/// Benchmarks are grouped, functions have parameters; nobody nests them deeper.
const DEPTH: usize = 8;

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// In nanoseconds.
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Identity {
    full_id: String,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    id: Option<String>,
    median: Option<MessageEstimate>,
}

#[derive(Deserialize)]
struct MessageEstimate {
    estimate: f64,
    unit: String,
}

/// All benchmarks below the folder.
pub(super) fn folder(root: &Path) -> Result<Measured, Failure> {
    let mut files = Vec::new();
    estimates_below(root, DEPTH, &mut files)?;
    files.sort();
    let mut measured = Measured::default();
    for path in &files {
        one(&text(path)?, path, root, &mut measured)?;
        let modified = path.metadata().and_then(|found| found.modified()).ok();
        let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
        // The last of them ended the run.
        measured.at = measured.at.max(modified);
    }
    if measured.values.is_empty() {
        let message = format!("{} has no new/estimates.json of Criterion", root.display());
        return Err(Failure::new(message).hint("name target/criterion, after `cargo bench`"));
    }
    Ok(measured)
}

/// One `estimates.json`, or messages.
pub(super) fn read(text: &str, path: &Path) -> Result<Measured, Failure> {
    let mut measured = Measured::default();
    let has_messages = text.trim_start().starts_with("{\"reason\"");
    if !has_messages {
        one(text, path, Path::new(""), &mut measured)?;
        return Ok(measured);
    }
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let message: Message = json(line, path, "cargo-criterion")?;
        if message.reason != "benchmark-complete" {
            continue;
        }
        let name = message.id.unwrap_or_default();
        let seconds = message
            .median
            .and_then(|median| Some(median.estimate * unit(&median.unit)?));
        match seconds {
            Some(seconds) => measured.add(&name, seconds, path)?,
            None => measured
                .passed_over
                .push(format!("{name}: it has no median in ns, us, ms or s")),
        }
    }
    Ok(measured)
}

fn one(content: &str, path: &Path, root: &Path, measured: &mut Measured) -> Result<(), Failure> {
    let estimates: Estimates = json(content, path, "Criterion")?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let identity = folder.join("benchmark.json");
    let name = match identity.exists() {
        true => json::<Identity>(&text(&identity)?, &identity, "Criterion")?.full_id,
        // The folder of the benchmark: its group, its function and its parameter.
        false => {
            let folder = folder.parent().unwrap_or(folder);
            folder
                .strip_prefix(root)
                .unwrap_or(folder)
                .display()
                .to_string()
        }
    };
    if name.is_empty() {
        let message = format!(
            "{} does not lie in the folder of a benchmark",
            path.display()
        );
        return Err(Failure::new(message).hint("name the folder target/criterion"));
    }
    measured.add(&name, estimates.median.point_estimate * 1e-9, path)
}

fn text(path: &Path) -> Result<String, Failure> {
    files::read(path, BYTES)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

fn estimates_below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let cannot = |error| Failure::new(format!("cannot read {}: {error}", folder.display()));
    for entry in folder.read_dir().map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let kind = entry.file_type().map_err(cannot)?;
        if !kind.is_dir() {
            continue;
        }
        let path = entry.path();
        let estimates = path.join("estimates.json");
        // Beside `new` lie `base`, which is the run before, and `change`.
        if entry.file_name() == "new" && estimates.is_file() {
            found.push(estimates);
        } else if depth > 0 {
            estimates_below(&path, depth - 1, found)?;
        }
    }
    Ok(())
}
