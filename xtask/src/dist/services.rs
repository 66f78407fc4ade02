//! systemd's units, by systemd's own tools; and that the program does what the units let it do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::binary;
use crate::dist::made::{self, Made};
use crate::dist::roots::Root;
use crate::dist::verdict::{accepts, ensure, io, refuses, text_of, twin};
use crate::step::Failure;
use crate::workspace::root;

const SERVICES: [&str; 2] = ["deespec.service", "deespec-rotate.service"];

/// 100 is a service without any protection; systemd calls 50 and less "OK" or better.
const EXPOSURE: &str = "--threshold=50";

fn units() -> PathBuf {
    root().join("dist/systemd")
}

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    let play = made.play("units")?;
    verified(made, &play)?;
    for service in SERVICES {
        let protected = |unit: &Path| {
            let mut analyze = Command::new("systemd-analyze");
            analyze
                .args(["security", "--offline=yes", "--no-pager", EXPOSURE])
                .arg(unit);
            analyze
        };
        accepts(&mut protected(&units().join(service)))?;
        let bare = play.join(format!("bare-{service}"));
        fs::write(&bare, "[Service]\nExecStart=/bin/true\n").map_err(io(&bare))?;
        refuses(&mut protected(&bare), "UNSAFE")?;
    }
    user(made)?;
    let calls = system_calls(made)?;
    Ok(format!(
        "verified, exposure below 5.0; the user is made; {calls} system calls, all allowed"
    ))
}

/// The units beside a program where they say that it is.
fn verified(made: &Made, play: &Path) -> Result<(), Failure> {
    // The manual pages that the units name.
    let pages = play.join("share/man/man1");
    let man = pages.parent().unwrap_or(&pages);
    fs::create_dir_all(man).map_err(io(man))?;
    std::os::unix::fs::symlink(made.contents().join("man"), &pages).map_err(io(&pages))?;
    let program = made.program().display().to_string();
    for name in made::files(&units())?
        .iter()
        .filter(|name| !name.ends_with(".sysusers"))
    {
        let (from, to) = (units().join(name), play.join(name));
        let text = fs::read_to_string(&from).map_err(io(&from))?;
        fs::write(&to, text.replace("/usr/bin/deespec", &program)).map_err(io(&to))?;
    }
    let verify = |unit: &Path| {
        let mut analyze = Command::new("systemd-analyze");
        analyze.arg("verify").arg(unit).env("MANPATH", man);
        analyze
    };
    for name in ["deespec.service", "deespec.socket", "deespec-rotate.timer"] {
        let said = accepts(&mut verify(&play.join(name)))?;
        // Of an unknown key it warns, and succeeds.
        ensure(said.trim().is_empty(), || format!("{name}: {said}"))?;
    }
    let bad = play.join("bad.service");
    twin(
        &play.join("deespec.service"),
        &bad,
        "ProtectSystem=strict",
        "ProtectSystems=strict",
    )?;
    let said = accepts(&mut verify(&bad))?;
    ensure(said.contains("Unknown key"), || {
        format!("an unknown key is not told: {said}")
    })?;
    twin(
        &play.join("deespec.service"),
        &bad,
        &program,
        "/nowhere/deespec",
    )?;
    refuses(&mut verify(&bad), "is not executable")
}

/// The user whom the units name.
fn user(made: &Made) -> Result<(), Failure> {
    let place = Root::empty(made, "sysusers-root")?;
    place.write("etc/passwd", "")?;
    place.write("etc/group", "")?;
    let make = |file: &Path| {
        let mut sysusers = Command::new("systemd-sysusers");
        sysusers
            .arg(format!("--root={}", place.folder.display()))
            .arg(file);
        sysusers
    };
    let file = units().join("deespec.sysusers");
    let bad = place.path("bad.conf");
    twin(&file, &bad, "u deespec", "U deespec")?;
    refuses(&mut make(&bad), "")?;
    accepts(&mut make(&file))?;
    let read = |path| fs::read_to_string(place.path(path)).map_err(io(&place.path(path)));
    let (users, groups) = (read("etc/passwd")?, read("etc/group")?);
    let made = users.contains("deespec:") && users.contains("/var/lib/deespec");
    ensure(made && groups.contains("deespec:"), || {
        format!("no user deespec: {users}{groups}")
    })
}

