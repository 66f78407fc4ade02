//! `gate-history.jsonl`, the runs that the gate learns from.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("gate_history", input));
