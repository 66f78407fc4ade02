//! The places of connections, and who loses one when all are taken: who has been silent longest.
//!
//! A connection is silent while the server waits for it: for the head of a request, for the rest of a body, or for room to
//! send. Nothing that the server is at work on loses its place.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::peer::machine;

/// Connections beyond the limit, for those alone who must be answered whatever browsers do.
const RESERVED: usize = 32;
/// How long a newcomer waits where all are being answered: most answers take less.
const SOON: Duration = Duration::from_millis(20);
/// How long one may pause in the middle of a body or of an answer.
const PAUSE: Duration = Duration::from_secs(1);

/// All connections.
pub(crate) struct Crowd {
    places: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    connections: usize,
    /// At most as many as there are places, and those that are being closed.
    present: Mutex<Vec<Weak<Seat>>>,
    /// Somebody became silent.
    quiet: Arc<Notify>,
}

/// The place of one connection, until nobody has it any more. What a connection becomes, such as a WebSocket, keeps it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(super) seat: Arc<Seat>,
    /// One of those beyond the limit.
    pub(crate) is_reserved: bool,
}

/// What is known of a connection.
pub(super) struct Seat {
    machine: IpAddr,
    taken: Mutex<Option<Taken>>,
    /// In the stead of a place.
    instead: Mutex<Option<OwnedSemaphorePermit>>,
    turn: Mutex<Turn>,
    /// It is to close, for a newcomer.
    given_up: Notify,
    quiet: Arc<Notify>,
}

struct Taken {
    permit: OwnedSemaphorePermit,
    is_reserved: bool,
}

/// For what a connection waits.
#[derive(Clone, Copy)]
enum Turn {
    /// For a head, and how long there has been nothing to read.
    Head(Option<Instant>),
    /// For the rest of a body, likewise.
    Body(Option<Instant>),
    /// For the server; or for the client to accept more, since when it accepts nothing.
    Answer(Option<Instant>),
    /// It is no HTTP any more.
    Upgraded,
}

impl Crowd {
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(connections)),
            reserve: Arc::new(Semaphore::new(RESERVED)),
            connections,
            present: Mutex::default(),
            quiet: Arc::default(),
        }
    }

    /// A place for a newcomer; `None` where all are taken by those whom the server is answering.
    pub(crate) async fn take(&self, peer: SocketAddr) -> Option<Place> {
        let taken = match self.free().or_else(|| self.give_up()) {
            Some(taken) => taken,
            None => tokio::time::timeout(SOON, self.next()).await.ok()??,
        };
        let is_reserved = taken.is_reserved;
        let seat = Arc::new(Seat {
            machine: machine(peer.ip()),
            taken: Mutex::new(Some(taken)),
            instead: Mutex::default(),
            turn: Mutex::new(Turn::Head(None)),
            quiet: Arc::clone(&self.quiet),
            given_up: Notify::new(),
        });
        let mut present = lock(&self.present);
        present.retain(|seat| seat.strong_count() > 0);
        present.push(Arc::downgrade(&seat));
        Some(Place { seat, is_reserved })
    }

    fn free(&self) -> Option<Taken> {
        let free = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let place = free(&self.places).map(|permit| Taken::new(permit, false));
        place.or_else(|| free(&self.reserve).map(|permit| Taken::new(permit, true)))
    }

    /// The next place that is free or given up.
    async fn next(&self) -> Option<Taken> {
        loop {
            let (permit, is_reserved) = tokio::select! {
                permit = Arc::clone(&self.places).acquire_owned() => (permit, false),
                permit = Arc::clone(&self.reserve).acquire_owned() => (permit, true),
                () = self.quiet.notified() => match self.give_up() {
                    Some(taken) => return Some(taken),
                    None => continue,
                },
            };
            return Some(Taken::new(permit.ok()?, is_reserved));
        }
    }

    /// The place of who has been silent longest, of the machine that has most who are silent: so who comes alone does not
    /// lose his to a machine that comes with a crowd.
    fn give_up(&self) -> Option<Taken> {
        let present = lock(&self.present);
        let present = present.iter().filter_map(Weak::upgrade);
        let silent = present.filter_map(|seat| Some((seat.silent_since()?, seat)));
        let silent: Vec<(Instant, Arc<Seat>)> = silent.collect();
        let mut crowds: HashMap<IpAddr, usize> = HashMap::new();
        for (_, seat) in &silent {
            *crowds.entry(seat.machine).or_default() += 1;
        }
        let (_, seat) = silent
            .iter()
            .max_by_key(|(since, seat)| (crowds.get(&seat.machine), Reverse(since)))?;
        seat.given_up.notify_one();
        lock(&seat.taken).take()
    }

    /// Returns when nobody has a place any more.
    pub(super) async fn all_gone(&self) {
        // Whoever has all places is alone.
        let all = |places: usize| u32::try_from(places).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all(self.connections)).await;
        let _ = self.reserve.acquire_many(all(RESERVED)).await;
    }
}

impl Taken {
    fn new(permit: OwnedSemaphorePermit, is_reserved: bool) -> Self {
        Self {
            permit,
            is_reserved,
        }
    }
}

impl Place {
    /// Gives the place to others, and keeps this instead until the connection ends.
    pub(crate) fn exchange(&self, instead: OwnedSemaphorePermit) {
        let taken = lock(&self.seat.taken).take();
        *lock(&self.seat.instead) = Some(instead);
        drop(taken.map(|taken| taken.permit));
    }

