//! The GitHub action: its form by schema and linters, its scripts by running them with what GitHub would give them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::made::{self, Made};
use crate::dist::tools;
use crate::dist::verdict::{accepts, ensure, io, refuses, twin};
use crate::step::Failure;
use crate::workspace::root;

fn action() -> PathBuf {
    root().join("dist/action/action.yml")
}

fn script(name: &str) -> PathBuf {
    root().join("dist/action").join(name)
}

/// By the schema that GitHub's own form is written down in.
pub(crate) fn by_schema(schema: &str, file: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(tools::checker("check-jsonschema")?);
    command.args(["--builtin-schema", schema]).arg(file);
    Ok(command)
}

/// What somebody could do with it who should not.
pub(crate) fn zizmor(file: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(tools::checker("zizmor")?);
    command
        .args(["--offline", "--no-progress", "--persona", "regular"])
        .arg(file);
    Ok(command)
}

pub(crate) fn action_validator(file: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(tools::action_validator()?);
    command.arg(file);
    Ok(command)
}

/// What needs nothing built.
pub(crate) fn lint(made: &Made) -> Result<String, Failure> {
    let play = made.play("action-lint")?;
    let bad = play.join("action.yml");
    accepts(&mut by_schema("vendor.github-actions", &action())?)?;
    accepts(&mut action_validator(&action())?)?;
    twin(&action(), &bad, "using: composite", "usings: composite")?;
    refuses(&mut by_schema("vendor.github-actions", &bad)?, "runs")?;
    refuses(&mut action_validator(&bad)?, "runs")?;

    accepts(&mut zizmor(&action())?)?;
    // An input that becomes a part of a script.
    twin(
        &action(),
        &bad,
        "bash \"$ACTION_PATH/gate.sh\"",
        "bash -c \"${{ inputs.run }}\"",
    )?;
    refuses(&mut zizmor(&bad)?, "template-injection")?;

    let shellcheck = |file: &Path| -> Result<Command, Failure> {
        let mut command = Command::new(tools::checker("shellcheck")?);
        command.args(["--norc", "--color=never"]).arg(file);
        Ok(command)
    };
    for name in ["install.sh", "gate.sh"] {
        accepts(&mut shellcheck(&script(name))?)?;
    }
    let bad = play.join("gate.sh");
    twin(
        &script("gate.sh"),
        &bad,
        ">>\"$GITHUB_OUTPUT\"",
        ">>$GITHUB_OUTPUT",
    )?;
    refuses(&mut shellcheck(&bad)?, "SC2086")?;
    Ok("schema, action-validator, zizmor, shellcheck".to_owned())
}

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    lint(made)?;
    let program = installed(made)?;
    judged(made, &program)?;
    Ok(
        "its scripts install what was made, refuse what was changed, and tell four verdicts"
            .to_owned(),
    )
}

/// A folder like the one that releases are downloaded from.
pub(crate) fn releases(made: &Made, name: &str) -> Result<PathBuf, Failure> {
    let folder = made.play(name)?;
    let release = folder.join(format!("v{}", made.version));
    made::empty(&release)?;
    for ending in [".tar.gz", ".tar.gz.sha256"] {
        let name = format!("{}{ending}", made.name());
        let to = release.join(&name);
        fs::copy(made.folder.join(&name), &to).map_err(io(&to))?;
    }
    Ok(folder)
}

