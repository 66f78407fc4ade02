//! The one HTTP client of DeeSpec: whatever it sends to somebody goes this way, by the same rules.
//!
//! - Where to: [`Target`] takes `https`, and `http` to this machine alone. Addresses that only the machine itself or its
//!   cloud answers on are never connected to, whatever a name resolves to. No redirect is followed, and no proxy of the
//!   environment is used: a variable of a CI job must not see what is sent.
//! - How much: an answer's head has at most 16 KiB, and of its body 64 KiB are read. Each request has a deadline.
//! - What is said: an error never has the text of a library in it, which may have a secret of the URL in it.
//!
//! It knows nothing of stores, prints nothing, and keeps nothing: what must not get lost is kept by whoever sends it.

mod addresses;
mod attempts;
mod client;
mod target;

pub use attempts::Attempts;
pub use client::{Answer, Authorities, Client, Fault, NoCertificate};
pub use target::{Target, TargetError};
