//! Making and opening a store. A store exists as soon as its first segment has its name; until
//! then whatever a killed maker left is made again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::sync::{AtomicBool, Ordering};

use super::access::{self, Access, check_member};
use super::build::{Contents, Frame, Plan};
use super::control::{EPOCH, FLUSHED_AT, PENDING, SEGMENTS, TICKET};
use super::epoch::{Beginning, Record};
use super::error::StoreError;
use super::files::Files;
use super::identity::{StoreId, boot_id};
use super::layout::{MAX_SEGMENTS, MAX_STRIPES, seal};
use super::lock::{Kept, LOCK, Lock, Mode};
use super::process::PROCESSES;
use super::raw::ForkLocal;
use super::segment::Segment;
use super::{Core, DamagedSegment, EPOCHS, Further, IMPORTS, Seed, Settings, place};

/// Why a segment that was there cannot be used.
const MISSING: &str = "the file is missing from a store that was in use";
/// Exists while a store of several segments is being made.
const MAKING: &str = "making";

impl Core {
    /// Opens the store in `root` and makes it first where that is wanted. `seed` gives the values
    /// that a new store begins with; it is asked before anything is written.
    pub(crate) fn open<E: From<StoreError>>(
        root: &Path,
        settings: Settings,
        seed: impl Fn() -> Result<Seed, E>,
    ) -> Result<Self, E> {
        Self::open_as(root, settings, seed, false)
    }

    /// Opens a store that nobody else has open, and keeps others from opening it.
    pub(crate) fn open_alone(root: &Path, mut settings: Settings) -> Result<Self, StoreError> {
        settings.create = false;
        Self::open_as(root, settings, || Ok(Seed::default()), true)
    }

