//! The `Accept` header of a scrape.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("accept", input));
