//! Why a configuration cannot be used.
//!
//! This room holds the error and its wording. The content of the file is foreign: what is
//! repeated from it in a message is short and stays on one line.

use super::Thresholds;
use super::limits::KEYS;
use std::path::PathBuf;

/// Why a configuration cannot be used. Every message names the file. None has a source: the message is
/// complete.
///
/// # Examples
///
/// ```
/// use deespec::gate::{ThresholdError, Thresholds};
/// use std::path::Path;
///
/// let error = Thresholds::parse("{\n  max: 1\n}", Path::new("t.json")).unwrap_err();
/// assert!(matches!(error, ThresholdError::NotJson { line: 2, .. }));
/// assert_eq!(
///     error.to_string(),
///     "t.json: not valid JSON at line 2 column 3: key must be a string",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// The text is larger than [`Thresholds::MAX_BYTES`].
    #[error(
        "{}: {bytes} bytes are too many for a configuration, at most {} are read",
        path.display(), Thresholds::MAX_BYTES
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        bytes: usize,
    },
    /// The text is not JSON, or holds a number that no `f64` can hold.
    #[error("{}: not valid JSON at line {line} column {column}: {reason}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1; 0 where a line ends too early.
        column: usize,
        /// What the JSON parser expected.
        reason: String,
    },
    /// The text is JSON, but not an object.
    #[error("{}: must be one JSON object, found {found}", path.display())]
    NotAnObject {
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        found: &'static str,
    },
    /// A key that no threshold has.
    #[error(
        "{}: unknown key {}, allowed are {}, $schema", path.display(), quoted(key), KEYS.join(", ")
    )]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key as it stands there.
        key: String,
    },
    /// A key that stands in the object twice, so that one of its values would be ignored.
    #[error("{}: key {} is given twice", path.display(), quoted(key))]
    DuplicateKey {
        /// The file.
        path: PathBuf,
        /// The key as it stands there.
        key: String,
    },
    /// A value of the wrong JSON type.
    #[error("{}: {key} must be {expected}, found {found}", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The type that it must have.
        expected: &'static str,
        /// The type that it has.
        found: &'static str,
    },
    /// A success rate that is not a percentage.
    #[error("{}: {key} must be from 0 to 100 percent, found {found}", path.display())]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The number as it was read.
        found: String,
    },
    /// A count that is negative, has a decimal point, or is beyond 64 bits.
    #[error("{}: {key} must be a whole number from 0 to {}, found {found}", path.display(), u64::MAX)]
    NotACount {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The number as it was read.
        found: String,
    },
}

/// A key from a foreign file, fit for a one-line message.
fn quoted(key: &str) -> String {
    const SHOWN: usize = 64;
    let cut: String = key.chars().take(SHOWN).collect();
    let more = if cut.len() < key.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}
