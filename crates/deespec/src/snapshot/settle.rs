//! Forward recovery: whoever takes the exclusive lock for a document first completes what the last
//! holder was killed in the middle of. All steps may be done twice.

use crate::Error;
use crate::store::{Core, Exclusive, Record};

use super::{import, push, restore, rotation};

/// Takes the exclusive lock with nothing left undone behind it.
pub(crate) fn locked(core: &Core) -> Result<Exclusive<'_>, Error> {
    let exclusive = core.exclusive()?;
    settle(&exclusive)?;
    Ok(exclusive)
}

/// Completes what was left undone unless somebody is at it now.
pub(crate) fn settle_if_free(core: &Core) -> Result<(), Error> {
    match core.try_exclusive()? {
        Some(exclusive) => settle(&exclusive),
        None => Ok(()),
    }
}

fn settle(exclusive: &Exclusive<'_>) -> Result<(), Error> {
    let core = exclusive.core();
    if core.is_pending() {
        rotation::close_unless_done(exclusive)?;
        exclusive.forget_unbegun()?;
        restore::forget(core)?;
        push::complete(exclusive)?;
        import::complete(exclusive)?;
        core.files().sweep()?;
        core.remove_compacted()?;
        exclusive.end();
    }
    Ok(())
}

/// Runs the steps that follow the turn to a new epoch: an error in them must not look as if the
/// epoch before had not been closed.
pub(crate) fn after_turn<T>(
    now: &Record,
    steps: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    steps().map_err(|source| Error::Unfinished {
        closed: u64::from(now.epoch) - 1,
        source: Box::new(source),
    })
}

/// Runs several steps that belong together. The mark stays when one of them fails, so that the
/// next holder of the lock completes them.
pub(crate) fn whole<T>(
    exclusive: &Exclusive<'_>,
    steps: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    exclusive.begin();
    let done = steps()?;
    exclusive.end();
    Ok(done)
}
