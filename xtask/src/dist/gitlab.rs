//! GitLab's component: its two documents by the published schema, its script by running it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::github::{by_schema, releases};
use crate::dist::made::Made;
use crate::dist::tools;
use crate::dist::verdict::{accepts, ensure, io, refuses, text_of, twin};
use crate::step::Failure;
use crate::workspace::root;

const SCHEMA: &str = "vendor.gitlab-ci";

/// The lines of a job's script, as one; and a word of which nothing may be left in it.
const SCRIPT: &str = "\
import sys, yaml
job = yaml.safe_load(open(sys.argv[1]))['deespec-gate']
print('set -e')
for line in job['script']:
    print(line)
";

/// One run is enough for a verdict.
const RULES: &str = "schema = \"deespec.gate/1\"\n\n[[rule]]\nid = \"runs\"\nmetric = \"commit_success\"\nkind = \"limit\"\nbad = \"down\"\nfail = 1\n";

/// The inputs, and the job.
fn parts(play: &Path, text: &str) -> Result<(PathBuf, PathBuf), Failure> {
    let (inputs, job) = text
        .split_once("\n---\n")
        .ok_or_else(|| Failure::step("a component has two documents"))?;
    let paths = (play.join("inputs.yml"), play.join("job.yml"));
    fs::write(&paths.0, inputs).map_err(io(&paths.0))?;
    fs::write(&paths.1, job).map_err(io(&paths.1))?;
    Ok(paths)
}

fn component() -> Result<String, Failure> {
    let path = root().join("dist/gitlab/gate.yml");
    fs::read_to_string(&path).map_err(io(&path))
}

/// What needs nothing built.
pub(crate) fn lint(made: &Made) -> Result<String, Failure> {
    let play = made.play("gitlab-lint")?;
    let text = component()?;
    let (inputs, job) = parts(&play, &text)?;
    accepts(&mut by_schema(SCHEMA, &inputs)?)?;
    accepts(&mut by_schema(SCHEMA, &job)?)?;
    let bad = play.join("bad.yml");
    twin(&job, &bad, "junit: gate.xml", "junitt: gate.xml")?;
    refuses(&mut by_schema(SCHEMA, &bad)?, "junitt")?;
    twin(&inputs, &bad, "\n  inputs:", "\n  input:")?;
    refuses(&mut by_schema(SCHEMA, &bad)?, "'input'")?;
    // The schema knows nothing of inputs that are used.
    used(&text)?;
    ensure(
        used(&text.replace("inputs.stage ]]", "inputs.stages ]]")).is_err(),
        || "an input that is not declared passes".to_owned(),
    )?;
    Ok("its two documents by GitLab's schema, and each input that is used is declared".to_owned())
}

fn used(text: &str) -> Result<(), Failure> {
    for name in text
        .split("$[[ inputs.")
        .skip(1)
        .filter_map(|rest| rest.split(" ]]").next())
    {
        ensure(text.contains(&format!("\n    {name}:\n")), || {
            format!("no input {name}")
        })?;
    }
    Ok(())
}

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    lint(made)?;
    let releases = releases(made, "gitlab-releases")?;
    let play = made.play("gitlab")?;
    let (_, job) = parts(&play, &component()?)?;
    let mut python = Command::new(tools::checker("python")?);
    let script = play.join("script.sh");
    let text = text_of(python.args(["-c", SCRIPT]).arg(&job))?;
    fs::write(&script, text).map_err(io(&script))?;
    let run = |command: &str| {
        let mut shell = Command::new("sh");
        shell
            .arg(&script)
            .current_dir(&play)
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        shell.env("DEESPEC_RELEASES", format!("file://{}", releases.display()));
        shell
            .env("DEESPEC_VERSION", made.version)
            .env("DEESPEC_RUN", command);
        shell
            .env("CI_JOB_NAME", "tests")
            .env("DEESPEC_STORE", play.join("counts"));
        shell
    };
    let rules = play.join("counts");
    fs::create_dir(&rules).map_err(io(&rules))?;
    let rules = rules.join("gate.toml");
    fs::write(&rules, RULES).map_err(io(&rules))?;
    accepts(&mut run("true"))?;
    for report in ["gate.xml", "gate.json"] {
        ensure(play.join(report).is_file(), || {
            format!("there is no {report}")
        })?;
    }
    refuses(&mut run("exit 7"), "")?;
    let archive = releases
        .join(format!("v{}", made.version))
        .join(format!("{}.tar.gz", made.name()));
    let bytes = fs::read(&archive).map_err(io(&archive))?;
    fs::write(&archive, &bytes[1..]).map_err(io(&archive))?;
    refuses(&mut run("true"), "FAILED")?;
    Ok("by GitLab's schema; its script installs what was made, judges, and refuses a changed archive".to_owned())
}
