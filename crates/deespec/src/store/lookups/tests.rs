use proptest::prelude::*;

use super::key::{Key, Seeds};
use super::table::PATIENCE;
use super::*;
use crate::store::registry::Place;

const COUNTER: Form = Form::Counter;
const SEEDS: Seeds = Seeds::of([3, 5]);

fn place(number: u32) -> Packed {
    Packed::new(Place {
        cell: number,
        cells: number % 7 + 1,
        block: number.wrapping_mul(3) & 0x3f_ffff,
        form: None,
    })
}

fn labels(queue: &str) -> [(&str, &str); 2] {
    [("queue", queue), ("k", "v")]
}

fn remember(lookups: &Lookups, number: u32, segment: u32, place: Packed) {
    let queue = number.to_string();
    let known = (segment, COUNTER, place);
    lookups.remember("jobs_total", &labels(&queue), known, 0);
}

fn told(known: Known) -> (u32, Packed) {
    (known.segment(), known.place())
}

fn find(lookups: &Lookups, number: u32) -> Option<(u32, Packed)> {
    let queue = number.to_string();
    let few = lookups.find_few("jobs_total", &labels(&queue), COUNTER);
    let any = lookups.find("jobs_total", &labels(&queue), COUNTER);
    assert_eq!(few.map(told), any.map(told));
    any.map(told)
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
    let asked = Asked::new(&texts[0], &labels, COUNTER, SEEDS)?;
    Some([&[asked.like()][..], asked.words()].concat())
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
    let fits = |labels: &[(&str, &str)]| Asked::new("jobs_total", labels, COUNTER, SEEDS).is_some();
    // The name is two words, each label one and that of its value.
    assert!(fits(&[("k", &value(25 * 8 - 1))]));
    assert!(!fits(&[("k", &value(25 * 8))]));
    assert!(!fits(&[("k", &value(70_000))]));
    assert!(!fits(&[("k", "v"); 14]));
}

#[test]
fn keys_with_the_same_hash_are_told_apart() {
    fn meeting(number: u32) -> Asked {
        let queue = number.to_string();
        let asked = Asked::new("jobs_total", &labels(&queue), COUNTER, SEEDS).unwrap();
        asked.with_hash(7)
    }
    let table = Table::new(SMALL);
    let ways = 4;
    for number in 0..ways {
        let known = Known::new(0, place(number), 0);
        assert!(table.remember(&meeting(number), known, 1));
    }
    for number in 0..2 * ways {
        let known = table.find_any(&meeting(number)).map(told);
        assert_eq!(known, (number < ways).then(|| (0, place(number))));
    }
}

#[test]
fn the_same_texts_meet_in_no_two_tables() {
    let hash = |seeds| {
        let asked = Asked::new("jobs_total", &labels("7"), COUNTER, seeds);
        asked.map(|asked| asked.hash())
    };
    assert_eq!(hash(SEEDS), hash(SEEDS));
    assert_ne!(hash(Seeds::random()), hash(Seeds::random()));
}

#[test]
fn a_series_is_not_found_as_one_of_another_form() {
    let lookups = begun();
    remember(&lookups, 7, 0, place(7));
    for form in [Form::Gauge, Form::Histogram, Form::Summary] {
        assert!(lookups.find_few("jobs_total", &labels("7"), form).is_none());
        assert!(lookups.find("jobs_total", &labels("7"), form).is_none());
    }
}

