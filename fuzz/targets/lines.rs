//! Files of lines: `epochs.jsonl`, `imports.jsonl`.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("lines", input));
