//! A disk with a volatile write cache. It is served as the file `disk` of a file system of its own,
//! which a loop device makes a block device of. Everything is logged in its order: what was written,
//! when it was flushed, and what the processes above it were told in between.
//!
//! It can also fail, once or for good, as a disk does: with an input/output error at a write.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyWrite, Request, WriteFlags,
};

use super::ground;
use super::image::Image;
use super::known::Note;
use crate::Result;

const DISK: INodeNo = INodeNo(2);
/// The one file never changes its length.
const TTL: Duration = Duration::from_secs(3600);

/// What happened to the disk, or above it.
pub(crate) enum Record {
    Write { offset: u64, bytes: Vec<u8> },
    Flush,
    Note(Note),
}

/// Which writes fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    Never,
    /// So many writes pass, the next one fails.
    Once(u64),
    /// So many writes pass, all that follow fail.
    From(u64),
}

struct State {
    image: Image,
    log: Vec<Record>,
    failing: Failing,
    failed: u64,
}

/// The disk while it is served.
pub(crate) struct Volatile {
    state: Arc<Mutex<State>>,
    folder: PathBuf,
    session: Option<BackgroundSession>,
}

/// What answers the kernel.
struct Server(Arc<Mutex<State>>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Volatile {
    /// Serves a disk with this content in `folder`.
    pub(crate) fn serve(image: Image, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let state = Arc::new(Mutex::new(State {
            image,
            log: Vec::new(),
            failing: Failing::Never,
            failed: 0,
        }));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("deespec-proof".to_owned())];
        let session = fuser::spawn_mount(Server(Arc::clone(&state)), folder, &config)?;
        Ok(Self {
            state,
            folder: folder.to_owned(),
            session: Some(session),
        })
    }

    /// The file to be attached.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("disk")
    }

    pub(crate) fn note(&self, note: Note) {
        lock(&self.state).log.push(Record::Note(note));
    }

    pub(crate) fn fail(&self, failing: Failing) {
        lock(&self.state).failing = failing;
    }

    /// How much is in the log by now.
    pub(crate) fn logged(&self) -> usize {
        lock(&self.state).log.len()
    }

    /// How many writes have failed.
    pub(crate) fn failed(&self) -> u64 {
        lock(&self.state).failed
    }

    /// What the disk holds now, its cache included.
    pub(crate) fn image(&self) -> Image {
        lock(&self.state).image.clone()
    }

    /// Ends the disk, which nobody uses any more; gives its log.
    pub(crate) fn end(mut self) -> Result<Vec<Record>> {
        if let Some(session) = self.session.take() {
            // The loop device lets go of its file a moment after it was unmounted.
            ground::clear(&self.folder);
            session.join()?;
        }
        Ok(std::mem::take(&mut lock(&self.state).log))
    }
}

impl Server {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let is_disk = inode == DISK;
        FileAttr {
            ino: inode,
            size: if is_disk {
                lock(&self.0).image.len()
            } else {
                0
            },
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_disk {
                FileType::RegularFile
            } else {
                FileType::Directory
            },
            perm: if is_disk { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == "disk" {
            reply.entry(&TTL, &self.attributes(DISK), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(inode));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut bytes = vec![0; size as usize];
        lock(&self.0).image.read(offset, &mut bytes);
        reply.data(&bytes);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = lock(&self.0);
        let (fails, next) = match state.failing {
            Failing::Never => (false, Failing::Never),
            Failing::Once(0) => (true, Failing::Never),
            Failing::Once(pass) => (false, Failing::Once(pass - 1)),
            Failing::From(0) => (true, Failing::From(0)),
            Failing::From(pass) => (false, Failing::From(pass - 1)),
        };
        state.failing = next;
        if fails {
            state.failed += 1;
            reply.error(Errno::EIO);
            return;
        }
        state.image.write(offset, bytes);
        let bytes = bytes.to_vec();
        let written = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        state.log.push(Record::Write { offset, bytes });
        reply.written(written);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        lock(&self.0).log.push(Record::Flush);
        reply.ok();
    }
}
