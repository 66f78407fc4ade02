//! Publishing `metrics.json`: read the cells, make them durable, then write what was read.

use std::path::PathBuf;

use crate::Error;
use crate::store::opened::read_document;
use crate::store::{Core, Exclusive, StoreError};

use super::document::{Document, is_untouched};
use super::error::DocumentError;
use super::import::{digest, is_imported};
use super::view::{self, View};

/// What stands at `metrics.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Published {
    /// Nothing yet.
    Missing,
    /// What this store wrote, or a document that was imported since.
    Ours,
    /// Something else; it is not overwritten, and everything but publishing goes on.
    Foreign,
}

pub(crate) fn path(core: &Core) -> PathBuf {
    core.root().join("metrics.json")
}

/// What stands at `metrics.json` now.
pub(crate) fn published_document(core: &Core) -> Result<Published, Error> {
    let path = path(core);
    let bytes = match read_document(&path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Published::Missing),
        // A link or a folder that somebody put there.
        Err(StoreError::WrongFileType { .. } | StoreError::TooLarge { .. }) => {
            return Ok(Published::Foreign);
        }
        Err(error) => return Err(error.into()),
    };
    let ours = is_untouched(&bytes)
        && Document::parse_own(&bytes, &path).is_ok_and(|found| found.store_id == Some(core.id()));
    Ok(if ours || is_imported(core, &digest(&bytes))?.is_some() {
        Published::Ours
    } else {
        Published::Foreign
    })
}

/// Makes everything durable and replaces `metrics.json`.
pub(crate) fn publish(exclusive: &Exclusive<'_>) -> Result<View, Error> {
    let core = exclusive.core();
    match offer(exclusive)? {
        (view, true) => Ok(view),
        (_, false) => Err(foreign(core)),
    }
}

/// Why `metrics.json` is not overwritten.
fn foreign(core: &Core) -> Error {
    let path = path(core);
    let bytes = read_document(&path).ok().flatten().unwrap_or_default();
    match Document::parse(&bytes, &path) {
        Err(error @ DocumentError::NewerSchema { .. }) => error.into(),
        _ => DocumentError::Foreign { path }.into(),
    }
}

/// As [`publish`], at the end of an operation whose own outcome does not depend on `metrics.json`:
/// one that is not ours is left as it is. Its error would make the caller do the operation twice.
pub(crate) fn publish_unless_foreign(exclusive: &Exclusive<'_>) -> Result<View, Error> {
    Ok(offer(exclusive)?.0)
}

/// The view that was made durable, and whether it was published.
fn offer(exclusive: &Exclusive<'_>) -> Result<(View, bool), Error> {
    let core = exclusive.core();
    // Taken before the view: counts that come between the two are published the next time.
    let state = core.state()?;
    let view = view::read(core)?;
    exclusive.flush()?;
    if published_document(core)? == Published::Foreign {
        return Ok((view, false));
    }
    let text = view.to_json();
    core.files().write(&path(core), text.as_bytes(), true)?;
    exclusive.set_published(core.now_ns(), state);
    Ok((view, true))
}
