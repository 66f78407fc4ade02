//! `cargo xtask ci`: everything a change must pass, cheapest first, up to the first failure. The deep lane
//! does all of it, leaves nothing out of the tests, and runs the proofs at length.

use crate::step::{Failure, Steps};
use crate::{checkers, docs, fuzz, test, tools, torture, workspace};

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let deep = match args {
        [] => false,
        [deep] if deep == "--deep" => true,
        [other, ..] => return Err(Failure::usage(format!("unexpected argument `{other}`"))),
    };
    let mut steps = Steps::default();
    let outcome = all(&mut steps, deep);
    steps.print_table();
    outcome
}

fn all(steps: &mut Steps, deep: bool) -> Result<(), Failure> {
    steps.run("format", &mut workspace::cargo(["fmt", "--all", "--check"]))?;
    steps.run(
        "lints",
        &mut clippy(["--workspace", "--all-targets", "--all-features"]),
    )?;
    // By name: beside the others, the library has the features that they ask for.
    steps.run(
        "lints, the library by default",
        &mut clippy(["--package", "deespec", "--all-targets"]),
    )?;
    steps.run(
        "lints, the program of the demo",
        &mut clippy(["--package", "deespec-cli", "--no-default-features"]),
    )?;
    steps.run("docs", &mut docs::command())?;
    tools::require(&["deny", "nextest"])?;
    let deny = [
        "deny",
        "--workspace",
        "check",
        "licenses",
        "bans",
        "sources",
    ];
    steps.run("licences, bans, sources", &mut workspace::cargo(deny))?;
    if deep {
        // What only the model checker compiles, and what only the fuzzer does.
        steps.run("lints of the models", &mut checkers::models())?;
        steps.run("lints of the fuzz targets", &mut fuzz::lints())?;
    }
    test::all(
        steps,
        test::Extent {
            deep,
            ..test::Extent::default()
        },
    )?;
    match deep {
        true => steps.time("proofs", || torture::run(&["--quick".to_owned()])),
        false => {
            steps.time("a sample of the proofs", torture::sample)?;
            steps.time("a sample of the checkers", torture::sample_of_checkers)
        }
    }
}

fn clippy<'a>(what: impl IntoIterator<Item = &'a str>) -> std::process::Command {
    let mut command = workspace::cargo(["clippy", "--locked"]);
    command.args(what).args(["--", "-D", "warnings"]);
    command
}
