//! Each harness with numbers that a test suite can afford. One binary, because all of them start
//! the same program.

use std::io::Write as _;
use std::process::Command;

fn run(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_deespec-proof"))
        .arg("--suite")
        .args(arguments)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    // Not captured, so that the figures stand in the log of the suite.
    let _ = std::io::stderr().write_all(said.as_bytes());
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("; 0 violations; "), "{said}{complained}");
}

#[test]
fn two_thousand_random_kills_lose_nothing_and_count_nothing_twice() {
    run(&["kills"]);
}

#[test]
fn a_kill_at_each_step_and_at_each_step_of_the_repair_leaves_a_lawful_state() {
    run(&["steps"]);
}

#[test]
fn an_error_of_the_disk_at_each_step_is_clear_and_the_counting_goes_on() {
    run(&["errors"]);
}

#[test]
fn racing_processes_count_exactly_and_register_each_name_once() {
    run(&["race"]);
}

#[test]
fn a_killed_holder_of_the_lock_keeps_nobody_waiting() {
    run(&["holders"]);
}

#[test]
fn processes_with_shares_come_and_go_and_leave_nothing() {
    run(&["shares"]);
}

#[test]
fn an_observer_that_is_killed_inside_the_call_bends_no_sum() {
    run(&["observers"]);
}

#[test]
fn a_kill_after_each_instruction_of_counting_leaves_what_was_counted() {
    run(&["instructions"]);
}

#[test]
fn files_that_are_taken_from_under_a_writer_are_missed_and_nothing_else_is_harmed() {
    run(&["replaced"]);
}

#[test]
fn a_flipped_bit_or_a_cut_file_is_refused_reported_or_harmless() {
    run(&["flips"]);
}

#[test]
fn a_bad_file_is_refused_with_its_path_or_does_no_harm() {
    run(&["files"]);
}
