//! Full disks: tmpfs, ext4 and xfs with room for exactly k blocks of 4 KiB more, for every k from none to
//! more than a further segment needs.
//!
//! Two processes do everything that a store can do, in a random order, one of them with the store open
//! from before; so does the program, with `inc`, `run` and `sync`. In one case of four there is no store
//! yet. Then there is room again, the file system is mounted anew where it is on a disk, and the store is
//! opened as after a boot (`judge.rs`).
//!
//! Violations: a process that ends (SIGBUS is what a full disk does to a mapping with holes); an error
//! that does not name a path and the system's reason; counting of a series that there is, flushing or
//! reading that fails, or an opening of a store that there is; a command that ends in any other way than with
//! success or with such an error; anything that fails once there is room; whatever `cuts.rs` calls one: what
//! was called durable and is not there, a temporary that is left, a count that is lost or doubled.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::ground::{self, Kind, Mounted, Task, apart, program};
use super::hand::Hand;
use super::image::Image;
use super::judge::judge;
use super::judges::store_on;
use super::known::{Known, Note};
use super::orders::{self, Order};
use crate::Result;
use crate::harness::{Bench, Outcome};
use crate::random::Random;

/// The file systems; `None` is tmpfs.
const KINDS: [Option<Kind>; 3] = [None, Some(Kind::Ext4), Some(Kind::Xfs)];
const BLOCK: u64 = 4096;
/// Blocks that are left free, up to this: the second segment needs 94 of them.
const MOST: u64 = 112;

pub(crate) fn lacks() -> Option<String> {
    ground::lacks(&[Kind::Ext4, Kind::Xfs], &[])
}

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let sweep = MOST * KINDS.len() as u64;
    let cases = bench.count([6, sweep, sweep * 5, sweep * 50]);
    apart("full", bench, cases)
}

pub(crate) fn inside(task: &mut Task) -> Result<Outcome> {
    let memory = ground::memory()?;
    let papers = memory.path().join("papers");
    orders::write_papers(&papers, 2)?;
    let mut grounds = Vec::new();
    for kind in KINDS {
        grounds.push(Place::new(memory.path(), kind)?);
    }
    let mut done = Done {
        program: build()?,
        refused: 0,
        violations: Vec::new(),
    };
    for number in 0..task.count {
        let place = &grounds[number as usize % KINDS.len()];
        let mut case = Case {
            papers: &papers,
            root: store_on(&place.point),
            known: Mutex::new(Known::default()),
            violations: Vec::new(),
            refused: 0,
        };
        let free = number / KINDS.len() as u64 % MOST;
        if let Err(error) = case.run(place, free, &mut task.random, &done.program) {
            case.violations.push(crate::ui::chain(error.as_ref()));
        }
        done.refused += case.refused;
        let (name, told) = (place.name(), case.violations.into_iter());
        done.violations
            .extend(told.map(|what| format!("{name} with {free} blocks: {what}")));
    }
    Ok(Outcome {
        done: format!(
            "{} full disks (tmpfs, ext4, xfs), {} orders refused",
            task.count, done.refused
        ),
        violations: done.violations,
    })
}

struct Done {
    program: PathBuf,
    refused: u64,
    violations: Vec<String>,
}

/// The program stands beside this one; it is built where it is not.
pub(super) fn build() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let program = own.with_file_name("deespec");
    if !program.exists() {
        let profile = own.parent().ok_or("no folder")?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.args(["build", "--locked", "--quiet", "--package", "deespec-cli"]);
        if profile.ends_with("release") {
            command.arg("--release");
        }
        let target = profile.parent().ok_or("no folder")?;
        ground::run(command.env("CARGO_TARGET_DIR", target))?;
    }
    Ok(program)
}

/// A file system that is used again and again.
struct Place {
    kind: Option<Kind>,
    image: PathBuf,
    point: PathBuf,
    empty: Option<Image>,
}

