//! The messages, in their order, and who waits for them.

use std::net::IpAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::http::StatusCode;
use tokio::sync::watch;

use super::log::{Log, Next};
use super::message::{self, Event, Message, Weight};
use super::places::{Place, Places};
use super::watcher::{self, Seen};
use crate::config::Limits;
use crate::error::Refusal;
use crate::stores::Stores;

/// Bytes of first views that clients are being sent, where they are not the same ones.
const VIEWS_BYTES: usize = 32 << 20;

/// What everybody is told who follows changes.
pub(crate) struct Hub {
    stores: Arc<Stores>,
    /// What is looked at, for as long as that takes.
    state: Mutex<State>,
    /// What was told; never held for long.
    log: Mutex<Log>,
    /// Wakes those who follow when something is told. Who follows has a receiver.
    told: watch::Sender<()>,
    /// Somebody follows, or the server ends.
    woken: Condvar,
    places: Arc<Places>,
    /// How far behind a client may be.
    queue: u64,
    /// Bytes of first views that somebody still has to be told.
    views: Arc<AtomicUsize>,
    /// Distinguishes this server's messages from those of the one before.
    run: u64,
}

#[derive(Default)]
struct State {
    /// Each store as the messages so far have told it; empty while nobody follows.
    seen: Vec<Seen>,
    /// All of that as a message, until it changes: a hundred clients that come at once get the same one.
    whole: Option<Arc<Message>>,
}

/// One who follows.
pub(crate) struct Follower {
    hub: Arc<Hub>,
    /// What he is told first.
    first: Option<Arc<Message>>,
    /// The number of the last message that he has heard.
    heard: u64,
    told: watch::Receiver<()>,
    has_ended: bool,
    _place: Place,
}

impl Hub {
    /// Begins; the thread that looks for changes ends with [`Hub::end`].
    pub(crate) fn start(stores: Arc<Stores>, limits: Limits) -> Arc<Self> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let hub = Arc::new(Self {
            stores,
            state: Mutex::default(),
            log: Mutex::default(),
            told: watch::Sender::new(()),
            woken: Condvar::new(),
            // Half of all connections, so that they leave room for those who ask and go.
            places: Places::new(limits.live_clients, (limits.connections / 2).max(1)),
            queue: limits.queue as u64,
            views: Arc::default(),
            run: since.unwrap_or_default().as_micros() as u64,
        });
        watcher::start(Arc::clone(&hub));
        hub
    }

    /// Tells everybody that nothing more comes.
    pub(crate) fn end(&self) {
        self.close("the server ends");
        // The thread that looks is not between its look at the log and its sleep once its mutex was free.
        for _ in 0..100 {
            if self.state.try_lock().is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.woken.notify_all();
    }

    /// Says why nothing more comes, once.
    fn close(&self, reason: &str) {
        let mut log = self.log();
        log.ended.get_or_insert_with(|| reason.to_owned());
        drop(log);
        self.told.send_replace(());
    }

    /// Returns when everybody has heard that and gone.
    pub(crate) async fn ended(&self) {
        self.places.all_free().await;
    }

    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        self.places.take(address)
    }

    /// Begins to follow: with what was missed since the message `last`, or with the whole view.
    pub(super) fn follow(
        self: &Arc<Self>,
        place: Place,
        last: Option<&str>,
    ) -> Result<Follower, Refusal> {
        let mut state = self.state();
        self.look(&mut state)?;
        let (number, heard) = {
            let log = self.log();
            if let Some(reason) = &log.ended {
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason));
            }
            (log.number(), last.and_then(|last| log.find(last)))
        };
        let first = match heard {
            Some(_) => None,
            None => Some(self.whole(&mut state, number)?),
        };
        let told = self.told.subscribe();
        self.woken.notify_all();
        Ok(Follower {
            hub: Arc::clone(self),
            first,
            heard: heard.unwrap_or(number),
            told,
            has_ended: false,
            _place: place,
        })
    }

    /// Waits until somebody follows, then looks; gives how long looking took, `None` when the server ends.
    pub(super) fn watch(&self) -> Option<Duration> {
        let mut state = self.state();
        loop {
            if self.log().ended.is_some() {
                return None;
            }
            if let Some(reason) = self.stores.lost() {
                self.close(reason);
                return None;
            }
            if self.told.receiver_count() > 0 {
                break;
            }
            // Who comes first sees everything; nobody can come back to what is not kept.
            *state = State::default();
            self.log().clear();
            let woken = self.woken.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
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
            for served in self.stores.kept() {
                let served = served?;
                seen.extend(watcher::look(served, None)?);
                served.store.flush()?;
            }
            state.seen = seen;
            return Ok(());
        }
        for (index, served) in self.stores.kept().enumerate() {
            let served = served?;
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
                self.tell(event, data);
            }
            state.seen[index] = now;
            state.whole = None;
        }
        Ok(())
    }

    fn whole(&self, state: &mut State, number: u64) -> Result<Arc<Message>, Refusal> {
        if let Some(whole) = &state.whole {
            return Ok(Arc::clone(whole));
        }
        let names = self.stores.iter().map(|served| served.name.as_str());
        let views = state.seen.iter().map(|seen| &seen.view);
        let data = message::view(names.zip(views)).map_err(|error| Refusal::defect(&error))?;
        let whole = Message::new(id(self.run, number), Event::View, data);
        let weight = Weight::take(&self.views, whole.bytes(), VIEWS_BYTES).ok_or_else(|| {
            let reason = "too many clients are being told their first view; come back later";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)
        })?;
        let whole = Arc::new(whole.weighing(weight));
        state.whole = Some(Arc::clone(&whole));
        Ok(whole)
    }

    fn tell(&self, event: Event, data: String) {
        let mut log = self.log();
        let id = id(self.run, log.number() + 1);
        log.push(Message::new(id, event, data));
        drop(log);
        self.told.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a message: of which run of the server, and its number there.
fn id(run: u64, number: u64) -> String {
    format!("{run:x}-{number}")
}

impl Follower {
    /// The next message; `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<Arc<Message>> {
        if let Some(message) = self.first.take() {
            return Some(message);
        }
        while !self.has_ended {
            // Before looking, so that what is told meanwhile wakes again.
            self.told.mark_unchanged();
            let next = self.hub.log().after(self.heard, self.hub.queue);
            match next {
                Next::Message(message) => {
                    self.heard += 1;
                    return Some(message);
                }
                Next::Nothing => self.told.changed().await.ok()?,
                Next::Missed(missed) => {
                    self.has_ended = true;
                    return Some(Arc::new(message::end(&format!(
                        "this client is too slow: {missed} messages waited for it; come back with \
                         the last id to hear them"
                    ))));
                }
                Next::Ended(reason) => {
                    self.has_ended = true;
                    return Some(Arc::new(message::end(&reason)));
                }
            }
        }
        None
    }
}
