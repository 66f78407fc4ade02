//! The static program looks names up without loading modules of the C library, which would end it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::dist::binary::crashes;
use crate::dist::made::Made;
use crate::dist::roots::Root;
use crate::dist::verdict::{accepts, ensure, io};
use crate::step::Failure;
use crate::workspace::root;

/// What Debian has, and a module that each C library comes with.
const SWITCH: &str =
    "passwd: files systemd hesiod\ngroup: files systemd hesiod\nhosts: files hesiod dns\n";

/// A program with the very file that the packaged one has, and an argument that leaves the call out. The packaged one
/// is not built a second time for this: what is at stake is the C library, which is the same in both.
const CONTROL: &str = r#"
#[path = "NAMES"]
mod names;

use std::ffi::{c_char, c_void};

unsafe extern "C" {
    fn getgrnam(name: *const c_char) -> *mut c_void;
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("with") {
        names::ask_no_module();
    }
    let found = unsafe { getgrnam(c"nobodys-group".as_ptr()) };
    println!("looked up: {}", found.is_null());
}
"#;

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    let root = Root::empty(made, "names-root")?;
    root.write("etc/nsswitch.conf", SWITCH)?;
    root.write("etc/passwd", "root:x:0:0:root:/:/bin/false\n")?;
    root.write("etc/group", "root:x:0:\ncounters:x:10001:\n")?;
    root.write("etc/hosts", "127.0.0.1 localhost\n127.0.0.1 counts.test\n")?;
    // No answer at once, where there is no server of names.
    root.write(
        "etc/resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    )?;
    modules(&root)?;
    root.put(&made.program(), "deespec")?;

    let unknown = traced(
        &root,
        &[
            "/deespec",
            "--store",
            "/a",
            "init",
            "--group",
            "nobodys-group",
        ],
    )?;
    ensure(
        unknown.says("there is no group nobodys-group") && !unknown.crashed && !unknown.module,
        || format!("an unknown group: {unknown:?}"),
    )?;
    let known = traced(
        &root,
        &["/deespec", "--store", "/b", "init", "--group", "counters"],
    )?;
    ensure(known.says("group counters") && !known.module, || {
        format!("a known group: {known:?}")
    })?;
    let host = traced(
        &root,
        &[
            "/deespec",
            "--store",
            "/b",
            "serve",
            "--listen",
            "nowhere.invalid:0",
        ],
    )?;
    ensure(
        host.says("nowhere.invalid") && !host.crashed && !host.module,
        || format!("an unknown host: {host:?}"),
    )?;

    control(made, &root)?;
    let with = traced(&root, &["/control", "with"])?;
    ensure(
        with.says("looked up: true") && !with.crashed && !with.module,
        || format!("with the call: {with:?}"),
    )?;
    let without = traced(&root, &["/control", "without"])?;
    ensure(without.crashed || without.module, || {
        format!("without the call no module was opened, so this root shows nothing: {without:?}")
    })?;
    let how = match without.crashed {
        true => "crashes",
        false => "opens a module",
    };
    Ok(format!(
        "an unknown group and host are told, no module is opened; without the call it {how}"
    ))
}

/// Every module that the host has, with what it needs.
fn modules(root: &Root) -> Result<(), Failure> {
    let mut number = 0;
    for folder in [
        "/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
    ] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("libnss_") && name.ends_with(".so.2") {
                let path = entry.path();
                root.put(&path, &path.display().to_string())?;
                root.put_libraries_of(&path)?;
                number += 1;
            }
        }
    }
    ensure(number > 0, || {
        "this machine has no libnss_*.so.2 to be tempted by".to_owned()
    })
}

fn control(made: &Made, place: &Root) -> Result<(), Failure> {
    let source = made.scratch.join("control.rs");
    let names = root().join("crates/deespec-cli/src/names.rs");
    let text = CONTROL.replace("NAMES", &names.display().to_string());
    fs::write(&source, text).map_err(io(&source))?;
    let mut rustc = Command::new("rustc");
    rustc.args([
        "--edition",
        "2024",
        "-O",
        "-C",
        "target-feature=+crt-static",
        "--target",
        &made.target,
    ]);
    accepts(rustc.arg("-o").arg(place.path("control")).arg(&source)).map(drop)
}

#[derive(Debug)]
struct Traced {
    said: String,
    crashed: bool,
    /// Whether a module was opened.
    module: bool,
}

impl Traced {
    fn says(&self, text: &str) -> bool {
        self.said.contains(text)
    }
}

/// Runs it in the root, with the files that it opens written down.
fn traced(place: &Root, program: &[&str]) -> Result<Traced, Failure> {
    let (first, args) = program.split_first().unwrap_or((&"", &[]));
    let inner = place.run(first, args);
    let trace = place.folder.join("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-q", "-e", "trace=open,openat", "-o"])
        .arg(&trace);
    strace.arg(inner.get_program()).args(inner.get_args());
    let (crashed, said) = crashes(&mut strace)?;
    Ok(Traced {
        said,
        crashed,
        module: opened(&trace)?,
    })
}

/// What `chroot` itself opens is of the host; behind it begins the program.
fn opened(trace: &Path) -> Result<bool, Failure> {
    let text = fs::read_to_string(trace).map_err(io(trace))?;
    Ok(text
        .lines()
        .any(|line| line.contains("libnss_") && !line.contains("ENOENT")))
}
