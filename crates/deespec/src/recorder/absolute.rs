//! The largest absolute value that this process has given to each series. Kept for the process, not
//! for a recorder or a handle: two of them that give the same value must not count it twice.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use crate::metric::{LabelSet, Lawful};
use crate::sync::AtomicU64;
use crate::{Store, StoreId};

/// Which store it is, however often and by whatever path this process has opened it. A copy of a
/// store has the same id, so the folder belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    id: StoreId,
    folder: Option<(u64, u64)>,
}

impl Origin {
    pub(super) fn of(store: &Store) -> Self {
        let folder = std::fs::metadata(store.path());
        Self {
            id: store.id(),
            folder: folder.ok().map(|folder| (folder.dev(), folder.ino())),
        }
    }
}

type Series = (Origin, String, LabelSet);

static LARGEST: Mutex<Option<HashMap<Series, Arc<AtomicU64>>>> = Mutex::new(None);

/// The largest absolute value of one series, 0 at first.
pub(super) fn largest(origin: Origin, series: Lawful) -> Arc<AtomicU64> {
    let labels = series.labels().into_iter().collect();
    let mut all = LARGEST.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    Arc::clone(all.entry((origin, series.name, labels)).or_default())
}
