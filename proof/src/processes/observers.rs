//! Sums while others observe, and after observers were killed inside the call.
//!
//! *By instruction*: a process observes once and is single-stepped from the call to its return. After each instruction the
//! store is scraped, while the process stands still. Then one process after the other is killed at each of the
//! instructions that changed what was scraped, and the store is scraped for good.
//!
//! *At random*: processes observe again and again, and are killed at random moments and replaced. Before and
//! after each observation they count it, so that it can be told what had begun and what had returned. Meanwhile the
//! store is scraped without a pause, and rotated. In the end everything is audited.
//!
//! Both are done for values on bounds of buckets, for first observations, for a large one among small
//! ones, below zero and for native buckets, for summaries, for counters with fractions, and for gauges and histograms with a wide
//! sum (`SCENES`). The sums of those four have three cells, and may be seen in the middle of an addition.
//!
//! Violations: a `_sum` outside of what had returned before the scrape and what had begun after it, in the view or in the text
//! that Prometheus reads, of the epoch or of all time; a sum that is not what was there before the call, or with it, or, in
//! three cells, in between; a process that fails.

mod scene;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deespec::{Counter, Rotate, Store, exposition};

use crate::Result;
use crate::audit::{History, audit};
use crate::child::{self, argument};
use crate::harness::{Bench, Outcome};
use crate::opening::options;
use crate::operations::instructions::{Step, Traced, ready, stop};
use scene::{Handle, SCENES, Scene};

const NAME: &str = "observed";
/// By the labels `observer`, `value` and `what`: `begun` or `returned`.
const PROGRESS: &str = "progress_total";
/// Processes that observe at the same time.
const OBSERVERS: u64 = 3;
/// Longest time between two kills.
const PAUSE: Duration = Duration::from_millis(4);

pub(crate) fn run(bench: &mut Bench) -> Result<Outcome> {
    let kills = bench.count([20, 100, 1000, 5000]);
    let mut done = Done::default();
    let mut violations = Vec::new();
    for (number, scene) in SCENES.iter().enumerate() {
        let folder = bench.folder.join(format!("scene-{number}"));
        let mut found = by_instruction(number, scene, &folder.join("stepped"), &mut done)?;
        if found.is_empty() && !scene.values.is_empty() {
            found = at_random(
                number,
                scene,
                &folder.join("random"),
                kills,
                bench,
                &mut done,
            )?;
        }
        violations.extend(
            found
                .into_iter()
                .map(|what| format!("{}: {what}", scene.name)),
        );
    }
    Ok(Outcome {
        done: format!(
            "{} ways to observe, {} instructions, {} kills, {} scrapes, {} observations",
            SCENES.len(),
            done.instructions,
            done.kills,
            done.scrapes,
            done.observations
        ),
        violations,
    })
}

#[derive(Default)]
struct Done {
    instructions: u64,
    kills: u64,
    scrapes: u64,
    observations: u64,
}

/// What was observed, as it was scraped.
#[derive(Debug, Clone, PartialEq)]
struct Scraped {
    /// A counter with fractions and a gauge do not tell it.
    count: Option<u64>,
    /// In the epoch, ever, and as Prometheus reads it; the last is there where a text shows it.
    sums: [Option<f64>; 3],
}

impl Scraped {
    fn of(scene: &Scene, store: &Store) -> Result<Self> {
        let view = store.view()?;
        let sample = view.sample(NAME, &[]).ok_or("the series is missing")?;
        let text = exposition::prometheus::encode(&view);
        let mut lines = text.lines();
        let shown = lines.find_map(|line| line.strip_prefix(scene.line()));
        Ok(Self {
            count: scene::count(&sample.total),
            sums: [
                scene::sum(&sample.value),
                scene::sum(&sample.total),
                shown.map(str::parse).transpose()?,
            ],
        })
    }

    /// What is wrong with the sums, of which each must be what was there or be with what was observed, or where that
    /// may be seen between the two.
    fn unlike(&self, scene: &Scene, was: f64, observed: f64) -> Option<String> {
        let lawful = [was, was + observed];
        let (least, most) = (was.min(was + observed), was.max(was + observed));
        let is_lawful = |sum: f64| {
            lawful.iter().any(|one| is_near(sum, *one))
                || scene.has_middle() && (least..=most).contains(&sum)
        };
        let wrong = self.sums.iter().flatten().find(|sum| !is_lawful(**sum))?;
        Some(format!(
            "the sum is {wrong} at count {:?}, instead of one of {lawful:?}",
            self.count
        ))
    }
}

/// Apart from what adding up floating-point numbers here makes of it.
fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(1.0)
}

/// A new store with what was observed before.
fn prepared(scene: &Scene, root: &Path) -> Result<Store> {
    let store = options().stripes(1).open(root)?;
    store.declare(&scene.family()?)?;
    let handle = Handle::of(scene, &store)?;
    for &(value, count) in scene.before {
        (0..count).for_each(|_| handle.observe(value));
    }
    Ok(store)
}

