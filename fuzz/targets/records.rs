//! What stands in `imports.jsonl` and `import.json`.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("records", input));
