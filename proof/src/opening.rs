//! How the processes here open a store.

use std::time::Duration;

use deespec::Options;

/// How long one of them waits for the lock. A disk may stand still for longer than a program's
/// deadline, and where many processes load it on purpose it does; how the deadline passes is a matter
/// of the library's own tests.
const PATIENCE: Duration = Duration::from_secs(600);

/// Nothing is published in the background, and nobody gives up.
pub(crate) fn options() -> Options {
    Options::new().background_sync(None).lock_deadline(PATIENCE)
}
