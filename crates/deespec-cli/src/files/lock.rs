//! Locks on files that others may read. Whoever may read a file may lock it, so nobody is waited for without end.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use rustix::fs::{major, minor};

/// How long a command waits for another one that appends.
const DEADLINE: Duration = Duration::from_secs(10);

/// Locks a file alone, or fails when the deadline has passed.
pub(super) fn alone(file: &File) -> io::Result<()> {
    within(file, DEADLINE)
}

/// As [`alone`], with a deadline of its own.
pub(super) fn within(file: &File, deadline: Duration) -> io::Result<()> {
    let begun = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() < deadline => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                let holder = holder(file).unwrap_or_else(|| "another process".to_owned());
                let seconds = begun.elapsed().as_secs_f64();
                let message = format!("{holder} holds its lock, for {seconds:.1} s now");
                return Err(io::Error::new(ErrorKind::TimedOut, message));
            }
        }
    }
}

/// The process that has locked a file, where the kernel tells.
fn holder(file: &File) -> Option<String> {
    let found = file.metadata().ok()?;
    let file = format!(
        "{:02x}:{:02x}:{}",
        major(found.dev()),
        minor(found.dev()),
        found.ino()
    );
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let pid = locks.lines().find_map(|line| held(line, &file))?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    Some(match name {
        Some(name) => format!("process {pid} ({})", name.trim_end()),
        None => format!("process {pid}"),
    })
}

/// The process of a line of `/proc/locks` that says that it has locked this file.
fn held(line: &str, file: &str) -> Option<u32> {
    // 1: FLOCK  ADVISORY  WRITE 708 08:01:12345 0 EOF; one that waits has an arrow behind its number.
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, pid, locked, ..] = words.as_slice() else {
        return None;
    };
    let pid = pid.parse().ok().filter(|pid| *pid > 0)?;
    (*locked == file).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_is_an_error_that_names_the_holder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let holder = File::open(file.path()).unwrap();
        holder.lock_shared().unwrap();
        let file = File::open(file.path()).unwrap();
        let error = within(&file, Duration::from_millis(5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("holds its lock"), "{error}");
        drop(holder);
        within(&file, Duration::from_millis(5)).unwrap();
    }

    #[test]
    fn only_who_has_the_lock_is_taken_for_its_holder() {
        let file = "08:01:12";
        for (line, pid) in [
            ("1: FLOCK  ADVISORY  WRITE 708 08:01:12 0 EOF", Some(708)),
            ("1: FLOCK  ADVISORY  READ 7 08:01:12 0 EOF", Some(7)),
            ("1: -> FLOCK  ADVISORY  WRITE 9 08:01:12 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 708 08:01:123 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 0 08:01:12 0 EOF", None),
            ("1: POSIX  ADVISORY  WRITE 708 08:01:12 0 EOF", None),
            ("", None),
        ] {
            assert_eq!(held(line, file), pid, "{line}");
        }
    }
}
