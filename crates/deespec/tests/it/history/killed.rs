//! Killed, or out of luck, at each operation on the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use deespec::{FaultInjector, Operation, Rotate};

use crate::support::quiet;

use super::{anew, everything, filled, from_files, parts, said};

/// Fails, or kills its process, at the n-th operation on the disk.
struct At {
    left: AtomicU32,
    kills: bool,
}

impl FaultInjector for At {
    fn before(&self, _: Operation, _: &Path) -> std::io::Result<()> {
        let next = |left: u32| left.checked_sub(1);
        let is_later = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if is_later.is_ok() {
            return Ok(());
        }
        if self.kills {
            let pid = rustix::process::getpid();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        Err(std::io::Error::other("gone"))
    }
}

#[test]
fn killed_at_any_step_of_its_writing_an_archive_is_completed_by_the_next() {
    const NAME: &str =
        "history::killed::killed_at_any_step_of_its_writing_an_archive_is_completed_by_the_next";
    if let Some(root) = std::env::var_os("DEESPEC_HISTORY_KILL") {
        let at = std::env::var("DEESPEC_HISTORY_KILL_AT").unwrap();
        let left = AtomicU32::new(at.parse().unwrap());
        let faults = Arc::new(At { left, kills: true });
        let store = quiet().faults(faults).open(root).unwrap();
        store.history(&everything()).unwrap();
        std::process::exit(0);
    }
    let mut killed = 0;
    for at in 0.. {
        let (_folder, store) = filled(3);
        // One part is there already, and is to be replaced.
        store.history(&everything()).unwrap();
        store.snapshot().unwrap();
        let wanted = from_files(&store);
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env("DEESPEC_HISTORY_KILL", store.path())
            .env("DEESPEC_HISTORY_KILL_AT", at.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(anew(&store), wanted, "step {at}");
        assert_eq!(parts(&store).len(), 1, "step {at}");
        assert_eq!(anew(&store), wanted, "step {at}");
        // What it left behind is in nobody's way.
        store.rotate(Rotate::Reset).unwrap();
        if ended.success() {
            break;
        }
        killed += 1;
    }
    assert!(killed >= 3, "{killed}");
}

#[test]
fn a_disk_that_fails_at_any_step_costs_time_and_no_answer() {
    let mut failed = 0;
    for at in 0.. {
        let (_folder, store) = filled(3);
        store.history(&everything()).unwrap();
        store.snapshot().unwrap();
        let wanted = from_files(&store);
        let root = store.path().to_owned();
        let faults = Arc::new(At {
            left: AtomicU32::new(at),
            kills: false,
        });
        let broken = quiet().faults(faults).open(&root).unwrap();
        let mut unsaved = None;
        for _ in 0..2 {
            let history = broken.history(&everything()).unwrap();
            assert_eq!(said(&history), wanted, "step {at}");
            unsaved = unsaved.or(history.unsaved);
        }
        assert_eq!(anew(&store), wanted, "step {at}");
        match unsaved {
            None => break,
            Some(reason) => assert!(
                reason.contains("tmp-part") || reason.contains("history"),
                "{reason}"
            ),
        }
        failed += 1;
    }
    assert!(failed >= 3, "{failed}");
}
