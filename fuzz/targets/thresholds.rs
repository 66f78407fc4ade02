//! `thresholds.json`, behind four counts of eight bytes that are judged by it.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("thresholds", input));
