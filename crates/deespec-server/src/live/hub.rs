//! The messages, in their order, and who waits for them.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};

use super::message::{self, Event, Message};
use super::places::{Place, Places};
use super::watcher::{self, Seen};
use crate::config::Limits;
use crate::error::Refusal;
use crate::stores::Stores;

/// Messages that are kept for whoever comes back.
const KEPT: usize = 1024;

/// What everybody is told who follows changes.
pub(crate) struct Hub {
    stores: Arc<Stores>,
    state: Mutex<State>,
    /// Somebody follows, or the server ends.
    woken: Condvar,
    places: Arc<Places>,
    /// Distinguishes this server's messages from those of the one before.
    run: u64,
}

struct State {
    /// `None` once the server ends.
    sender: Option<Sender<Arc<Message>>>,
    /// The number of the last message.
    number: u64,
    kept: VecDeque<Arc<Message>>,
    /// Each store as the messages so far have told it; empty while nobody follows.
    seen: Vec<Seen>,
    /// All of that as a message, until it changes: a hundred clients that come at once get the same one.
    whole: Option<Arc<Message>>,
}

/// What a client still has to be told.
pub(crate) struct Follower {
    first: VecDeque<Arc<Message>>,
    receiver: Receiver<Arc<Message>>,
    ended: bool,
    _place: Place,
}

impl Hub {
    /// Begins; the thread that looks for changes ends with [`Hub::end`].
    pub(crate) fn start(stores: Arc<Stores>, limits: Limits) -> Arc<Self> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let hub = Arc::new(Self {
            stores,
            state: Mutex::new(State {
                sender: Some(Sender::new(limits.queue)),
                number: 0,
                kept: VecDeque::new(),
                seen: Vec::new(),
                whole: None,
            }),
            woken: Condvar::new(),
            places: Places::new(limits.live_clients, limits.connections),
            run: since.unwrap_or_default().as_micros() as u64,
        });
        watcher::start(Arc::clone(&hub));
        hub
    }

    /// Tells everybody that nothing more comes.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        if let Some(sender) = state.sender.take() {
            let _ = sender.send(Arc::new(message::end("the server ends")));
        }
        self.woken.notify_all();
    }

    /// Returns when everybody has heard that and gone.
    pub(crate) async fn ended(&self) {
        self.places.all_free().await;
    }

    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        self.places.take(address)
    }

    /// Begins to follow: with what was missed since the message `last`, or with the whole view.
    pub(super) fn follow(&self, place: Place, last: Option<&str>) -> Result<Follower, Refusal> {
        let mut state = self.state();
        self.look(&mut state)?;
        let Some(receiver) = state.sender.as_ref().map(Sender::subscribe) else {
            let ending = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            return Err(Refusal::new(ending, "the server ends"));
        };
        let missed = last.and_then(|last| state.after(last));
        let first = match missed {
            Some(missed) => missed,
            None => VecDeque::from([self.whole(&mut state)?]),
        };
        self.woken.notify_all();
        Ok(Follower {
            first,
            receiver,
            ended: false,
            _place: place,
        })
    }

    /// Waits until somebody follows, then looks; gives how long looking took, `None` when the server ends.
    pub(super) fn watch(&self) -> Option<Duration> {
        let mut state = self.state();
        loop {
            match &state.sender {
                None => return None,
                Some(sender) if sender.receiver_count() > 0 => break,
                Some(_) => {
                    // Who comes first sees everything; nobody can come back to what is not kept.
                    state.seen.clear();
                    state.whole = None;
                    state.kept.clear();
                    state = self
                        .woken
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        let begun = Instant::now();
        // A store that cannot be read now may be read later; the scrape says what is wrong.
        let _ = self.look(&mut state);
        Some(begun.elapsed())
    }

    /// Looks at each store and tells what changed.
    fn look(&self, state: &mut State) -> Result<(), Refusal> {
        if state.seen.is_empty() {
            let mut seen = Vec::new();
            for served in self.stores.iter() {
                seen.extend(watcher::look(served, None)?);
                served.store.flush()?;
            }
            state.seen = seen;
            return Ok(());
        }
        for (index, served) in self.stores.iter().enumerate() {
            let Some(now) = watcher::look(served, Some(&state.seen[index]))? else {
                continue;
            };
            let before = &state.seen[index].view;
            let defect = |error| Refusal::defect(&error);
            let told = if now.view.epoch == before.epoch {
                let changes = now.view.changes_since(before);
                // What changed may be nothing that a view shows.
                (!changes.is_empty()).then(|| {
                    let data = message::changes(&served.name, &now.view, &changes);
                    data.map(|data| (Event::Changes, data))
                })
            } else {
                let data = message::epoch(&served.name, &now.view);
                Some(data.map(|data| (Event::Epoch, data)))
            };
            if let Some((event, data)) = told.transpose().map_err(defect)? {
                // What is told is durable.
                served.store.flush()?;
                state.tell(self.run, event, data);
            }
            state.seen[index] = now;
            state.whole = None;
        }
        Ok(())
    }

    fn whole(&self, state: &mut State) -> Result<Arc<Message>, Refusal> {
        if let Some(whole) = &state.whole {
            return Ok(Arc::clone(whole));
        }
        let names = self.stores.iter().map(|served| served.name.as_str());
        let views = state.seen.iter().map(|seen| &seen.view);
        let data = message::view(names.zip(views));
        let whole = Arc::new(Message {
            id: id(self.run, state.number),
            event: Event::View,
            data: data.map_err(|error| Refusal::defect(&error))?,
        });
        state.whole = Some(Arc::clone(&whole));
        Ok(whole)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a message: of which run of the server, and its number there.
fn id(run: u64, number: u64) -> String {
    format!("{run:x}-{number}")
}

impl State {
    fn tell(&mut self, run: u64, event: Event, data: String) {
        self.number += 1;
        let message = Arc::new(Message {
            id: id(run, self.number),
            event,
            data,
        });
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Arc::clone(&message));
        if let Some(sender) = &self.sender {
            // Nobody may be there any more.
            let _ = sender.send(message);
        }
    }

    /// The messages after this one, where all of them are kept.
    fn after(&self, last: &str) -> Option<VecDeque<Arc<Message>>> {
        let at = self.kept.iter().position(|message| message.id == last)?;
        Some(self.kept.iter().skip(at + 1).cloned().collect())
    }
}

impl Follower {
    /// The next message; `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<Arc<Message>> {
        if let Some(message) = self.first.pop_front() {
            return Some(message);
        }
        if self.ended {
            return None;
        }
        let message = match self.receiver.recv().await {
            Ok(message) => message,
            Err(RecvError::Closed) => return None,
            Err(RecvError::Lagged(missed)) => Arc::new(message::end(&format!(
                "this client is too slow: {missed} messages waited for it; come back with the \
                 last id to hear them"
            ))),
        };
        self.ended = message.event == Event::End;
        Some(message)
    }
}
