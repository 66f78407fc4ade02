//! Publishing `metrics.json`: read the cells, make them durable, then write what was read.

use std::path::PathBuf;

use crate::Error;
use crate::store::opened::{open_document, read_document};
use crate::store::{Core, Exclusive, StoreError};

use super::document::{Document, Row, Writer, examine};
use super::error::DocumentError;
use super::import::{Digest, is_imported};
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
    let document = match open_document(&path) {
        Ok(Some(document)) => document,
        Ok(None) => return Ok(Published::Missing),
        // A link or a folder that somebody put there.
        Err(StoreError::WrongFileType { .. } | StoreError::TooLarge { .. }) => {
            return Ok(Published::Foreign);
        }
        Err(error) => return Err(error.into()),
    };
    // Piece by piece: it may be as long as the store is large.
    let mut digest = Digest::default();
    let (untouched, store) =
        examine(document, |piece| digest.add(piece)).map_err(StoreError::io("read", &path))?;
    let ours = untouched && store == Some(core.id());
    Ok(if ours || is_imported(core, &digest.text())?.is_some() {
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

/// As [`publish_unless_foreign`], for whoever needs no view: each series is read, written and forgotten.
pub(crate) fn publish_quietly(exclusive: &Exclusive<'_>) -> Result<(), Error> {
    let core = exclusive.core();
    let path = path(core);
    if core.is_degraded() || published_document(core)? == Published::Foreign {
        return Ok(exclusive.flush()?);
    }
    let state = core.state()?;
    let head = view::head(core)?;
    let version = core.catalog()?.version();
    let temporary = core.files().prepare(&path, true, |out| {
        let mut writer = Writer::begin(out, &head, version)?;
        view::each(core, |value| writer.row(&Row::of(value)))?;
        writer.end()
    })?;
    // What was read is durable before it can be seen.
    if let Err(error) = exclusive.flush() {
        core.files().give_up(&temporary)?;
        return Err(error.into());
    }
    core.files().finish(&temporary, &path, true)?;
    exclusive.set_published(core.now_ns(), state);
    Ok(())
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
