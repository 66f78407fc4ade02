//! The record of an epoch.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("record", input));
