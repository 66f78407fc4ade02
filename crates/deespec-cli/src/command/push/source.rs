//! Whose counts are pushed, and what they are in all.

use std::io::{self, Read as _};
use std::path::Path;

use deespec::{PushError, Store, Totals};

use crate::exit::Failure;
use crate::files;

/// Bytes of a text that is read.
const TEXT_BYTES: u64 = 64 << 20;

/// Whose counts are pushed.
pub(super) enum Source<'a> {
    Store(Box<Store>),
    File(&'a Path),
    Stdin,
}

impl Source<'_> {
    /// What it has counted in all, durably: what is pushed must not be counted again after a power loss.
    pub(super) fn totals(&self) -> Result<Totals, Failure> {
        let text = match self {
            Self::Store(store) => {
                let view = store.view()?;
                store.flush()?;
                return Ok(Totals::of_view(&view));
            }
            Self::File(path) => files::bytes(path, TEXT_BYTES).map_err(|error| {
                Failure::new(format!("cannot read {}: {error}", path.display()))
                    .hint("give a text that Prometheus could scrape, or - for stdin")
            })?,
            Self::Stdin => {
                let mut text = Vec::new();
                let read = io::stdin()
                    .lock()
                    .take(TEXT_BYTES + 1)
                    .read_to_end(&mut text);
                read.map_err(|error| Failure::new(format!("cannot read stdin: {error}")))?;
                text
            }
        };
        if text.len() as u64 > TEXT_BYTES {
            return Err(Failure::new(format!(
                "the text has more than {TEXT_BYTES} bytes"
            )));
        }
        Totals::of_text(&text).map_err(|error| {
            let reason = match error {
                PushError::Refused { reason } => reason,
                other => other.to_string(),
            };
            Failure::new(format!("{}: {reason}", self.shown()))
                .hint("nothing was pushed of it; mend it and push again")
        })
    }

    fn shown(&self) -> String {
        match self {
            Self::Store(store) => store.path().display().to_string(),
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "stdin".to_owned(),
        }
    }

    /// What must stay the same from push to push.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Store(store) => format!("store {}", store.id()),
            _ => "text".to_owned(),
        }
    }
}
