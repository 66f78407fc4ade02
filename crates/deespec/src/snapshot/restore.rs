//! Restoring a snapshot: a new epoch whose baseline makes the values equal the snapshot's. Totals
//! still only grow.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::metric::{Kind, LabelSet, Value};
use crate::store::opened::{read_given, read_own};
use crate::store::{Amount, Beginning, Core, RESTORE, SeriesValue, StoreError};

use super::document::Document;
use super::error::DocumentError;
use super::settle::{after_turn, locked, whole};
use super::take::{folder, free_name};
use super::view::View;
use super::{publish, rotation};

/// What a restoration did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Restoration {
    /// The values now.
    pub view: View,
    /// The snapshot of the epoch that was closed, so that nothing is lost.
    pub path: PathBuf,
}

/// Restores the document at `path`.
pub(crate) fn restore(
    core: &Core,
    path: &Path,
    why: &str,
    any_store: bool,
) -> Result<Restoration, Error> {
    let bytes = read_given(path)?.ok_or_else(|| DocumentError::Missing {
        path: path.to_owned(),
    })?;
    let document = Document::parse(&bytes, path)?;
    if !any_store && document.store_id != Some(core.id()) {
        return Err(DocumentError::OtherStore {
            path: path.to_owned(),
            found: document.store_id.map_or_else(
                || "a document of unknown origin".to_owned(),
                |id| format!("a view of the store {id}"),
            ),
            expected: core.id().to_string(),
        }
        .into());
    }
    let exclusive = locked(core)?;
    let mut amounts = document.into_amounts();
    // A gauge is what it is now, whatever it was when the snapshot was taken.
    amounts.retain(|amount| {
        matches!(
            amount.value.kind(),
            Kind::Counter | Kind::Histogram | Kind::Summary
        )
    });
    for Amount {
        name,
        labels,
        value,
    } in &amounts
    {
        let fits = exclusive.check_series(name, labels, &value.shape());
        fits.map_err(DocumentError::misfit(path))?;
    }
    core.check_segments()?;
    whole(&exclusive, || {
        core.files().make_directory(&folder(core))?;
        let mut values = Vec::new();
        for amount in amounts {
            let shape = amount.value.shape();
            let cells = exclusive.series(&amount.name, &amount.labels, &shape)?;
            values.push((cells, amount.value.to_cells()));
        }
        core.files().write(&core.live_file(RESTORE), &bytes, true)?;
        let name = free_name(&exclusive);
        let record = exclusive.turn(name.ns, Beginning::Restore, why, &values)?;
        after_turn(&record, || {
            exclusive.make_turn_durable()?;
            rotation::close(&exclusive)?;
            let view = publish::publish_unless_foreign(&exclusive)?;
            forget(core)?;
            Ok(Restoration {
                view,
                path: folder(core).join(name.to_string()),
            })
        })
    })
}

/// Removes the document that was being restored: the epoch before it is closed.
pub(crate) fn forget(core: &Core) -> Result<(), Error> {
    let intent = core.live_file(RESTORE);
    if intent.exists() {
        core.files().remove(&intent)?;
    }
    Ok(())
}

/// What the restored document put into the new baseline, by series.
pub(crate) struct Undo(HashMap<(String, LabelSet), Value>);

impl Undo {
    pub(crate) fn read(core: &Core) -> Result<Self, Error> {
        let intent = core.live_file(RESTORE);
        let bytes = read_own(&intent)?.ok_or_else(|| {
            StoreError::damaged(
                &intent,
                "it is missing, so the epoch before cannot be closed",
            )
        })?;
        let restored = Document::parse_own(&bytes, &intent)?.into_amounts();
        let restored = restored
            .into_iter()
            .map(|amount| ((amount.name, amount.labels), amount.value));
        Ok(Self(restored.collect()))
    }

    /// Takes it out of a closing value.
    pub(crate) fn apply(&self, value: &mut SeriesValue) {
        // A gauge was not put anywhere.
        if value.value.kind() == Kind::Gauge {
            return;
        }
        let key = (value.name.clone(), value.labels.clone());
        if let Some(amount) = self.0.get(&key) {
            value.value = value.value.plus(amount);
            value.total = value.total.plus(amount);
        }
    }
}