/// Runs `install.sh`; gives the folder that it puts on the PATH.
fn installed(made: &Made) -> Result<PathBuf, Failure> {
    let releases = releases(made, "releases")?;
    let place = made.play("runner")?;
    let path = place.join("path");
    let install = |version: &str, tag: &str| {
        let mut command = Command::new("bash");
        command.arg(script("install.sh")).current_dir(&place);
        command.env("DEESPEC_RELEASES", format!("file://{}", releases.display()));
        command
            .env("DEESPEC_VERSION", version)
            .env("ACTION_REF", tag);
        command.env("RUNNER_TEMP", &place).env("GITHUB_PATH", &path);
        command
    };
    let tag = format!("v{}", made.version);
    accepts(&mut install("", &tag))?;
    accepts(&mut install(made.version, "main"))?;
    let folders = fs::read_to_string(&path).map_err(io(&path))?;
    let folder = PathBuf::from(folders.lines().next().unwrap_or_default());
    ensure(folder.join("deespec").is_file(), || {
        format!("not on the PATH: {folders}")
    })?;

    refuses(&mut install("", "main"), "say which release")?;
    refuses(&mut install("1.0.0; rm -rf /", "main"), "say which release")?;
    refuses(&mut install("99.0.0", "main"), "cannot get")?;
    // Somebody has changed the archive, or both of them but not its name.
    let archive = releases.join(&tag).join(format!("{}.tar.gz", made.name()));
    let mut bytes = fs::read(&archive).map_err(io(&archive))?;
    bytes.push(0);
    fs::write(&archive, bytes).map_err(io(&archive))?;
    refuses(
        &mut install(made.version, "main"),
        "is not what was released",
    )?;
    let sum = releases
        .join(&tag)
        .join(format!("{}.tar.gz.sha256", made.name()));
    fs::write(&sum, format!("{}  /dev/null\n", "0".repeat(64))).map_err(io(&sum))?;
    refuses(&mut install(made.version, "main"), "is no checksum of it")?;
    Ok(folder)
}

/// Runs `gate.sh` for each verdict, as a step of a job.
fn judged(made: &Made, program: &Path) -> Result<(), Failure> {
    let place = made.play("job")?;
    let (output, summary) = (place.join("output"), place.join("summary"));
    let gate = |store: &str, run: &str, check: &str| {
        let mut command = Command::new("bash");
        command
            .arg(script("gate.sh"))
            .current_dir(&place)
            .env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", program.display()));
        command
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_STEP_SUMMARY", &summary);
        command
            .env("GITHUB_JOB", "tests")
            .env("DEESPEC_STORE", place.join(store));
        command
            .env("DEESPEC_RUN", run)
            .env("DEESPEC_CHECK", check)
            .env("DEESPEC_HISTORY", "");
        command
    };
    let verdict = |expected: &str| {
        let text = fs::read_to_string(&output).map_err(io(&output))?;
        let last = text.lines().last().unwrap_or_default().to_owned();
        ensure(last == format!("verdict={expected}"), || {
            format!("{last}, not {expected}")
        })
    };
    let rules = |store: &str, limit: &str| {
        let folder = place.join(store);
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        let text = format!(
            "schema = \"deespec.gate/1\"\n\n[[rule]]\nid = \"runs\"\nmetric = \"commit_success\"\nkind = \"limit\"\nbad = \"up\"\n{limit}\n"
        );
        let file = folder.join("gate.toml");
        fs::write(&file, text).map_err(io(&file))
    };
    rules("pass", "fail = 5")?;
    // The text is for bash, whatever stands in it.
    accepts(&mut gate(
        "pass",
        "test \"$(echo 'a  b')\" = 'a  b'",
        "true",
    ))?;
    verdict("pass")?;
    let text = fs::read_to_string(&summary).map_err(io(&summary))?;
    ensure(text.contains("runs"), || {
        format!("the summary says: {text}")
    })?;
    rules("warn", "warn = 0\nfail = 5")?;
    accepts(&mut gate("warn", "true", "true"))?;
    verdict("warn")?;
    rules("fail", "fail = 0")?;
    refuses(&mut gate("fail", "true", "true"), "::error")?;
    verdict("fail")?;
    rules("error", "fail = oops")?;
    refuses(&mut gate("error", "true", "true"), "gate.toml")?;
    verdict("error")?;
    accepts(&mut gate("none", "true", "false"))?;
    verdict("none")?;
    // The command's own failure is the step's.
    let status = gate("pass", "exit 7", "true").output();
    let code = status
        .map_err(|error| Failure::missing(error.to_string()))?
        .status
        .code();
    ensure(code == Some(7), || {
        format!("a command that fails with 7 ends the step with {code:?}")
    })
}
