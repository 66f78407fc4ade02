//! A store of a million series: importing them, closing their epoch and compacting their store, each by a process of its
//! own, whose largest resident size is what this is about. Mapped pages of files count in it too. Beside the times stands
//! what nobody can import without: the text is read, and its lines are told apart.

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use deespec::{Options, Rotate};

use crate::Result;
use crate::measure::nanoseconds;
use crate::place::{self, Bench};
use crate::table::Figure::Nanoseconds;
use crate::table::{HowMany, Line};

/// The roles of the processes, in their order.
pub(crate) const ROLES: [&str; 3] = ["import", "rotate", "compact"];
/// How they begin.
pub(crate) const ROLE: &str = "million ";
/// So much memory each of them may take.
const AT_MOST: f64 = 600e6;
const PER_FAMILY: usize = 1000;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let count = bench.level.choose(1_000_000, 100_000, 2_000);
    let folder = bench.on_disk()?;
    let text = folder.path().join("text");
    write_text(&text, count)?;
    let lines = told_apart(&text)?;
    let mut rows = Vec::new();
    for role in ROLES {
        let (took, bytes) = process(role, folder.path())?;
        let of = HowMany::of(count, "series");
        let memory = format!("memory of a process that is to {role} labelled counters");
        rows.push(Line::size(memory, bytes, AT_MOST).of(of));
        rows.push(
            Line::control(
                format!("to {role} labelled counters"),
                Nanoseconds(took),
                "their text is read and its lines told apart",
                Nanoseconds(lines),
                took / lines,
            )
            .of(of),
        );
    }
    check(folder.path(), count)?;
    Ok(rows)
}

/// OpenMetrics text of so many counters, each with two or three labels.
fn write_text(path: &Path, count: usize) -> Result<()> {
    let mut text = std::io::BufWriter::new(fs::File::create(path)?);
    for number in 0..count {
        let (family, node) = (number / PER_FAMILY, number % 100);
        if number % PER_FAMILY == 0 {
            writeln!(text, "# TYPE requests_{family} counter")?;
        }
        let third = match number % 2 {
            0 => String::new(),
            _ => format!(",path=\"/api/v1/{}\"", number % PER_FAMILY),
        };
        writeln!(
            text,
            "requests_{family}_total{{instance=\"node-{node}\",job=\"job-{number}\"{third}}} 1"
        )?;
    }
    writeln!(text, "# EOF")?;
    Ok(text.flush()?)
}

/// Reads a text and tells its lines apart: nanoseconds.
fn told_apart(path: &Path) -> Result<f64> {
    let start = Instant::now();
    let text = fs::read_to_string(path)?;
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    black_box(lines.collect::<HashMap<_, _>>().len());
    Ok(nanoseconds(start.elapsed()))
}

/// Lets a process do its part: nanoseconds, and the bytes that it had in memory at most.
fn process(role: &str, folder: &Path) -> Result<(f64, f64)> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--worker", &format!("{ROLE}{role}")])
        .arg(folder)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8(output.stdout)?;
    let told = said.trim().split_once(' ');
    let (took, bytes) = told.ok_or_else(|| format!("to {role}, {}", output.status))?;
    Ok((took.parse()?, bytes.parse()?))
}

/// What such a process does and says.
pub(crate) fn live(role: &str, folder: &Path) -> Result<()> {
    let store = folder.join("var");
    let start = Instant::now();
    match role {
        "import" => drop(place::open(&store)?.import(&folder.join("text"), false)?),
        "rotate" => drop(place::open(&store)?.rotate(Rotate::Reset)?),
        "compact" => {
            Options::new().compact(&store)?;
        }
        _ => return Err("unknown role".into()),
    }
    let took = nanoseconds(start.elapsed());
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.map(|peak| peak.trim().trim_end_matches(" kB"));
    let kib: u64 = kib.ok_or("the kernel does not tell the peak")?.parse()?;
    writeln!(std::io::stdout(), "{took} {}", kib * 1024)?;
    Ok(())
}

/// Everything was counted, in the epoch that was closed.
fn check(folder: &Path, count: usize) -> Result<()> {
    let view = place::open(&folder.join("var"))?.view()?;
    let totals = view.series.iter().filter_map(|one| one.total.counter());
    match (view.series.len(), totals.sum::<u64>()) {
        (series, total) if series == count && total == count as u64 => Ok(()),
        found => Err(format!("{found:?} of {count}").into()),
    }
}
