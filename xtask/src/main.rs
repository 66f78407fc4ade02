//! The door of `cargo xtask`: reads the command, calls its file, turns the outcome into an exit code.
//!
//! Std only, so that the first `cargo xtask` in a fresh clone starts within seconds. One file per
//! command; `step.rs` runs programs, `packages.rs` and `venv.rs` say what those programs need.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a build tool talks to the person in front of it; no other crate depends on this one"
)]

use std::process::ExitCode;

mod bench;
mod checkers;
mod ci;
mod dist;
mod docs;
mod fuzz;
mod gate_bench;
mod measure;
mod packages;
mod screens;
mod seams;
mod step;
mod test;
mod tools;
mod torture;
mod venv;
mod workspace;

use step::Failure;

pub(crate) const USAGE: &str = "\
The chores of this repository.

Usage: cargo xtask COMMAND [ARGS]

Commands:
  ci                     everything a change must pass: format, lints, docs, licences, tests, and a
                         sample of the proofs; some twenty minutes
                         --deep  leave nothing out, and run the proofs at length: before a release,
                                 and when the store was touched
  test [ARGS]            the whole test suite and a sample of the proofs; installs what it needs where
                         it may: the Debian packages of packages.rs, Python packages under target/
                         --skip-missing  go on without what is not installed, and name the tests that
                                         are left out (ignored where CI=true)
                         --skip-proofs   without the sample of the proofs
  bench [ARGS]           speed and size against the promised limits and against peers
                         --quick  --no-peers  --json FILE  --only TEXT  --profile dist|release
  gate-bench [FOLDER]    how well shifts are found in labelled series, beside others
  torture [ARGS]         all proofs, or those that are named; every count is checked
                         --sample  --quick  --full  --help
  controls               the proofs without what they prove: each must fail
  coverage [ARGS]        lines and branches that the library's tests run (cargo llvm-cov)
  mutants [ARGS]         whether the tests notice changed code (cargo mutants); takes hours
  fuzz [--runs N] [TARGET…]
                         random inputs for every decoder, 1,000,000 each unless said otherwise
  loom [--sample|NAME]   every interleaving of a few threads, with the store's own algorithms
  miri [--sample|--seeds N]
                         the store's unit tests, interpreted; its races with so many orders (4)
  tsan [--sample|--all]  tests with threads, with each access of memory watched
  model [--sequences N]  random sequences of everything a store does, beside a model (10,000)
  docs                   the library's documentation, warnings denied
  dist [ARGS]            everything that people install, with checksums, in target/packages/
                         --unpublished  although the project has no address yet
                         --built        of the program that was built before
                         --check        and try all of it as whoever installs it would; as root
                         --only ROW     the checks of these rows alone, of what was made before
                         --lint         only the checks that need nothing built; no root
                         --order        write dist/start.txt anew, which says what lies together in the program
                         --tag TAG      is it that of this version, and of the changelog?
                         --gather       one list of checksums for packages of several machines
                         --draft TAG    a draft of a release at GitHub, with all packages
                         --publish-crates
  screens                pictures of the page, wide and on a phone, light and dark
  help                   this text

Exit codes:
  0  done
  1  a step failed
  3  not understood, or something that is needed is missing
  bench, torture and controls pass on the exit code of the program they start
";

fn main() -> ExitCode {
    if let Some(code) = seams::compile().or_else(dist::link) {
        return code;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("", &[][..]),
    };

    // `bench` and `torture` know their own arguments better than we do.
    let asks_for_help = matches!(
        command,
        "ci" | "test" | "dist" | "docs" | "fuzz" | "loom" | "miri" | "tsan" | "model" | "screens"
    ) && rest.iter().any(|arg| arg == "--help" || arg == "-h");
    if asks_for_help || matches!(command, "help" | "--help" | "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }

    let outcome = match command {
        "bench" => bench::run(rest),
        "gate-bench" => gate_bench::run(rest),
        "torture" => torture::run(rest),
        "controls" => torture::controls_only(rest),
        "coverage" => measure::coverage(rest),
        "mutants" => measure::mutants(rest),
        "fuzz" => fuzz::run(rest),
        "ci" => ci::run(rest),
        "dist" => dist::run(rest),
        "test" => test::run(rest),
        "loom" => checkers::loom(rest),
        "miri" => checkers::miri(rest),
        "tsan" => checkers::tsan(rest),
        "model" => checkers::model(rest),
        "screens" => no_arguments(rest).and_then(|()| screens::run()),
        "docs" => no_arguments(rest).and_then(|()| docs::run()),
        "" => Err(Failure::usage("no command given")),
        other => Err(Failure::usage(format!("unknown command `{other}`"))),
    };

    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {}", failure.message);
            if failure.show_usage {
                eprint!("\n{USAGE}");
            }
            ExitCode::from(failure.code)
        }
    }
}

fn no_arguments(rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(arg) => Err(Failure::usage(format!("unexpected argument `{arg}`"))),
    }
}
