//! The handles that a recorder has given out, by the facade's key: its macros ask each time.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use metrics::Key;

/// Threads that look different series up seldom meet in one of so many maps.
const SHARDS: usize = 16;

/// What was found for a key.
pub(super) struct Slot<H> {
    pub(super) handle: H,
    /// When to look again; `None` where what was found is final.
    pub(super) again: Option<Instant>,
}

impl<H> Slot<H> {
    fn holds(&self) -> bool {
        self.again.is_none_or(|again| Instant::now() < again)
    }
}

type Map<H> = HashMap<Key, Slot<H>, BuildHasherDefault<KeyHash>>;

/// A cache line or two to itself: taking a lock to read writes to it.
#[repr(align(128))]
struct Shard<H>(RwLock<Map<H>>);

pub(super) struct Cache<H>([Shard<H>; SHARDS]);

impl<H> Default for Cache<H> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Shard(RwLock::default())))
    }
}

impl<H: Clone> Cache<H> {
    /// The handle of `key`; `make` is called where there is none, without a lock, since it may take
    /// long.
    #[inline]
    pub(super) fn find(&self, key: &Key, make: impl FnOnce() -> Slot<H>) -> H {
        // Bits that the map uses neither for its places nor for its tags.
        let shard = &self.0[(key.get_hash() >> 40) as usize % SHARDS].0;
        let map = shard.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = map.get(key)
            && slot.holds()
        {
            return slot.handle.clone();
        }
        drop(map);
        let made = make();
        let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = map.get(key)
            && slot.again.is_none()
        {
            return slot.handle.clone();
        }
        let handle = made.handle.clone();
        map.insert(key.to_retained(), made);
        handle
    }
}

/// The hash that a key carries already.
#[derive(Default)]
struct KeyHash(u64);

impl Hasher for KeyHash {
    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // A key writes one number only; should that change, this is slow and still right.
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
