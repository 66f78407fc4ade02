//! The static program and its archive: what every other package has in it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::dist::made::{self, Made};
use crate::dist::order;
use crate::dist::roots::Root;
use crate::dist::verdict::{accepts, ensure, io, output, refuses, said, text_of};
use crate::step::{self, Failure};
use crate::workspace::{root, target};

pub(crate) const PROFILE: &str = "dist";

/// Linked with all it needs, so that it runs on any Linux, in an empty image too; and to a fixed address, so that nothing
/// is to be relocated before it begins (`docs/design/0080-packages.md` says what that costs). The builder's folders become others,
/// which are the same everywhere.
fn flags() -> OsString {
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let mut flags = OsString::from("-C target-feature=+crt-static -C relocation-model=static");
    for (path, name) in [(cargo, "/cargo"), (Some(root()), "/deespec")] {
        if let Some(path) = path {
            flags.push(" --remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
    }
    flags
}

/// Builds the static program; gives its path.
pub(crate) fn build(triple: &str) -> Result<PathBuf, Failure> {
    let mut command = made::cargo([
        "build",
        "--locked",
        "--package",
        "deespec-cli",
        "--bin",
        "deespec",
    ]);
    command.args(["--profile", PROFILE, "--target", triple]);
    // By the target's name, so that programs that run while building are linked as ever.
    let name = triple.to_uppercase().replace('-', "_");
    let mut flags = flags();
    flags.push(order::set(&mut command)?);
    command.env(format!("CARGO_TARGET_{name}_RUSTFLAGS"), flags);
    step::run(&mut command)?;
    Ok(path(triple))
}

/// Where it is built.
pub(crate) fn path(triple: &str) -> PathBuf {
    target().join(triple).join(PROFILE).join("deespec")
}

/// The folder that everything is packaged from, and the archive of it.
pub(crate) fn make(made: &Made, built: &Path) -> Result<(), Failure> {
    let contents = made.contents();
    let program = made.program();
    fs::copy(built, &program).map_err(io(&program))?;
    for name in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        let to = contents.join(name);
        fs::copy(root().join(name), &to).map_err(io(&to))?;
    }
    text_of(
        Command::new(&program)
            .args(["man", "--output"])
            .arg(contents.join("man")),
    )?;
    let completions = contents.join("completions");
    made::empty(&completions)?;
    for (shell, name) in [
        ("bash", "deespec.bash"),
        ("fish", "deespec.fish"),
        ("zsh", "_deespec"),
    ] {
        let script = text_of(Command::new(&program).args(["completions", shell]))?;
        let to = completions.join(name);
        fs::write(&to, script).map_err(io(&to))?;
    }
    as_all_may_read(&contents)?;
    archive(made, &contents)
}

/// Whatever the umask of whoever packages.
fn as_all_may_read(folder: &Path) -> Result<(), Failure> {
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(io(path))
    };
    mode(folder, 0o755)?;
    for name in made::files(folder)? {
        let path = folder.join(&name);
        match path.is_dir() {
            true => as_all_may_read(&path)?,
            false => mode(&path, if name == "deespec" { 0o755 } else { 0o644 })?,
        }
    }
    Ok(())
}

/// The same bytes from the same files, whoever packs them and when.
fn archive(made: &Made, contents: &Path) -> Result<(), Failure> {
    let archive = made.archive();
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--format=ustar",
    ]);
    tar.arg(format!("--mtime=@{}", made.epoch));
    // `-n`: no name and no time in the header.
    tar.args(["--use-compress-program", "gzip -9 -n", "--file"])
        .arg(&archive);
    tar.arg("--directory")
        .arg(contents.parent().unwrap_or(contents))
        .arg(made.name());
    step::run(&mut tar)?;
    let name = format!("{}.tar.gz", made.name());
    let sum = text_of(
        Command::new("sha256sum")
            .arg(&name)
            .current_dir(&made.folder),
    )?;
    let path = made.folder.join(format!("{name}.sha256"));
    fs::write(&path, sum).map_err(io(&path))
}

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    is_static(&made.program())?;
    ensure(is_static(Path::new("/bin/true")).is_err(), || {
        "a program that is linked dynamically passes for a static one".to_owned()
    })?;
    checksum(made)?;
    let unpacked = made.play("archive")?;
    accepts(
        Command::new("tar")
            .arg("-xzf")
            .arg(made.archive())
            .arg("-C")
            .arg(&unpacked),
    )?;
    let unpacked = unpacked.join(made.name());
    let names = made::files(&unpacked)?;
    let expected = [
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "completions",
        "deespec",
        "man",
    ];
    ensure(names == expected, || format!("the archive has {names:?}"))?;
    in_empty_root(made, &unpacked.join("deespec"))?;
    Ok(
        "static; inc, show, init --group, serve in an empty root; a changed archive is refused"
            .to_owned(),
    )
}

