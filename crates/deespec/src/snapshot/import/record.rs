//! What was imported: a line of `imports.jsonl` each, and the digest that tells contents apart.

use std::hash::Hasher as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::Error;
use crate::store::opened::read_own;
use crate::store::{Core, IMPORTS};

use super::super::time;

/// One line of `imports.jsonl`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) digest: String,
    at: String,
    by: String,
    file: String,
    counts: u64,
}

impl Line {
    pub(super) fn new(digest: String, at_ns: u64, by: &str, file: &Path, counts: u64) -> Self {
        Self {
            digest,
            at: time::to_seconds(at_ns),
            by: by.to_owned(),
            file: file.display().to_string(),
            counts,
        }
    }
}

/// What identifies a document's content: 128 bits, since two contents must not be taken for one.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.add(bytes);
    digest.text()
}

/// A digest of a content that comes in pieces.
pub(crate) struct Digest(SipHasher13);

impl Default for Digest {
    fn default() -> Self {
        Self(SipHasher13::new_with_keys(0, 0))
    }
}

impl Digest {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub(crate) fn text(&self) -> String {
        let hash = self.0.finish128();
        format!("{:016x}{:016x}", hash.h1, hash.h2)
    }
}

/// When a document with this digest was imported.
pub(crate) fn is_imported(core: &Core, digest: &str) -> Result<Option<String>, Error> {
    let bytes = read_own(&core.live_file(IMPORTS))?.unwrap_or_default();
    Ok(line_of(&bytes, digest).map(|line| line.at))
}

/// The line of this digest in a record of imports; what cannot be read of it is passed over.
fn line_of(record: &[u8], digest: &str) -> Option<Line> {
    let lines = String::from_utf8_lossy(record);
    let mut lines = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines.find(|line| line.digest == digest)
}

/// What the lines of imports owe to any bytes.
#[cfg(any(test, fuzzing))]
pub(super) fn check(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            // What was imported once is not imported again.
            assert!(line_of(bytes, &line.digest).is_some());
        }
    }
}
