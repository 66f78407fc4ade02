//! What stands in `imports.jsonl`, `import.json` and `pushes.jsonl`.
#![no_main]

deespec_fuzz::target!(|input| deespec::fuzzing::run("records", input));
