//! The roles of `kills` that take the store's lock again and again.
//!
//! - `rotator ROOT SEED`, `snapshotter ROOT`: until they are killed.
//! - `pusher ROOT CLIENT NUMBER`: takes the pushes of a client from this one on; eight bytes for one that
//!   was answered, its number.

use std::io::Write as _;
use std::path::PathBuf;

use deespec::{Push, PushError, Rotate, Store};

use crate::Result;
use crate::child::{argument, output};
use crate::opening::options;
use crate::random::Random;

/// What each client pushes, by the label `client`, and what all of them do.
pub(super) const PUSHED: &str = "pushed_total";
pub(super) const ALL_PUSHED: &str = "all_pushed_total";

/// Closes epochs, and now and then only takes a snapshot.
pub(crate) fn rotator(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let mut random = Random(argument(arguments, 1)?);
    let store = options().open(root)?;
    let mut out = output()?;
    loop {
        let keep = random.below(4) == 0;
        store.rotate(if keep {
            Rotate::KeepCounters
        } else {
            Rotate::Reset
        })?;
        out.write_all(b".")?;
    }
}

/// Takes snapshots and publishes in turns.
pub(crate) fn snapshotter(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let store = options().open(root)?;
    let mut out = output()?;
    loop {
        store.snapshot()?;
        out.write_all(b".")?;
        store.sync()?;
    }
}

/// Takes one push after the other. Another server may take the same ones, and be ahead: then it goes on with the last of
/// those.
pub(crate) fn pusher(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let client = argument(arguments, 1)?;
    let store = options().open(root)?;
    let mut out = output()?;
    let mut number: u64 = argument(arguments, 2)?;
    loop {
        match push(&store, client, number) {
            Err(error) => match ahead(error.as_ref()) {
                Some(last) if last > number => number = last,
                _ => return Err(error),
            },
            Ok(_) => {
                out.write_all(&u64::to_le_bytes(number))?;
                number += 1;
            }
        }
    }
}

/// The last push of the client, where that is why this one is refused.
fn ahead(error: &(dyn std::error::Error + 'static)) -> Option<u64> {
    match error.downcast_ref()? {
        deespec::Error::Push(PushError::Conflict { last, .. }) => Some(*last),
        _ => None,
    }
}

/// One push of a client.
pub(super) fn push(store: &Store, client: u64, number: u64) -> Result<Push> {
    let text = format!(
        "# TYPE pushed counter\n{PUSHED}{{client=\"{client}\"}} 1\n\
         # TYPE all_pushed counter\n{ALL_PUSHED} 1\n# EOF\n"
    );
    Ok(store.push(&format!("client-{client}"), number, text.as_bytes())?)
}
