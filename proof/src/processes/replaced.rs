//! A store whose files are taken away, put elsewhere, replaced or cut short under a running writer.
//!
//! A process has the store open and does what it is told, line by line: counts, syncs, registers,
//! looks. In the middle of that somebody else does to the files what an operator, a script or a careless
//! restore does, and the process goes on. Then a new process uses what is there, the damage is undone
//! where that is possible, and both use the store again.
//!
//! Violations: a sync of a writer whose cells are not in the store any more which says that it was
//! durable; an error without the file's path; a writer that dies where it only counts, unless its
//! segment was cut short, which the kernel answers with SIGBUS; a count of the old store in a new one,
//! or the other way round; a count that is lost once the files are back; an opener that takes a torn
//! store for whole, or overwrites it; two processes that both have the lock.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use deespec::Store;

use super::told::Writer;
use crate::audit::{History, audit};
use crate::harness::{Bench, Outcome};
use crate::opening::options;
use crate::{Result, ui};

/// What becomes of the writer's next sync, and whether a new process finds the writer's counts.
struct Case {
    name: &'static str,
    /// Does it, in the store's folder.
    damage: fn(&Path) -> Result<()>,
    /// Undoes it; `None` where nobody can.
    undo: Option<fn(&Path) -> Result<()>>,
    then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It goes on as if nothing had happened.
    Harmless,
    /// Syncs fail and say why; counting does no harm.
    Detached,
    /// As before, but the first write to a page that is gone kills the process.
    Cut,
}

const FIRST: &str = "live/segment-0000";

const CASES: &[Case] = &[
    Case {
        name: "segment unlinked",
        damage: |root| Ok(fs::remove_file(root.join(FIRST))?),
        undo: None,
        then: Then::Detached,
    },
    Case {
        name: "segment moved away",
        damage: |root| Ok(fs::rename(root.join(FIRST), root.join("kept"))?),
        undo: Some(|root| Ok(fs::rename(root.join("kept"), root.join(FIRST))?)),
        then: Then::Detached,
    },
    Case {
        name: "segment replaced by its copy",
        damage: |root| {
            fs::copy(root.join(FIRST), root.join("copy"))?;
            fs::rename(root.join(FIRST), root.join("kept"))?;
            Ok(fs::rename(root.join("copy"), root.join(FIRST))?)
        },
        undo: Some(|root| Ok(fs::rename(root.join("kept"), root.join(FIRST))?)),
        then: Then::Detached,
    },
    Case {
        name: "segment replaced by a link to itself",
        damage: |root| {
            fs::rename(root.join(FIRST), root.join("kept"))?;
            Ok(std::os::unix::fs::symlink("../kept", root.join(FIRST))?)
        },
        undo: Some(|root| Ok(fs::rename(root.join("kept"), root.join(FIRST))?)),
        then: Then::Detached,
    },
    Case {
        name: "store moved away and another in its place",
        damage: |root| {
            fs::rename(root.join("live"), root.join("kept"))?;
            fs::rename(root.join("metrics.json"), root.join("kept.json"))?;
            drop(open(root)?);
            Ok(())
        },
        undo: Some(|root| {
            fs::remove_dir_all(root.join("live"))?;
            fs::rename(root.join("kept.json"), root.join("metrics.json"))?;
            Ok(fs::rename(root.join("kept"), root.join("live"))?)
        }),
        then: Then::Detached,
    },
    Case {
        name: "store removed",
        damage: |root| Ok(fs::remove_dir_all(root)?),
        undo: None,
        then: Then::Detached,
    },
    Case {
        name: "segment cut to nothing",
        damage: |root| cut(root, 0),
        undo: None,
        then: Then::Cut,
    },
    Case {
        name: "segment cut behind its first page",
        damage: |root| cut(root, 4096),
        undo: None,
        then: Then::Cut,
    },
    Case {
        name: "segment cut by its last byte",
        damage: |root| cut(root, fs::metadata(root.join(FIRST))?.len() - 1),
        undo: None,
        then: Then::Cut,
    },
    Case {
        name: "lock file unlinked",
        damage: |root| Ok(fs::remove_file(root.join("live/lock"))?),
        undo: None,
        then: Then::Harmless,
    },
    Case {
        name: "lock file replaced",
        damage: |root| {
            fs::remove_file(root.join("live/lock"))?;
            write(&root.join("live/lock"), b"")
        },
        undo: None,
        then: Then::Harmless,
    },
    Case {
        name: "file of live processes unlinked",
        damage: |root| Ok(fs::remove_file(root.join("live/processes"))?),
        undo: None,
        then: Then::Harmless,
    },
    Case {
        name: "metrics.json and snapshots removed",
        damage: |root| {
            fs::remove_file(root.join("metrics.json"))?;
            Ok(fs::remove_dir_all(root.join("snapshots"))?)
        },
        undo: None,
        then: Then::Harmless,
    },
];

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let rounds = bench.count([1, 20, 100, 2000]);
    let mut violations = Vec::new();
    for round in 0..rounds {
        for case in CASES {
            let folder = bench.folder.join("case");
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            let before = 1 + bench.random.below(5);
            let found = one(case, &folder.join("var"), before)
                .unwrap_or_else(|error| vec![ui::chain(error.as_ref())]);
            let story = format!("{}, round {round}", case.name);
            violations.extend(found.into_iter().map(|what| format!("{story}: {what}")));
        }
        if !violations.is_empty() {
            break;
        }
    }
    Ok(Outcome {
        done: format!(
            "{} ways, {} stores",
            CASES.len(),
            rounds * CASES.len() as u64
        ),
        violations,
    })
}

