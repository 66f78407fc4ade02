//! What a program holds: the store, its metrics, and how they are opened.

mod background;
mod counter;
mod gauge;
mod health;
mod histogram;
mod metrics;
mod options;
mod store;
mod sum_gauge;
mod summary;
mod wide;
mod wide_histogram;

pub use counter::{Counter, FractionCounter, Transactions};
#[cfg(all(loom, test))]
pub(crate) use gauge::add as add_to_gauge;
pub use gauge::{Gauge, ProcessGauge};
pub use health::Health;
pub use histogram::Histogram;
pub use options::{Options, Weakness};
pub use store::Store;
pub use sum_gauge::SumGauge;
pub use summary::Summary;
pub use wide_histogram::WideHistogram;
