//! deb, rpm, apk and Arch's package: one list of files (`dist/nfpm.yaml`), packed by nFPM.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::binary;
use crate::dist::made::{self, Made};
use crate::dist::roots::Root;
use crate::dist::tools;
use crate::dist::verdict::{accepts, ensure, io, refuses, text_of, twin};
use crate::step::{self, Failure};
use crate::workspace::root;

/// In nFPM's words, and how the names of the files end.
const KINDS: [(&str, &str); 4] = [
    ("deb", ".deb"),
    ("rpm", ".rpm"),
    ("apk", ".apk"),
    ("archlinux", ".pkg.tar.zst"),
];

/// Where zsh looks on Debian, and where it looks elsewhere.
const ZSH: (&str, &str) = (
    "/usr/share/zsh/vendor-completions/",
    "/usr/share/zsh/site-functions/",
);

pub(crate) fn make(made: &Made) -> Result<(), Failure> {
    let filled = made.scratch.join("nfpm.yaml");
    fill_in(made, &filled)?;
    for (kind, _) in KINDS {
        step::run(&mut nfpm(kind, &filled, &made.folder)?)?;
    }
    Ok(())
}

fn nfpm(kind: &str, filled: &Path, to: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(tools::packager("nfpm")?);
    command
        .current_dir(root())
        .args(["package", "--packager", kind, "--config"]);
    command.arg(filled).arg("--target").arg(to);
    Ok(command)
}

/// nFPM fills in variables in some places only, so we do it, in all.
fn fill_in(made: &Made, to: &Path) -> Result<(), Failure> {
    let from = root().join("dist/nfpm.yaml");
    let text = fs::read_to_string(&from).map_err(io(&from))?;
    // In Debian's and Go's words.
    let arch = match made.target.split('-').next() {
        Some("x86_64") => "amd64",
        Some("aarch64") => "arm64",
        other => {
            return Err(Failure::missing(format!(
                "no package is made for {other:?}"
            )));
        }
    };
    let when = format!("@{}", made.epoch);
    let when = text_of(Command::new("date").args(["--utc", "--date", &when, "+%FT%TZ"]))?;
    let mut text = text
        .replace("${ARCH}", arch)
        .replace("${MTIME}", when.trim());
    text = text
        .replace("${VERSION}", made.version)
        .replace("${REPOSITORY}", made.repository);
    text = text.replace("${CONTENTS}", &made.contents().display().to_string());
    ensure(!text.contains("${"), || {
        format!("{}: an unknown variable", from.display())
    })?;
    fs::write(to, text).map_err(io(to))
}

fn package(folder: &Path, ending: &str) -> Result<PathBuf, Failure> {
    let names = made::files(folder)?;
    let name = names.iter().find(|name| name.ends_with(ending));
    let name = name.ok_or_else(|| Failure::step(format!("{}: no *{ending}", folder.display())))?;
    Ok(folder.join(name))
}

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    let deb = files_of(&made.folder, "deb", ".deb")?;
    must_have(made, &deb)?;
    for (kind, ending) in &KINDS[1..] {
        same(&deb, &files_of(&made.folder, kind, ending)?, kind)?;
    }
    bad_list(made, &deb)?;
    is_used(made)?;
    Ok(format!(
        "{} files, the same in deb, rpm, apk and arch; the deb is installed and used",
        deb.len()
    ))
}

/// What a user relies on.
fn must_have(made: &Made, files: &BTreeSet<String>) -> Result<(), Failure> {
    let pages = made::files(&made.contents().join("man"))?;
    let pages = pages
        .iter()
        .map(|page| format!("/usr/share/man/man1/{page}"));
    let others = [
        "/usr/bin/deespec",
        "/usr/share/bash-completion/completions/deespec",
        "/usr/share/fish/vendor_completions.d/deespec.fish",
        "/usr/share/zsh/vendor-completions/_deespec",
        "/usr/lib/systemd/system/deespec.service",
        "/usr/lib/systemd/system/deespec.socket",
        "/usr/lib/systemd/system/deespec-rotate.service",
        "/usr/lib/systemd/system/deespec-rotate.timer",
        "/usr/lib/sysusers.d/deespec.conf",
        "/usr/share/doc/deespec/README.md",
        "/usr/share/doc/deespec/LICENSE-MIT",
        "/usr/share/doc/deespec/LICENSE-APACHE",
    ];
    let wanted: BTreeSet<String> = others.map(str::to_owned).into_iter().chain(pages).collect();
    same(&wanted, files, "deb")
}

