//! `gate.toml`, the rules of the gate.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("gate_rules", input));
