//! A store that is not at its path any more: somebody has removed, replaced or moved it. What this process would count
//! then, nobody would find.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use deespec::{Error, StoreError};

use crate::config::{Events, Served};
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
    /// Where a store is lost, `stop` is called; from then on the server says that it is not healthy, and answers nothing of
    /// that store. It does not open the store anew: its supervisor, who sees that, starts it with the arguments that were meant.
    pub(crate) fn start(
        stores: &Arc<Stores>,
        events: &Arc<dyn Events>,
        stop: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let (stores, events) = (Arc::clone(stores), Arc::clone(events));
        let watch = move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                for (number, served) in stores.iter().enumerate() {
                    // What was said is not said again.
                    let Some(reason) = stores.one(number).ok().and_then(lost) else {
                        continue;
                    };
                    stores.lose(number, reason.clone());
                    events.lost(served.store.path(), &reason);
                    stop();
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

/// Why a store is lost.
fn lost(served: &Served) -> Option<String> {
    match served.store.check_place() {
        Err(error @ Error::Store(StoreError::Replaced { .. })) => {
            Some(format!("{error}: start the server again"))
        }
        // What else is wrong, such as a right that was taken away, says whoever needs the file.
        _ => None,
    }
}
