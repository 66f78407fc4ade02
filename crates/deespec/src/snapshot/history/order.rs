//! The order of snapshots: by the epoch that each belongs to, and by time within an epoch. A clock can go back, and a
//! number cannot (`docs/design/0067-epochs-order-snapshots.md`).

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::store::Core;
use crate::store::opened::open_regular;

use super::state::path;

/// More than the fields before the series of any document that DeeSpec has written.
const HEAD: u64 = 1024;

/// What stands before the number, once in the head of a document and in no text of it.
const FIELD: &str = "\n  \"epoch\": ";

/// What orders a snapshot: its epoch, and its time within that.
pub(super) type Turn = (u64, u64);

/// The turns of snapshots that are given by their times, with their epochs as far as they say one; others are of the
/// epoch of the one before.
pub(super) fn turns(snapshots: impl Iterator<Item = (u64, u64)>) -> Vec<Turn> {
    let mut last = 0;
    let turn = |(ns, epoch)| {
        if epoch != 0 {
            last = epoch;
        }
        (last, ns)
    };
    snapshots.map(turn).collect()
}

/// The epoch of each snapshot, by its time and the inode of its file; 0 where it says none.
pub(super) type Epochs = BTreeMap<(u64, u64), u64>;

/// The epochs of these snapshots. What is known stays; of others the head is read.
pub(super) fn epochs(core: &Core, files: &[(u64, u64)], known: &Epochs) -> Epochs {
    let epoch = |file: &(u64, u64)| {
        let known = known.get(file).copied();
        (*file, known.unwrap_or_else(|| read(core, file.0)))
    };
    files.iter().map(epoch).collect()
}

fn read(core: &Core, ns: u64) -> u64 {
    let mut head = Vec::new();
    if let Ok(Some((file, _))) = open_regular(&path(core, ns), false, u64::MAX) {
        let _ = file.take(HEAD).read_to_end(&mut head);
    }
    epoch_of(&String::from_utf8_lossy(&head)).unwrap_or_default()
}

/// The epoch that the beginning of a document tells.
fn epoch_of(head: &str) -> Option<u64> {
    let (_, rest) = head.split_once(FIELD)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::document::{Document, render};

    #[test]
    fn what_says_no_epoch_is_of_the_one_before() {
        let given = [(1, 0), (2, 3), (4, 0), (5, 2), (6, 0)];
        let expected = [(0, 1), (3, 2), (3, 4), (2, 5), (2, 6)];
        assert_eq!(turns(given.into_iter()), expected);
    }

    #[test]
    fn the_head_of_a_document_tells_its_epoch() {
        for epoch in [None, Some(1), Some(u64::from(u32::MAX))] {
            let document = Document {
                epoch,
                epoch_started: Some("2026-11-23T07:08:09.123456789Z".to_owned()),
                last_update: Some("2026-11-23T07:08:09Z".to_owned()),
                partial: vec!["\n  \"epoch\": 7,".to_owned()],
                ..Document::empty()
            };
            let text = render(&document);
            assert_eq!(epoch_of(&text), epoch);
            let head: String = text.chars().take(HEAD as usize).collect();
            assert_eq!(epoch_of(&head), epoch);
        }
        for other in ["", "{", "{\n  \"epoch\": ", "{\n  \"epoch\": 12"] {
            assert_eq!(epoch_of(other), None, "{other}");
        }
    }
}
