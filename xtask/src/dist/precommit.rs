//! The hook for pre-commit: its manifest, and a commit that it lets through, and one that it does not.

use std::fs;
use std::process::Command;

use crate::dist::made::Made;
use crate::dist::tools;
use crate::dist::verdict::{accepts, io, refuses, twin};
use crate::step::Failure;
use crate::workspace::root;

const MANIFEST: &str = ".pre-commit-hooks.yaml";
const RULES: &str = "schema = \"deespec.gate/1\"\n\n[[rule]]\nid = \"conflicts\"\nmetric = \"cas_conflicts\"\nkind = \"limit\"\nbad = \"up\"\nwarn = 5\nfail = 10\n";

/// What needs nothing built.
pub(crate) fn lint(made: &Made) -> Result<String, Failure> {
    let bad = made.play("pre-commit-lint")?.join("hooks.yaml");
    let validate = |file: &std::path::Path| -> Result<Command, Failure> {
        let mut command = Command::new(tools::checker("pre-commit")?);
        command.arg("validate-manifest").arg(file);
        Ok(command)
    };
    accepts(&mut validate(&root().join(MANIFEST))?)?;
    twin(&root().join(MANIFEST), &bad, "  entry:", "  entries:")?;
    refuses(&mut validate(&bad)?, "entry")?;
    Ok("the manifest by pre-commit validate-manifest".to_owned())
}

/// A repository of somebody's who uses ours, by its manifest as it stands here.
pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    lint(made)?;
    let play = made.play("pre-commit")?;
    let (ours, theirs) = (play.join("ours"), play.join("theirs"));
    let rules = theirs.join(".deespec/gate.toml");
    let git = |folder: &std::path::Path, arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(folder)
            .args(["-c", "user.name=t", "-c", "user.email=t@t.invalid"]);
        git.args(arguments);
        accepts(&mut git)
    };
    for folder in [&ours, &theirs] {
        fs::create_dir_all(folder).map_err(io(folder))?;
        git(folder, &["init", "--quiet"])?;
    }
    let manifest = ours.join(MANIFEST);
    fs::copy(root().join(MANIFEST), &manifest).map_err(io(&manifest))?;
    git(&ours, &["add", "."])?;
    git(&ours, &["commit", "--quiet", "--message", "hooks"])?;

    let program = made.contents();
    let try_it = || -> Result<Command, Failure> {
        let mut command = Command::new(tools::checker("pre-commit")?);
        command.args([
            "try-repo",
            "../ours",
            "deespec-gate-lint",
            "--all-files",
            "--verbose",
        ]);
        command
            .current_dir(&theirs)
            .env("PRE_COMMIT_HOME", play.join("cache"));
        command.env(
            "PATH",
            format!("{}:/usr/local/bin:/usr/bin:/bin", program.display()),
        );
        Ok(command)
    };
    let folder = theirs.join(".deespec");
    fs::create_dir_all(&folder).map_err(io(&folder))?;
    fs::write(&rules, RULES).map_err(io(&rules))?;
    git(&theirs, &["add", "."])?;
    accepts(&mut try_it()?)?;
    // A rule whose limits are the wrong way round.
    fs::write(&rules, RULES.replace("warn = 5", "warn = 50")).map_err(io(&rules))?;
    git(&theirs, &["add", "."])?;
    refuses(&mut try_it()?, "nothing would be warned of")?;
    Ok(
        "the manifest; a commit with lawful rules passes, one with unlawful ones does not"
            .to_owned(),
    )
}