fn same(expected: &BTreeSet<String>, found: &BTreeSet<String>, kind: &str) -> Result<(), Failure> {
    let differing: Vec<_> = expected.symmetric_difference(found).collect();
    ensure(differing.is_empty(), || {
        format!("{kind} does not have the same files: {differing:?}")
    })
}

/// The files of a package, as its own system lists them, where zsh's are where Debian has them.
fn files_of(folder: &Path, kind: &str, ending: &str) -> Result<BTreeSet<String>, Failure> {
    let package = package(folder, ending)?;
    let mut command = match kind {
        "deb" => {
            let tar = format!("dpkg-deb --fsys-tarfile '{}' | tar -t", package.display());
            let mut shell = Command::new("sh");
            shell.args(["-c", &tar]);
            shell
        }
        "rpm" => {
            let mut rpm = Command::new("rpm");
            rpm.args(["--query", "--list", "--package"]).arg(&package);
            rpm
        }
        _ => {
            let mut tar = Command::new("tar");
            tar.args(["--list", "--warning=no-unknown-keyword", "--file"])
                .arg(&package);
            tar
        }
    };
    let list = text_of(&mut command)?;
    let files = list
        .lines()
        .map(|line| format!("/{}", line.trim_start_matches(['.', '/'])));
    // apk and Arch have what describes the package beside the files.
    let files = files.filter(|file| file.starts_with("/usr/") && !file.ends_with('/'));
    Ok(files.map(|file| file.replace(ZSH.1, ZSH.0)).collect())
}

/// A package without one of its files is found, and nFPM packs nothing where a file is missing.
fn bad_list(made: &Made, deb: &BTreeSet<String>) -> Result<(), Failure> {
    let play = made.play("linux")?;
    let (filled, bad) = (made.scratch.join("nfpm.yaml"), play.join("bad.yaml"));
    twin(
        &filled,
        &bad,
        "dst: /usr/bin/deespec",
        "dst: /usr/bin/deespecc",
    )?;
    accepts(&mut nfpm("rpm", &bad, &play)?)?;
    ensure(
        same(deb, &files_of(&play, "rpm", ".rpm")?, "rpm").is_err(),
        || "a program under another name is not found".to_owned(),
    )?;
    twin(&filled, &bad, "deespec.socket\n", "deespec.sockett\n")?;
    refuses(&mut nfpm("deb", &bad, &play)?, "deespec.sockett")
}

/// Installed as Debian does it, then used in a root that has nothing else.
fn is_used(made: &Made) -> Result<(), Failure> {
    let place = Root::empty(made, "deb-root")?;
    let dpkg = |package: &Path, arguments: &[&str]| {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", place.folder.display()))
            .args(arguments)
            .arg(package);
        // No database of ours: an empty one is made there.
        dpkg
    };
    for folder in [
        "var/lib/dpkg/updates",
        "var/lib/dpkg/info",
        "var/lib/dpkg/triggers",
    ] {
        let folder = place.path(folder);
        fs::create_dir_all(&folder).map_err(io(&folder))?;
    }
    place.write("var/lib/dpkg/status", "")?;
    let deb = package(&made.folder, ".deb")?;
    // Half of a download.
    let bytes = fs::read(&deb).map_err(io(&deb))?;
    let half = place.path("half.deb");
    fs::write(&half, &bytes[..bytes.len() / 2]).map_err(io(&half))?;
    refuses(&mut dpkg(&half, &["--install"]), "unexpected end of file")?;
    accepts(&mut dpkg(&deb, &["--install"]))?;
    let status = text_of(&mut dpkg(Path::new("deespec"), &["--status"]))?;
    ensure(status.contains("Status: install ok installed"), || {
        status.clone()
    })?;

    let run = |args: &[&str]| {
        place.run(
            "/usr/bin/deespec",
            &[&["--store", "/counts"], args].concat(),
        )
    };
    accepts(&mut run(&["inc", "jobs_total", "--by", "42"]))?;
    let shown = accepts(&mut run(&["show"]))?;
    ensure(shown.contains("jobs_total") && shown.contains("42"), || {
        shown.clone()
    })?;
    let version = text_of(&mut run(&["--version"]))?;
    ensure(
        version.trim() == format!("deespec {}", made.version),
        || version.clone(),
    )?;
    binary::serve(&mut run(&["serve", "--once", "--listen", "127.0.0.1:0"]))?;

    accepts(&mut dpkg(Path::new("deespec"), &["--purge"]))?;
    let gone = !place.path("usr/bin/deespec").exists() && place.path("counts/live").exists();
    ensure(gone, || {
        "a removed package leaves its program, or takes counts along".to_owned()
    })
}
