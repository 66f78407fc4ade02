//! A part of the archive of the snapshots, and one column of it.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("part", input));
