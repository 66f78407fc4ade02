//! A store that is not at its path any more: somebody has removed, replaced or moved it. What this process would count
//! then, nobody would find.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use deespec::{Error, StoreError};

use crate::config::Events;
use crate::stores::Stores;

/// How often it is looked for.
const EVERY: Duration = Duration::from_millis(250);

/// Looks for lost stores until it is dropped.
pub(crate) struct Watch {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Watch {
    /// Where a store is lost, `stop` is called once and the server says from then on that it is not healthy. It does not
    /// open the store anew: its supervisor, who sees that, starts it with the arguments that were meant.
    pub(crate) fn start(
        stores: &Arc<Stores>,
        events: &Arc<dyn Events>,
        stop: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let (stores, events) = (Arc::clone(stores), Arc::clone(events));
        let watch = move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Some((path, reason)) = find(&stores) {
                    stores.lose(reason.clone());
                    events.lost(&path, &reason);
                    stop();
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("deespec-places".to_owned());
        Ok(Self {
            end: Some(end),
            thread: Some(thread.spawn(watch)?),
        })
    }
}

/// A store that is lost, and why.
fn find(stores: &Stores) -> Option<(std::path::PathBuf, String)> {
    stores
        .iter()
        .find_map(|served| match served.store.check_place() {
            Err(error @ Error::Store(StoreError::Replaced { .. })) => {
                let path = served.store.path().to_owned();
                let reason = format!("{error}: start the server again");
                Some((path, reason))
            }
            // What else is wrong, such as a right that was taken away, says whoever needs the file.
            _ => None,
        })
}
