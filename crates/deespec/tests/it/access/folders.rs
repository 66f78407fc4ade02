//! Folders that are exchanged, or hold other things.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use deespec::{FaultInjector, Operation};

use super::{MALLORY, full, set_mode};
use crate::support::{folder, quiet, told};

/// Exchanges a folder of the store for something else just before a file is put into it.
struct Exchange {
    folder: PathBuf,
    with: PathBuf,
    done: Mutex<bool>,
}

impl FaultInjector for Exchange {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let mut done = self.done.lock().unwrap();
        if operation == Operation::SyncFile && path.to_string_lossy().contains("metrics_") && !*done
        {
            *done = true;
            fs::rename(&self.folder, self.folder.with_extension("away"))?;
            fs::rename(&self.with, &self.folder)?;
        }
        Ok(())
    }
}

#[test]
fn a_folder_that_is_exchanged_between_the_look_and_the_deed_leads_nowhere() {
    let is_root = rustix::process::geteuid().is_root();
    // As the victim sees it: a link, or a folder of another user, to which it leads.
    for by_link in [true, false] {
        let (folder, root) = full();
        let victim = folder.path().join("victim");
        fs::create_dir(&victim).unwrap();
        let trap = folder.path().join("trap");
        if by_link {
            symlink(&victim, &trap).unwrap();
        } else if is_root {
            fs::rename(&victim, &trap).unwrap();
            chown(&trap, Some(MALLORY), None).unwrap();
        } else {
            continue;
        }
        let exchange = Exchange {
            folder: root.join("snapshots"),
            with: trap,
            done: Mutex::new(false),
        };
        let store = quiet().faults(Arc::new(exchange)).open(&root).unwrap();
        let error = store.snapshot().unwrap_err();
        told(&error, &root.join("snapshots"));
        let reached = root.join("snapshots");
        assert_eq!(fs::read_dir(reached).unwrap().count(), 0, "{error}");
    }
}

#[test]
fn a_folder_with_other_things_in_it_keeps_its_rights_and_gets_no_store() {
    for (mode, name, lawful) in [
        (0o777, "thesis.txt", false),
        (0o1777, "metrics_of_mine", false),
        (0o1777, "", false),
        // There for a store alone: then it is the store's, and closed.
        (0o777, "", true),
        (0o775, "metrics.json", true),
        // Nobody else can write there.
        (0o755, "thesis.txt", true),
    ] {
        let folder = folder();
        let root = folder.path().join("var");
        fs::create_dir(&root).unwrap();
        if !name.is_empty() {
            fs::write(root.join(name), r#"{"commit_success": 5}"#).unwrap();
        }
        set_mode(&root, mode);
        let opened = quiet().open(&root);
        let after = fs::metadata(&root).unwrap().mode() & 0o7777;
        match opened {
            Ok(_) => assert!(
                lawful && after == mode & !0o022,
                "{mode:o} {name}: {after:o}"
            ),
            Err(error) => {
                told(&error, &root);
                assert!(!lawful && after == mode, "{mode:o} {name}: {error}");
                assert!(!root.join("live").exists());
            }
        }
    }
}
