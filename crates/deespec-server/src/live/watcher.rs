//! The thread that looks for changes. While nobody follows, it sleeps; while nothing changes, it reads cells
//! in memory and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deespec::View;

use super::hub::Hub;
use crate::config::Served;
use crate::error::Refusal;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(25);
/// How often it reads the whole view although no cell changed: a series that was removed has the cells that it
/// had, and so has one whose process has ended.
const WHOLE: Duration = Duration::from_secs(1);
/// The share of its time that it may spend looking, as a divisor: a store that takes long to read is
/// looked at less often.
const SHARE: u32 = 2;

pub(super) fn start(hub: Arc<Hub>) {
    let watch = move || {
        while let Some(took) = hub.watch() {
            std::thread::sleep(EVERY.saturating_sub(took).max(took / SHARE));
        }
    };
    // Without the thread, clients get the first view and nothing after it; there is nothing better to do
    // where no thread can be started.
    let _ = std::thread::Builder::new()
        .name("deespec-watch".to_owned())
        .spawn(watch);
}

/// A store as it was when it was looked at last.
pub(super) struct Seen {
    fingerprint: u64,
    pub(super) view: View,
    at: Instant,
}

/// Looks at a store; `None` where nothing can have changed since.
pub(super) fn look(served: &Served, before: Option<&Seen>) -> Result<Option<Seen>, Refusal> {
    // Before the view: what comes in between is looked at once more.
    let fingerprint = served.store.fingerprint()?;
    let is_fresh = |before: &Seen| before.fingerprint == fingerprint && before.at.elapsed() < WHOLE;
    if before.is_some_and(is_fresh) {
        return Ok(None);
    }
    Ok(Some(Seen {
        fingerprint,
        view: served.store.view()?,
        at: Instant::now(),
    }))
}
