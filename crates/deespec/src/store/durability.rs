//! Durability: a flush returns when the disk has every cell. The first one that fails makes the
//! store degraded for good, because a kernel reports a lost write once and calls the next one fine.

use crate::sync::Ordering;

use super::control::{DEGRADED, DURABLE_TAIL, FLUSHED_AT, TAIL};
use super::error::StoreError;
use super::{Core, Exclusive};
use crate::protection::Protection;

impl Core {
    /// Makes everything that was counted before the call durable.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        if self.is_degraded() {
            return Err(StoreError::Degraded {
                path: self.root.clone(),
            });
        }
        self.attach()?;
        let begun = self.now_ns();
        self.check_identity()?;
        self.keep_apart()?;
        for segment in self.segments() {
            let tail = segment.load(TAIL);
            self.sticky(self.files.sync_cells(segment.region(), segment.path()))?;
            segment.store(DURABLE_TAIL, tail);
        }
        self.first.store(FLUSHED_AT, begun);
        Ok(())
    }

    /// Keeps the blocks of the store its own, where a copy or a snapshot may have shared them since.
    pub(crate) fn keep_apart(&self) -> Result<(), StoreError> {
        self.segments().try_for_each(|segment| segment.keep_apart())
    }

    /// Whether that is to be done again and again, for as long as the store is open.
    pub(crate) fn is_guarded(&self) -> bool {
        self.first.is_guarded()
    }

    /// Fails when a file of the store was replaced or removed while it is mapped here.
    pub(crate) fn check_identity(&self) -> Result<(), StoreError> {
        self.segments()
            .try_for_each(|segment| segment.check_identity())
    }

    /// Makes a few control words durable.
    pub(super) fn flush_control(&self, first: usize, count: usize) -> Result<(), StoreError> {
        let segment = &self.first;
        self.sticky(
            self.files
                .sync_words(segment.region(), segment.path(), first, count),
        )
    }

    fn sticky(&self, result: Result<(), StoreError>) -> Result<(), StoreError> {
        if result.is_err() && Protection::Degraded.stands() {
            self.degraded.store(true, Ordering::Relaxed);
            self.first.store(DEGRADED, 1);
        }
        result
    }

    pub(crate) fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed) || self.first.load(DEGRADED) != 0
    }

    /// When the last complete flush began, in nanoseconds since 1970.
    pub(crate) fn flushed_at_ns(&self) -> u64 {
        self.first.load(FLUSHED_AT)
    }
}

impl Exclusive<'_> {
    /// As [`Core::flush`]; named here because what is published must be durable first.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        match Protection::FlushFirst.stands() {
            true => self.core.flush(),
            false => Ok(()),
        }
    }
}
