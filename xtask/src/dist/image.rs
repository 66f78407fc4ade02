//! The image: the Dockerfile judged by a linter, and its instructions followed into a folder that is then used, since
//! no container engine is asked for.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::binary;
use crate::dist::made::{self, Made};
use crate::dist::roots::Root;
use crate::dist::tools;
use crate::dist::verdict::{accepts, ensure, io, refuses, text_of, twin};
use crate::step::Failure;
use crate::workspace::{root, target};

/// The folder that `docker build` is given.
fn context() -> PathBuf {
    target().join("packages-image")
}

fn dockerfile() -> PathBuf {
    root().join("dist/Dockerfile")
}

pub(crate) fn make(made: &Made) -> Result<(), Failure> {
    let context = context();
    made::empty(&context)?;
    let program = context.join("deespec");
    fs::copy(made.program(), &program).map_err(io(&program))?;
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&program, mode).map_err(io(&program))?;
    let write = |name: &str, text: &str| {
        let path = context.join(name);
        fs::write(&path, text).map_err(io(&path))
    };
    write("passwd", "deespec:x:10001:10001:DeeSpec:/counts:/\n")?;
    write("group", "deespec:x:10001:\n")?;
    let counts = context.join("counts");
    fs::create_dir(&counts).map_err(io(&counts))
}

/// What needs nothing built.
pub(crate) fn lint(made: &Made) -> Result<String, Failure> {
    let lint = |file: &Path| -> Result<Command, Failure> {
        let mut hadolint = Command::new(tools::checker("hadolint")?);
        hadolint
            .args(["--no-color", "--failure-threshold", "info"])
            .arg(file);
        Ok(hadolint)
    };
    accepts(&mut lint(&dockerfile())?)?;
    let bad = made.play("dockerfile")?.join("Dockerfile");
    // Without a version, whatever is newest when it is built.
    twin(&dockerfile(), &bad, "FROM scratch", "FROM debian")?;
    refuses(&mut lint(&bad)?, "DL3006")?;
    let image = Image::read(&dockerfile())?;
    let runs_as = image.user == "10001:10001";
    ensure(runs_as, || format!("it runs as {}", image.user))?;
    // What is copied behind VOLUME is not in a new volume.
    let text = fs::read_to_string(dockerfile()).map_err(io(&dockerfile()))?;
    let at = |what: &str| text.find(what).unwrap_or(usize::MAX);
    ensure(at(" counts /counts\n") < at("\nVOLUME"), || {
        "the volume begins as root's".to_owned()
    })?;
    Ok("the Dockerfile by hadolint".to_owned())
}

/// What the Dockerfile says, as far as it is used there.
#[derive(Debug, Default)]
struct Image {
    /// Owner, what, where to.
    copies: Vec<(Option<String>, Vec<String>, String)>,
    variables: Vec<(String, String)>,
    user: String,
    entry: Vec<String>,
    arguments: Vec<String>,
}

impl Image {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(io(path))?;
        let mut image = Self::default();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
            match instruction {
                "FROM" => ensure(rest == "scratch", || format!("begins with {rest}"))?,
                "COPY" => {
                    let mut words: Vec<String> = rest.split(' ').map(str::to_owned).collect();
                    let owner = words[0].strip_prefix("--chown=").map(str::to_owned);
                    if owner.is_some() {
                        words.remove(0);
                    }
                    let to = words.pop().unwrap_or_default();
                    image.copies.push((owner, words, to));
                }
                "ENV" => {
                    let pair = rest.split_once('=').unwrap_or((rest, ""));
                    image.variables.push((pair.0.to_owned(), pair.1.to_owned()));
                }
                "USER" => image.user = rest.to_owned(),
                "ENTRYPOINT" => image.entry = list(rest),
                "CMD" => image.arguments = list(rest),
                "VOLUME" | "EXPOSE" => {}
                other => {
                    return Err(Failure::step(format!(
                        "{}: {other} is not understood",
                        path.display()
                    )));
                }
            }
        }
        Ok(image)
    }

    /// Does what COPY does.
    fn unpack(&self, place: &Root) -> Result<(), Failure> {
        for (owner, files, to) in &self.copies {
            for file in files {
                let from = context().join(file);
                let within = match to.strip_suffix('/') {
                    Some(folder) => format!("{folder}/{file}"),
                    None => to.clone(),
                };
                match from.is_dir() {
                    true => made::empty(&place.path(&within))?,
                    false => place.put(&from, &within)?,
                }
                let numbers = owner.as_deref().unwrap_or("0:0");
                let (user, group) = numbers.split_once(':').unwrap_or((numbers, "0"));
                let path = place.path(&within);
                chown(&path, user.parse().ok(), group.parse().ok()).map_err(io(&path))?;
            }
        }
        Ok(())
    }

    /// `docker run IMAGE ARGUMENTS…`.
    fn run(&self, place: &Root, arguments: &[&str]) -> Result<Command, Failure> {
        let user = self
            .user
            .split(':')
            .next()
            .and_then(|user| user.parse().ok());
        let user = user.ok_or_else(|| Failure::step(format!("USER {} is no number", self.user)))?;
        let (program, first) = self
            .entry
            .split_first()
            .ok_or_else(|| Failure::step("there is no ENTRYPOINT"))?;
        let mut all: Vec<&str> = first.iter().map(String::as_str).collect();
        match arguments {
            [] => all.extend(self.arguments.iter().map(String::as_str)),
            given => all.extend(given),
        }
        let mut command = place.run_as(user, program, &all);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// `["a", "b"]`.
fn list(text: &str) -> Vec<String> {
    let parts = text.trim_matches(['[', ']']).split(',');
    parts
        .map(|part| part.trim().trim_matches('"').to_owned())
        .collect()
}

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    lint(made)?;
    let image = Image::read(&dockerfile())?;
    let place = Root::empty(made, "image-root")?;
    image.unpack(&place)?;
    let run = |arguments: &[&str]| image.run(&place, arguments);
    accepts(&mut run(&["inc", "jobs_total", "--by", "42"])?)?;
    let sum = text_of(&mut run(&["get", "jobs_total"])?)?;
    ensure(sum.trim() == "42", || {
        format!("42 were counted, and there are {sum}")
    })?;
    let owner = text_of(
        Command::new("stat")
            .args(["-c", "%u:%g"])
            .arg(place.path("counts/var")),
    )?;
    ensure(owner.trim() == "10001:10001", || {
        format!("the store belongs to {owner}")
    })?;
    // As it starts by itself: on every address, so not without a token.
    refuses(&mut run(&[])?, "token")?;
    binary::serve(&mut run(&["serve", "--once", "--listen", "127.0.0.1:0"])?)?;

    // Without its `--chown`.
    let bad = made.play("image-bad")?.join("Dockerfile");
    twin(&dockerfile(), &bad, "--chown=10001:10001 ", "")?;
    let image = Image::read(&bad)?;
    let place = Root::empty(made, "image-bad-root")?;
    image.unpack(&place)?;
    refuses(
        &mut image.run(&place, &["inc", "jobs_total"])?,
        "Permission denied",
    )?;
    Ok("hadolint; its files in a root, as user 10001; no Docker engine was asked".to_owned())
}
