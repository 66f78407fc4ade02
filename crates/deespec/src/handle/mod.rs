//! What a program holds: the store, its counters, and how they are opened.

mod background;
mod counter;
mod health;
mod options;
mod store;

pub use counter::{Counter, Transactions};
pub use health::Health;
pub use options::Options;
pub use store::Store;
