//! Who holds a lock, as the kernel tells it: a message that names the process is worth more than one that says
//! that there is one. Nothing here is ever needed for a count to be right.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// The name of its command, without its arguments, which may hold secrets.
    pub command: String,
    /// Somebody has stopped it (SIGSTOP, a debugger): it holds the lock until it goes on or ends.
    pub stopped: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, command, .. } = self;
        if *pid == std::process::id() {
            return f.write_str("another thread of this process");
        }
        // Whoever starts a process chooses this name.
        write!(f, "process {pid} ({})", command.escape_debug())
    }
}

/// Why the lock cannot be had, as the end of a sentence.
pub(super) fn holders(holder: &Option<Holder>) -> String {
    match holder {
        None => "another process holds it".to_owned(),
        Some(holder) if holder.stopped => format!("{holder} holds it and is stopped"),
        Some(holder) => format!("{holder} holds it"),
    }
}

/// Who holds a lock on the file of this name; `None` where the kernel does not tell, or names a process that
/// cannot be seen from here.
pub(super) fn of(path: &Path) -> Option<Holder> {
    let file = fs::metadata(path).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let exact = format!("{major:02x}:{minor:02x}:{}", file.ino());
    // Some file systems call their device otherwise there than everywhere else.
    let inode = format!(":{}", file.ino());
    let pid = pid(&locks, |name| name == exact).or_else(|| pid(&locks, |n| n.ends_with(&inode)))?;
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    Some(Holder {
        pid,
        command: command.trim_end().to_owned(),
        stopped: state.is_some_and(|state| state.trim_start().starts_with(['T', 't'])),
    })
}

/// The first process that holds a `flock` on a file of such a name in the kernel's list.
fn pid(locks: &str, is_file: impl Fn(&str) -> bool) -> Option<u32> {
    locks.lines().find_map(|line| {
        // A line with an arrow is of one who waits.
        let [_, "FLOCK", _, _, pid, file, ..] = line.split_whitespace().collect::<Vec<_>>()[..]
        else {
            return None;
        };
        // Not 0: that is a process of another namespace.
        is_file(file).then(|| pid.parse().ok().filter(|pid| *pid != 0))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKS: &str = "\
1: POSIX  ADVISORY  WRITE 11 00:2f:77 0 EOF
2: FLOCK  ADVISORY  WRITE 12 00:2f:7 0 EOF
3: FLOCK  ADVISORY  READ  0 00:2f:77 0 EOF
4: FLOCK  ADVISORY  READ  13 00:2f:77 0 EOF
4: -> FLOCK  ADVISORY  WRITE 14 00:2f:77 0 EOF
5:
";

    #[test]
    fn the_kernels_list_names_who_holds_and_not_who_waits() {
        assert_eq!(pid(LOCKS, |name| name == "00:2f:77"), Some(13));
        assert_eq!(pid(LOCKS, |name| name == "00:2f:7"), Some(12));
        assert_eq!(pid(LOCKS, |name| name == "00:2f:777"), None);
        assert_eq!(pid("", |_| true), None);
    }

    #[test]
    fn a_name_that_somebody_chose_is_told_without_its_control_characters() {
        let holder = |pid, stopped| Holder {
            pid,
            command: "a\u{1b}[2J\n".to_owned(),
            stopped,
        };
        let told = holders(&Some(holder(1, true)));
        assert_eq!(told, "process 1 (a\\u{1b}[2J\\n) holds it and is stopped");
        let told = holders(&Some(holder(std::process::id(), false)));
        assert_eq!(told, "another thread of this process holds it");
        assert_eq!(holders(&None), "another process holds it");
    }
}
