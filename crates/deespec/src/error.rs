//! The one error type of the library's functions.

use thiserror::Error;

use crate::snapshot::DocumentError;
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
}

/// The result of the library's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
