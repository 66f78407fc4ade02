//! Names of snapshots, and times.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("name", input));