    fn open_as<E: From<StoreError>>(
        root: &Path,
        settings: Settings,
        seed: impl Fn() -> Result<Seed, E>,
        alone: bool,
    ) -> Result<Self, E> {
        let root = std::path::absolute(root).map_err(StoreError::io("locate", root))?;
        let live = root.join("live");
        let files = Files::new(live.clone(), settings.faults.clone());
        let lock = Lock::new(live.join(LOCK), settings.lock_deadline);
        let path = live.join(Segment::file_name(0));
        let find = || -> Result<Option<(Segment, File)>, StoreError> {
            // Who has put it there is asked before anything of it is read.
            let Some((_, access)) = access::open_live(&live)? else {
                return Ok(None);
            };
            access.folder(&root, true)?;
            let found = open_first(&path)?;
            match settings.group {
                Some(group) if found.is_some() && access.shared_with() != Some(group) => {
                    let path = root.clone();
                    Err(StoreError::NotShared { path, group })
                }
                _ => Ok(found),
            }
        };
        let find_or_make = || -> Result<(Segment, File), E> {
            if let Some(first) = find()? {
                return Ok(first);
            }
            // The record of epochs is begun long after the first segment: that was lost here, or was
            // made by another process since.
            if live.join(EPOCHS).exists() {
                let first = find()?;
                return Ok(first.ok_or_else(|| StoreError::damaged(&path, MISSING))?);
            }
            if !settings.create {
                return Err(StoreError::NoStore { path: root.clone() }.into());
            }
            seed()?;
            place::admit_new(nearest_existing(&root), settings.consent)?;
            make_folders(&files, &root, &live, settings.group)?;
            let _held = lock.take(Mode::Exclusive, lock.waiting(), None)?;
            if find()?.is_none() {
                make(&files, &live, &settings, &seed()?)?;
            }
            let first = find()?;
            Ok(first.ok_or_else(|| StoreError::damaged(&path, MISSING))?)
        };
        let (first, kept, class) = loop {
            let (first, file) = find_or_make()?;
            let class = place::admit(&first, &file, &live, settings.consenting(&first))?;
            let kept = if alone {
                let in_use = || StoreError::InUse { path: root.clone() };
                Kept::alone(file, &path)?.ok_or_else(in_use)?
            } else {
                Kept::shared(file, &path, settings.lock_deadline)?
            };
            match first.check_identity() {
                Ok(()) => break (first, kept, class),
                // A compaction has put other files into place in the meantime.
                Err(StoreError::Replaced { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        };
        let ticket = first.words()[TICKET].fetch_add(1, Ordering::Relaxed);
        let own = ForkLocal::new().map_err(StoreError::io("reserve memory for", &live))?;
        let core = Self {
            id: StoreId(first.header().store_id),
            root,
            live,
            open: kept,
            class,
            first: Arc::new(first),
            further: [const { OnceLock::new() }; MAX_SEGMENTS],
            files,
            lock,
            settings,
            stripe: ticket as u32,
            own,
            degraded: AtomicBool::new(false),
        };
        let booted = boot_id();
        if !core.is_recovered(booted) {
            core.exclusive()?.recover_once(booted)?;
        }
        core.attach()?;
        Ok(core)
    }

    /// Maps the segments that other processes have added.
    pub(super) fn attach(&self) -> Result<(), StoreError> {
        let count = super::layout::unseal(self.first.load(SEGMENTS)).ok_or_else(|| {
            StoreError::damaged(
                self.first.path(),
                "the word that counts the segments is wrong",
            )
        })?;
        for index in 1..count.min(MAX_SEGMENTS as u32) {
            self.attach_known(index)?;
        }
        Ok(())
    }

    /// Maps a segment that must exist. One that is damaged is remembered as such and does not keep
    /// the others from being used.
    pub(super) fn attach_known(&self, index: u32) -> Result<(), StoreError> {
        if self.further[index as usize].get().is_some() {
            return Ok(());
        }
        let path = self.live.join(Segment::file_name(index));
        let reason = match self.attach_one(index) {
            Ok(Some(())) => return Ok(()),
            Ok(None) => MISSING.to_owned(),
            // The system is short of something: that passes.
            Err(error @ StoreError::Io { .. }) => return Err(error),
            Err(StoreError::Damaged { reason, .. }) => reason,
            Err(error) => error.to_string(),
        };
        let damaged = Further::Damaged(DamagedSegment { path, reason });
        let _ = self.further[index as usize].set(damaged);
        Ok(())
    }

    /// Maps one segment; `None` when its file does not exist.
    pub(super) fn attach_one(&self, index: u32) -> Result<Option<()>, StoreError> {
        let path = self.live.join(Segment::file_name(index));
        let Some((segment, _)) = Segment::open(&path)? else {
            return Ok(None);
        };
        let header = segment.header();
        if header.store_id != self.id.0 || header.index != index {
            let reason = "it belongs to another store or place";
            return Err(StoreError::damaged(&path, reason));
        }
        place::check(&segment, self.class)?;
        // Another thread may have mapped it in the meantime: either will do.
        let _ = self.further[index as usize].set(Further::Mapped(Arc::new(segment)));
        Ok(Some(()))
    }
}

/// Opens the first segment, and refuses one that is none; `None` when there is no store yet.
fn open_first(path: &Path) -> Result<Option<(Segment, File)>, StoreError> {
    let Some((segment, file)) = Segment::open(path)? else {
        return Ok(None);
    };
    if segment.header().index != 0 {
        let reason = "it is not the first segment of a store";
        return Err(StoreError::damaged(path, reason));
    }
    Ok(Some((segment, file)))
}

/// Makes the folders of a new store. With a group it is ready for its members before they can enter.
fn make_folders(
    files: &Files,
    root: &Path,
    live: &Path,
    group: Option<u32>,
) -> Result<(), StoreError> {
    if let Some(group) = group {
        check_member(root, group)?;
    }
    files.make_around(root, group)?;
    match access::open_live(live)? {
        Some((_, access)) if group.is_none() || access.shared_with() == group => return Ok(()),
        _ => {}
    }
    let access = Access::of_new(root, group)?;
    files.make_live(&access, &[LOCK, PROCESSES])
}

/// Makes the segments of a new store, the first one last: with it the store exists.
fn make(files: &Files, live: &Path, settings: &Settings, seed: &Seed) -> Result<(), StoreError> {
    let further = (1..MAX_SEGMENTS as u32).map(|index| live.join(Segment::file_name(index)));
    let further: Vec<PathBuf> = further.filter(|path| path.exists()).collect();
    if !further.is_empty() && !files.temporary(MAKING).exists() {
        return Err(StoreError::damaged(
            &live.join(Segment::file_name(0)),
            MISSING,
        ));
    }
    // A maker that was killed has left these, perhaps made from another document.
    for path in further {
        files.remove(&path)?;
    }
    files.sweep()?;
    let imports = live.join(IMPORTS);
    match &seed.import {
        Some(line) => files.write(&imports, format!("{line}\n").as_bytes(), true)?,
        None if imports.exists() => files.remove(&imports)?,
        None => {}
    }
    let id = StoreId::random().map_err(StoreError::io("draw random numbers for", live))?;
    let stripes = settings.stripes.unwrap_or_else(default_stripes);
    let now = settings.clock.now_ns();
    let contents = Contents::of_seed(&seed.amounts, now);
    let frame = Frame {
        id,
        stripes,
        consent: settings.consent,
        created_ns: now,
    };
    let plan = Plan::new(&contents, &frame);
    if plan.segments() > 1 {
        files.begin(MAKING)?;
        files.sync_directory(live)?;
    }
    let first = plan.write(files, live, &frame, |segment| {
        segment.store(EPOCH, seal(1));
        segment.store(SEGMENTS, seal(plan.segments() as u32));
        segment.set_boot(boot_id());
        segment.store(FLUSHED_AT, now);
        // Should this process die before the mark of the making is removed, the next one
        // removes it.
        segment.store(PENDING, u64::from(plan.segments() > 1));
        let record = Record {
            epoch: 1,
            at_ns: now,
            beginning: Beginning::Created,
            by: settings.program.clone(),
            why: String::new(),
        };
        record.write(segment);
    })?;
    files.sweep()?;
    first.store(PENDING, 0);
    Ok(())
}

/// Twice the processors: so two threads that run at once rarely share a stripe.
fn default_stripes() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(processors * 2)
        .unwrap_or(MAX_STRIPES)
        .next_power_of_two()
        .min(MAX_STRIPES)
}

fn nearest_existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(path)
}
