//! The one error type of the library's functions.

use thiserror::Error;

use crate::snapshot::{DocumentError, PushError};
use crate::store::StoreError;

/// Whatever can go wrong, by the room in which it did.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The store's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A JSON document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// What a program has pushed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// The recorder of the `metrics` facade.
    #[cfg(feature = "metrics")]
    #[error(transparent)]
    Recorder(#[from] crate::recorder::RecorderError),
    /// A rotation or restore is done, but what belongs to it is not all written. The next operation
    /// on the store writes it; doing the same again would begin one more epoch.
    #[error("epoch {closed} is closed, but what belongs to its closing is not all written yet")]
    Unfinished {
        /// The epoch that was closed.
        closed: u64,
        /// What could not be written, and why.
        source: Box<Self>,
    },
}

/// The result of the library's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
