//! The folders of a store: made for those who may use it, exchanged, removed. As in `files.rs`, all of it
//! through the descriptor of a folder that `access.rs` has judged.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, RenameFlags, chmodat, mkdirat, renameat_with};

use super::access::{self, Access, parent};
use super::error::StoreError;
use super::faults::Operation;
use super::files::Files;
use super::opened::{create_in, name_of, open_regular};

impl Files {
    /// Makes a folder around the store, unless it is there already. A group that the store is to be
    /// shared with can enter it.
    pub(super) fn make_around(&self, path: &Path, group: Option<u32>) -> Result<(), StoreError> {
        if path.is_dir() {
            return Ok(());
        }
        let around = parent(path);
        self.make_around(&around, group)?;
        let around = access::open_folder(&around, true)?;
        let access = Access::of_maker(group);
        let mode = if group.is_some() { 0o2750 } else { 0o700 };
        self.make_folder(&around, path, &access, mode)
    }

    /// Makes a folder of the store for those who may use the store, unless it is there already.
    pub(crate) fn make_directory(&self, path: &Path) -> Result<(), StoreError> {
        let (_, access) = access::live(&self.live)?;
        let around = access.folder(&parent(path), true)?;
        self.make_folder(&around, path, &access, access.folder_mode())?;
        access.folder(path, false).map(drop)
    }

    /// Makes the folder `live`, which makes a store of the folder around it. What is shared from the
    /// first moment stands there before anybody else can enter.
    pub(super) fn make_live(&self, access: &Access, shared: &[&str]) -> Result<(), StoreError> {
        let path = &self.live;
        let around = access.folder(&parent(path), true)?;
        self.make_folder(&around, path, access, 0o700)?;
        if access.shared_with().is_none() {
            return Ok(());
        }
        let folder = access::open_folder(path, false)?;
        for name in shared {
            let path = path.join(name);
            match create_in(&folder, OsStr::new(name), access) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if let Some((file, found)) = open_regular(&path, true, 0)? {
                        access::check_links(&path, &found)?;
                        access
                            .give(&file, access.file_mode())
                            .map_err(StoreError::io("set the rights of", &path))?;
                    }
                }
                made => drop(made.map_err(StoreError::io("create", &path))?),
            }
        }
        access
            .give(&folder, access.folder_mode())
            .map_err(StoreError::io("set the rights of", path))
    }

    fn make_folder(
        &self,
        around: &File,
        path: &Path,
        access: &Access,
        mode: u32,
    ) -> Result<(), StoreError> {
        let made = self.before(Operation::Create, path).and_then(|()| {
            mkdirat(around, name_of(path), Mode::RWXU)?;
            // The umask may have taken even the owner's right to open it.
            Ok(chmodat(
                around,
                name_of(path),
                Mode::RWXU,
                AtFlags::empty(),
            )?)
        });
        match made {
            Ok(()) => {
                let folder = access::open_folder(path, false)?;
                access
                    .give(&folder, mode)
                    .map_err(StoreError::io("set the rights of", path))?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                access::open_folder(path, false)?;
                return Ok(());
            }
            Err(error) => return Err(StoreError::io("create the folder", path)(error)),
        }
        // What is made durable in the folder must not be lost with the folder.
        self.sync_folder(around, &parent(path))
    }

    /// Lets two folders change places, at once.
    pub(crate) fn exchange(&self, one: &Path, other: &Path) -> Result<(), StoreError> {
        let (folder, name) = self.place(one)?;
        let with = name_of(other);
        self.before(Operation::Rename, one)
            .and_then(|()| {
                let flags = RenameFlags::EXCHANGE;
                Ok(renameat_with(&folder, with, &folder, name, flags)?)
            })
            .map_err(|error| match error.raw_os_error() {
                // An overlay moves no folder of a lower layer.
                Some(libc::EXDEV) => StoreError::OfImage {
                    path: one.to_owned(),
                },
                _ => StoreError::io("put another folder into place of", one)(error),
            })?;
        self.sync_folder(&folder, &parent(one))
    }

    /// Gives a folder the mode that another one has: its owner may have opened that to readers.
    pub(crate) fn open_like(&self, path: &Path, model: &Path) -> Result<(), StoreError> {
        let fail = || StoreError::io("set the rights of", path);
        let (folder, access) = access::live(path)?;
        let mode = access::open_folder(model, false)?
            .metadata()
            .map_err(fail())?
            .mode();
        access.give(&folder, mode & 0o7777).map_err(fail())
    }

    /// Removes a folder with all its files; what is no folder, or is not there, is left alone.
    pub(crate) fn remove_directory(&self, path: &Path) -> Result<(), StoreError> {
        if !fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        self.before(Operation::Remove, path)
            .and_then(|()| fs::remove_dir_all(path))
            .map_err(StoreError::io("remove", path))
    }
}
