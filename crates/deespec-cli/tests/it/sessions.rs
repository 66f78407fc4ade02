//! Every file of `tests/cmd` is a session: commands with their output and exit code, run in a
//! folder of their own. `TRYCMD=overwrite cargo test sessions` writes down what comes out now.

use std::path::Path;

#[test]
fn sessions() {
    let program = Path::new(env!("CARGO_BIN_EXE_deespec"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    each_has_a_folder_of_its_own();
    let sessions = trycmd::TestCases::new();
    sessions.case("tests/cmd/*.trycmd");
    for tool in ["cat", "ln", "ls", "rm", "sh"] {
        sessions.register_bin(tool, super::support::find(tool));
    }
    // Nothing of whoever runs the tests may show.
    let environment = [
        ("PATH", path.as_str()),
        ("DEESPEC_STORE", ""),
        ("DEESPEC_CONFIG", ""),
        ("DEESPEC_TOKEN", ""),
        ("LC_ALL", "C"),
        ("NO_COLOR", "1"),
        ("CLICOLOR_FORCE", "0"),
        ("COLUMNS", "80"),
        ("GITHUB_RUN_ID", ""),
        ("GITHUB_REF_NAME", ""),
        ("CI_PIPELINE_ID", ""),
        ("CI_COMMIT_REF_NAME", ""),
        ("DEESPEC_HOST_CLASS", ""),
    ];
    for (name, value) in environment {
        sessions.env(name, value);
    }
}

/// Without one, which an empty folder in Git is, a session runs in the folder of the crate.
fn each_has_a_folder_of_its_own() {
    for file in std::fs::read_dir("tests/cmd").unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|kind| kind == "trycmd") {
            for kind in ["in", "out"] {
                let folder = file.with_extension(kind);
                assert!(folder.is_dir(), "{} is missing", folder.display());
            }
        }
    }
}
