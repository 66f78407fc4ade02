//! What this machine is: a figure without it means nothing.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::place::Bench;

/// Facts in the order in which they are shown.
pub(crate) struct Machine(Vec<(&'static str, String)>);

pub(crate) fn facts(bench: &Bench) -> Machine {
    Machine(vec![
        ("processor", processor()),
        ("cores", bench.cores.to_string()),
        ("kernel", one_line("/proc/sys/kernel/osrelease")),
        ("file system of the stores", file_system(&bench.target)),
        ("load before", one_line("/proc/loadavg")),
        ("profile", bench.profile.clone()),
        ("effort", bench.level.name().to_owned()),
    ])
}

impl Machine {
    pub(crate) fn text(&self) -> String {
        let lines: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        lines.join("\n")
    }

    pub(crate) fn document(&self) -> Value {
        self.0
            .iter()
            .map(|(name, value)| (name.replace(' ', "_"), json!(value)))
            .collect()
    }
}

/// The type of the file system that holds a path, as the kernel names it.
pub(crate) fn file_system(path: &Path) -> String {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(mounted_at, _)| path.starts_with(mounted_at))
        // The last of the deepest: a later mount covers an earlier one.
        .max_by_key(|(mounted_at, _)| mounted_at.len())
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(
            || std::env::consts::ARCH.to_owned(),
            |(_, name)| name.trim().to_owned(),
        )
}

fn one_line(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
