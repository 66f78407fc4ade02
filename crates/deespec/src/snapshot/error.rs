//! What can be wrong with a document. Each message names the path and the reason.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::metric::MetricError;
use crate::store::StoreError;

/// An error about a JSON document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is not JSON, or its fields have other types than the schema says.
    #[error("{} is not a metrics document", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The file is JSON, but its content is not lawful.
    #[error("{} is not a metrics document: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is neither JSON nor a text that Prometheus would read.
    #[error("{} is not a text that can be imported: {reason}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, and what is wrong with it.
        reason: String,
    },
    /// The file carries a checksum that is not its own.
    #[error(
        "{} was changed or damaged after DeeSpec wrote it: its checksum is wrong", path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Adding the file's values would exceed 64 bits.
    #[error("{} holds too much for {name}: with what it has the sum would exceed 64 bits", path.display())]
    Overflow {
        /// The file.
        path: PathBuf,
        /// The name of the counter or histogram.
        name: String,
    },
    /// The file is lawful, but this store has something else under one of its names.
    #[error("{} does not fit into this store: {reason}", path.display())]
    Misfit {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: MetricError,
    },
    /// The file was written by a newer version of DeeSpec.
    #[error(
        "{} has schema version {found}, the highest supported is {supported}", path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u64,
        /// The highest version that this code reads.
        supported: u64,
    },
    /// metrics.json is not what DeeSpec wrote, so it is not overwritten.
    #[error(
        "{} was changed by something other than DeeSpec and is therefore not overwritten", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The document is a view of another store.
    #[error("{} is {found}, not a view of this store ({expected})", path.display())]
    OtherStore {
        /// The file.
        path: PathBuf,
        /// What it is instead: a view of which store, or a document of unknown origin.
        found: String,
        /// This store's identity.
        expected: String,
    },
    /// The document is a view of this very store, so adding it would count everything twice.
    #[error("{} is a view of this very store: adding it would count everything twice", path.display())]
    OwnView {
        /// The file.
        path: PathBuf,
    },
}

impl DocumentError {
    /// What the store says of a series or family of the file at `path`, as an adapter for `map_err`.
    pub(crate) fn misfit<E: Into<StoreError>>(path: &Path) -> impl Fn(E) -> Error {
        move |error| match error.into() {
            StoreError::Metric(reason) => Self::Misfit {
                path: path.to_owned(),
                reason,
            }
            .into(),
            other => other.into(),
        }
    }

    pub(crate) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
