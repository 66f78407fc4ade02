//! Which store a text was written by, so that its counts are not added to themselves.
//!
//! A document says so in a field. OpenMetrics says when each series was created, to the nanosecond, and no other
//! store has it at that moment; Prometheus text has a comment.

use std::fmt;

use crate::Error;
use crate::metric::LabelSet;
use crate::store::{Core, StoreId};

/// In front of the store's identity.
const PREFIX: &str = "# DeeSpec store ";
/// How far apart one moment can be, written as a floating-point number and read: in nanoseconds.
const ROUNDED: u64 = 1000;

/// The comment of a Prometheus text that names the store.
pub(crate) struct Origin(pub(crate) StoreId);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

/// The store that a text names.
pub(super) fn told_by(text: &[u8]) -> Option<StoreId> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let id = lines.find_map(|line| line.trim_ascii().strip_prefix(PREFIX.as_bytes()))?;
    str::from_utf8(id).ok()?.parse().ok()
}

/// Whether one of these series was created here at this moment, in seconds since 1970.
pub(super) fn is_here(core: &Core, created: &[(String, LabelSet, f64)]) -> Result<bool, Error> {
    if created.is_empty() {
        return Ok(false);
    }
    let catalog = core.catalog()?;
    let same = |(name, labels, seconds): &(String, LabelSet, f64)| {
        let here = catalog.created_ns(name, labels);
        here.is_some_and(|here| here.abs_diff((seconds * 1e9) as u64) < ROUNDED)
    };
    Ok(created.iter().any(same))
}
