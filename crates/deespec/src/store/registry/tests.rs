use super::*;
use crate::metric::Family;
use crate::store::layout::Geometry;

fn segment() -> Segment {
    Segment::in_memory(Geometry::of(0, 2))
}

fn add(segment: &Segment, name: &str, labels: &[(&str, &str)]) -> Option<Place> {
    let key = Key::new(name, labels);
    let entry = NewEntry::series(&key, key.hash([1, 2]), Form::Counter, 1, 7);
    append(segment, &entry).unwrap()
}

fn look(segment: &Segment, name: &str, labels: &[(&str, &str)]) -> Option<Place> {
    let key = Key::new(name, labels);
    find(segment, &key, key.hash([1, 2]))
}

fn name(entry: Entry) -> String {
    match entry.content {
        Content::Series { name, .. } => name,
        Content::Family(family) => format!("family {}", family.name()),
    }
}

fn names(segment: &Segment) -> (Vec<String>, Vec<BadBlocks>) {
    let scan = scan(segment, Tail::default(), segment.tail().unwrap(), true);
    (scan.entries.into_iter().map(name).collect(), scan.bad)
}

#[test]
fn what_was_registered_is_found_and_nothing_else() {
    let segment = segment();
    let long = "v".repeat(900);
    let a = add(&segment, "a", &[]).unwrap();
    let b = add(&segment, "a", &[("l", "1")]).unwrap();
    let c = add(&segment, "a", &[("l", &long)]).unwrap();
    assert_eq!([a.cell, b.cell, c.cell], [0, 1, 2]);
    assert_eq!(look(&segment, "a", &[]), Some(a));
    assert_eq!(look(&segment, "a", &[("l", "1")]), Some(b));
    assert_eq!(look(&segment, "a", &[("l", &long)]), Some(c));
    assert_eq!(look(&segment, "a", &[("l", "2")]), None);
    assert_eq!(
        names(&segment),
        (vec!["a".into(), "a".into(), "a".into()], vec![])
    );
}

#[test]
#[cfg_attr(miri, ignore = "minutes in an interpreter, and it has one thread")]
fn a_full_segment_says_so_and_keeps_what_it_has() {
    let segment = segment();
    let mut count = 0;
    while add(&segment, &format!("series_{count}"), &[]).is_some() {
        count += 1;
    }
    assert_eq!(count, segment.geometry().cells as usize);
    for i in 0..count {
        assert_eq!(
            look(&segment, &format!("series_{i}"), &[]).unwrap().cell,
            i as u32
        );
    }
    assert_eq!(names(&segment).0.len(), count);
}

#[test]
#[cfg_attr(miri, ignore = "minutes in an interpreter, and it has one thread")]
fn every_flipped_bit_of_an_entry_is_noticed_and_its_neighbours_stay() {
    let segment = segment();
    for name in ["first", "second", "third"] {
        add(
            &segment,
            name,
            &[(
                "k",
                "some value that fills more than one block of the registry",
            )],
        );
    }
    let middle = scan(&segment, Tail::default(), segment.tail().unwrap(), true).entries[1].clone();
    let at = segment.geometry().registry_at() + middle.block as usize * BLOCK;
    for bit in 0..middle.blocks as usize * BLOCK * 64 {
        let word = at + bit / 64;
        if &raw const segment.words()[word] == &raw const *state(&segment, middle.block) {
            continue;
        }
        let old = segment.load(word);
        segment.store(word, old ^ 1 << (bit % 64));
        let (found, bad) = names(&segment);
        assert_eq!(found, ["first", "third"], "bit {bit}");
        assert_eq!(
            bad,
            [BadBlocks {
                first: middle.block,
                count: middle.blocks
            }],
            "bit {bit}"
        );
        let labels = [(
            "k",
            "some value that fills more than one block of the registry",
        )];
        assert_eq!(look(&segment, "second", &labels), None, "bit {bit}");
        segment.store(word, old);
    }
}

#[test]
fn a_registration_that_was_killed_before_its_commit_is_overwritten() {
    let segment = segment();
    add(&segment, "kept", &[]);
    let before = segment.tail().unwrap();
    add(&segment, "killed", &[("with", "labels")]);
    segment.set_tail(before);
    assert_eq!(look(&segment, "killed", &[("with", "labels")]), None);
    let next = add(&segment, "next", &[]).unwrap();
    assert_eq!(look(&segment, "next", &[]), Some(next));
    assert_eq!(names(&segment).0, ["kept", "next"]);
}