    /// Returns when the connection is to be closed for a newcomer.
    pub(crate) async fn given_up(&self) {
        self.seat.given_up.notified().await;
    }

    /// The head of a request is there.
    pub(crate) fn head_came(&self, has_body: bool) {
        let turn = match has_body {
            true => Turn::Body(None),
            false => Turn::Answer(None),
        };
        self.seat.set(turn);
    }

    /// The answer was made, and the next request may come.
    pub(super) fn answered(&self) {
        self.seat.set(Turn::Head(None));
    }

    /// The connection is no HTTP any more.
    pub(super) fn upgraded(&self) {
        self.seat.set(Turn::Upgraded);
    }
}

impl Seat {
    fn set(&self, turn: Turn) {
        *lock(&self.turn) = turn;
    }

    /// More of a body came, or nothing more of it is read.
    pub(super) fn body_came(&self, is_whole: bool) {
        let mut turn = lock(&self.turn);
        if let Turn::Body(_) = *turn {
            *turn = match is_whole {
                true => Turn::Answer(None),
                false => Turn::Body(None),
            };
        }
    }

    /// There was nothing to read.
    pub(super) fn says_nothing(&self) {
        if let Turn::Head(since) | Turn::Body(since) = &mut *lock(&self.turn) {
            since.get_or_insert_with(Instant::now);
            self.quiet.notify_one();
        }
    }

    /// The client accepts what it is sent, or nothing.
    pub(super) fn accepts(&self, anything: bool) {
        match &mut *lock(&self.turn) {
            Turn::Answer(since) if anything => *since = None,
            Turn::Answer(since) => {
                since.get_or_insert_with(Instant::now);
            }
            // The end of an answer.
            Turn::Head(since) if anything => *since = None,
            Turn::Head(since) => {
                since.get_or_insert_with(Instant::now);
            }
            Turn::Body(_) | Turn::Upgraded => {}
        }
    }

    /// Since when the server waits for it, where it has a place to lose.
    fn silent_since(&self) -> Option<Instant> {
        if lock(&self.taken).is_none() {
            return None;
        }
        match *lock(&self.turn) {
            Turn::Head(since) => since,
            Turn::Body(since) | Turn::Answer(since) => since.filter(|at| at.elapsed() >= PAUSE),
            Turn::Upgraded => None,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take(crowd: &Crowd, address: [u8; 4]) -> Option<Place> {
        crowd.take((address, 1).into()).await
    }

    const ONE: [u8; 4] = [10, 0, 0, 1];
    const OTHER: [u8; 4] = [10, 0, 0, 2];

    /// Whether a place was given up.
    fn is_given_up(place: &Place) -> bool {
        lock(&place.seat.taken).is_none()
    }

    #[tokio::test]
    async fn who_has_been_silent_longest_loses_his_place_and_nobody_who_is_answered_does() {
        let crowd = Crowd::new(2);
        let mut all = Vec::new();
        for _ in 0..2 + RESERVED {
            let place = take(&crowd, ONE).await.unwrap();
            place.seat.says_nothing();
            all.push(place);
        }
        assert!(!all[1].is_reserved && all[2].is_reserved);
        all[0].head_came(false);
        let next = take(&crowd, ONE).await.unwrap();
        assert!(is_given_up(&all[1]) && !is_given_up(&all[0]) && !is_given_up(&all[2]));
        assert!(!next.is_reserved, "it is the place that was given up");
        tokio::time::timeout(Duration::from_secs(60), all[1].given_up())
            .await
            .unwrap();
        // Who waits for the next head is silent since then, which is later than the others.
        all[0].answered();
        all[0].seat.says_nothing();
        let last = take(&crowd, ONE).await.unwrap();
        assert!(is_given_up(&all[2]) && !is_given_up(&all[0]));
        let answered = all.iter().chain([&next, &last]);
        answered.for_each(|place| place.head_came(false));
        assert!(take(&crowd, ONE).await.is_none());
        all.pop();
        assert!(take(&crowd, ONE).await.is_some());
    }

    #[tokio::test]
    async fn the_machine_with_the_crowd_loses_a_place_and_not_who_came_alone() {
        let crowd = Crowd::new(1);
        let alone = take(&crowd, OTHER).await.unwrap();
        alone.seat.says_nothing();
        let mut all = Vec::new();
        for _ in 0..RESERVED + 5 {
            let place = take(&crowd, ONE).await.unwrap();
            place.seat.says_nothing();
            all.push(place);
        }
        assert!(!is_given_up(&alone));
        assert!(all[..5].iter().all(is_given_up) && !is_given_up(&all[5]));
    }

    #[tokio::test]
    async fn what_stands_in_the_stead_of_a_place_is_kept_until_the_connection_ends() {
        let crowd = Crowd::new(1);
        let others = Arc::new(Semaphore::new(1));
        let place = take(&crowd, ONE).await.unwrap();
        place.exchange(Arc::clone(&others).try_acquire_owned().unwrap());
        assert_eq!(others.available_permits(), 0);
        assert!(!take(&crowd, ONE).await.unwrap().is_reserved);
        drop(place);
        assert_eq!(others.available_permits(), 1);
    }
}
