//! Bad files.
//!
//! For each line of the catalogue (`catalogue.rs`) a store is made whose one file or folder is bad in one
//! of the ways of that line, and each command of the real program is run on a fresh copy of it: as a
//! process with 64 MiB of memory and of disk beyond what a long file has itself, with a deadline, and without the rights of root where the case is about
//! rights.
//!
//! Violations: a command that ends otherwise than the catalogue says; that is killed, panics or comes to
//! no end; that refuses without the path and a reason; that changes the bad file although it refuses,
//! or although it is nothing that DeeSpec writes, or makes something else of what is no file; a count
//! that is wrong where the command says that it is done; an increment that is lost.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::catalogue::{CATALOGUE, COMMANDS, Command, Line, Target};
use super::image;
use super::program::{NOBODY, Programs, Said, is_root};
use super::spoil::{Badness, spoil};
use super::templates::{COUNT, NAME, STORE, Templates};
use crate::Result;
use crate::harness::{Bench, Outcome};
use crate::operations::scenario::copy;

/// The bits of a mode that say what a file is.
const SORT: u32 = 0o170_000;
/// Findings after which no more cases are begun: a command that does not end costs its whole deadline.
const ENOUGH: usize = 10;
/// Files of more bytes are known by their length.
const WHOLE: u64 = 1 << 20;

/// One bad file.
struct Case {
    line: &'static Line,
    badness: Badness,
}

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    // The user who has no rights must come to the programs.
    fs::set_permissions(&bench.folder, fs::Permissions::from_mode(0o755))?;
    let programs = Programs::in_folder(&bench.folder)?;
    let templates = Templates::make(&bench.folder.join("templates"))?;
    let each = |line: &'static Line| {
        let badness = line.badness.iter();
        badness.map(move |badness| Case {
            line,
            badness: *badness,
        })
    };
    let all: Vec<Case> = CATALOGUE.iter().flat_map(each).collect();
    let without_root = all.len();
    let all: Vec<Case> = all
        .into_iter()
        .filter(|case| is_root() || !case.badness.needs_root())
        .collect();
    let skipped = without_root - all.len();
    let most = bench.count([24, u64::MAX, u64::MAX, u64::MAX]);
    let every = (all.len() as u64).div_ceil(most.max(1)).max(1);
    let first = bench.random.below(every);
    let cases: Vec<Case> = all
        .into_iter()
        .skip(first as usize)
        .step_by(every as usize)
        .collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new((BTreeMap::new(), Vec::<String>::new()));
    let work = || -> Result<()> {
        let place = tempfile::tempdir_in(shared_memory(&bench.folder))?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
        let enough = || {
            let found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.1.len() >= ENOUGH
        };
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed))
            && !enough()
        {
            for (command, end) in COMMANDS.into_iter().zip(case.line.ends.chars()) {
                let folder = place.path().join("case");
                let tried = case.try_one(command, end, &folder, &templates, &programs);
                clean(&folder, case.line.target)?;
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                match tried {
                    Ok(end) => *found.0.entry(end).or_insert(0_u64) += 1,
                    Err(error) => {
                        let story = (case.line.target, case.badness, command);
                        found
                            .1
                            .push(format!("{story:?}: {}", crate::ui::chain(error.as_ref())));
                    }
                }
            }
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let done: Vec<Result<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ends = threads.into_iter().map(|thread| thread.join());
        ends.map(|end| end.unwrap_or_else(|_| Err("a thread ended by a panic".into())))
            .collect()
    });
    done.into_iter().collect::<Result<Vec<()>>>()?;
    let (ends, violations) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let count = |end| ends.get(&end).copied().unwrap_or(0);
    let mut done = format!(
        "{} bad files, {} commands on them: {} done, {} done with a warning, {} refused",
        cases.len(),
        COMMANDS.len(),
        count(End::Done),
        count(End::Warned),
        count(End::Refused)
    );
    if skipped > 0 {
        done.push_str(&format!(" ({skipped} that only root can make)"));
    }
    Ok(Outcome { done, violations })
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Done,
    Warned,
    Refused,
}