#[test]
fn an_entry_that_claims_anothers_cells_is_passed_over() {
    let segment = segment();
    add(&segment, "one", &[]);
    let tail = segment.tail().unwrap();
    add(&segment, "two", &[]);
    // The same cells again, behind the last entry.
    let key = Key::new("thief", &[]);
    let entry = NewEntry::series(&key, 1, Form::Counter, 2, 0).encode(0);
    let end = segment.tail().unwrap();
    let at = segment.geometry().registry_at() + end.blocks as usize * BLOCK;
    for (word, value) in segment.words()[at..].iter().zip(&entry) {
        word.store(*value, Ordering::Relaxed);
    }
    segment.set_tail(Tail {
        blocks: end.blocks + 1,
        cells: tail.cells + 1,
    });
    let (found, bad) = names(&segment);
    assert_eq!(found, ["one", "two"]);
    assert_eq!(
        bad,
        [BadBlocks {
            first: end.blocks,
            count: 1
        }]
    );
}

#[test]
#[cfg_attr(miri, ignore = "minutes in an interpreter, and it has one thread")]
fn the_index_is_rebuilt_from_the_entries() {
    let segment = segment();
    for i in 0..100 {
        add(&segment, &format!("s{i}"), &[]);
    }
    let tail = segment.tail().unwrap();
    let found = scan(&segment, Tail::default(), tail, true);
    for slot in 0..segment.geometry().slots() {
        segment.store(segment.geometry().index_at() + slot, 0);
    }
    assert_eq!(look(&segment, "s7", &[]), None);
    rebuild_index(&segment, &found.entries, tail);
    for i in 0..100 {
        assert_eq!(look(&segment, &format!("s{i}"), &[]).unwrap().cell, i);
    }
}

#[test]
fn a_family_is_found_by_its_name_and_no_series_is_taken_for_it() {
    let segment = segment();
    let family = Family::gauge("depth").with_help("How deep the queue is.");
    let key = Key::of_family("depth");
    let entry = NewEntry::family(&key, key.hash([1, 2]), &family, 7);
    let place = append(&segment, &entry).unwrap().unwrap();
    let series = add(&segment, "depth", &[]).unwrap();
    assert_ne!(place.block, series.block);
    assert_eq!(find(&segment, &key, key.hash([1, 2])), Some(place));
    assert_eq!(look(&segment, "depth", &[]), Some(series));
    let Some(Entry {
        content: Content::Family(read_back),
        ..
    }) = read(&segment, place.block)
    else {
        panic!("the family is not there");
    };
    assert_eq!(read_back, family);
}

#[test]
fn a_removed_series_comes_back_when_something_is_added() {
    let segment = segment();
    let place = add(&segment, "a", &[]).unwrap();
    segment.cell(1, place.cell).store(5, Ordering::Relaxed);
    let removed = || is_removed(&segment, place.block, place.cell, place.cells);
    assert!(!removed());
    let mark = removal(&segment, place.block, place.cell, place.cells);
    state(&segment, place.block).store(mark, Ordering::Relaxed);
    assert!(removed());
    assert_eq!(names(&segment).0, ["a"], "its entry stays whole");
    segment.cell(0, place.cell).store(1, Ordering::Relaxed);
    assert!(!removed());
}

#[test]
#[cfg_attr(miri, ignore = "minutes in an interpreter, and it has one thread")]
fn nothing_is_left_behind_the_tail_and_nothing_before_it_goes() {
    let segment = segment();
    add(&segment, "a_total", &[]).unwrap();
    let tail = segment.tail().unwrap();
    let (first, end) = (
        segment.geometry().registry_at() + tail.blocks as usize * BLOCK,
        segment.geometry().baseline_at(0),
    );
    for word in first..end {
        segment.store(word, u64::MAX);
    }
    segment.store(end, 7);
    clear_behind_tail(&segment);
    assert!((first..end).all(|word| segment.load(word) == 0));
    assert_eq!(segment.load(end), 7);
    assert_eq!(names(&segment).0, ["a_total"]);
}

