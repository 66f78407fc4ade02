//! The declaration of a family: a name, a zero, and JSON.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("family", input));
