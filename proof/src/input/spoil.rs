//! The ways in which a file can be bad, and making one so.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::image;
use crate::Result;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Badness {
    Absent,
    // Of another kind.
    Link,
    DanglingLink,
    LinkLoop,
    Fifo,
    Folder,
    RegularFile,
    Socket,
    /// A device that gives zeros without end.
    Device,
    HardLink,
    // Of other rights. The program then runs as somebody who has no others.
    OtherOwner,
    WorldWritable,
    Unreadable,
    ReadOnly,
    // Of another length.
    Empty,
    OneByte,
    Half,
    OneByteMore,
    Sparse8Tib,
    /// As long as a document may be, which is read as a whole.
    Sparse200Mib,
    // Of other bytes.
    Garbage,
    Zeros,
    Ones,
    Newer,
    ForeignByteOrder,
    WrongChecksum,
    OverlappingEntries,
    EntryBehindTheEnd,
    CyclicIndex,
    DeepJson,
    HugeNumbers,
    NegativeNumbers,
    DuplicateKeys,
    InvalidUtf8,
    ByteOrderMark,
    TrailingGarbage,
    NoNewline,
    CrLf,
    WrongTypes,
    OtherStores,
    Older,
}

use Badness as B;

impl Badness {
    /// Whether the program has to run without the rights of root to notice.
    pub(crate) fn is_about_rights(self) -> bool {
        matches!(
            self,
            Self::OtherOwner | Self::WorldWritable | Self::Unreadable | Self::ReadOnly
        )
    }

    /// How many bytes a command may hold and write because of the length of the file.
    pub(crate) fn length(self) -> u64 {
        if self == Self::Sparse200Mib { LONG } else { 0 }
    }

    /// Whether only root can make a file so.
    pub(crate) fn needs_root(self) -> bool {
        matches!(self, Self::Device | Self::OtherOwner)
    }
}

/// Bytes of a file that is long and not too long.
const LONG: u64 = 200 << 20;
/// Somebody who is neither root nor the owner of a store.
const STRANGER: u32 = 54_321;

/// Makes the file at `path` bad. `other` is a file of the same name in another store, `older` an
/// earlier one of this store; what a link names is put beside `beside`.
pub(crate) fn spoil(
    badness: B,
    path: &Path,
    beside: &Path,
    other: &Path,
    older: &Path,
) -> Result<()> {
    let was = fs::read(path).unwrap_or_default();
    let elsewhere = beside.join("elsewhere");
    match badness {
        B::Absent => remove(path)?,
        B::Link => {
            fs::rename(path, &elsewhere).or_else(|_| fs::write(&elsewhere, b"x"))?;
            std::os::unix::fs::symlink(&elsewhere, path)?;
        }
        B::DanglingLink => {
            remove(path)?;
            std::os::unix::fs::symlink(&elsewhere, path)?;
        }
        B::LinkLoop => {
            remove(path)?;
            std::os::unix::fs::symlink(path, path)?;
        }
        B::Fifo => {
            remove(path)?;
            mknodat(CWD, path, FileType::Fifo, Mode::from(0o600), 0)?;
        }
        B::Folder => {
            remove(path)?;
            fs::create_dir(path)?;
        }
        B::RegularFile => {
            remove(path)?;
            fs::write(path, b"a file\n")?;
        }
        B::Socket => {
            remove(path)?;
            // Its name stays when nobody listens any more.
            drop(std::os::unix::net::UnixListener::bind(path)?);
        }
        B::Device => {
            remove(path)?;
            mknodat(
                CWD,
                path,
                FileType::CharacterDevice,
                Mode::from(0o666),
                makedev(1, 5),
            )?;
        }
        B::HardLink => {
            if !path.exists() {
                fs::write(path, &was)?;
            }
            fs::hard_link(path, &elsewhere)?;
        }
        B::OtherOwner => std::os::unix::fs::chown(path, Some(STRANGER), Some(STRANGER))
            .and_then(|()| set_mode(path, if path.is_dir() { 0o777 } else { 0o666 }))?,
        B::WorldWritable => set_mode(path, if path.is_dir() { 0o777 } else { 0o666 })?,
        B::Unreadable => set_mode(path, 0)?,
        B::ReadOnly => set_mode(path, if path.is_dir() { 0o500 } else { 0o400 })?,
        B::Empty => fs::write(path, b"")?,
        B::OneByte => fs::write(path, was.first_chunk::<1>().unwrap_or(b"{"))?,
        B::Half => fs::write(path, &was[..was.len() / 2])?,
        B::OneByteMore => fs::write(path, [&was, &b"\0"[..]].concat())?,
        B::Sparse8Tib => lengthen(path, 8 << 40)?,
        B::Sparse200Mib => lengthen(path, LONG)?,
        B::Garbage => fs::write(path, garbage(was.len().max(1000)))?,
        B::Zeros => fs::write(path, vec![0; was.len().max(100)])?,
        B::Ones => fs::write(path, vec![0xff; was.len().max(100)])?,
        B::Newer => newer(path, &was)?,
        B::ForeignByteOrder => {
            let swapped = was.chunks(8).flat_map(|word| word.iter().rev());
            fs::write(path, swapped.copied().collect::<Vec<u8>>())?;
        }
        B::WrongChecksum => wrong_checksum(path, &was)?,
        B::OverlappingEntries => image::claim(path, image::Claim::AnothersCells)?,
        B::EntryBehindTheEnd => image::claim(path, image::Claim::CellsBehindTheEnd)?,
        B::CyclicIndex => image::fill_index(path)?,
        B::DeepJson => fs::write(path, format!("{{\"series\":{}", "[".repeat(500_000)))?,
        B::HugeNumbers => change(path, &was, |_| format!("1{}", "0".repeat(400)))?,
        B::NegativeNumbers => change(path, &was, |number| format!("-{number}.5"))?,
        B::WrongTypes => change(path, &was, |number| format!("\"{number}\""))?,
        B::DuplicateKeys => duplicate(path, &was)?,
        B::InvalidUtf8 => {
            let mut bytes = was;
            let at = bytes.iter().position(u8::is_ascii_lowercase).unwrap_or(0);
            bytes[at] = 0xff;
            fs::write(path, bytes)?;
        }
        B::ByteOrderMark => fs::write(path, [&b"\xef\xbb\xbf"[..], &was].concat())?,
        B::TrailingGarbage => fs::write(path, [&was, &b"{garbage"[..]].concat())?,
        B::NoNewline => fs::write(path, was.trim_ascii_end())?,
        B::CrLf => {
            let text = String::from_utf8_lossy(&was).replace('\n', "\r\n");
            fs::write(path, text)?;
        }
        B::OtherStores => drop(fs::copy(other, path)?),
        B::Older => drop(fs::copy(older, path)?),
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(fs::remove_dir_all(path)?),
        Ok(_) => Ok(fs::remove_file(path)?),
        Err(_) => Ok(()),
    }
}

fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn lengthen(path: &Path, length: u64) -> Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    Ok(file.set_len(length)?)
}

/// The same each time: what it is made of does not matter.
fn garbage(length: usize) -> Vec<u8> {
    let mut state = crate::random::Random(7);
    (0..length).map(|_| state.next() as u8).collect()
}

fn newer(path: &Path, was: &[u8]) -> Result<()> {
    if was.starts_with(b"DEESPEC\0") {
        let file = File::options().write(true).open(path)?;
        return Ok(file.write_all_at(&[3], 8)?);
    }
    let text = String::from_utf8_lossy(was);
    let newer = text.replacen("\"schema_version\": 1", "\"schema_version\": 3", 1);
    let newer = if newer == text {
        text.replacen('{', "{\"schema_version\": 99,", 1)
    } else {
        newer
    };
    Ok(fs::write(path, newer)?)
}

fn wrong_checksum(path: &Path, was: &[u8]) -> Result<()> {
    if was.starts_with(b"DEESPEC\0") {
        let file = File::options().write(true).open(path)?;
        return Ok(file.write_all_at(&[was[72] ^ 1], 72)?);
    }
    // One digit of what was counted.
    change(path, was, |number| format!("1{number}"))
}

/// Writes the first number of a text in another way.
fn change(path: &Path, was: &[u8], spell: impl Fn(&str) -> String) -> Result<()> {
    let text = String::from_utf8_lossy(was);
    // A number stands behind what separates it from a name.
    let before = text.find([':', ' ']).unwrap_or(0);
    let at = text[before..].find(|c: char| c.is_ascii_digit());
    let at = before + at.ok_or("there is no number")?;
    let length = text[at..].find(|c: char| !c.is_ascii_digit());
    let end = length.map_or(text.len(), |length| at + length);
    let number = spell(&text[at..end]);
    Ok(fs::write(
        path,
        format!("{}{number}{}", &text[..at], &text[end..]),
    )?)
}

/// Lets the first member of an object, or the first sample of a text, stand twice.
fn duplicate(path: &Path, was: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(was);
    let mut file = File::create(path)?;
    if !text.starts_with('{') {
        let sample = text.lines().find(|line| !line.starts_with('#'));
        let sample = sample.ok_or("there is no sample")?;
        return Ok(file.write_all(
            text.replacen(sample, &format!("{sample}\n{sample}"), 1)
                .as_bytes(),
        )?);
    }
    let member = text[1..].split(',').next().unwrap_or_default();
    Ok(file.write_all(format!("{{{member},{}", &text[1..]).as_bytes())?)
}
