//! What the program is made of: a list in CycloneDX's form, from Cargo.lock and what Cargo builds in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::made::{self, Made};
use crate::dist::tools;
use crate::dist::verdict::{accepts, ensure, io, refuses, text_of, twin};
use crate::step::Failure;
use crate::workspace::root;

/// A crate that is in the program, or that built it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Component {
    name: String,
    version: String,
    licence: String,
    /// Of the archive that it came in; none for our own.
    checksum: Option<String>,
}

impl Component {
    fn purl(&self) -> String {
        format!(
            "pkg:cargo/{}@{}",
            self.name,
            self.version.replace('+', "%2B")
        )
    }
}

fn path(made: &Made) -> PathBuf {
    made.folder.join(format!("{}.cdx.json", made.name()))
}

pub(crate) fn make(made: &Made) -> Result<(), Failure> {
    let text = document(made, &components(made)?);
    let path = path(made);
    fs::write(&path, text).map_err(io(&path))
}

/// What Cargo builds for the packaged program, with the checksums that Cargo.lock has.
fn components(made: &Made) -> Result<BTreeSet<Component>, Failure> {
    let mut tree = made::cargo([
        "tree",
        "--locked",
        "--package",
        "deespec-cli",
        "--prefix",
        "none",
    ]);
    tree.args([
        "--edges",
        "normal,build",
        "--target",
        &made.target,
        "--format",
        "{p}|{l}",
    ]);
    let locked = locked(&root().join("Cargo.lock"))?;
    let mut components = BTreeSet::new();
    for line in text_of(&mut tree)?.lines() {
        let (package, licence) = line.split_once('|').unwrap_or((line, ""));
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            continue;
        };
        let version = version.trim_start_matches('v');
        let key = (name.to_owned(), version.to_owned());
        let checksum = locked.get(&key).ok_or_else(|| {
            Failure::step(format!(
                "{name} {version} is built, and Cargo.lock does not have it"
            ))
        })?;
        components.insert(Component {
            name: key.0,
            version: key.1,
            // Cargo adds a mark to what it has shown before.
            licence: licence.trim_end_matches(" (*)").replace('/', " OR "),
            checksum: checksum.clone(),
        });
    }
    Ok(components)
}

/// Names and versions of Cargo.lock, with their checksums.
fn locked(path: &Path) -> Result<BTreeMap<(String, String), Option<String>>, Failure> {
    let text = fs::read_to_string(path).map_err(io(path))?;
    let mut locked = BTreeMap::new();
    for package in text.split("[[package]]").skip(1) {
        let of = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key));
            line.map(|value| value.trim_start_matches(" = ").trim_matches('"').to_owned())
        };
        if let (Some(name), Some(version)) = (of("name"), of("version")) {
            locked.insert((name, version), of("checksum"));
        }
    }
    Ok(locked)
}

fn document(made: &Made, components: &BTreeSet<Component>) -> String {
    let mut text = String::from(
        "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.6\",\n  \"version\": 1,\n",
    );
    // The program itself stands apart from what is in it.
    let (ours, others): (Vec<_>, Vec<_>) = components
        .iter()
        .partition(|component| component.name == "deespec-cli");
    text.push_str("  \"metadata\": {\n    \"component\": ");
    for component in &ours {
        text.push_str(&object(component, "application"));
    }
    let _ = write!(
        text,
        ",\n    \"properties\": [{{\"name\": \"cargo:target\", \"value\": {}}}]\n  }},\n  \"components\": [\n",
        quoted(&made.target)
    );
    let objects: Vec<_> = others
        .iter()
        .map(|component| format!("    {}", object(component, "library")))
        .collect();
    text.push_str(&objects.join(",\n"));
    text.push_str("\n  ]\n}\n");
    text
}

fn object(component: &Component, kind: &str) -> String {
    let purl = component.purl();
    let mut text = format!(
        "{{\"type\": \"{kind}\", \"bom-ref\": {purl}, \"name\": {}, \"version\": {}, \"purl\": {purl}, \
         \"licenses\": [{{\"expression\": {}}}]",
        quoted(&component.name),
        quoted(&component.version),
        quoted(&component.licence),
        purl = quoted(&purl),
    );
    if let Some(checksum) = &component.checksum {
        let _ = write!(
            text,
            ", \"hashes\": [{{\"alg\": \"SHA-256\", \"content\": {}}}]",
            quoted(checksum)
        );
    }
    text.push('}');
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Reads the list with other eyes: each part as NAME VERSION CHECKSUM, sorted.
const READER: &str = "\
import json, sys
bom = json.load(open(sys.argv[1]))
parts = bom['components'] + [bom['metadata']['component']]
for part in parts:
    hashes = [h['content'] for h in part.get('hashes', [])]
    print(part['name'], part['version'], *hashes)
";

pub(crate) fn check(made: &Made) -> Result<String, Failure> {
    let path = path(made);
    let number = read_back(made, &path)?;
    let schema = tools::schema("bom-1.6.SNAPSHOT.schema.json")?;
    let validate = |file: &Path| -> Result<Command, Failure> {
        let mut command = Command::new(tools::checker("check-jsonschema")?);
        command.arg("--schemafile").arg(&schema).arg(file);
        Ok(command)
    };
    accepts(&mut validate(&path)?)?;
    let play = made.play("sbom")?;
    let bad = play.join("bad.cdx.json");
    twin(&path, &bad, "\"SHA-256\"", "\"SHA-257\"")?;
    refuses(&mut validate(&bad)?, "SHA-257")?;
    // A part that is not said.
    let text = fs::read_to_string(&path).map_err(io(&path))?;
    let without: Vec<_> = text
        .lines()
        .filter(|line| !line.contains("\"name\": \"rustix\""))
        .collect();
    fs::write(&bad, without.join("\n")).map_err(io(&bad))?;
    ensure(read_back(made, &bad).is_err(), || {
        "a list without rustix passes".to_owned()
    })?;
    Ok(format!(
        "CycloneDX 1.6, {number} crates, each with the checksum of Cargo.lock"
    ))
}

/// Compares it with Cargo.lock, and with what Cargo builds.
fn read_back(made: &Made, path: &Path) -> Result<usize, Failure> {
    let mut python = Command::new(tools::checker("python")?);
    let list = text_of(python.args(["-c", READER]).arg(path))?;
    let found: BTreeSet<&str> = list.lines().collect();
    let expected = components(made)?;
    let expected: BTreeSet<String> = expected
        .iter()
        .map(|part| match &part.checksum {
            Some(checksum) => format!("{} {} {checksum}", part.name, part.version),
            None => format!("{} {}", part.name, part.version),
        })
        .collect();
    let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    let differing: Vec<_> = expected.symmetric_difference(&found).collect();
    ensure(differing.is_empty(), || {
        format!("{}: differs in {differing:?}", path.display())
    })?;
    Ok(found.len())
}