/// No service manager runs here, so its filter is compared with what the program calls: all that the two services do,
/// as a user who is not root.
fn system_calls(made: &Made) -> Result<usize, Failure> {
    let place = Root::empty(made, "calls-root")?;
    place.put(&made.program(), "deespec")?;
    place.write("etc/group", "deespec:x:10001:\n")?;
    let state = place.path("state");
    fs::create_dir_all(&state).map_err(io(&state))?;
    std::os::unix::fs::chown(&state, Some(10_001), Some(10_001)).map_err(io(&state))?;
    let trace = place.path("trace");
    let traced = |arguments: &[&str]| {
        let arguments = [&["--store", "/state/var"], arguments].concat();
        let inner = place.run_as(10_001, "/deespec", &arguments);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-A", "-o"]).arg(&trace);
        strace.arg(inner.get_program()).args(inner.get_args());
        strace
    };
    accepts(&mut traced(&["init", "--group", "deespec"]))?;
    accepts(&mut traced(&["inc", "jobs_total", "--by", "42"]))?;
    binary::serve(&mut traced(&["serve", "--once", "--listen", "127.0.0.1:0"]))?;
    accepts(&mut traced(&["rotate", "--reason", "timer"]))?;

    let calls = called(&trace)?;
    for service in SERVICES {
        let allowed = allowed(&units().join(service))?;
        let refused: Vec<_> = calls.difference(&allowed).collect();
        ensure(refused.is_empty(), || {
            format!("{service} would stop {refused:?}")
        })?;
    }
    // A filter without changes of owners, which `init --group` makes.
    let narrow = expanded("@basic-io")?;
    ensure(calls.difference(&narrow).count() > 0, || {
        "any filter would do".to_owned()
    })?;
    Ok(calls.len())
}

/// The names of all system calls behind the start of the program in each trace.
fn called(trace: &Path) -> Result<BTreeSet<String>, Failure> {
    let text = fs::read_to_string(trace).map_err(io(trace))?;
    let mut calls = BTreeSet::new();
    let mut ours = false;
    for line in text.lines() {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let Some((name, rest)) = line.split_once('(') else {
            continue;
        };
        match name {
            // `chroot` of the host begins, and then becomes our program.
            "execve" => ours = rest.starts_with("\"/deespec\""),
            _ if ours && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                calls.insert(name.to_owned());
            }
            _ => {}
        }
    }
    ensure(calls.contains("mmap"), || "nothing was traced".to_owned())?;
    Ok(calls)
}

fn allowed(unit: &Path) -> Result<BTreeSet<String>, Failure> {
    let text = fs::read_to_string(unit).map_err(io(unit))?;
    let filters = text
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let mut allowed = BTreeSet::new();
    for set in filters.flat_map(str::split_whitespace) {
        ensure(!set.starts_with('~'), || {
            format!("{}: not understood: {set}", unit.display())
        })?;
        allowed.extend(expanded(set)?);
    }
    ensure(!allowed.is_empty(), || {
        format!("{}: no filter", unit.display())
    })?;
    Ok(allowed)
}

/// A set of system calls and all sets in it; systemd allows `@default` always.
fn expanded(set: &str) -> Result<BTreeSet<String>, Failure> {
    let mut open = vec![set.to_owned(), "@default".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(set) = open.pop() {
        let mut list = Command::new("systemd-analyze");
        let list = text_of(list.args(["syscall-filter", "--no-pager", &set]))?;
        for word in list
            .lines()
            .map(str::trim)
            .filter(|word| !word.starts_with('#'))
        {
            if seen.insert(word.to_owned()) && word.starts_with('@') && word != set {
                open.push(word.to_owned());
            }
        }
    }
    Ok(seen)
}
