//! Files of lines, such as the record of epochs: appended durably, read from their end.

use std::fs::File;
use std::io::{self, Read, Seek, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::PUSHES;
use super::access;
use super::error::StoreError;
use super::faults::Operation;
use super::files::{Files, sync_file};
use super::limit;
use super::opened::{DOCUMENT_MAX, open_or_create, open_own};
use crate::protection::Protection;

/// Most bytes that a line may have: no document that DeeSpec writes has more.
const LINE_MAX: u64 = DOCUMENT_MAX;

impl Files {
    /// Appends one line of JSON durably. A torn line that a crash left at the end is cut off first;
    /// one that only lacks its newline is kept.
    pub(crate) fn append_line(&self, path: &Path, line: &str) -> Result<(), StoreError> {
        self.before(Operation::Append, path)
            .map_err(StoreError::io("append to", path))?;
        let (mut file, found) = open_or_create(path)?;
        access::check_file(path, &found)?;
        let (kept, lacks_newline) =
            end_of_whole_lines(&mut file).map_err(StoreError::io("append to", path))?;
        if kept < found.len() {
            file.set_len(kept)
                .map_err(StoreError::io("append to", path))?;
            // Else a power cut could leave the new line mixed with what was cut off, which is neither a
            // line nor torn.
            self.sync_lines(&file, path, false)?;
        }
        let mut append = || -> io::Result<u64> {
            limit::check(kept + line.len() as u64 + 2)?;
            file.seek(io::SeekFrom::Start(kept))?;
            if lacks_newline {
                file.write_all(b"\n")?;
            }
            let before = file.stream_position()?;
            file.write_all(format!("{line}\n").as_bytes())?;
            Ok(before)
        };
        let before = append().map_err(StoreError::io("append to", path))?;
        let kept = self.sync_lines(&file, path, before == 0);
        if kept.is_err() {
            // Nobody may take it for one that is on the disk, not even after a sync that succeeds: a
            // kernel reports a lost write once.
            let _ = file.set_len(before);
        }
        kept
    }

    /// Makes durable what a process has appended that may not have lived to do so.
    pub(crate) fn keep_lines(&self, path: &Path) -> Result<(), StoreError> {
        let (mut file, found) = open_or_create(path)?;
        access::check_file(path, &found)?;
        // A sync may have failed already, which the kernel reports once and then takes for done: what
        // is written again is synced again.
        rewrite_last_line(&mut file).map_err(StoreError::io("write", path))?;
        self.sync_lines(&file, path, true)
    }

    /// Leaves of a file in `live/` that has more than `most` bytes the last complete lines that have together at most half
    /// as many: at once and durably. Where the last one has more, none is left.
    pub(crate) fn shorten_lines(&self, path: &Path, most: u64) -> Result<(), StoreError> {
        let lines = match open_own(path, false, u64::MAX)? {
            Some((file, found)) if found.len() > most => last_lines(file, most / 2),
            _ => return Ok(()),
        };
        let lines = lines.map_err(StoreError::io("read", path))?;
        self.write(path, &lines, true)
    }

    fn sync_lines(&self, file: &File, path: &Path, is_new: bool) -> Result<(), StoreError> {
        self.before(Operation::SyncFile, path)
            .and_then(
                |()| match Protection::SyncPush.stands() || !path.ends_with(PUSHES) {
                    true => sync_file(file),
                    false => Ok(()),
                },
            )
            .map_err(StoreError::io("make durable", path))?;
        if is_new {
            self.sync_directory(path.parent().unwrap_or_else(|| Path::new(".")))?;
        }
        Ok(())
    }
}

/// The last complete line of a file of lines; `None` when there is none.
pub(crate) fn last_line(path: &Path) -> Result<Option<String>, StoreError> {
    let Some((file, _)) = open_own(path, false, u64::MAX)? else {
        return Ok(None);
    };
    last_line_of(file).map_err(StoreError::io("read", path))
}

/// As [`last_line`], of lines wherever they are.
pub(super) fn last_line_of(mut lines: impl Read + Seek) -> io::Result<Option<String>> {
    let (_, bytes) = bytes_of_last_line(&mut lines)?;
    Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Where the last complete line begins, and its bytes without the newline.
fn bytes_of_last_line(lines: &mut (impl Read + Seek)) -> io::Result<(u64, Vec<u8>)> {
    let end = end_of_last_line(lines)?;
    let start = line_end_before(lines, end.saturating_sub(1))?;
    lines.seek(io::SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    lines
        .take(end.saturating_sub(start + 1))
        .read_to_end(&mut bytes)?;
    Ok((start, bytes))
}

/// The last complete lines that have together at most so many bytes.
fn last_lines(mut lines: impl Read + Seek, most: u64) -> io::Result<Vec<u8>> {
    let end = end_of_last_line(&mut lines)?;
    // With the byte before them, which tells whether the first one is whole.
    let start = end.saturating_sub(most + 1);
    lines.seek(io::SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    lines.take(end - start).read_to_end(&mut bytes)?;
    if start > 0 {
        let newline = bytes.iter().position(|&byte| byte == b'\n');
        bytes.drain(..newline.map_or(bytes.len(), |at| at + 1));
    }
    Ok(bytes)
}

/// Writes the last complete line over itself: killed in the middle, it is what it was.
fn rewrite_last_line(file: &mut File) -> io::Result<()> {
    let (start, bytes) = bytes_of_last_line(file)?;
    limit::check(start + bytes.len() as u64)?;
    file.write_all_at(&bytes, start)
}

/// How much of the lines is kept when one is appended, and whether the last of them lacks its newline.
pub(super) fn end_of_whole_lines(lines: &mut (impl Read + Seek)) -> io::Result<(u64, bool)> {
    let whole = end_of_last_line(lines)?;
    let end = lines.seek(io::SeekFrom::End(0))?;
    lines.seek(io::SeekFrom::Start(whole))?;
    // Read piece by piece: it may be long, and is not needed.
    let rest = io::BufReader::new(lines);
    let is_line = serde_json::from_reader::<_, serde::de::IgnoredAny>(rest).is_ok();
    Ok((if is_line { end } else { whole }, is_line))
}

/// Where the last complete line of a file ends, 0 when it has none.
fn end_of_last_line(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let len = file.seek(io::SeekFrom::End(0))?;
    line_end_before(file, len)
}

/// Where the last line that ends before `limit` ends: one past its newline, or 0.
fn line_end_before(file: &mut (impl Read + Seek), limit: u64) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = limit;
    while end > 0 {
        if limit - end > LINE_MAX {
            let reason = format!("no line ends within its last {LINE_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let start = end.saturating_sub(STEP);
        let mut bytes = vec![0; (end - start) as usize];
        file.seek(io::SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|&b| b == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "makes files durable")]
    fn a_torn_last_line_is_cut_off_before_the_next_is_appended() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned(), None);
        let path = folder.path().join("epochs.jsonl");
        files.append_line(&path, "one").unwrap();
        let long = "x".repeat(200_000);
        files.append_line(&path, &long).unwrap();
        fs::write(&path, format!("one\n{long}\ntorn")).unwrap();
        assert_eq!(last_line(&path).unwrap().as_deref(), Some(long.as_str()));
        files.append_line(&path, "three").unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("one\n{long}\nthree\n")
        );
    }

    /// The operations on the disk, as they come.
    #[derive(Default)]
    struct Seen(std::sync::Mutex<Vec<Operation>>);

    impl super::super::faults::FaultInjector for Seen {
        fn before(&self, operation: Operation, _: &Path) -> io::Result<()> {
            self.0.lock().unwrap().push(operation);
            Ok(())
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes files durable")]
    fn what_is_cut_off_is_gone_for_good_before_another_line_takes_its_place() {
        use Operation::{Append, SyncFile};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epochs.jsonl");
        for (text, operations) in [
            ("one\n", &[Append, SyncFile][..]),
            ("one\ntorn", &[Append, SyncFile, SyncFile]),
        ] {
            let seen = std::sync::Arc::new(Seen::default());
            let files = Files::new(folder.path().to_owned(), Some(seen.clone()));
            fs::write(&path, text).unwrap();
            files.append_line(&path, "two").unwrap();
            assert_eq!(*seen.0.lock().unwrap(), operations, "{text:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes files durable")]
    fn a_file_without_an_end_of_a_line_is_refused_and_not_searched_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned(), None);
        let path = folder.path().join("epochs.jsonl");
        fs::File::create(&path).unwrap().set_len(8 << 40).unwrap();
        for error in [
            last_line(&path).unwrap_err(),
            files.append_line(&path, "{}").unwrap_err(),
        ] {
            let StoreError::Io {
                path: told, source, ..
            } = error
            else {
                panic!("{error:?}");
            };
            assert_eq!(
                (told, source.kind()),
                (path.clone(), io::ErrorKind::InvalidData)
            );
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), 8 << 40);
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes files durable")]
    fn a_file_that_is_too_long_keeps_its_last_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned(), None);
        let path = folder.path().join("epochs.jsonl");
        files.shorten_lines(&path, 8).unwrap();
        assert!(!path.exists());
        for (text, left) in [
            ("one\ntwo\n", "one\ntwo\n"),
            ("one\ntwo\nt", "two\n"),
            ("three\ntwo\n", "two\n"),
            ("one\nt\nu\nv\n", "u\nv\n"),
            ("one\nthree\n", ""),
            ("one\ntwo\ntorn", "two\n"),
            ("without end", ""),
            ("and another\n\n\n", "\n\n"),
        ] {
            fs::write(&path, text).unwrap();
            files.shorten_lines(&path, 8).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), left, "{text:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes files durable")]
    fn keeping_lines_writes_the_last_one_over_itself_and_changes_no_byte() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned(), None);
        let path = folder.path().join("epochs.jsonl");
        for text in ["", "torn", "one\n", "one\ntwo and more\n", "one\ntwo\ntorn"] {
            fs::write(&path, text).unwrap();
            let long_ago = std::time::UNIX_EPOCH;
            fs::File::open(&path)
                .unwrap()
                .set_modified(long_ago)
                .unwrap();
            files.keep_lines(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let written = fs::metadata(&path).unwrap().modified().unwrap() != long_ago;
            assert_eq!(written, text.contains('\n'), "{text:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes files durable")]
    fn a_file_without_a_complete_line_has_no_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        assert_eq!(last_line(&path).unwrap(), None);
        for (text, last) in [
            ("", None),
            ("torn", None),
            ("a\n", Some("a")),
            ("a\nb\nc", Some("b")),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(last_line(&path).unwrap().as_deref(), last, "{text:?}");
        }
    }
}