impl Place {
    fn new(memory: &Path, kind: Option<Kind>) -> Result<Self> {
        let name = kind.map_or("tmpfs", Kind::name);
        let image = memory.join(format!("{name}.img"));
        let empty = match kind {
            Some(kind) => {
                kind.make(&image)?;
                Some(Image::load(&image)?)
            }
            None => None,
        };
        Ok(Self {
            kind,
            image,
            point: memory.join(name),
            empty,
        })
    }

    fn name(&self) -> &'static str {
        self.kind.map_or("tmpfs", Kind::name)
    }

    /// Mounts it empty.
    fn mount(&self) -> Result<Mounted> {
        if let Some(empty) = &self.empty {
            empty.save(&self.image)?;
        }
        self.again()
    }

    /// Mounts it as it is.
    fn again(&self) -> Result<Mounted> {
        match self.kind {
            Some(kind) => Mounted::image(&self.image, &self.point, kind),
            None => Mounted::memory(&self.point, c"size=4m"),
        }
    }

    /// Fills the file system but for so many blocks.
    fn fill(&self, free: u64) -> Result<PathBuf> {
        let path = self.point.join("filler");
        let file = File::create(&path)?;
        let mut at = 0;
        for piece in [64 << 20, 1 << 20, 64 << 10, BLOCK] {
            loop {
                match fallocate(&file, FallocateFlags::empty(), at, piece) {
                    Ok(()) => at += piece,
                    Err(Errno::NOSPC) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        file.set_len(at.saturating_sub(free * BLOCK))?;
        file.sync_all()?;
        Ok(path)
    }
}

pub(super) struct Case<'a> {
    pub(super) papers: &'a Path,
    pub(super) root: PathBuf,
    pub(super) known: Mutex<Known>,
    pub(super) violations: Vec<String>,
    pub(super) refused: u64,
}

impl Case<'_> {
    fn run(&mut self, place: &Place, free: u64, random: &mut Random, program: &Path) -> Result<()> {
        let mounted = place.mount()?;
        let mut hands = [
            Hand::start(&self.root, self.papers)?,
            Hand::start(&self.root, self.papers)?,
        ];
        let is_made = random.below(4) != 0;
        if is_made {
            self.prepare(&mut hands[0])?;
        }
        let filler = place.fill(free)?;
        self.work(&mut hands, &script(random), "No space left on device")?;
        if is_made {
            self.commands(program)?;
        }
        fs::remove_file(filler)?;
        let [mut first, second] = hands;
        drop(second);
        if first.alive()? {
            for order in [Order::Open, Order::Sync] {
                if let Some(error) = self.act(&mut first, &order)?.error {
                    self.violations
                        .push(format!("{order:?} fails although there is room: {error}"));
                }
            }
        }
        drop(first);
        let mounted = match place.kind {
            Some(_) => {
                mounted.unmount()?;
                place.again()?
            }
            None => mounted,
        };
        self.judge();
        mounted.unmount()
    }

    /// A store with something in it, part of which was published.
    pub(super) fn prepare(&mut self, hand: &mut Hand) -> Result<()> {
        for order in [
            Order::Open,
            Order::Own { hand: 0, by: 3 },
            Order::Own { hand: 1, by: 4 },
            Order::Observe { step: 0, times: 2 },
            Order::Sync,
            Order::Own { hand: 0, by: 1 },
        ] {
            if let Some(error) = self.act(hand, &order)?.error {
                return Err(format!("{order:?}: {error}").into());
            }
        }
        Ok(())
    }

    pub(super) fn judge(&mut self) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.violations
            .extend(judge(&self.root, self.papers, &known));
    }

    pub(super) fn act(&self, hand: &mut Hand, order: &Order) -> Result<orders::Answer> {
        hand.act(order.clone(), &|note| {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.learn(&note);
        })
    }

    /// Gives each order to its hand; errors must give the reason.
    fn work(
        &mut self,
        hands: &mut [Hand; 2],
        script: &[(usize, Order)],
        reason: &str,
    ) -> Result<()> {
        let exists = self.exists();
        let mut open = [exists, false];
        for (number, order) in script {
            let answer = match self.act(&mut hands[*number], order) {
                Ok(answer) => answer,
                Err(error) => {
                    self.violations.push(crate::ui::chain(error.as_ref()));
                    return Ok(());
                }
            };
            let failed = answer.error.is_some();
            self.refused += u64::from(failed);
            if let Some(error) = answer.error {
                // What an open store does without more room, and opening one that there is.
                let needs_none = match order {
                    Order::Own { .. } | Order::Flush | Order::Examine => open[*number],
                    Order::Open => exists,
                    _ => false,
                };
                let told = error.contains(reason) && self.names_a_path(&error);
                let missing = error.contains("the store is not open")
                    || error.contains("there is no store in");
                if needs_none || !(told || missing && !exists) {
                    self.violations.push(format!("{order:?}: {error}"));
                }
            }
            match order {
                Order::Open => open[*number] = !failed,
                Order::Close => open[*number] = false,
                _ => {}
            }
        }
        Ok(())
    }

    fn exists(&self) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.exists
    }

    pub(super) fn names_a_path(&self, error: &str) -> bool {
        [&*self.root, self.papers]
            .iter()
            .any(|path| error.contains(&path.display().to_string()))
    }

    /// The program does what it can, and says what it cannot.
    fn commands(&mut self, deespec: &Path) -> Result<()> {
        let shell = program("true").ok_or("no true")?;
        let shell = shell.to_string_lossy();
        let commands: [(&[&str], bool); 4] = [
            (&["inc", "program_total"], true),
            (&["sync"], true),
            (&["run", "--", &shell], true),
            (&["show"], false),
        ];
        for (arguments, may_fail) in commands {
            let counts = arguments.contains(&"inc");
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if counts {
                known.learn(&Note::Begins(Order::Program));
            }
            drop(known);
            let output = Command::new(deespec)
                .arg("--store")
                .arg(&self.root)
                .args(arguments)
                .stdin(Stdio::null())
                .output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            let lawful = match output.status.code() {
                Some(0) => true,
                Some(3) => may_fail && self.names_a_path(&said),
                // Its command was not started, since it could not be counted.
                Some(125) => arguments.contains(&"run") && self.names_a_path(&said),
                _ => false,
            };
            if counts && output.status.success() {
                // It does not publish, but the system lives on, so the count is there.
                let key = "program_total".to_owned();
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.totals.insert(key, 1);
            }
            if !lawful {
                self.violations.push(format!(
                    "{arguments:?} ended with {}: {said}",
                    output.status
                ));
            }
        }
        Ok(())
    }
}

