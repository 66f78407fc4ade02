//! What is read of the file, whole or torn, and which writers are forgotten.

use super::*;

const STORE: &str = "00000000000000010000000000000002";

fn line(writer: &str, sequence: u64, at: u64) -> String {
    let line = Line {
        store: STORE.to_owned(),
        writer: writer.to_owned(),
        sequence,
        at,
        digest: String::new(),
        with: Vec::new(),
        ledger: Vec::new(),
    };
    line.to_text()
}

fn sequence(journal: &Journal, writer: &str) -> Option<u64> {
    journal.last(writer).map(|last| last.sequence)
}

#[test]
fn the_last_line_of_a_writer_counts_and_every_flipped_bit_of_it_shows() {
    let text = format!("{}\n{}\n", line("a", 1, 5), line("a", 9, 6));
    let journal = Journal::of(text.as_bytes(), STORE);
    assert_eq!((sequence(&journal, "a"), journal.damaged), (Some(9), None));
    let other = Journal::of(text.as_bytes(), "another");
    assert_eq!((sequence(&other, "a"), other.damaged), (None, None));
    for bit in 0..8 * text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let journal = Journal::of(&bytes, STORE);
        // A newline at the very end that is gone takes nothing away.
        let is_last = bit / 8 == text.len() - 1;
        assert_eq!(journal.damaged.is_none(), is_last, "bit {bit}");
        if is_last {
            let mended = journal.shortened(STORE).unwrap();
            let mended = Journal::of(mended.as_bytes(), STORE);
            assert_eq!(
                (sequence(&journal, "a"), sequence(&mended, "a")),
                (Some(9), Some(9))
            );
        }
    }
}

#[test]
fn what_was_never_written_to_its_end_is_no_push() {
    let whole = line("a", 1, 5);
    let next = line("a", 2, 6);
    for cut in 1..next.len() {
        let text = format!("{whole}\n{}", &next[..cut]);
        let journal = Journal::of(text.as_bytes(), STORE);
        assert_eq!(
            (sequence(&journal, "a"), journal.damaged),
            (Some(1), None),
            "{cut}"
        );
    }
    let mut torn = format!("{whole}\n{next}\n").into_bytes();
    let from = whole.len() + 20;
    torn[from..from + 9].fill(0);
    let journal = Journal::of(&torn, STORE);
    assert_eq!((sequence(&journal, "a"), journal.damaged), (Some(1), None));
    assert!(Journal::of(&torn, STORE).shortened(STORE).is_some());
    // A block that ends behind the first byte of the line.
    let mut first = format!("{whole}\n{next}\n").into_bytes();
    first[whole.len() + 1] = 0;
    let journal = Journal::of(&first, STORE);
    assert_eq!((sequence(&journal, "a"), journal.damaged), (Some(1), None));
    // A line behind it: it was written once.
    torn.extend_from_slice(format!("{next}\n").as_bytes());
    assert_eq!(Journal::of(&torn, STORE).damaged, Some(2));
}

#[test]
fn a_file_that_has_grown_is_replaced_by_what_it_needs_and_no_clock_forgets_a_writer() {
    let mut text = format!("{}\n", line("old", 7, 0));
    let now = u64::MAX;
    while text.len() <= GROWN {
        text += &format!("{}\n{}\n", line("a", 8, now), line("b", 9, now));
    }
    let journal = Journal::of(text.as_bytes(), STORE);
    let short = journal.shortened(STORE).unwrap();
    let again = Journal::of(short.as_bytes(), STORE);
    let last = ["a", "b", "old"].map(|writer| sequence(&again, writer));
    assert_eq!((last, again.damaged), ([Some(8), Some(9), Some(7)], None));
    assert_eq!(again.shortened(STORE), None);
}

#[test]
fn the_writer_is_forgotten_that_most_others_have_pushed_after() {
    let mut journal = Journal::default();
    let push = |journal: &mut Journal, writer: &str| {
        let text = line(writer, 1, 5) + "\n";
        assert!(journal.absorb(text.as_bytes(), STORE));
    };
    push(&mut journal, "early");
    push(&mut journal, "again");
    for n in 0..WRITERS_MAX - 2 {
        push(&mut journal, &format!("w{n}"));
    }
    push(&mut journal, "again");
    assert_eq!(sequence(&journal, "early"), Some(1));
    push(&mut journal, "one more");
    let last = ["early", "again", "w0"].map(|writer| sequence(&journal, writer));
    assert_eq!(last, [None, Some(1), Some(1)]);
}

#[test]
fn a_line_of_several_pushes_counts_all_of_them_or_none() {
    let with = |writer: &str, sequence| Numbered {
        writer: writer.to_owned(),
        sequence,
        digest: "d".to_owned(),
    };
    let line = Line {
        store: STORE.to_owned(),
        writer: "a".to_owned(),
        sequence: 3,
        at: 5,
        digest: "c".to_owned(),
        with: vec![with("b", 1), with("a", 4)],
        ledger: Vec::new(),
    };
    let text = line.to_text() + "\n";
    let journal = Journal::of(text.as_bytes(), STORE);
    let last = ["a", "b"].map(|writer| sequence(&journal, writer));
    assert_eq!(last, [Some(4), Some(1)]);
    for cut in 0..text.len() - 1 {
        let journal = Journal::of(&text.as_bytes()[..cut], STORE);
        assert_eq!(sequence(&journal, "b"), None, "{cut}");
    }
}
