//! How many clients of one address follow changes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<IpAddr, usize>>);

/// The place of one client, until it goes.
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    /// `None` where `most` clients of this address are there already, or `in_all` of all addresses.
    pub(super) fn take(
        self: &Arc<Self>,
        address: IpAddr,
        most: usize,
        in_all: usize,
    ) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let here = taken.get(&address).copied().unwrap_or_default();
        if here >= most || all >= in_all {
            return None;
        }
        taken.insert(address, here + 1);
        Some(Place {
            places: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let places = Arc::new(Places::default());
        let [one, other] = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        let first = places.take(one, 2, 3).unwrap();
        let _second = places.take(one, 2, 3).unwrap();
        assert!(places.take(one, 2, 3).is_none());
        let third = places.take(other, 2, 3).unwrap();
        assert!(places.take(other, 2, 3).is_none());
        drop(third);
        drop(first);
        assert!(places.take(one, 2, 3).is_some());
        assert_eq!(places.0.lock().unwrap().len(), 1);
    }
}