/// The one push of a client, whose line is longer than a page.
fn push(writer: u64) -> Order {
    Order::Push {
        writer,
        number: 8,
        by: 3,
    }
}

/// Everything that a store can do, in a random order.
pub(super) fn script(random: &mut Random) -> Vec<(usize, Order)> {
    let mut all = vec![
        (0, Order::Own { hand: 0, by: 2 }),
        (0, Order::Register { from: 0, to: 6 }),
        (0, Order::Observe { step: 1, times: 1 }),
        (1, Order::Observe { step: 2, times: 1 }),
        (0, Order::Sync),
        (1, Order::Sync),
        (0, Order::Flush),
        (1, Order::Snapshot),
        (0, Order::Rotate { keep: false }),
        (1, Order::Rotate { keep: true }),
        (0, Order::Restore),
        (1, Order::Import { number: 0 }),
        (0, Order::Import { number: 1 }),
        (1, Order::Redeclare { number: 1 }),
        (0, push(0)),
        (1, push(0)),
        (1, push(1)),
        (0, Order::Examine),
        (1, Order::Own { hand: 1, by: 2 }),
        (1, Order::Flush),
    ];
    for at in (1..all.len()).rev() {
        all.swap(at, random.below(at as u64 + 1) as usize);
    }
    let mut script = vec![(0, Order::Open), (1, Order::Open)];
    script.append(&mut all);
    if random.below(2) == 0 {
        script.extend([
            (0, Order::Close),
            (1, Order::Close),
            (0, Order::Compact),
            (1, Order::Open),
            (1, Order::Own { hand: 1, by: 1 }),
            (1, Order::Examine),
        ]);
    }
    script
}
