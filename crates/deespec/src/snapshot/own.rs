//! Whether a text is what this very store has exposed: its values are here already.
//!
//! Prometheus text says so in a comment. OpenMetrics allows no comments, and says of each counter when it began, to the
//! nanosecond: no other store has one that began at the same (`docs/design/0068-a-store-knows-its-own-text.md`).

use std::time::Duration;

use crate::Error;
use crate::store::{Core, StoreId};

use super::openmetrics::Created;

/// What stands before the store's identity.
const MARK: &str = "# deespec store ";

/// The comment by which a store knows its own Prometheus text.
pub(crate) fn mark(id: StoreId) -> String {
    format!("{MARK}{id}\n")
}

/// Of which store a text says that it is.
pub(super) fn marked(text: &[u8]) -> Option<StoreId> {
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let id = line.trim_ascii().strip_prefix(MARK.as_bytes())?;
        str::from_utf8(id).ok()?.parse().ok()
    })
}

/// Whether a text is this store's own.
pub(super) fn is_own_text(core: &Core, text: &[u8], created: &[Created]) -> Result<bool, Error> {
    let mark = mark(core.id());
    let mark = mark.trim_end().as_bytes();
    let mut lines = text.split(|byte| *byte == b'\n');
    if lines.any(|line| line.trim_ascii() == mark) {
        return Ok(true);
    }
    for (name, labels, at) in created {
        // A counter is exposed with a suffix, whatever its name. A built-in one has got its name back already.
        for name in [Some(name.as_str()), name.strip_suffix("_total")] {
            let Some(name) = name else { continue };
            let begun = core.created_ns(name, labels)?;
            if begun.is_some_and(|begun| same(begun, *at)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a time is what a text said in seconds, of which floating point keeps less than a nanosecond.
fn same(ns: u64, seconds: f64) -> bool {
    let since = Duration::from_nanos(ns);
    let text = format!("{}.{:09}", since.as_secs(), since.subsec_nanos());
    text.parse::<f64>()
        .is_ok_and(|exact| exact.to_bits() == seconds.to_bits())
}