#[test]
fn where_no_entry_has_to_stand_only_what_is_not_zero_is_damage() {
    let segment = segment();
    add(&segment, "a_total", &[]).unwrap();
    let tail = segment.tail().unwrap();
    let torn = tail.blocks + 2;
    let word = segment.geometry().registry_at() + torn as usize * BLOCK;
    segment.store(word, 7);
    let to = Tail {
        blocks: torn + 2,
        cells: segment.geometry().cells,
    };
    let bad = |first, count| [BadBlocks { first, count }];
    let found = scan(&segment, tail, to, false);
    assert_eq!(found.bad, bad(torn, 1));
    assert!(found.entries.is_empty() && found.others.is_empty());
    // Where one has to, zeros are damage as well.
    assert_eq!(scan(&segment, tail, to, true).bad, bad(tail.blocks, 4));
}

#[test]
fn an_entry_that_claims_cells_which_nobody_was_given_is_passed_over() {
    let segment = segment();
    add(&segment, "one", &[]);
    let tail = segment.tail().unwrap();
    let greedy = add(&segment, "greedy", &[]).unwrap();
    // Its blocks are committed, and its cell is not.
    segment.set_tail(Tail {
        blocks: segment.tail().unwrap().blocks,
        cells: tail.cells,
    });
    let (found, bad) = names(&segment);
    assert_eq!((found, bad.len()), (vec!["one".to_owned()], 1));
    assert_eq!(look(&segment, "greedy", &[]), None);
    assert_eq!(add(&segment, "next", &[]).unwrap().cell, greedy.cell);
}

#[test]
#[cfg_attr(miri, ignore = "minutes in an interpreter, and it has one thread")]
fn an_entry_of_a_form_that_has_not_so_many_cells_is_passed_over() {
    for (form, cells) in [
        (Form::Counter, 2),
        (Form::Gauge, 0),
        (Form::ProcessGauge, 3),
        (Form::ProcessGauge, 130),
        (Form::Histogram, 2),
        (Form::Info, 2),
    ] {
        let segment = segment();
        let key = Key::new("a", &[]);
        let entry = NewEntry::series(&key, key.hash([1, 2]), form, cells, 7);
        append(&segment, &entry).unwrap();
        assert_eq!(names(&segment).0, [] as [&str; 0], "{form:?} of {cells}");
        assert_eq!(look(&segment, "a", &[]), None, "{form:?} of {cells}");
    }
}

#[test]
fn a_series_begins_at_0_whatever_bit_was_flipped_in_its_cells_before() {
    let segment = segment();
    segment.cell(1, 0).store(1 << 40, Ordering::Relaxed);
    segment.baseline(0, 0).store(8, Ordering::Relaxed);
    segment.baseline(1, 0).store(8, Ordering::Relaxed);
    segment.ledger(1).store(3, Ordering::Relaxed);
    let place = add(&segment, "a", &[]).unwrap();
    assert_eq!(segment.total(place.cell), 0);
    let baselines = [0, 1].map(|parity| segment.baseline(parity, place.cell));
    assert!(
        baselines
            .iter()
            .all(|word| word.load(Ordering::Relaxed) == 0)
    );
    assert_eq!(segment.ledger(1).load(Ordering::Relaxed), 3, "not its own");
}

#[test]
#[cfg_attr(miri, ignore = "minutes in an interpreter, and it has one thread")]
fn no_flipped_bit_removes_a_series_whatever_it_has_counted() {
    let segment = segment();
    for (name, form, cells) in [
        ("a", Form::Counter, 1),
        ("b", Form::Gauge, 1),
        ("c", Form::Info, 1),
        ("d", Form::Histogram, 3),
    ] {
        let key = Key::new(name, &[]);
        let entry = NewEntry::series(&key, key.hash([1, 2]), form, cells, 7);
        let place = append(&segment, &entry).unwrap().unwrap();
        for count in [0, 1, 1 << 40] {
            let last = place.cell + cells - 1;
            segment.cell(0, last).store(count, Ordering::Relaxed);
            for bit in 0..64 {
                state(&segment, place.block).store(1 << bit, Ordering::Relaxed);
                let removed = is_removed(&segment, place.block, place.cell, place.cells);
                assert!(!removed, "{form:?} of {count}, bit {bit}");
            }
        }
    }
}
