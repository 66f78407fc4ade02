//! A process that has a store open and does what it is told, line by line; and whoever tells it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use crate::child::{self, argument};
use crate::opening::options;
use crate::{Result, ui};

/// A process that does what it is told.
pub(super) struct Writer {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Writer {
    pub(super) fn start(root: &Path) -> Result<Self> {
        let mut command = child::role("told")?;
        let mut child = command.arg(root).stderr(Stdio::null()).spawn()?;
        let says = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        let mut writer = Self { child, says };
        match writer.hear()? {
            Some(Ok(_)) => Ok(writer),
            other => Err(format!("a writer did not begin: {other:?}").into()),
        }
    }

    /// What it answers; `None` when it died.
    pub(super) fn tell(
        &mut self,
        what: &str,
    ) -> Result<Option<std::result::Result<String, String>>> {
        let pipe = self.child.stdin.as_mut().ok_or("no pipe")?;
        match pipe.write_all(format!("{what}\n").as_bytes()) {
            Ok(()) => self.hear(),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn must(&mut self, what: &str) -> Result<()> {
        match self.tell(what)? {
            Some(Ok(_)) => Ok(()),
            other => Err(format!("{what} gave {other:?}").into()),
        }
    }

    fn hear(&mut self) -> Result<Option<std::result::Result<String, String>>> {
        let mut line = String::new();
        if self.says.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        Ok(Some(match line.strip_prefix("error ") {
            Some(why) => Err(why.to_owned()),
            None => Ok(line.to_owned()),
        }))
    }

    pub(super) fn end(&mut self) -> Result<()> {
        // It may have died already, of what was done to it.
        let _ = self.child.kill();
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// `told ROOT`: does what its input says, line by line, and answers each with a line.
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let store = options()
        .stripes(1)
        .lock_deadline(std::time::Duration::from_millis(50))
        .open(root)?;
    let mut out = child::output()?;
    out.write_all(b"ready\n")?;
    let mut number = 0;
    for line in std::io::stdin().lock().lines() {
        let done = match line?.as_str() {
            "inc" => {
                store.transactions().success.inc();
                store
                    .process_gauge("share")
                    .and_then(|share| share.set(1.0))
            }
            "sync" => store.sync().map(drop),
            "view" => store.view().map(drop),
            "rotate" => store.rotate(deespec::Rotate::Reset).map(drop),
            "snapshot" => store.snapshot().map(drop),
            "register" => {
                number += 1;
                store.counter(&format!("new_{number}_total")).map(drop)
            }
            other => return Err(format!("cannot {other}").into()),
        };
        let answer = match done {
            Ok(()) => "ok\n".to_owned(),
            Err(error) => format!("error {}\n", ui::chain(&error)),
        };
        out.write_all(answer.as_bytes())?;
    }
    Ok(())
}
