//! A limit on the size of files (`ulimit -f`) is an error and never a signal.

use std::fmt::Write as _;
use std::process::Output;

use super::support::{PROGRAM, Sandbox, code, ends, stderr};

/// A store of many series, whose documents have more than the limits below.
fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut page = String::from("# TYPE a_total counter\n");
    for index in 0..300 {
        writeln!(page, "a_total{{i=\"{index}\"}} 1").unwrap();
    }
    std::fs::write(sandbox.path("page"), page).unwrap();
    sandbox.ok(&["import", "page"]);
    sandbox
}

/// Runs the program with a limit in KiB.
fn limited(sandbox: &Sandbox, limit: u32, arguments: &str) -> Output {
    let script = format!("ulimit -f {limit}; exec \"$0\" {arguments}");
    let mut command = sandbox.command("bash");
    command.args(["-c", &script, PROGRAM]).output().unwrap()
}

#[test]
fn what_cannot_be_written_is_an_error_with_its_path_and_counts_are_kept() {
    let sandbox = filled();
    let said = |output: &Output| stderr(output);
    for arguments in [
        "sync",
        "snapshot",
        "rotate",
        "--store new inc x",
        "export json -o out",
        "import page2",
    ] {
        std::fs::write(
            sandbox.path("page2"),
            format!("b_total{{x=\"{}\"}} 1\n", "y".repeat(1000)),
        )
        .unwrap();
        let output = limited(&sandbox, 16, arguments);
        assert!(output.status.code().is_some(), "{arguments}: {output:?}");
        assert!(
            [0, 3].contains(&code(&output)),
            "{arguments}: {}",
            said(&output)
        );
        if code(&output) == 3 {
            let said = said(&output);
            assert!(said.contains("File too large"), "{said}");
            // Where what was done is to be completed, that is said first.
            assert!(
                said.contains("ulimit -f") || arguments == "rotate",
                "{said}"
            );
        }
    }
    let text = sandbox.ok(&["export", "prometheus"]);
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("a_total{"))
            .count(),
        300
    );
}

#[test]
fn a_result_that_does_not_fit_into_its_file_is_an_error() {
    let sandbox = filled();
    let output = limited(&sandbox, 4, "export jsonl > out");
    assert_eq!(code(&output), 3, "{output:?}");
    assert!(
        stderr(&output).contains("cannot write the result"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_command_of_a_run_gets_the_limit_and_its_signal_as_they_were() {
    let sandbox = filled();
    sandbox.ok(&["run", "--name", "job", "--", "true"]);
    let output = limited(&sandbox, 16, "run --name job -- sh -c 'exit 7'");
    assert_eq!(code(&output), 7, "{}", stderr(&output));
    // 128 + SIGXFSZ: the command's own signal is not taken away.
    let output = limited(
        &sandbox,
        16,
        "run --name job -- dd if=/dev/zero of=big bs=64k count=1",
    );
    assert_eq!(code(&output), 128 + 25, "{}", stderr(&output));
}

#[test]
fn a_server_goes_on() {
    let sandbox = filled();
    let script = "ulimit -f 16; exec \"$0\" serve --listen 127.0.0.1:0 2>log";
    let mut command = sandbox.command("bash");
    let mut server = command.args(["-c", script, PROGRAM]).spawn().unwrap();
    ends("the server", || {
        std::fs::read_to_string(sandbox.path("log"))
            .ok()?
            .contains("Serving")
            .then_some(())
    });
    sandbox.ok(&["inc", "a_total", "-l", "i=1"]);
    let address = std::fs::read_to_string(sandbox.path("log")).unwrap();
    let address = address.split_once("http://").unwrap().1.trim().to_owned();
    // It has tried to publish, and lives.
    ends("the publication", || {
        let mut answer = ureq::get(format!("http://{address}/api/v1/view"))
            .call()
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        text.contains("background sync failed").then_some(())
    });
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&server),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(server.wait().unwrap().success());
}
