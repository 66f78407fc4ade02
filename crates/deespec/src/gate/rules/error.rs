//! Why a `gate.toml` cannot be used: the error and its wording.
//!
//! The content of the file is foreign: what is repeated from it is short and stays on one line.

use std::path::PathBuf;

use super::Rules;

/// Why rules cannot be used. Every message begins with the file and the line. None has a source: the message is
/// complete.
///
/// # Examples
///
/// ```
/// use deespec::gate::Rules;
/// use std::path::Path;
///
/// let text = "schema = \"deespec.gate/1\"\n[gate]\nalhpa = 0.01\n";
/// let error = Rules::parse(text, Path::new("gate.toml")).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "gate.toml:3: unknown key \"alhpa\" in [gate], did you mean \"alpha\"? \
///      Allowed are fail_on, no_data, no_store, inconclusive, alpha, history",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The text is larger than [`Rules::MAX_BYTES`].
    #[error(
        "{}: {bytes} bytes are too many for a file of rules, at most {} are read",
        path.display(), Rules::MAX_BYTES
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        bytes: usize,
    },
    /// The text is not TOML.
    #[error("{}:{line}: not valid TOML at column {column}: {reason}", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key that is not allowed there.
    #[error(
        "{}:{line}: unknown key {} in {place}, {}llowed are {}",
        path.display(), quoted(key), did_you_mean(key, allowed), allowed.join(", ")
    )]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key as it stands there.
        key: String,
        /// Where it stands.
        place: String,
        /// The keys that may stand there.
        allowed: Vec<&'static str>,
    },
    /// A key that must be there and is not.
    #[error("{}:{line}: {place} lacks {key}: {expected}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The line of what lacks it, from 1.
        line: usize,
        /// What lacks it.
        place: String,
        /// The key.
        key: String,
        /// What it must be.
        expected: String,
    },
    /// A value of another shape, or out of range.
    #[error("{}:{line}: {key} must be {expected}, found {found}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, and those around it, as `warn.alpha`.
        key: String,
        /// What it must be.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// Values that are lawful alone and not together.
    #[error("{}:{line}: {reason}", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What does not fit.
        reason: String,
    },
}

impl RulesError {
    /// The line that is wrong, from 1; `None` where it is the whole file.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::TooLarge { .. } => None,
            Self::NotToml { line, .. }
            | Self::UnknownKey { line, .. }
            | Self::Missing { line, .. }
            | Self::Value { line, .. }
            | Self::Conflict { line, .. } => Some(*line),
        }
    }
}

/// A question for the allowed key that the author may have meant, and the letter that the next sentence begins with.
fn did_you_mean(key: &str, allowed: &[&'static str]) -> String {
    let near = |one: &&&str| strsim::osa_distance(key, one) <= (one.len() / 3).min(2);
    // A long key is near to none of ours, and costly to compare.
    let found = allowed.iter().find(|one| key.len() <= 64 && near(one));
    found.map_or("a".to_owned(), |one| format!("did you mean {one:?}? A"))
}

/// A text from a foreign file, fit for a one-line message.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 64;
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}
