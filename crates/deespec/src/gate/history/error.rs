//! Why a history cannot be read.

use std::path::PathBuf;

/// Why a history cannot be read. The message names the file and the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// A line is no run.
    #[error("{}:{line}: this is no run such as {{\"run\": 7, \"value\": 1.5}}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A line is of a schema that this version does not know.
    #[error(
        "{}:{line}: the schema is {found:?}, which this version does not know; it reads deespec.run/1 and \
         deespec.accept/1",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the line says.
        found: String,
    },
}
