//! The lines of another history.

use std::path::Path;

use deespec::gate::History;

use super::Found;
use crate::exit::Failure;

pub(super) fn read(text: &str, path: &Path) -> Result<Found, Failure> {
    let history = History::parse(text, path).map_err(|error| Failure::new(error.to_string()))?;
    Ok(Found {
        runs: history.runs,
        accepted: history.accepted,
        passed_over: history.skipped,
    })
}
