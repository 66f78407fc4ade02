//! Every row that a reader of the tables counts on is there, measured, and says what it was compared
//! with. How fast anything is, no test says: they run with the least effort that goes through every row.

#![expect(clippy::unwrap_used, reason = "this is a test from end to end")]

mod limits;
mod peers;
mod server;
mod support;
