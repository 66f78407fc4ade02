//! The files of the archive, `history/part-…`: found, read in pieces, written and removed.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::opened::open_own;
use crate::store::{Core, StoreError};

use super::column::{Code, Column};
use super::folder::Watched;
use super::part::{self, Entry, HEADER, Head};
use super::stamp::Stamp;

/// A part that can be read.
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) head: Head,
    pub(super) source: Source,
}

/// Where the columns of a part are.
pub(super) enum Source {
    File(Stamp),
    /// It could not be written.
    Memory(Vec<u8>),
}

/// What the folder holds.
pub(super) struct Archive {
    pub(super) folder: Watched,
    /// By their numbers.
    pub(super) parts: Vec<Arc<Part>>,
    /// Files with the name of a part which are none.
    pub(super) damaged: Vec<PathBuf>,
}

pub(super) fn folder(core: &Core) -> PathBuf {
    core.root().join("history")
}

fn path(core: &Core, number: u32) -> PathBuf {
    folder(core).join(format!("part-{number:010}"))
}

fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("part-")?;
    let is_ours = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_ours)
}

/// Finds the parts. Those that are known are not read again.
pub(super) fn load(core: &Core, known: &[Arc<Part>]) -> Archive {
    let folder = folder(core);
    let mut archive = Archive {
        folder: Watched::look(&folder),
        parts: Vec::new(),
        damaged: Vec::new(),
    };
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    for entry in entries {
        let Some(number) = entry.file_name().to_str().and_then(number_of) else {
            continue;
        };
        let stamp = entry.metadata().ok().map(|found| Stamp::of(&found));
        let is_same = |part: &&Arc<Part>| {
            let Source::File(known) = &part.source else {
                return false;
            };
            part.number == number && Some(*known) == stamp
        };
        if let Some(part) = known.iter().find(is_same) {
            archive.parts.push(Arc::clone(part));
            continue;
        }
        match Opened::open(&entry.path()) {
            Ok(Some(opened)) => match opened.head() {
                Some(head) => archive.parts.push(Arc::new(Part {
                    number,
                    head,
                    source: Source::File(opened.stamp),
                })),
                None => archive.damaged.push(entry.path()),
            },
            // Another process has just put it into a larger one.
            Ok(None) => {}
            Err(_) => archive.damaged.push(entry.path()),
        }
    }
    archive.parts.sort_by_key(|part| part.number);
    archive
}

/// A part's file.
struct Opened {
    file: File,
    length: u64,
    stamp: Stamp,
}

impl Opened {
    fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let opened = open_own(path, false, u64::MAX)?;
        Ok(opened.map(|(file, found)| Self {
            file,
            length: found.len(),
            stamp: Stamp::of(&found),
        }))
    }

    fn head(&self) -> Option<Head> {
        let header = self.read(0, HEADER)?;
        let head = self.read(0, part::head_length(&header, self.length)?)?;
        Head::decode(&head, self.length)
    }

    fn read(&self, at: u64, length: usize) -> Option<Vec<u8>> {
        // A length that nothing has checked yet must not become memory.
        if at.checked_add(length as u64)? > self.length {
            return None;
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }
}

/// Reads the columns of one part.
pub(super) struct Columns<'a> {
    part: &'a Part,
    opened: Option<Opened>,
}

impl Part {
    /// `None` where the part is not there any more: another process has put it into a larger one.
    pub(super) fn columns(&self, core: &Core) -> Option<Columns<'_>> {
        let opened = match &self.source {
            Source::Memory(_) => None,
            Source::File(stamp) => {
                let opened = Opened::open(&path(core, self.number)).ok()??;
                Some(opened).filter(|opened| opened.stamp == *stamp)?.into()
            }
        };
        Some(Columns { part: self, opened })
    }

    pub(super) fn path(&self, core: &Core) -> PathBuf {
        path(core, self.number)
    }
}

impl Columns<'_> {
    /// The columns of the series with this key, one for each kind; `None` where they are damaged.
    pub(super) fn of(&self, key: &[u8]) -> Option<Vec<(Code, Column)>> {
        let mut found = Vec::new();
        for entry in self.part.head.find(key) {
            let (code, other, column) = self.one(entry)?;
            if other == key {
                found.push((code, column));
            }
        }
        Some(found)
    }

    /// All columns; `None` where one is damaged.
    pub(super) fn all(&self) -> Option<Vec<(Code, Vec<u8>, Column)>> {
        let entries = self.part.head.entries.iter();
        entries.map(|entry| self.one(entry)).collect()
    }

    fn one(&self, entry: &Entry) -> Option<(Code, Vec<u8>, Column)> {
        let read;
        let bytes = match (&self.part.source, &self.opened) {
            (Source::Memory(bytes), _) => {
                let begin = usize::try_from(entry.offset).ok()?;
                bytes.get(begin..begin.checked_add(entry.length)?)?
            }
            (Source::File(_), opened) => {
                read = opened.as_ref()?.read(entry.offset, entry.length)?;
                &read
            }
        };
        let (code, key, column) = self.part.head.column(entry, bytes)?;
        Some((code, key.to_vec(), column))
    }
}

/// Writes a part under a number that is free, not below `least`.
pub(super) fn save(core: &Core, least: u32, bytes: &[u8]) -> Result<(u32, Stamp), StoreError> {
    core.files().make_directory(&folder(core))?;
    // Temporary files are those of its holder.
    let _exclusive = core.exclusive()?;
    let is_free = |number: &u32| path(core, *number).symlink_metadata().is_err();
    let number = (least..=u32::MAX).find(is_free).unwrap_or(u32::MAX);
    let path = path(core, number);
    core.files().write_copy(&path, bytes)?;
    let found = path.symlink_metadata();
    let found = found.map_err(StoreError::io("inspect", &path))?;
    Ok((number, Stamp::of(&found)))
}

/// Bytes of the files of the archive.
pub(super) fn bytes(core: &Core) -> u64 {
    let entries = fs::read_dir(folder(core)).into_iter().flatten().flatten();
    let parts = entries.filter(|entry| entry.file_name().to_str().and_then(number_of).is_some());
    let length = |entry: fs::DirEntry| entry.metadata().map_or(0, |found| found.len());
    parts.map(length).sum()
}
