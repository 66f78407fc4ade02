//! Files of lines, such as the record of epochs: appended durably, read from their end.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use super::error::StoreError;
use super::faults::Operation;
use super::files::{Files, open_or_create, open_regular, sync_file};

impl Files {
    /// Appends one line of JSON durably. A torn line that a crash left at the end is cut off first;
    /// one that only lacks its newline is kept.
    pub(crate) fn append_line(&self, path: &Path, line: &str) -> Result<(), StoreError> {
        let is_new = !path.exists();
        let appended = self.before(Operation::Append, path).and_then(|()| {
            let mut file = open_or_create(path)?;
            let whole = end_of_last_line(&mut file)?;
            file.seek(io::SeekFrom::Start(whole))?;
            let mut rest = Vec::new();
            file.read_to_end(&mut rest)?;
            if serde_json::from_slice::<serde::de::IgnoredAny>(&rest).is_ok() {
                file.write_all(b"\n")?;
            } else {
                file.set_len(whole)?;
                file.seek(io::SeekFrom::Start(whole))?;
            }
            file.write_all(format!("{line}\n").as_bytes())?;
            Ok(file)
        });
        let file = appended.map_err(StoreError::io("append to", path))?;
        self.before(Operation::SyncFile, path)
            .and_then(|()| sync_file(&file))
            .map_err(StoreError::io("make durable", path))?;
        if is_new {
            self.sync_directory(path.parent().unwrap_or_else(|| Path::new(".")))?;
        }
        Ok(())
    }
}

/// The last complete line of a file of lines; `None` when there is none.
pub(crate) fn last_line(path: &Path) -> Result<Option<String>, StoreError> {
    let Some((mut file, _)) = open_regular(path, false, u64::MAX)? else {
        return Ok(None);
    };
    let read = end_of_last_line(&mut file).and_then(|end| {
        let start = line_end_before(&mut file, end.saturating_sub(1))?;
        file.seek(io::SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(end.saturating_sub(start + 1))
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let bytes = read.map_err(StoreError::io("read", path))?;
    Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Where the last complete line of a file ends, 0 when it has none.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    let len = file.seek(io::SeekFrom::End(0))?;
    line_end_before(file, len)
}

/// Where the last line that ends before `limit` ends: one past its newline, or 0.
fn line_end_before(file: &mut File, limit: u64) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = limit;
    while end > 0 {
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
