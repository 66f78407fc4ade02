//! Publishing `metrics.json`: read the cells, make them durable, then write what was read.

use std::path::PathBuf;

use crate::Error;
use crate::store::files::read_document;
use crate::store::{Core, Exclusive};

use super::document::{Document, is_untouched, render};
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
    /// Something else; it is not overwritten.
    Foreign,
}

pub(crate) fn path(core: &Core) -> PathBuf {
    core.root().join("metrics.json")
}

/// What stands at `metrics.json` now.
pub(crate) fn published_document(core: &Core) -> Result<Published, Error> {
    let path = path(core);
    let Some(bytes) = read_document(&path)? else {
        return Ok(Published::Missing);
    };
    let ours = is_untouched(&bytes)
        && Document::parse(&bytes, &path).is_ok_and(|found| found.store_id == Some(core.id()));
    Ok(if ours || is_imported(core, &digest(&bytes))?.is_some() {
        Published::Ours
    } else {
        Published::Foreign
    })
}

/// Makes everything durable and replaces `metrics.json`.
pub(crate) fn publish(exclusive: &Exclusive<'_>) -> Result<View, Error> {
    let core = exclusive.core();
    // Taken before the view: counts that come between the two are published the next time.
    let state = core.state()?;
    let view = view::read(core)?;
    exclusive.flush()?;
    if published_document(core)? == Published::Foreign {
        return Err(DocumentError::Foreign { path: path(core) }.into());
    }
    let text = render(&view.to_document());
    core.files().write(&path(core), text.as_bytes(), true)?;
    exclusive.set_published(core.now_ns(), state);
    Ok(view)
}
