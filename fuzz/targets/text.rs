//! OpenMetrics and Prometheus text that is imported.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("text", input));