fn is_static(program: &Path) -> Result<(), Failure> {
    let kind = accepts(
        Command::new("file")
            .arg("--brief")
            .arg("--dereference")
            .arg(program),
    )?;
    ensure(
        kind.contains("static-pie linked") || kind.contains("statically linked"),
        || format!("{} is not static: {kind}", program.display()),
    )
}

/// As somebody checks what was downloaded; one changed byte must be found.
fn checksum(made: &Made) -> Result<(), Failure> {
    let sums = |folder: &Path, list: &str| {
        let mut command = Command::new("sha256sum");
        command
            .args(["--check", "--strict", list])
            .current_dir(folder);
        command
    };
    let list = format!("{}.tar.gz.sha256", made.name());
    accepts(&mut sums(&made.folder, &list))?;
    accepts(&mut sums(&made.folder, "SHA256SUMS"))?;
    let play = made.play("checksum")?;
    let copy = play.join(format!("{}.tar.gz", made.name()));
    let mut bytes = fs::read(made.archive()).map_err(io(&made.archive()))?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    fs::write(&copy, bytes).map_err(io(&copy))?;
    let to = play.join(&list);
    fs::copy(made.folder.join(&list), &to).map_err(io(&to))?;
    refuses(&mut sums(&play, &list), "FAILED")
}

/// The program alone in a root without a library, without `/etc` and `/dev`.
fn in_empty_root(made: &Made, program: &Path) -> Result<(), Failure> {
    let root = Root::empty(made, "empty-root")?;
    root.put(program, "deespec")?;
    let run = |args: &[&str]| root.run("/deespec", &[&["--store", "/counts"], args].concat());
    accepts(&mut run(&["inc", "jobs_total", "--by", "41"]))?;
    accepts(&mut run(&["inc", "jobs_total"]))?;
    let sum = text_of(&mut run(&["get", "jobs_total"]))?;
    ensure(sum.trim() == "42", || {
        format!("42 were counted, and there are {sum}")
    })?;
    let shown = accepts(&mut run(&["show"]))?;
    ensure(shown.contains("jobs_total"), || {
        format!("not shown: {shown}")
    })?;
    // A number needs no file; a name needs one, and there is none.
    accepts(&mut root.run(
        "/deespec",
        &["--store", "/shared", "init", "--group", "10001"],
    ))?;
    let mut nobody = root.run(
        "/deespec",
        &["--store", "/named", "init", "--group", "counters"],
    );
    refuses(&mut nobody, "there is no group counters")?;
    serve(&mut run(&["serve", "--once", "--listen", "127.0.0.1:0"]))
}

/// Starts the server, asks it once, as Prometheus does, and sees it end.
pub(crate) fn serve(command: &mut Command) -> Result<(), Failure> {
    println!("$ {}", step::shown(command));
    let failed = |what: String| Failure::step(format!("`{}`: {what}", step::shown(command)));
    let started = |error| Failure::missing(format!("cannot start: {error}"));
    let mut server = Command::new(command.get_program());
    server.args(command.get_args());
    server
        .env_remove("DEESPEC_TOKEN")
        .env_remove("DEESPEC_STORE");
    server.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let mut server = server
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(started)?;
    let stderr = server
        .stderr
        .take()
        .ok_or_else(|| failed("no stderr".to_owned()))?;
    let mut told = String::new();
    // It ends where the server does.
    let address = BufReader::new(stderr)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| {
            told.push_str(&line);
            let rest = line.split("http://").nth(1)?;
            Some(rest.split(['"', ' ']).next()?.to_owned())
        });
    let Some(address) = address else {
        let _ = server.wait();
        return Err(failed(format!("it does not serve: {told}")));
    };
    let answer = ask(&address).and_then(|answer| match answer {
        right if right.contains(" 200 OK") && right.contains("jobs_total 42") => Ok(()),
        wrong => Err(std::io::Error::other(wrong)),
    });
    if answer.is_err() {
        // It would wait for a scrape that it can answer.
        let _ = server.kill();
    }
    let status = server.wait().map_err(|error| failed(error.to_string()))?;
    answer.map_err(|error| failed(format!("{address}: {error}")))?;
    ensure(status.success(), || format!("the server ended: {status}"))
}

fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether a program ends by a signal, or says something.
pub(crate) fn crashes(command: &mut Command) -> Result<(bool, String), Failure> {
    println!("$ {}", step::shown(command));
    let output = output(command)?;
    Ok((output.status.code().is_none(), said(&output)))
}
