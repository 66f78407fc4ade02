//! How many clients follow changes: of one address, and in all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::peer::machine;

pub(super) struct Places {
    all: Arc<Semaphore>,
    in_all: usize,
    of_one: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one client, until it goes.
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(of_one: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(in_all)),
            in_all,
            of_one,
            taken: Mutex::default(),
        })
    }

    /// `None` where there are as many clients as there may be already.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = machine(address);
        let permit = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.get(&address).copied().unwrap_or_default();
        if here >= self.of_one {
            return None;
        }
        taken.insert(address, here + 1);
        drop(taken);
        Some(Place {
            places: Arc::clone(self),
            address,
            _permit: permit,
        })
    }

    /// Returns when everybody has gone.
    pub(super) async fn all_free(&self) {
        let all = u32::try_from(self.in_all).unwrap_or(u32::MAX);
        let _ = self.all.acquire_many(all).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = self.places.taken.lock();
        let mut taken = taken.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_places_and_gets_them_back() {
        let places = Places::new(2, 3);
        let [one, other] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let first = places.take(one).unwrap();
        let _second = places.take(one).unwrap();
        assert!(places.take(one).is_none());
        let third = places.take(other).unwrap();
        assert!(places.take(other).is_none());
        drop(third);
        drop(first);
        assert!(places.take(one).is_some());
        assert_eq!(places.taken.lock().unwrap().len(), 1);
    }
}