fn summed(scene: &Scene) -> f64 {
    let each = scene.before.iter();
    each.map(|&(value, count)| value * count as f64).sum()
}

fn by_instruction(
    number: usize,
    scene: &Scene,
    folder: &Path,
    done: &mut Done,
) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for (value, observed) in scene.all().enumerate() {
        let root = folder.join(format!("{value}"));
        std::fs::create_dir_all(&root)?;
        let store = prepared(scene, &root)?;
        let what = [number.to_string(), value.to_string()];
        let what = [what[0].as_str(), what[1].as_str()];
        let (mut sum, mut before) = (summed(scene), Scraped::of(scene, &store)?);
        // Scraped after each instruction.
        let mut traced = Traced::start("observer-stepped", &what, &root)?;
        let mut changes = Vec::new();
        for n in 1_u64.. {
            let step = traced.step()?;
            let scraped = Scraped::of(scene, &store)?;
            done.instructions += 1;
            done.scrapes += 1;
            let story = format!("{observed}, after instruction {n}");
            let wrong = scraped.unlike(scene, sum, observed);
            violations.extend(wrong.map(|wrong| format!("{story}: {wrong}")));
            if scraped != before {
                changes.push(n);
                before = scraped;
            }
            if step == Step::Done {
                break;
            }
        }
        traced.kill()?;
        sum += observed;
        let wrong = before.unlike(scene, sum, 0.0);
        violations.extend(wrong.map(|wrong| format!("{observed}, observed: {wrong}")));
        // Killed where something changed.
        for n in changes {
            let mut traced = Traced::start("observer-stepped", &what, &root)?;
            for _ in 0..n {
                traced.step()?;
                done.instructions += 1;
            }
            traced.kill()?;
            done.kills += 1;
            let story = format!("{observed}, killed after instruction {n}");
            let scraped = Scraped::of(scene, &store)?;
            let wrong = scraped.unlike(scene, sum, observed);
            violations.extend(wrong.map(|wrong| format!("{story}: {wrong}")));
            // The first of the changes is the sum; but where exactly it comes may differ from run to run.
            sum = match (scraped.unlike(scene, sum, 0.0), scraped.sums) {
                (None, _) => sum,
                (Some(_), [_, Some(total), _]) if scene.has_middle() => total,
                (Some(_), _) => sum + observed,
            };
        }
        // And so it stays.
        drop(store);
        let store = options().open(&root)?;
        Handle::of(scene, &store)?.observe(observed);
        let wrong = Scraped::of(scene, &store)?.unlike(scene, sum + observed, 0.0);
        violations.extend(wrong.map(|wrong| format!("{observed}, afterwards: {wrong}")));
    }
    Ok(violations)
}

