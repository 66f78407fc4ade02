//! Whether what became of one changed file is lawful, told by where the change lies.

use std::fs;
use std::path::Path;

use deespec::{Document, Error, Import, Published, Store};

use super::flips::{
    Case, Change, EPOCHS, End, IMPORTS, INPUT, METRICS, PUSHES, Place, SEGMENT, Values, options,
    push, values,
};
use super::image::{self, Part};
use crate::{Result, ui};

/// One file that was changed.
pub(super) struct Judge<'a> {
    pub(super) place: &'a Place<'a>,
    pub(super) case: Case,
    pub(super) name: &'static str,
    pub(super) changed: &'a [u8],
}

impl Judge<'_> {
    /// What became of it; an error is a violation.
    pub(super) fn judge(&self) -> Result<End> {
        match self.name {
            SEGMENT => self.segment(),
            METRICS => self.published(),
            EPOCHS => self.epochs(),
            IMPORTS => self.imports(),
            PUSHES => self.pushes(),
            _ => self.snapshot(),
        }
    }

    fn open(&self) -> std::result::Result<Store, Error> {
        options().create(false).open(self.place.folder.path())
    }

    /// The error names the file, and a reason behind it; nothing was written but the next ticket.
    fn refused(&self, error: &Error) -> Result<End> {
        self.told(error, &self.place.at(self.name))?;
        self.untouched(&[])?;
        Ok(End::Refused)
    }

    fn told(&self, error: &Error, path: &Path) -> Result<()> {
        let text = ui::chain(error);
        let path = path.display().to_string();
        if !text.contains(&path) || text.len() < path.len() + 10 {
            return Err(format!("the error does not name {path} and a reason: {text}").into());
        }
        Ok(())
    }

    /// No file was changed, but for these and for the words of a segment that each opening writes.
    fn untouched(&self, but: &[&str]) -> Result<()> {
        for (index, (name, bytes)) in self.place.whole.files.iter().enumerate() {
            if but.contains(name) {
                continue;
            }
            let mut found = fs::read(self.place.at(name))?;
            let mut expected = match index == self.case.file {
                true => self.changed.to_vec(),
                false => bytes.clone(),
            };
            if *name == SEGMENT {
                let ticket = image::TICKET * 8..image::TICKET * 8 + 8;
                for bytes in [&mut found, &mut expected] {
                    if let Some(ticket) = bytes.get_mut(ticket.clone()) {
                        ticket.fill(0);
                    }
                }
            }
            if found != expected {
                return Err(format!("{name} was changed").into());
            }
        }
        Ok(())
    }

    /// The pushes are what they were, with one whole line more at most.
    fn at_most_completed(&self) -> Result<()> {
        let before = self
            .place
            .whole
            .files
            .iter()
            .find(|(name, _)| *name == PUSHES);
        let (_, before) = before.ok_or("no pushes")?;
        let found = fs::read(self.place.at(PUSHES))?;
        let more = found.strip_prefix(before.as_slice());
        let lines = more.map(|more| more.iter().filter(|byte| **byte == b'\n').count());
        match (more, lines) {
            (Some([]), _) => Ok(()),
            (Some([.., b'\n']), Some(1)) => Ok(()),
            _ => Err(format!("{PUSHES} was changed").into()),
        }
    }

    fn segment(&self) -> Result<End> {
        let whole = self.place.whole;
        let used = self.open().and_then(|store| Ok((store.view()?, store)));
        let Change::Bit(bit) = self.case.change else {
            return match used {
                Err(error) => self.refused(&error),
                Ok(_) => Err("a segment of another length was opened".into()),
            };
        };
        let part = whole.map.part(bit / 64);
        let (view, store) = match (used, &part) {
            (Err(error), Part::Vital) => return self.refused(&error),
            (Ok(_), Part::Vital) => return Err(format!("{part:?} was not missed").into()),
            (Err(error), _) => return Err(error.into()),
            (Ok(used), _) => used,
        };
        // Whoever takes the store for unfinished says that the last push is complete.
        match image::settles(bit / 64) {
            true => {
                self.untouched(&[SEGMENT, PUSHES])?;
                self.at_most_completed()?;
            }
            false => self.untouched(&[SEGMENT])?,
        }
        let found = values(&view);
        let mut expected = whole.values.clone();
        let reported = !view.skipped.is_empty();
        let path = self.place.at(SEGMENT).display().to_string();
        if !view.skipped.iter().all(|told| told.contains(&path)) {
            return Err(format!("the report does not name {path}: {:?}", view.skipped).into());
        }
        let health = store.health()?;
        let healthy = health.problems.is_empty();
        if healthy == (reported || part == Part::Degraded && health.degraded) {
            return Err(format!("the report on the health says {:?}", health.problems).into());
        }
        let end = match &part {
            Part::Series(index) => {
                let name = &whole.map.entries[*index].name;
                self.may_lack(&mut expected, &found, name, reported)?
            }
            Part::Family(name) => {
                let of = |entry: &&image::Entry| entry.name.split(',').next() == Some(name);
                let mut end = End::Reported;
                for entry in whole.map.entries.iter().filter(of) {
                    end = end.max(self.may_lack(&mut expected, &found, &entry.name, reported)?);
                }
                end
            }
            Part::Count { cell, baseline } => {
                let change = 1_u64 << (bit % 64);
                let was_set = whole.files[0].1[bit / 8] >> (bit % 8) & 1 == 1;
                let grows = was_set == *baseline;
                let of = |entry: &&image::Entry| entry.cells.contains(cell);
                match whole.map.entries.iter().find(of) {
                    Some(entry) => {
                        let at = cell - entry.cells.start;
                        let value = expected.get_mut(&entry.name).and_then(|v| v.get_mut(at));
                        match value {
                            // A gauge stands in the one stripe, and has no baseline.
                            Some(bits) if entry.name == "depth" => {
                                let is_its = bit / 64 == image::first_cell() + cell;
                                *bits ^= if is_its { change } else { 0 };
                            }
                            Some(count) if grows => *count = count.wrapping_add(change),
                            Some(count) => *count = count.wrapping_sub(change),
                            None => {}
                        }
                        End::Miscounted
                    }
                    None => End::Harmless,
                }
            }
            Part::Vital | Part::Degraded | Part::Other => End::Harmless,
        };
        if reported != matches!(end, End::Reported | End::Missing) {
            return Err(format!("the view says {:?}", view.skipped).into());
        }
        if found != expected {
            return Err(format!("{part:?}: it shows {found:?} instead of {expected:?}").into());
        }
        self.count_on(&store, &found)?;
        Ok(if found == whole.values && end == End::Miscounted {
            End::Harmless
        } else {
            end
        })
    }

    /// The series may be missing, or have begun again, where that is reported.
    fn may_lack(
        &self,
        expected: &mut Values,
        found: &Values,
        name: &str,
        reported: bool,
    ) -> Result<End> {
        if !reported {
            return Err(format!("that {name} is damaged is not reported").into());
        }
        let was = expected.get(name).cloned();
        let now = found.get(name).cloned();
        if now == was {
            return Ok(End::Reported);
        }
        match now {
            None => drop(expected.remove(name)),
            Some(now) if now.iter().all(|count| *count == 0) => {
                expected.insert(name.to_owned(), now);
            }
            Some(now) => return Err(format!("{name} is {now:?} instead of {was:?}").into()),
        }
        Ok(End::Missing)
    }

    /// Each counter can be counted in, and gains that and nothing else.
    fn count_on(&self, store: &Store, before: &Values) -> Result<()> {
        let four = store.transactions();
        four.success.inc();
        four.failed.inc();
        store.counter("plain_total")?.inc();
        let labels = [("part", "a"), ("job", "nightly build")];
        store.counter_with("builds_total", &labels)?.inc();
        store.counter("new_total")?.inc();
        let mut expected = before.clone();
        let counted = [
            "commit_success",
            "commit_failed",
            "plain_total",
            "new_total",
        ];
        for name in counted.into_iter().chain(["builds_total,nightly build,a"]) {
            let count = expected.entry(name.to_owned()).or_insert_with(|| vec![0]);
            count[0] = count[0].wrapping_add(1);
        }
        let after = values(&store.view()?);
        if after != expected {
            return Err(format!("after counting on {after:?} instead of {expected:?}").into());
        }
        Ok(())
    }

    /// All counts are right and can be counted on.
    fn unharmed(&self, store: &Store) -> Result<()> {
        let found = values(&store.view()?);
        if found != self.place.whole.values {
            return Err(format!("it shows {found:?}").into());
        }
        self.count_on(store, &found)
    }

    /// Whether the document reads; as it was, then.
    fn reads(&self) -> Result<bool> {
        let (path, whole) = (
            self.place.at(self.name),
            &self.place.whole.files[self.case.file].1,
        );
        match Document::read(&path) {
            Ok(document) if document == Document::parse(whole, &path)? => Ok(true),
            Ok(document) => Err(format!("it reads as {document:?}").into()),
            Err(error) => self.told(&error, &path).map(|()| false),
        }
    }

    fn published(&self) -> Result<End> {
        let reads = self.reads()?;
        let store = self.open()?;
        self.unharmed(&store)?;
        if store.health()?.published != Published::Foreign {
            return Err("it is not known to be foreign".into());
        }
        match store.sync() {
            Ok(_) => return Err("it was overwritten".into()),
            Err(error) => self.told(&error, &self.place.at(METRICS))?,
        }
        self.untouched(&[SEGMENT])?;
        Ok(if reads { End::Reported } else { End::Refused })
    }

    fn snapshot(&self) -> Result<End> {
        let reads = self.reads()?;
        let store = self.open()?;
        let path = self.place.at(self.name);
        if !reads {
            match store.restore(&path, "", false) {
                Ok(_) => return Err("it was restored".into()),
                Err(error) => self.told(&error, &path)?,
            }
            match store.import(&path, true) {
                Ok(_) => return Err("it was imported".into()),
                Err(error) => self.told(&error, &path)?,
            }
        }
        self.unharmed(&store)?;
        self.untouched(&[SEGMENT])?;
        Ok(if reads { End::Harmless } else { End::Refused })
    }

    /// A process that looks for unfinished work reads the last line.
    fn epochs(&self) -> Result<End> {
        let mut segment = self.place.whole.files[0].1.clone();
        segment[image::PENDING * 8] = 1;
        fs::write(self.place.at(SEGMENT), &segment)?;
        let store = self.open()?;
        self.unharmed(&store)?;
        let view = store.sync()?;
        if view.epoch != 2 || !view.skipped.is_empty() {
            return Err(format!("epoch {}, {:?}", view.epoch, view.skipped).into());
        }
        // Closing the epoch once more says the same; the snapshots are among these files.
        self.untouched(&[SEGMENT, METRICS, EPOCHS, PUSHES])?;
        self.at_most_completed()?;
        let lines = fs::read(self.place.at(EPOCHS))?;
        let closed = fs::read(self.place.at(EPOCHS))? != self.changed;
        // What is behind the last line is cut off when the next one comes.
        let end = lines.iter().rposition(|byte| *byte == b'\n');
        let last = &lines[..end.ok_or("no line is whole")?];
        let last = last.rsplit(|byte| *byte == b'\n').next();
        // A letter of a text may be lost.
        let last = String::from_utf8_lossy(last.unwrap_or_default());
        let last: serde_json::Value = serde_json::from_str(&last)?;
        if last["epoch"].as_u64().is_none_or(|epoch| epoch < 1) {
            return Err(format!("the last line is {last}").into());
        }
        Ok(if closed { End::Reported } else { End::Harmless })
    }

    fn imports(&self) -> Result<End> {
        let store = self.open()?;
        self.unharmed(&store)?;
        let before = store.view()?.transactions;
        let again = store.import(&self.place.at(INPUT), false)?;
        let after = store.view()?.transactions;
        let gained = (
            after.success - before.success,
            after.conflicts - before.conflicts,
        );
        match (again, gained) {
            (Import::Already { .. }, (0, 0)) => Ok(End::Harmless),
            (Import::Added { .. }, (5, 40)) => Ok(End::Reported),
            (again, gained) => Err(format!("{again:?} added {gained:?}").into()),
        }
    }

    /// Whoever sends its last push again must hear that it is counted, or nothing at all.
    fn pushes(&self) -> Result<End> {
        let store = self.open()?;
        self.unharmed(&store)?;
        let pushed = || Ok::<_, Error>(store.view()?.value("pushed_total", &[]));
        let before = pushed()?;
        let again = match push(&store, 2) {
            Err(error) => {
                let told = self.told(&error, &self.place.at(PUSHES));
                self.untouched(&[SEGMENT])?;
                // Nothing else is refused.
                store.sync()?;
                return told.map(|()| End::Refused);
            }
            Ok(done) => done.counted,
        };
        let is_shorter = matches!(self.case.change, Change::Length(length) if length < self.place.whole.files[self.case.file].1.len());
        if again && !is_shorter {
            return Err("a push was counted twice".into());
        }
        if pushed()? != before.map(|count| count + u64::from(again)) {
            return Err(format!("counted: {again}, {before:?}, {:?}", pushed()?).into());
        }
        if !push(&store, 3)?.counted || push(&store, 3)?.counted {
            return Err("the next push was not counted once".into());
        }
        Ok(if again { End::Reported } else { End::Harmless })
    }
}
