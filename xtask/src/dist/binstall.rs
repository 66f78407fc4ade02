//! What `cargo binstall` is told, against the file that is made: nothing may be renamed on one side alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::dist::made::{self, Made};
use crate::dist::verdict::{ensure, io, text_of};
use crate::step::Failure;
use crate::workspace::root;

const KEYS: [&str; 3] = ["pkg-url", "bin-dir", "pkg-fmt"];

/// The table's values, in the order of [`KEYS`].
fn metadata(manifest: &str) -> Result<[String; 3], Failure> {
    let table = manifest
        .split_once("[package.metadata.binstall]")
        .ok_or_else(|| {
            Failure::step("crates/deespec-cli/Cargo.toml has no [package.metadata.binstall]")
        })?;
    let of = |key: &str| {
        let lines = table
            .1
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with('['));
        let values = lines.filter_map(|line| line.strip_prefix(key)?.trim().strip_prefix("= "));
        let value = values
            .map(|value| value.trim().trim_matches('"').to_owned())
            .next();
        value.ok_or_else(|| Failure::step(format!("binstall is not told {key}")))
    };
    Ok([of(KEYS[0])?, of(KEYS[1])?, of(KEYS[2])?])
}

/// As binstall fills them in.
fn filled(text: &str, made: &Made) -> String {
    let text = text.replace("{ repo }", "https://example.invalid/deespec");
    let text = text
        .replace("{ name }", "deespec-cli")
        .replace("{ version }", made.version);
    let text = text
        .replace("{ target }", &made.target)
        .replace("{ bin }", "deespec");
    text.replace("{ binary-ext }", "")
}

fn finds(manifest: &str, made: &Made) -> Result<(), Failure> {
    let [url, binary, format] = metadata(manifest)?;
    let (url, binary) = (filled(&url, made), filled(&binary, made));
    ensure(!url.contains('{') && !binary.contains('{'), || {
        format!("not filled in: {url} {binary}")
    })?;
    ensure(format == "tgz", || format!("the archive is no {format}"))?;
    let release = format!(
        "https://example.invalid/deespec/releases/download/v{}/",
        made.version
    );
    let name = url.strip_prefix(&release).unwrap_or_default();
    let files = made::files(&made.folder)?;
    ensure(files.iter().any(|file| file == name), || {
        format!("no {url}: {files:?}")
    })?;
    let archive = made.folder.join(name);
    let list = text_of(Command::new("tar").arg("-tzf").arg(&archive))?;
    ensure(list.lines().any(|line| line == binary), || {
        format!("no {binary} in {name}")
    })
}

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    let path = root().join("crates/deespec-cli/Cargo.toml");
    let manifest = fs::read_to_string(Path::new(&path)).map_err(io(&path))?;
    finds(&manifest, made)?;
    for (old, new) in [
        ("{ name }-{ version }-{ target }/", "{ name }/"),
        ("tar.gz", "tgz"),
        ("v{ version }", "{ version }"),
    ] {
        let bad = manifest.replacen(old, new, 1);
        ensure(bad != manifest && finds(&bad, made).is_err(), || {
            format!("`{new}` for `{old}` passes")
        })?;
    }
    Ok("the address that it is told is that of the archive, and the program is in it".to_owned())
}
