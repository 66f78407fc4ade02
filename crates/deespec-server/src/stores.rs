//! The stores, and work on them beside the runtime: reading takes locks and flushing waits for a disk. Each kind of
//! work has places of its own, so that no crowd that wants one thing keeps another out, and a client that goes away
//! leaves at most the work that is being done for it.

use std::sync::{Arc, OnceLock, mpsc};

use axum::body::Bytes;
use axum::http::StatusCode;
use deespec::{Store, View};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::config::Served;
use crate::error::Refusal;
use crate::flight::Flight;

/// The label that tells several stores apart.
pub(crate) const LABEL: &str = "store";

/// Threads that read at once for all who look at something, and for those who begin to follow.
const LOOKING: usize = 4;
const FOLLOWING: usize = 2;
/// Threads for what changes a store. A push waits for the disk most of the time, and pushes share that.
const CHANGING: usize = 32;
/// KiB of texts that are pushed at once: one text at its longest. What is read of them takes several times as much.
const ROOM_KIB: usize = 8 << 10;
/// Bytes of a text from which on it is long.
pub(crate) const LONG: usize = 1 << 20;

type Work = Box<dyn FnOnce() + Send>;

pub(crate) struct Stores {
    served: Vec<Served>,
    /// What each store counts, for all who ask for it at once.
    views: Vec<Flight<Arc<View>>>,
    /// Each store as JSON, likewise; what the gate says of it; and the scrape in each form.
    pub(crate) documents: Vec<Flight<Bytes>>,
    pub(crate) verdicts: Vec<Flight<Bytes>>,
    pub(crate) scrapes: [Flight<Bytes>; 6],
    pub(crate) ready: Flight<()>,
    /// Why each store is not at its path any more, for as long as the server runs.
    lost: Vec<OnceLock<String>>,
    looking: Arc<Semaphore>,
    following: Arc<Semaphore>,
    changing: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// Where long texts are read.
    long: OnceLock<mpsc::Sender<Work>>,
}

impl Stores {
    pub(crate) fn new(served: Vec<Served>) -> Self {
        Self {
            views: each(&served),
            documents: each(&served),
            verdicts: each(&served),
            lost: served.iter().map(|_| OnceLock::new()).collect(),
            served,
            scrapes: Default::default(),
            ready: Flight::default(),
            looking: Arc::new(Semaphore::new(LOOKING)),
            following: Arc::new(Semaphore::new(FOLLOWING)),
            changing: Arc::new(Semaphore::new(CHANGING)),
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            long: OnceLock::new(),
        }
    }

    /// All of them, also those that are lost.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.served.iter()
    }

    /// All of them, to be read; a lost one cannot be.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Result<&Served, Refusal>> {
        (0..self.served.len()).map(|number| self.one(number))
    }

    /// The stores of this name, or all of them.
    pub(crate) fn named(&self, name: Option<&str>) -> Result<Vec<&Served>, Refusal> {
        let found = self.numbers(name)?;
        found.into_iter().map(|number| self.one(number)).collect()
    }

    /// As [`Stores::named`], by their numbers.
    pub(crate) fn numbers(&self, name: Option<&str>) -> Result<Vec<usize>, Refusal> {
        let all = self.iter().enumerate();
        let found = all.filter(|(_, served)| name.is_none_or(|name| served.name == name));
        let found: Vec<usize> = found.map(|(number, _)| number).collect();
        match found.is_empty() {
            false => Ok(found),
            true => {
                let names: Vec<&str> = self.iter().map(|served| served.name.as_str()).collect();
                let reason = format!("there is no store of that name, but {}", names.join(", "));
                Err(Refusal::new(StatusCode::NOT_FOUND, reason))
            }
        }
    }

    /// The store of this number. Whoever reads or changes a store gets it here, and a lost one is not given, also where it
    /// is at its path again: what was counted in between may be anywhere.
    pub(crate) fn one(&self, number: usize) -> Result<&Served, Refusal> {
        match self.lost[number].get() {
            None => Ok(&self.served[number]),
            Some(reason) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)),
        }
    }

    /// The one store that is meant: that of this name, or the only one.
    pub(crate) fn only(&self, name: Option<&str>) -> Result<&Served, Refusal> {
        match self.named(name)?.as_slice() {
            [one] => Ok(one),
            _ => {
                let reason = "there are several stores; say which one with ?store=NAME";
                Err(Refusal::new(StatusCode::BAD_REQUEST, reason))
            }
        }
    }

    /// What all stores count, durable: one store as it is, several with their names as a label.
    pub(crate) fn together(&self) -> Result<View, Refusal> {
        let views = self.kept().map(|served| {
            let served = served?;
            Ok((served.name.clone(), durable(&served.store)?))
        });
        let mut views: Vec<(String, View)> = views.collect::<Result<_, Refusal>>()?;
        let view = match views.as_slice() {
            [_] => views.pop().map(|(_, view)| view),
            _ => View::together(LABEL, views),
        };
        let none = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "there is no store");
        view.ok_or_else(none)
    }

    /// Room for a text of so many bytes that is pushed, which a client that goes away gives up.
    pub(crate) async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let kib = bytes.div_ceil(1024).clamp(1, ROOM_KIB);
        let room = Arc::clone(&self.room).acquire_many_owned(kib as u32).await;
        room.map_err(|_| ending())
    }

    /// The thread that reads long texts, begun with the first of them. What an allocator keeps for a thread that has read
    /// one may be ten times the text: it is kept once, and not for each thread that happens to read.
    fn long(&self) -> &mpsc::Sender<Work> {
        self.long.get_or_init(|| {
            let (sender, works) = mpsc::channel::<Work>();
            // It ends with the stores, which have the only sender.
            std::thread::spawn(move || {
                for work in works {
                    // Whoever waits for it is told that nothing comes.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                }
            });
            sender
        })
    }

    /// Remembers that the store of this number is not at its path any more.
    pub(crate) fn lose(&self, number: usize, reason: String) {
        let _ = self.lost[number].set(reason);
    }

    /// Why this server has to be started anew.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.iter().find_map(OnceLock::get).map(String::as_str)
    }
}