fn at_random(
    number: usize,
    scene: &Scene,
    root: &Path,
    kills: u64,
    bench: &mut Bench,
    done: &mut Done,
) -> Result<Vec<String>> {
    std::fs::create_dir_all(root)?;
    let store = prepared(scene, root)?;
    let start = |observer: u64| -> Result<Child> {
        let mut command = child::role("observer")?;
        command.arg(root).arg(number.to_string());
        command.arg(observer.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(command.spawn()?)
    };
    let ended = AtomicBool::new(false);
    let (scrapes, mut violations) = std::thread::scope(|scope| -> Result<_> {
        let scraper = scope.spawn(|| scrape(scene, root, &ended));
        let mut observers = (0..OBSERVERS).map(start).collect::<Result<Vec<_>>>()?;
        let mut complaints = Vec::new();
        for kill in 0..kills {
            // Load only: the kills are to come at moments that nobody can foresee.
            std::thread::sleep(bench.random.moment(PAUSE));
            let observer = bench.random.below(OBSERVERS);
            let place = &mut observers[usize::try_from(observer)?];
            end(std::mem::replace(place, start(observer)?), &mut complaints)?;
            if kill % 8 == 7 {
                store.rotate(Rotate::Reset)?;
            }
        }
        for observer in observers {
            end(observer, &mut complaints)?;
        }
        ended.store(true, Ordering::SeqCst);
        let (scrapes, mut found) = scraper.join().map_err(|_| "the scraper panicked")??;
        found.extend(complaints);
        Ok((scrapes, found))
    })?;
    done.kills += kills + OBSERVERS;
    done.scrapes += scrapes;
    let progress = Progress::of(scene, &store)?;
    done.observations += progress.iter().map(|each| each.begun).sum::<u64>();
    let returned: u64 = progress.iter().map(|each| each.returned).sum();
    let begun: u64 = progress.iter().map(|each| each.begun).sum();
    let before: u64 = scene.before.iter().map(|(_, count)| count).sum();
    let count = Scraped::of(scene, &store)?.count;
    let is_lawful = |count: u64| (before + returned..=before + begun).contains(&count);
    if begun - returned > kills + OBSERVERS || !count.is_none_or(is_lawful) {
        violations.push(format!(
            "{count:?} were counted: {before} before, {returned} that returned, and {begun} that began"
        ));
    }
    drop(store);
    violations.extend(audit(root, &History::default()).violations);
    Ok(violations)
}

/// Kills a process and waits for it.
fn end(mut observer: Child, complaints: &mut Vec<String>) -> Result<()> {
    child::kill(&observer)?;
    let status = observer.wait()?;
    if !child::was_killed(status) {
        complaints.push(format!("an observer ended with {status}"));
    }
    Ok(())
}

/// Scrapes until it is over, and once more; gives how often, and what was wrong.
fn scrape(scene: &Scene, root: &Path, ended: &AtomicBool) -> Result<(u64, Vec<String>)> {
    let store = options().open(root)?;
    let mut violations = Vec::new();
    let mut scrapes = 0;
    loop {
        let is_last = ended.load(Ordering::SeqCst);
        // In this order: what is counted between the readings had not returned before and had begun after it.
        let before = Progress::of(scene, &store)?;
        let scraped = Scraped::of(scene, &store)?;
        let after = Progress::of(scene, &store)?;
        scrapes += 1;
        let mut range = (summed(scene), summed(scene));
        for ((value, before), after) in scene.all().zip(before).zip(after) {
            let (returned, begun) = (value * before.returned as f64, value * after.begun as f64);
            range.0 += returned.min(begun);
            range.1 += returned.max(begun);
        }
        let [_, total, shown] = scraped.sums;
        let lawful = |sum: f64| {
            is_near(sum, range.0) || is_near(sum, range.1) || (range.0..=range.1).contains(&sum)
        };
        let wrong = [total, shown]
            .into_iter()
            .flatten()
            .find(|sum| !lawful(*sum));
        if let Some(sum) = wrong {
            let count = scraped.count;
            violations.push(format!(
                "scraped {sum} at count {count:?}, outside of {range:?}"
            ));
        }
        // An epoch's is a part of it, of which it is not known when exactly it began.
        let [epoch, ..] = scraped.sums;
        let most = range.0.abs().max(range.1.abs()).max(1.0) + scene.most() * OBSERVERS as f64;
        if epoch.is_some_and(|sum| sum.abs() > most) {
            violations.push(format!("the epoch has {epoch:?}, of {range:?} in all"));
        }
        if is_last || violations.len() > 10 {
            return Ok((scrapes, violations));
        }
    }
}

/// How often a value was observed.
struct Progress {
    begun: u64,
    returned: u64,
}

impl Progress {
    /// Of each value of a scene, by all observers.
    fn of(scene: &Scene, store: &Store) -> Result<Vec<Self>> {
        let view = store.view()?;
        let all = |value: usize, what: &str| {
            let value = value.to_string();
            let ours = |name: &str, labels: &deespec::LabelSet| {
                let is = |label: &str, wanted: &str| {
                    labels.get(label).is_some_and(|found| found == wanted)
                };
                name == PROGRESS && is("value", &value) && is("what", what)
            };
            let same = view
                .series
                .iter()
                .filter(|one| ours(&one.name, &one.labels));
            same.filter_map(|one| one.total.counter()).sum()
        };
        let one = |value: usize| Self {
            begun: all(value, "begun"),
            returned: all(value, "returned"),
        };
        Ok((0..scene.all().count()).map(one).collect())
    }
}

/// `observer ROOT SCENE NUMBER`: observes until it is killed, and counts what begins and what returns.
pub(crate) fn role(arguments: &[String]) -> Result<()> {
    let root: PathBuf = argument(arguments, 0)?;
    let scene = &SCENES[argument::<usize>(arguments, 1)?];
    let number: String = argument(arguments, 2)?;
    let store = options().open(root)?;
    let handle = Handle::of(scene, &store)?;
    let counter = |value: usize, what: &str| -> Result<Counter> {
        let value = value.to_string();
        let labels = [("observer", &*number), ("value", &*value), ("what", what)];
        Ok(store.counter_with(PROGRESS, &labels)?)
    };
    let values = scene.all().enumerate().map(|(index, value)| {
        let progress = (counter(index, "begun")?, counter(index, "returned")?);
        Ok((value, progress))
    });
    let values = values.collect::<Result<Vec<_>>>()?;
    let (once, turns) = values.split_at(scene.once.len());
    let endless = std::iter::repeat(turns).flatten();
    for (value, (begun, returned)) in once.iter().chain(endless) {
        begun.inc();
        handle.observe(*value);
        returned.inc();
    }
    Err("there is nothing to observe".into())
}

/// `observer-stepped SCENE VALUE ROOT`: says that it is ready, waits for a byte, stops itself, observes once, and
/// stops itself again.
pub(crate) fn stepped(arguments: &[String]) -> Result<()> {
    let scene = &SCENES[argument::<usize>(arguments, 0)?];
    let which: usize = argument(arguments, 1)?;
    let value = scene.all().nth(which).ok_or("no such value")?;
    let root: PathBuf = argument(arguments, 2)?;
    let store = options().open(root)?;
    let handle = Handle::of(scene, &store)?;
    ready()?;
    handle.observe(value);
    stop()
}
