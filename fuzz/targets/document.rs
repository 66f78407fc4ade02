//! `metrics.json`, a snapshot, `restore.json`.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("document", input));