/// A flight for each store.
fn each<T: Clone + Send + Sync + 'static>(served: &[Served]) -> Vec<Flight<T>> {
    served.iter().map(|_| Flight::default()).collect()
}

/// What a store counts, read before everything that was counted is made durable: so what is shown does not go
/// back when the power fails.
pub(crate) fn durable(store: &Store) -> Result<View, Refusal> {
    let view = store.view()?;
    store.flush()?;
    Ok(view)
}

/// What one store counts, durable; read once for all who ask at the same time.
pub(crate) async fn view(stores: &Arc<Stores>, number: usize) -> Result<Arc<View>, Refusal> {
    let make = || {
        let stores = Arc::clone(stores);
        async move {
            let read = move |stores: &Stores| Ok(Arc::new(durable(&stores.one(number)?.store)?));
            alone(&stores, read).await
        }
    };
    stores.views[number].ask(make).await
}

/// Changes something in the stores on a thread that may wait. It is done also where the client goes away meanwhile.
pub(crate) async fn blocking<T: Send + 'static>(
    stores: &Arc<Stores>,
    work: impl FnOnce(&Stores) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    within(stores, &stores.changing, work).await
}

/// As [`blocking`], for a long text: one after the other. Room for it has been taken, so that few wait.
pub(crate) async fn long<T: Send + 'static>(
    stores: &Arc<Stores>,
    work: impl FnOnce(&Stores) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let (tell, told) = oneshot::channel();
    let own = Arc::clone(stores);
    let work = move || {
        let _ = tell.send(work(&own));
    };
    stores.long().send(Box::new(work)).map_err(|_| ending())?;
    told.await.unwrap_or_else(|_| Err(ending()))
}

/// Reads something on a thread that may wait.
pub(crate) async fn looking<T: Send + 'static>(
    stores: &Arc<Stores>,
    work: impl FnOnce(&Stores) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    within(stores, &stores.looking, work).await
}

/// Looks at the stores for one who begins to follow them.
pub(crate) async fn following<T: Send + 'static>(
    stores: &Arc<Stores>,
    work: impl FnOnce(&Stores) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    within(stores, &stores.following, work).await
}

/// Does what a [`Flight`] does once for all: there are few of them, so they need no places.
pub(crate) async fn alone<T: Send + 'static>(
    stores: &Arc<Stores>,
    work: impl FnOnce(&Stores) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let stores = Arc::clone(stores);
    let done = tokio::task::spawn_blocking(move || work(&stores)).await;
    done.unwrap_or_else(|_| Err(ending()))
}

/// Waits for a place, which a client that goes away gives up, and keeps it for as long as the work takes.
async fn within<T: Send + 'static>(
    stores: &Arc<Stores>,
    places: &Arc<Semaphore>,
    work: impl FnOnce(&Stores) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.map_err(|_| ending())?;
    alone(stores, move |stores| {
        let done = work(stores);
        drop(place);
        done
    })
    .await
}

fn ending() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server ends")
}