fn open(root: &Path) -> deespec::Result<Store> {
    options().stripes(1).open(root)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(bytes)?)
}

fn cut(root: &Path, length: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(root.join(FIRST))?;
    Ok(file.set_len(length)?)
}

fn one(case: &Case, root: &Path, before: u64) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut writer = Writer::start(root)?;
    for _ in 0..before {
        writer.must("inc")?;
    }
    writer.must("rotate")?;
    writer.must("inc")?;
    writer.must("sync")?;
    (case.damage)(root)?;
    let segment = fs::read(root.join(FIRST)).ok();

    let synced = writer.tell("sync")?;
    match (case.then, &synced) {
        (Then::Harmless, Some(Ok(_))) => {}
        (Then::Harmless, _) => found.push(format!("a sync gave {synced:?}")),
        (_, Some(Err(text))) if text.contains(&root.display().to_string()) => {}
        (_, Some(Err(text))) => found.push(format!("an error names no path: {text}")),
        (_, Some(Ok(_))) => {
            found.push("a sync said that what is not in the store is durable".into())
        }
        (_, None) => found.push("a sync killed the process instead of failing".into()),
    }
    if case.then == Then::Cut {
        // Whoever shortens a mapped file kills those who touch what was cut off. What counts is that
        // nobody takes the rest for a store, and that it stays as it is.
        let opened = open(root).map(drop);
        match opened {
            Err(error) if ui::chain(&error).contains(&root.display().to_string()) => {}
            other => found.push(format!("a store that was cut short was opened: {other:?}")),
        }
        if fs::read(root.join(FIRST)).ok() != segment {
            found.push("a store that was cut short was written to".into());
        }
        return writer.end().map(|()| found);
    }
    if writer.tell("inc")?.is_none() {
        found.push("an increment killed the process".into());
        return Ok(found);
    }
    if case.then == Then::Detached {
        others(case, root, &mut writer, before, &mut found)?;
    } else {
        let lock = File::open(root.join("live/lock"))?;
        lock.try_lock()?;
        if writer.tell("view")?.is_none_or(|said| said.is_ok()) {
            found.push("two processes have the lock".into());
        }
        lock.unlock()?;
        writer.must("register")?;
        writer.must("sync")?;
        writer.end()?;
        let store = open(root)?;
        let counted = store.view()?.transactions.success;
        if counted != 2 {
            found.push(format!("the epoch counts {counted} instead of 2"));
        }
        store.snapshot()?;
    }
    Ok(found)
}

/// A writer whose cells are in no store any more, and a new process in its place.
fn others(
    case: &Case,
    root: &Path,
    writer: &mut Writer,
    before: u64,
    found: &mut Vec<String>,
) -> Result<()> {
    // A process that opens now makes or finds another store, or says why it cannot.
    let other = open(root);
    let stands = other
        .as_ref()
        .ok()
        .map(|store| store.transactions().success.add(100));
    for what in ["register", "rotate", "snapshot"] {
        if let Some(Ok(said)) = writer.tell(what)?
            && what != "register"
        {
            found.push(format!("{what} of a writer without a store gave {said}"));
        }
    }
    // The counter is at hand; a share is to be had only where the store still is.
    match writer.tell("inc")? {
        Some(Ok(_)) => {}
        Some(Err(text)) if text.contains(&root.display().to_string()) => {}
        other => found.push(format!("inc gave {other:?}")),
    }
    if let (Some(()), Ok(other)) = (stands, &other) {
        let counted = other.view()?.transactions.success;
        let copied = if case.name.contains("copy") { 1 } else { 0 };
        if counted != 100 + copied {
            found.push(format!("the other store counts {counted}"));
        }
    }
    drop(other);
    let Some(undo) = case.undo else {
        return writer.end();
    };
    undo(root)?;
    // It is where it was: everything that was counted meanwhile is there.
    writer.must("sync")?;
    let store = open(root)?;
    store.transactions().success.inc();
    writer.must("inc")?;
    writer.must("sync")?;
    writer.end()?;
    let counted = store.view()?.transactions.success;
    if counted != 5 {
        found.push(format!("the epoch counts {counted} instead of 5"));
    }
    drop(store);
    // What was put back is not there any more.
    let _ = fs::remove_file(root.join("kept"));
    let audit = audit(root, &History::default());
    found.extend(audit.violations.iter().cloned());
    if audit.count("commit_success") != before + 5 {
        let counted = audit.count("commit_success");
        found.push(format!(
            "{counted} counted in all epochs instead of {}",
            before + 5
        ));
    }
    Ok(())
}
