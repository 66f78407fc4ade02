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

fn asked<T>(number: u32, then: impl FnOnce(&Asked) -> T) -> T {
    let queue = number.to_string();
    let labels = [("queue", queue.as_str()), ("k", "v")];
    then(&Asked::new("jobs_total", &labels).unwrap())
}

fn remember(lookups: &Lookups, number: u32, segment: u32, place: Place) {
    asked(number, |asked| lookups.remember(asked, segment, place, 0));
}

fn told(known: Known) -> (u32, Place) {
    assert_eq!(known.place(Form::Gauge), None);
    (known.segment(), known.place(Form::Counter).unwrap())
}

fn find(lookups: &Lookups, number: u32) -> Option<(u32, Place)> {
    let queue = number.to_string();
    let found = lookups.find("jobs_total", &[("queue", queue.as_str()), ("k", "v")]);
    found.map(told)
}

/// Lookups that have a table already.
fn begun() -> Lookups {
    let lookups = Lookups::default();
    for _ in 0..FEW {
        remember(&lookups, u32::MAX, 0, place(0));
    }
    assert!(lookups.small.get().is_some());
    lookups
}

/// The words of a name and labels of texts, which have to be an odd number.
fn of_texts(texts: &[String]) -> Option<Vec<u64>> {
    let labels: Vec<(&str, &str)> = texts[1..]
        .chunks_exact(2)
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    let asked = Asked::new(&texts[0], &labels)?;
    Some([&[asked.form][..], &asked.words].concat())
}

proptest! {
    #[test]
    fn other_texts_have_other_words(
        // Bytes that could be taken for a length, and lengths around those of a word.
        one in proptest::collection::vec("[\\x00-\\x11a]{0,18}", 1..6),
        other in proptest::collection::vec("[\\x00-\\x11a]{0,18}", 1..6),
    ) {
        let odd = |mut texts: Vec<String>| {
            if texts.len().is_multiple_of(2) {
                texts.pop();
            }
            texts
        };
        let (one, other) = (odd(one), odd(other));
        let joined = vec![one.concat()];
        for (a, b) in [(&one, &other), (&one, &joined), (&one, &one)] {
            if let (Some(words), Some(other)) = (of_texts(a), of_texts(b)) {
                prop_assert_eq!(words == other, a == b);
            }
        }
    }
}

#[test]
fn a_text_is_packed_byte_by_byte_with_its_length_at_the_end() {
    let bytes: Vec<u8> = (1..=26).chain([0xff]).collect();
    for len in 0..=bytes.len() {
        let text = &bytes[..len];
        let mut packed = Vec::new();
        let mut more = |word: u64| {
            packed.extend(word.to_le_bytes());
            true
        };
        key::words(text, &mut more).unwrap();
        assert_eq!(packed.pop(), Some(len as u8));
        let mut zeros = text.to_vec();
        zeros.resize(len / 8 * 8 + 7, 0);
        assert_eq!(packed, zeros, "{len}");
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
fn keys_with_the_same_hash_are_told_apart() {
    fn meeting<T>(number: u32, then: impl FnOnce(&Asked) -> T) -> T {
        asked(number, |asked| then(&Asked { hash: 7, ..*asked }))
    }
    let lookups = begun();
    let ways = WAYS as u32;
    for number in 0..ways {
        meeting(number, |asked| lookups.remember(asked, 0, place(number), 0));
    }
    for number in 0..2 * ways {
        let known = meeting(number, |asked| lookups.table()?.find(asked)).map(told);
        assert_eq!(known, (number < ways).then(|| (0, place(number))));
    }
}

#[test]
fn few_lookups_make_no_table_and_many_no_further_one() {
    let lookups = Lookups::default();
    for number in 0..FEW - 1 {
        remember(&lookups, number, 0, place(number));
    }
    // Other tests of this thread may have counted before.
    assert!(lookups.large.get().is_none());
    let lookups = begun();
    remember(&lookups, 7, 3, place(7));
    assert_eq!(find(&lookups, 7), Some((3, place(7))));
    assert_eq!(find(&lookups, 8), None);
    let count = if cfg!(miri) { 300 } else { 100_000 };
    for number in 0..count {
        remember(&lookups, number, number % 16, place(number));
    }
    let mut found = 0;
    for number in 0..count {
        if let Some(known) = find(&lookups, number) {
            assert_eq!(known, (number % 16, place(number)));
            found += 1;
        }
    }
    let words = |table: &OnceLock<Table>| table.get().map_or(0, |table| table.words.len());
    assert_eq!(
        words(&lookups.small) + words(&lookups.large),
        (SMALL + LARGE) * (1 + SLOT) + 2 * (LINE + SLOT)
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
        remember(&lookups, number, 0, place(number));
    }
    let late = count + 1;
    for _ in 0..=PATIENCE {
        remember(&lookups, late, 0, place(9));
    }
    assert_eq!(find(&lookups, late), Some((0, place(9))));
}

#[test]
fn a_slot_that_is_written_over_is_never_read_as_a_mixture() {
    // All keys want the same few slots.
    let table = Table::new(WAYS);
    let rounds = if cfg!(miri) { 40 } else { 40_000 };
    let turn = |thread: u32, round: u32| {
        let number = (round * 7 + thread) % 11;
        asked(number, |asked| {
            let slots = || (0..2).filter_map(|slot| table.slot(slot));
            if let Some(known) = slots().find_map(|slot| read(slot, asked)) {
                assert_eq!(told(known), (number, place(number)));
            }
            if let Some(slot) = slots().nth(round as usize % 2) {
                write(slot, asked, Known::new(number, place(number), 0));
            }
        });
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let turn = &turn;
            scope.spawn(move || (0..rounds).for_each(|round| turn(thread, round)));
        }
    });
}

#[test]
fn how_a_histogram_sorts_is_told_with_its_place() {
    let lookups = begun();
    let sorting = || {
        lookups
            .find("jobs_total", &[("queue", "7"), ("k", "v")])
            .map(Known::sorting)
    };
    remember(&lookups, 7, 3, place(7));
    assert_eq!(sorting(), Some(0));
    let taken = |lookups: &Lookups| lookups.table().unwrap().taken.load(Ordering::Relaxed);
    let before = taken(&lookups);
    asked(7, |asked| lookups.remember(asked, 3, place(7), 31));
    assert_eq!(sorting(), Some(31));
    assert_eq!(find(&lookups, 7), Some((3, place(7))));
    assert_eq!(taken(&lookups), before);
}

#[test]
fn short_and_long_texts_and_any_number_of_labels_are_found() {
    let texts: Vec<String> = (0..40).map(|len| "x".repeat(len)).collect();
    for text in &texts {
        for count in 0..7 {
            let labels = vec![("k", text.as_str()); count];
            let Some(asked) = Asked::new(text, &labels) else {
                assert!(text.len() * (1 + count) > 100);
                continue;
            };
            let lookups = begun();
            lookups.remember(&asked, 0, place(7), 0);
            let told = |name: &str, labels: &[_]| lookups.find(name, labels).map(told);
            assert_eq!(told(text, &labels), Some((0, place(7))), "{text} {count}");
            assert_eq!(told(text, &[&labels[..], &[("k", "")]].concat()), None);
            assert_eq!(told(&format!("{text}x"), &labels), None);
        }
    }
}
