//! One entry of the registry.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("entry", input));
