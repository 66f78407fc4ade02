//! A segment in memory: header, registry, index, recovery.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("segment", input));
