use proptest::prelude::*;

use super::*;

fn place(number: u32) -> Place {
    Place {
        cell: number,
        cells: number % 7 + 1,
        block: number.wrapping_mul(3) & 0xff_ffff,
        form: Some(Form::Counter),
    }
}

fn asked(number: u32) -> Asked {
    Asked::new("jobs_total", &[("queue", &number.to_string()), ("k", "v")]).unwrap()
}

/// Lookups that have a table already.
fn begun() -> Lookups {
    let lookups = Lookups::default();
    for _ in 0..FEW {
        lookups.remember(&asked(u32::MAX), 0, place(0));
    }
    assert!(lookups.small.get().is_some());
    lookups
}

/// A name and labels of texts, which have to be an odd number.
fn of_texts(texts: &[String]) -> Option<Asked> {
    let labels: Vec<(&str, &str)> = texts[1..]
        .chunks_exact(2)
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    Asked::new(&texts[0], &labels)
}

proptest! {
    #[test]
    fn other_texts_have_other_words(
        // Bytes that could be taken for a length, and lengths around those of a word.
        one in proptest::collection::vec("[\\x00-\\x11a]{0,18}", 1..6),
        other in proptest::collection::vec("[\\x00-\\x11a]{0,18}", 1..6),
    ) {
        let odd = |mut texts: Vec<String>| {
            if texts.len() % 2 == 0 {
                texts.pop();
            }
            texts
        };
        let (one, other) = (odd(one), odd(other));
        let joined = vec![one.concat()];
        for (a, b) in [(&one, &other), (&one, &joined), (&one, &one)] {
            if let (Some(asked), Some(other)) = (of_texts(a), of_texts(b)) {
                prop_assert_eq!(asked.words() == other.words(), a == b);
            }
        }
    }
}

#[test]
fn the_rest_of_a_text_is_packed_byte_by_byte() {
    let bytes = [1, 2, 3, 4, 5, 6, 0xff];
    for len in 0..=bytes.len() {
        let mut eight = [0; 8];
        eight[..len].copy_from_slice(&bytes[..len]);
        assert_eq!(short(&bytes[..len]), u64::from_le_bytes(eight), "{len}");
    }
}

#[test]
fn what_does_not_fit_is_not_remembered() {
    let value = |len: usize| "v".repeat(len);
    // The name is two words, each label one and that of its value.
    assert!(Asked::new("jobs_total", &[("k", &value(25 * 8 - 1))]).is_some());
    assert!(Asked::new("jobs_total", &[("k", &value(25 * 8))]).is_none());
    assert!(Asked::new("jobs_total", &[("k", &value(70_000))]).is_none());
    assert!(Asked::new("jobs_total", &[("k", "v"); 14]).is_none());
}

#[test]
fn few_lookups_make_no_table_and_many_no_further_one() {
    let lookups = Lookups::default();
    for number in 0..FEW - 1 {
        lookups.remember(&asked(number), 0, place(number));
    }
    // Other tests of this thread may have counted before.
    assert!(lookups.large.get().is_none());
    let lookups = begun();
    lookups.remember(&asked(7), 3, place(7));
    assert_eq!(lookups.find(&asked(7)), Some((3, place(7))));
    assert_eq!(lookups.find(&asked(8)), None);
    let count = if cfg!(miri) { 300 } else { 100_000 };
    for number in 0..count {
        lookups.remember(&asked(number), number % 16, place(number));
    }
    let mut found = 0;
    for number in 0..count {
        if let Some(known) = lookups.find(&asked(number)) {
            assert_eq!(known, (number % 16, place(number)));
            found += 1;
        }
    }
    let words = |table: &OnceLock<Table>| table.get().map_or(0, |table| table.words.len());
    assert_eq!(
        words(&lookups.small) + words(&lookups.large),
        (SMALL + LARGE) * SLOT
    );
    assert!(
        found > count.min(LARGE as u32) / 3 && found <= LARGE as u32,
        "{found}"
    );
}

#[test]
fn what_is_asked_for_again_and_again_takes_a_slot_in_the_end() {
    let lookups = begun();
    let count = if cfg!(miri) { 100 } else { 50_000 };
    for number in 0..count {
        lookups.remember(&asked(number), 0, place(number));
    }
    let late = asked(count + 1);
    for _ in 0..=PATIENCE {
        lookups.remember(&late, 0, place(9));
    }
    assert_eq!(lookups.find(&late), Some((0, place(9))));
}

#[test]
fn a_slot_that_is_written_over_is_never_read_as_a_mixture() {
    // All keys want the same two slots.
    let table = Table {
        words: zeros(2 * SLOT),
        mask: 1,
    };
    let rounds = if cfg!(miri) { 40 } else { 40_000 };
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let table = &table;
            scope.spawn(move || {
                for round in 0..rounds {
                    let number = (round * 7 + thread) % 11;
                    let asked = asked(number);
                    let known = table
                        .slots(asked.hash)
                        .into_iter()
                        .find_map(|slot| read(slot, &asked));
                    if let Some(known) = known {
                        assert_eq!(known, (number, place(number)));
                    }
                    write(
                        table.slots(asked.hash)[round as usize % 2],
                        &asked,
                        number,
                        place(number),
                    );
                }
            });
        }
    });
}

#[test]
fn a_stripe_keeps_a_copy_of_its_own_of_how_histograms_sort() {
    let sorting = Sorting::default();
    let buckets = Buckets::classic([1.0, 2.5]).unwrap();
    assert_eq!(sorting.find(0, (0, 1)), None);
    sorting.remember(1, 2, (0, 1), &buckets);
    assert_eq!(sorting.find(1, (0, 1)), Some(buckets.clone()));
    assert_eq!(sorting.find(0, (0, 1)), None);
    for block in 0..SORTING_MAX as u32 + 5 {
        sorting.remember(1, 2, (1, block), &buckets);
    }
    assert_eq!(sorting.find(1, (0, 1)), None);
    assert_eq!(sorting.find(1, (1, SORTING_MAX as u32 + 4)), Some(buckets));
}
