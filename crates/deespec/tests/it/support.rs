//! What several rooms of tests need: folders, plain values, and a witness that nothing changed.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use deespec::{Document, Error, Options, Store, View};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The moment that fixed clocks show: 2026-11-23T07:08:09.123456789Z.
pub(crate) const MOMENT_NS: u64 = 1_795_417_689_123_456_789;

/// An empty folder, in memory where the machine has such a place: most tests sync often.
pub(crate) fn folder() -> TempDir {
    let shared_memory = Path::new("/dev/shm");
    let made = if shared_memory.is_dir() {
        tempfile::tempdir_in(shared_memory)
    } else {
        tempfile::tempdir()
    };
    made.unwrap()
}

/// A small store without a background thread.
pub(crate) fn quiet() -> Options {
    Options::new()
        .background_sync(None)
        .stripes(1)
        .program("test")
}

/// Whether nothing is to be left out, however long that takes (`cargo xtask ci --deep`).
pub(crate) fn is_deep() -> bool {
    std::env::var_os("DEESPEC_DEEP").is_some()
}

/// The time `seconds` after [`MOMENT_NS`].
pub(crate) fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(MOMENT_NS) + Duration::from_secs(seconds)
}

/// Every count by the series' name and labels, the four built-in counters included.
pub(crate) type Values = BTreeMap<String, u64>;

/// How [`Values`] names a series.
pub(crate) fn key<T: AsRef<str>>(name: &str, labels: impl IntoIterator<Item = (T, T)>) -> String {
    let mut key = name.to_owned();
    for (name, value) in labels {
        let (name, value) = (name.as_ref(), value.as_ref());
        key.push_str(&format!(",{name}={value}"));
    }
    key
}

/// Every counter of a document.
pub(crate) fn document_values(document: &Document) -> Values {
    let four = document.transactions;
    let mut values = Values::from([
        ("commit_success".into(), four.success),
        ("commit_failed".into(), four.failed),
        ("cas_conflicts".into(), four.conflicts),
        ("recovery_count".into(), four.recoveries),
    ]);
    for series in &document.series {
        if let Some(count) = series.value.counter() {
            let twin = values.insert(key(&series.name, series.labels.iter()), count);
            assert_eq!(twin, None, "{series:?} stands twice");
        }
    }
    values
}

pub(crate) fn view_values(view: &View) -> Values {
    document_values(&view.to_document())
}

/// The values of a store; nothing may be missing from them.
pub(crate) fn store_values(store: &Store) -> Values {
    let view = store.view().unwrap();
    assert_eq!(view.skipped, Vec::<String>::new());
    view_values(&view)
}

/// The four built-in counters at these values and the other series as given.
pub(crate) fn expected(four: [u64; 4], others: &[(&str, u64)]) -> Values {
    let names = deespec::TRANSACTIONS;
    let built_in = names.into_iter().zip(four);
    built_in
        .chain(others.iter().copied())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Everything in a folder: what each thing is, its mode, and for files the SHA-256.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn walk(base: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let kind = metadata.file_type();
        let what = if kind.is_file() {
            format!("file of {} bytes, {}", metadata.len(), hash(&path))
        } else if kind.is_symlink() {
            format!("link to {}", fs::read_link(&path).unwrap().display())
        } else if kind.is_fifo() || kind.is_socket() {
            "FIFO or socket".into()
        } else {
            "folder".into()
        };
        let name = path.strip_prefix(base).unwrap().display().to_string();
        found.insert(name, format!("{:o} {what}", metadata.mode()));
        if kind.is_dir() {
            walk(base, &path, found);
        }
    }
}

/// The SHA-256 of a file; of a huge one only that it is huge.
pub(crate) fn hash(path: &Path) -> String {
    match fs::metadata(path).unwrap().len() {
        // Never opened: closing `live/processes` would drop this process' locks on it.
        0 => return "empty".into(),
        length if length > 1 << 30 => return "huge".into(),
        _ => {}
    }
    let Ok(bytes) = fs::read(path) else {
        return "unreadable".into();
    };
    Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// An error with all its causes, and the proof that it says which file it is about.
pub(crate) fn told(error: &Error, path: &Path) -> String {
    let mut text = error.to_string();
    assert!(
        text.contains(&path.display().to_string()),
        "the error does not name {}: {text}",
        path.display()
    );
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Makes something at the first path; a link leads to the second.
pub(crate) type Make = fn(&Path, &Path);

/// What may stand in the place of a file and is none, as errors call it.
pub(crate) const NO_FILES: [(&str, Make); 6] = [
    ("a symbolic link", |path, other| {
        symlink(other, path).unwrap()
    }),
    ("a symbolic link", |path, _| {
        symlink("nowhere", path).unwrap()
    }),
    ("a symbolic link", |path, _| {
        symlink(path.file_name().unwrap(), path).unwrap()
    }),
    ("a folder", |path, _| fs::create_dir(path).unwrap()),
    ("a FIFO", |path, _| {
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, path, fifo, 0o600.into(), 0).unwrap();
    }),
    ("a socket", |path, _| {
        drop(UnixListener::bind(path).unwrap())
    }),
];

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            // Read and written, not copied: so that holes and modes are those of a checkout.
            fs::write(&target, fs::read(&path).unwrap()).unwrap();
        }
    }
}

/// Waits until `condition` holds; fails after a minute.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waited in vain until {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}
