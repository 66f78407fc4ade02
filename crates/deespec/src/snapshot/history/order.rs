//! The order of snapshots: by the epoch that each belongs to, and by time within an epoch, which the one that closes it
//! ends. A clock can go back, and a number cannot (`docs/design/0067-epochs-order-snapshots.md`).

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::store::Core;
use crate::store::opened::open_regular;

use super::state::path;

/// More than the fields before the series of any document that DeeSpec has written.
const HEAD: u64 = 1024;

/// What stands before the number, once in the head of a document and in no text of it.
const FIELD: &str = "\n  \"epoch\": ";
/// The line of a document that closes its epoch.
const CLOSES: &str = "\n  \"kind\": \"rotation\",";

/// What orders a snapshot: its epoch, whether it closes that, and its time.
pub(super) type Turn = (u64, bool, u64);

/// Which epoch a snapshot is of, 0 where it says none, and whether it closes it.
pub(super) type OfEpoch = (u64, bool);

/// The turns of snapshots that are given by their times, with their epochs as far as they say one; others are of the
/// epoch of the one before.
pub(super) fn turns(snapshots: impl Iterator<Item = (u64, OfEpoch)>) -> Vec<Turn> {
    let mut last = 0;
    let turn = |(ns, (epoch, closes))| {
        if epoch != 0 {
            last = epoch;
        }
        (last, closes, ns)
    };
    snapshots.map(turn).collect()
}

/// What each snapshot says of its epoch, by its time and the inode of its file.
pub(super) type Epochs = BTreeMap<(u64, u64), OfEpoch>;

/// The epochs of these snapshots. What is known stays; of others the head is read.
pub(super) fn epochs(core: &Core, files: &[(u64, u64)], known: &Epochs) -> Epochs {
    let epoch = |file: &(u64, u64)| {
        let known = known.get(file).copied();
        (*file, known.unwrap_or_else(|| read(core, file.0)))
    };
    files.iter().map(epoch).collect()
}

/// The time in the name of the newest snapshot of this epoch that has a later one than this.
pub(super) fn newest_behind(core: &Core, epoch: u64, ns: u64, files: &[(u64, u64)]) -> Option<u64> {
    let later = files.iter().rev().take_while(|(at, _)| *at > ns);
    later
        .map(|(at, _)| *at)
        .find(|at| read(core, *at).0 == epoch)
}

fn read(core: &Core, ns: u64) -> OfEpoch {
    let mut head = Vec::new();
    if let Ok(Some((file, _))) = open_regular(&path(core, ns), false, u64::MAX) {
        let _ = file.take(HEAD).read_to_end(&mut head);
    }
    epoch_of(&String::from_utf8_lossy(&head)).unwrap_or_default()
}

/// What the beginning of a document tells of its epoch.
fn epoch_of(head: &str) -> Option<OfEpoch> {
    let (_, rest) = head.split_once(FIELD)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    Some((rest[..digits].parse().ok()?, rest.contains(CLOSES)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::document::{Document, DocumentKind, render};

    #[test]
    fn what_says_no_epoch_is_of_the_one_before() {
        let given = [(1, 0), (2, 3), (4, 0), (5, 2), (6, 0)];
        let expected = [(0, 1), (3, 2), (3, 4), (2, 5), (2, 6)];
        let given = given.map(|(ns, epoch)| (ns, (epoch, false)));
        assert_eq!(
            turns(given.into_iter()),
            expected.map(|(epoch, ns)| (epoch, false, ns))
        );
    }

    #[test]
    fn what_closes_an_epoch_comes_last_in_it_whatever_its_time() {
        let given = [
            (1, (2, true)),
            (3, (2, false)),
            (4, (1, true)),
            (5, (2, false)),
        ];
        let mut found = turns(given.into_iter());
        found.sort_unstable();
        let order: Vec<u64> = found.into_iter().map(|(.., ns)| ns).collect();
        assert_eq!(order, [4, 3, 5, 1]);
    }

    #[test]
    fn the_head_of_a_document_tells_its_epoch() {
        for epoch in [None, Some(1), Some(u64::from(u32::MAX))] {
            for kind in [DocumentKind::Snapshot, DocumentKind::Rotation] {
                let document = Document {
                    epoch,
                    kind: Some(kind),
                    epoch_started: Some("2026-11-23T07:08:09.123456789Z".to_owned()),
                    last_update: Some("2026-11-23T07:08:09Z".to_owned()),
                    partial: vec!["\n  \"epoch\": 7,\n  \"kind\": \"rotation\",".to_owned()],
                    ..Document::empty()
                };
                let text = render(&document);
                let told = epoch.map(|epoch| (epoch, kind == DocumentKind::Rotation));
                assert_eq!(epoch_of(&text), told);
                let head: String = text.chars().take(HEAD as usize).collect();
                assert_eq!(epoch_of(&head), told);
            }
        }
        for other in ["", "{", "{\n  \"epoch\": ", "{\n  \"epoch\": 12"] {
            assert_eq!(epoch_of(other), None, "{other}");
        }
    }
}