#[test]
fn a_buffer_with_another_text_at_the_same_place_is_another_key() {
    let lookups = begun();
    let mut buffer = String::new();
    for round in 0..3 {
        for (at, queue) in ["news", "mail", "mall"].into_iter().enumerate() {
            buffer.clear();
            buffer.push_str(queue);
            let labels = [("queue", buffer.as_str())];
            let known = lookups.find_few("jobs_total", &labels, COUNTER).map(told);
            let place = place(at as u32);
            assert_eq!(known, (round > 0).then_some((0, place)), "{queue}");
            lookups.remember("jobs_total", &labels, (0, COUNTER, place), 0);
        }
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
    let words = |table: &OnceLock<Table>| table.get().map_or(0, Table::len);
    let both = [SMALL, LARGE].map(|(places, lines)| places + lines * 8 + 8 + 31);
    let both = both.iter().sum::<usize>();
    assert_eq!(words(&lookups.small) + words(&lookups.large), both);
    assert!(
        found > count.min(LARGE.0 as u32) / 3 && found <= LARGE.0 as u32,
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
fn a_long_key_takes_the_place_of_a_short_one_and_a_short_one_its_own() {
    // So many keys that each place is taken.
    let table = Table::new((8, 64));
    let long = "x".repeat(100);
    let text = |number: u32, long: &str| format!("{number}{long}");
    for number in 0..2000 {
        for value in [text(number, ""), text(number, &long)] {
            let labels = [("queue", value.as_str())];
            let asked = Asked::new("jobs_total", &labels, COUNTER, table.seeds()).unwrap();
            table.remember(&asked, Known::new(1, place(number), 0), number);
            if let Some(known) = table.find_any(&asked) {
                assert_eq!(told(known), (1, place(number)));
            }
        }
    }
    let found =
        (0..2000).flat_map(|number| [(number, text(number, "")), (number, text(number, &long))]);
    let found = found.filter(|(number, value)| {
        let labels = [("queue", value.as_str())];
        let asked = Asked::new("jobs_total", &labels, COUNTER, table.seeds()).unwrap();
        let known = table.find_any(&asked).map(told);
        known.is_some_and(|known| {
            assert_eq!(known, (1, place(*number)));
            true
        })
    });
    assert!((4..=8).contains(&found.count()));
}

#[test]
fn a_slot_that_is_written_over_is_never_read_as_a_mixture() {
    // All keys want the same few slots.
    let table = Table::new((4, 8));
    let rounds = if cfg!(miri) { 40 } else { 40_000 };
    let turn = |thread: u32, round: u32| {
        let number = (round * 7 + thread) % 11;
        let queue = number.to_string();
        let asked = Asked::new("jobs_total", &labels(&queue), COUNTER, table.seeds()).unwrap();
        if let Some(known) = table.find_any(&asked) {
            assert_eq!(told(known), (number, place(number)));
        }
        table.remember(&asked, Known::new(number, place(number), 0), round);
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let turn = &turn;
            scope.spawn(move || (0..rounds).for_each(|round| turn(thread, round)));
        }
    });
}

#[test]
fn what_holds_a_series_is_told_with_its_place_and_can_be_told_later() {
    let lookups = begun();
    let queue = labels("7");
    let hold = || {
        lookups
            .find_few("jobs_total", &queue, COUNTER)
            .map(Known::hold)
    };
    remember(&lookups, 7, 3, place(7));
    assert_eq!(hold(), Some(0));
    let before = lookups.table().unwrap().taken();
    lookups.remember("jobs_total", &queue, (3, COUNTER, place(7)), 31);
    assert_eq!(hold(), Some(31));
    assert_eq!(find(&lookups, 7), Some((3, place(7))));
    assert_eq!(lookups.table().unwrap().taken(), before);
}

#[test]
fn short_and_long_texts_and_any_number_of_labels_are_found() {
    let texts: Vec<String> = (0..40).map(|len| "x".repeat(len)).collect();
    for text in &texts {
        for count in 0..7 {
            let labels = vec![("k", text.as_str()); count];
            let lookups = begun();
            lookups.remember(text, &labels, (0, COUNTER, place(7)), 0);
            let told = |name: &str, labels: &[_]| lookups.find(name, labels, COUNTER).map(told);
            if Asked::new(text, &labels, COUNTER, SEEDS).is_none() {
                assert!(text.len() * (1 + count) > 100);
                assert_eq!(told(text, &labels), None);
                continue;
            }
            assert_eq!(told(text, &labels), Some((0, place(7))), "{text} {count}");
            assert_eq!(told(text, &[&labels[..], &[("k", "")]].concat()), None);
            assert_eq!(told(&format!("{text}x"), &labels), None);
        }
    }
}
