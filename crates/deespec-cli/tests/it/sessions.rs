//! Every file of `tests/cmd` is a session: commands with their output and exit code, run in a
//! folder of their own. `TRYCMD=overwrite cargo test sessions` writes down what comes out now.

use std::path::Path;

#[test]
fn sessions() {
    let program = Path::new(env!("CARGO_BIN_EXE_deespec"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
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
        ("LC_ALL", "C"),
        ("NO_COLOR", "1"),
        ("CLICOLOR_FORCE", "0"),
        ("COLUMNS", "80"),
    ];
    for (name, value) in environment {
        sessions.env(name, value);
    }
}
