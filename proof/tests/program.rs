//! The program as the tests build it, which is also what takes a sample of the proofs.

use std::process::{Command, Output};

fn output(args: &[&str]) -> std::io::Result<Output> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_deespec-proof"));
    program.args(args).output()
}

#[test]
fn each_harness_is_listed_and_can_be_named() {
    let all = output(&["--list"]).unwrap();
    let all = String::from_utf8(all.stdout).unwrap();
    let names: Vec<&str> = all.lines().collect();
    assert!(names.contains(&"race") && names.contains(&"kills"), "{all}");
    let one = output(&["--list", "race"]).unwrap();
    assert_eq!(String::from_utf8(one.stdout).unwrap(), "race\n");
}

#[test]
fn what_is_no_harness_is_refused_and_nothing_is_run() {
    let refused = output(&["rays"]).unwrap();
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("rays"), "{said}");
}