/// A place in memory where the machine has one: nothing here is about the disk.
fn shared_memory(otherwise: &Path) -> &Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { otherwise }
}

/// Removes what a case left, whatever its rights.
fn clean(folder: &Path, target: Target) -> Result<()> {
    let bad = folder.join(target.path());
    if fs::symlink_metadata(&bad).is_ok_and(|found| found.is_dir()) {
        let _ = fs::set_permissions(&bad, fs::Permissions::from_mode(0o700));
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

impl Case {
    fn try_one(
        &self,
        command: Command,
        end: char,
        folder: &Path,
        templates: &Templates,
        programs: &Programs,
    ) -> Result<End> {
        let target = self.line.target;
        copy(&templates.of(target), folder)?;
        let bad = folder.join(target.path());
        // Nobody owns the store, but for what somebody else is to own.
        let as_nobody = self.badness.is_about_rights() && is_root();
        if as_nobody {
            give(folder, NOBODY)?;
        }
        let from = |name: &str| templates.at(name).join(target.path());
        spoil(self.badness, &bad, folder, &from("other"), &from("older"))?;
        let before = witness(&bad);
        let linked = witness(&folder.join("elsewhere"));
        let store = folder.join(STORE).display().to_string();
        let words = words(command, target, folder);
        let words: Vec<&str> = ["--store", &*store]
            .into_iter()
            .chain(words.iter().map(String::as_str))
            .collect();
        let said = programs.run(folder, as_nobody, self.badness.length(), &words)?;
        let said = said.ok_or("it comes to no end")?;
        let found = self.ended(command, end, &said, &bad)?;
        let after = witness(&bad);
        let refused = found == End::Refused;
        // Nothing stands where nothing stood, an intent goes when it is done, and a compaction gives all
        // of `live/` away.
        let may_differ = before.kind.is_none()
            || target.is_intent() && after.kind.is_none()
            || command == Command::Compact && !refused;
        let must_be_whole = refused || !target.is_ours();
        let same = after.sort() == before.sort() && (!must_be_whole || after == before);
        if !same && (must_be_whole || !may_differ) {
            let (bad, before, after) = (bad.display(), before.told(), after.told());
            return Err(format!("{bad} was {before} and is {after}").into());
        }
        let is_linked = !matches!(self.badness, Badness::HardLink);
        if is_linked && witness(&folder.join("elsewhere")) != linked && !target.is_folder() {
            return Err("what the link names was changed".into());
        }
        if command == Command::Show && found != End::Refused {
            self.counts(&said, COUNT)?;
        }
        if command == Command::Inc && found == End::Done && self.line.ends.as_bytes()[1] == b'.' {
            let show = ["--store", &*store, "show", "--json"];
            let said = programs.run(folder, as_nobody, self.badness.length(), &show)?;
            self.counts(
                &said.ok_or("the command behind it comes to no end")?,
                COUNT + 1,
            )?;
        }
        Ok(found)
    }

    /// Whether the command ended as the catalogue says.
    fn ended(&self, command: Command, end: char, said: &Said, bad: &Path) -> Result<End> {
        // Without its folder of live files there is no store, rather than a bad folder.
        let path = match self.line.target {
            Target::Live => bad.parent().unwrap_or(bad),
            _ => bad,
        };
        let told = |text: &str| text.contains(&path.display().to_string());
        let Some(code) = said.status.code() else {
            return Err(format!("{}: {}", said.status, said.err).into());
        };
        let reports = matches!(command, Command::Doctor | Command::Gate | Command::Show);
        let found = match code {
            0 if reports && end == 'w' && told(&said.err) => End::Warned,
            0 => End::Done,
            2 if matches!(command, Command::Doctor | Command::Gate) => End::Warned,
            3 => End::Refused,
            code => return Err(format!("exit code {code}: {}{}", said.out, said.err).into()),
        };
        let all = format!("{}{}", said.out, said.err);
        if found != End::Done && !told(&all) {
            return Err(format!("it does not name {}: {all}", bad.display()).into());
        }
        // A reason stands behind the path.
        if found == End::Refused && said.err.trim().len() < bad.display().to_string().len() + 20 {
            return Err(format!("it gives no reason: {}", said.err).into());
        }
        let expected = match end {
            '.' => found == End::Done,
            'w' => found == End::Warned,
            'x' => found == End::Refused,
            _ => true,
        };
        if !expected {
            return Err(format!("it is {found:?} and not `{end}`: {all}").into());
        }
        Ok(found)
    }

    /// Whether what is shown is what was counted.
    fn counts(&self, said: &Said, expected: u64) -> Result<()> {
        let shown: serde_json::Value = serde_json::from_str(&said.out)
            .map_err(|error| format!("it shows no JSON ({error}): {}{}", said.out, said.err))?;
        let series = shown["series"].as_array();
        let mut series = series.into_iter().flatten();
        let plain = series.find(|series| series["name"] == NAME);
        let plain = plain.and_then(|series| series["value"].as_u64());
        let success = shown["commit_success"].as_u64();
        if (plain, success) != (Some(expected), Some(100)) {
            return Err(format!("it shows {plain:?} of {NAME} and {success:?} commits").into());
        }
        Ok(())
    }
}

/// The arguments of a command.
fn words(command: Command, target: Target, folder: &Path) -> Vec<String> {
    let at = |target: Target| folder.join(target.path()).display().to_string();
    let input = match target {
        Target::Text => Target::Text,
        _ => Target::Document,
    };
    let words: &[&str] = match command {
        Command::Inc => &["inc", NAME],
        Command::Show => &["show", "--json"],
        Command::Doctor => &["doctor"],
        Command::Sync => &["sync"],
        Command::Snapshot => &["snapshot"],
        Command::Rotate => &["rotate"],
        Command::Restore => &["restore", &at(Target::Snapshot)],
        Command::Import => &["import", &at(input)],
        Command::Compact => &["compact"],
        Command::Gate => &["doctor", "--check-thresholds"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Gives a folder and everything in it to a user.
fn give(path: &Path, user: u32) -> Result<()> {
    std::os::unix::fs::lchown(path, Some(user), Some(user))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}

/// What stands at a path: enough to tell whether it was changed.
#[derive(Debug, PartialEq, Eq)]
struct Witness {
    /// Kind, device and mode.
    kind: Option<(u32, u64)>,
    length: u64,
    /// Of a short file or of a link.
    content: Option<Vec<u8>>,
}

impl Witness {
    /// What it is, whoever may use it: one that replaces it has the rights that it should have.
    fn sort(&self) -> Option<(u32, u64)> {
        self.kind.map(|(mode, device)| (mode & SORT, device))
    }

    /// In a few words.
    fn told(&self) -> String {
        let kind = self
            .kind
            .map_or_else(|| "none".to_owned(), |(mode, _)| format!("mode {mode:o}"));
        format!("{kind}, {} bytes", self.length)
    }
}

fn witness(path: &Path) -> Witness {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Witness {
            kind: None,
            length: 0,
            content: None,
        };
    };
    let content = match () {
        () if found.is_file() && found.len() <= WHOLE => fs::read(path).ok().map(|mut bytes| {
            // Each opening draws a ticket.
            let is_segment = bytes.starts_with(b"DEESPEC\0");
            let ticket = image::TICKET * 8..image::TICKET * 8 + 8;
            if let Some(ticket) = bytes.get_mut(ticket).filter(|_| is_segment) {
                ticket.fill(0);
            }
            bytes
        }),
        () if found.is_symlink() => fs::read_link(path)
            .ok()
            .map(|link| link.into_os_string().into_encoded_bytes()),
        () => None,
    };
    Witness {
        kind: Some((found.mode(), found.rdev())),
        length: if found.is_dir() { 0 } else { found.len() },
        content,
    }
}
