//! What the decoder of a part owes to any bytes at all.

use super::column::Column;
use super::part::{Builder, Head};

/// Bytes of a checksum are put right before they are read, as somebody would who means harm.
pub(in crate::snapshot) fn part(bytes: &[u8]) {
    column(bytes);
    let mut sealed = bytes.to_vec();
    super::part::seal(&mut sealed);
    for bytes in [bytes, &sealed] {
        whole(bytes);
    }
}

/// A column: what is read is written in one way only.
fn column(bytes: &[u8]) {
    let (rows, bytes) = match bytes.split_first_chunk::<2>() {
        Some((rows, bytes)) => (u32::from(u16::from_le_bytes(*rows)), bytes),
        None => (1, bytes),
    };
    let Some((code, key, column)) = Column::decode(bytes, rows) else {
        return;
    };
    assert_eq!(column.encode(code, key), bytes);
    assert!(column.rows.is_sorted_by(|one, other| one < other));
    assert!(column.rows.iter().all(|row| *row < rows));
    assert!(
        column
            .rows
            .iter()
            .all(|row| column.value(code, *row).is_some())
    );
}

/// A part: its rows and columns can be gathered into another one, which says the same.
fn whole(bytes: &[u8]) {
    let Some(head) = Head::of(bytes) else {
        return;
    };
    let mut columns = Vec::new();
    for entry in &head.entries {
        let begin = entry.offset as usize;
        let Some((code, key, column)) = head.column(entry, &bytes[begin..begin + entry.length])
        else {
            return;
        };
        assert!(head.find(key).contains(entry));
        columns.push((code, key.to_vec(), column));
    }
    let all: Vec<u32> = (0..head.rows.len() as u32).collect();
    let mut builder = Builder::default();
    builder.absorb(&head, &all, &columns);
    let again = builder.finish();
    let other = Head::of(&again).expect("we wrote it");
    assert_eq!(other.rows, head.rows);
}
