//! A segment in a file: the store is opened, read, shown and counted in.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

/// One for the whole process; whoever starts it removes it, as the fuzzer knows no end.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder").keep())
}

deespec_fuzz::target!(|input| deespec::fuzzing::store_in(folder(), input));
