//! What is asked for, as words that no other name and labels have, and a hash of them.

use std::hash::{BuildHasher, RandomState};

use super::{Form, HOLD};

/// Most words of a key: up to 223 bytes of text. What is longer is looked up in the registry each time.
pub(super) const KEY: usize = 28;
/// How far the bits that say what a key is like are from the upper end of their word.
pub(super) const KEY_AT: u32 = 64 - HOLD;

/// A name and labels, in the order in which they are asked for, and the form of the series.
pub(super) trait Key {
    fn hash(&self) -> u64;
    /// How many words it is, or how long its texts are, and of which form the series: keys that differ in it are different.
    fn like(&self) -> u64;
    /// Gives the words one after the other.
    fn each(&self, then: impl FnMut(u64));
}

/// What makes the hash another one in each table: so nobody makes up labels that meet there.
#[derive(Clone, Copy)]
pub(super) struct Seeds([u64; 2]);

impl Seeds {
    pub(super) fn random() -> Self {
        let state = RandomState::new();
        Self([0, 1].map(|number: u64| state.hash_one(number)))
    }

    #[cfg(all(test, not(loom)))]
    pub(super) const fn of(seeds: [u64; 2]) -> Self {
        Self(seeds)
    }
}

/// Up to three labels of short texts, as nearly all are: two words for each text. All of them stay in registers, so they
/// are made once for the hash and the comparison; of texts that a program has in its code they are constants of it.
pub(super) struct Short<const LABELS: usize> {
    like: u64,
    name: [u64; 2],
    labels: [[[u64; 2]; 2]; LABELS],
    hash: u64,
}

/// Most bytes of a short text, and the bits for its length.
const SHORT: usize = 16;
const LENGTH: u32 = 5;
/// Where [`Short`] keys have the number of their labels, and their mark; and where all of them have the form.
const LABELS_AT: u32 = 36;
const IS_SHORT: u64 = 1 << 40;
const FORM: u32 = 44;

impl<const LABELS: usize> Short<LABELS> {
    /// `None` where a text is too long.
    #[inline(always)]
    pub(super) fn new(
        name: &str,
        labels: &[(&str, &str); LABELS],
        form: Form,
        Seeds([first_seed, second_seed]): Seeds,
    ) -> Option<Self> {
        let (mut lengths, mut is_long) = (name.len() as u64, name.len() > SHORT);
        for (name, value) in labels {
            is_long |= name.len() > SHORT || value.len() > SHORT;
            lengths = lengths << LENGTH | name.len() as u64;
            lengths = lengths << LENGTH | value.len() as u64;
        }
        if is_long {
            return None;
        }
        let like =
            lengths | IS_SHORT | (LABELS as u64) << LABELS_AT | u64::from(form.code()) << FORM;
        let name = pair(name.as_bytes());
        let mut packed = [[[0; 2]; 2]; LABELS];
        // Each product by itself: the processor makes them side by side. Those of the names are constants where the names
        // are; in those of the values nobody outside can choose what meets.
        let (mut names, mut values) = (fold(name[0] ^ SALT, name[1] ^ MULTIPLIER), like);
        let (mut salt, mut seed) = (SALT, first_seed);
        for ([first, second], (name, value)) in packed.iter_mut().zip(labels) {
            (*first, *second) = (pair(name.as_bytes()), pair(value.as_bytes()));
            salt = salt.wrapping_add(MULTIPLIER);
            names = names.wrapping_add(fold(first[0] ^ salt, first[1] ^ MULTIPLIER));
            values = values.wrapping_add(fold(second[0] ^ seed, second[1] ^ second_seed));
            seed = seed.rotate_left(21);
        }
        Some(Self {
            like,
            name,
            labels: packed,
            hash: fold(names.wrapping_add(values) ^ first_seed, MULTIPLIER),
        })
    }
}

impl<const LABELS: usize> Key for Short<LABELS> {
    #[inline(always)]
    fn hash(&self) -> u64 {
        self.hash
    }

    #[inline(always)]
    fn like(&self) -> u64 {
        self.like
    }

    #[inline(always)]
    fn each(&self, mut then: impl FnMut(u64)) {
        self.name.into_iter().for_each(&mut then);
        for pair in self.labels.as_flattened() {
            pair.iter().for_each(|word| then(*word));
        }
    }
}

/// At most 16 bytes. With its length, nothing else has the same two words.
#[inline(always)]
fn pair(text: &[u8]) -> [u64; 2] {
    match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => [u64::from_le_bytes(*first), u64::from_le_bytes(*last)],
        _ => [short(text), 0],
    }
}

/// Any other name and labels, as long as they have at most so many words. They are made twice, for the hash and for the
/// comparison: to keep them in between takes longer.
struct Long<'a> {
    name: &'a str,
    labels: &'a [(&'a str, &'a str)],
    like: u64,
    hash: u64,
}

impl<'a> Long<'a> {
    /// `None` where it is too long.
    fn new(
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
        form: Form,
        Seeds([first_seed, second_seed]): Seeds,
    ) -> Option<Self> {
        let (mut sum, mut salt, mut len) = (0_u64, first_seed, 0);
        each(name, labels, |word| {
            sum = sum.wrapping_add(fold(word ^ salt, second_seed | 1));
            salt = salt.wrapping_add(SALT);
            len += 1;
            len <= KEY
        })?;
        let like = len as u64 | u64::from(form.code()) << FORM;
        Some(Self {
            name,
            labels,
            like,
            hash: fold(sum.wrapping_add(like) ^ first_seed, MULTIPLIER),
        })
    }
}

impl Key for Long<'_> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn like(&self) -> u64 {
        self.like
    }

    #[inline]
    fn each(&self, mut then: impl FnMut(u64)) {
        let all = |word| {
            then(word);
            true
        };
        each(self.name, self.labels, all);
    }
}

/// Any key, with its words.
#[derive(Clone)]
pub(in crate::store) struct Asked {
    words: [u64; KEY],
    len: usize,
    like: u64,
    hash: u64,
}

impl Asked {
    /// `None` where it is too long.
    pub(super) fn new(
        name: &str,
        labels: &[(&str, &str)],
        form: Form,
        seeds: Seeds,
    ) -> Option<Self> {
        let short = match *labels {
            [] => Short::new(name, &[], form, seeds).map(|key| Self::of(&key)),
            [a] => Short::new(name, &[a], form, seeds).map(|key| Self::of(&key)),
            [a, b] => Short::new(name, &[a, b], form, seeds).map(|key| Self::of(&key)),
            [a, b, c] => Short::new(name, &[a, b, c], form, seeds).map(|key| Self::of(&key)),
            _ => None,
        };
        short.or_else(|| Some(Self::of(&Long::new(name, labels, form, seeds)?)))
    }

    fn of(key: &impl Key) -> Self {
        let (mut words, mut len) = ([0; KEY], 0);
        key.each(|word| {
            if let Some(place) = words.get_mut(len) {
                *place = word;
                len += 1;
            }
        });
        Self {
            words,
            len,
            like: key.like(),
            hash: key.hash(),
        }
    }

    pub(super) fn words(&self) -> &[u64] {
        self.words.get(..self.len).unwrap_or_default()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn with_hash(self, hash: u64) -> Self {
        Self { hash, ..self }
    }
}

impl Key for Asked {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn like(&self) -> u64 {
        self.like
    }

    fn each(&self, then: impl FnMut(u64)) {
        self.words().iter().copied().for_each(then);
    }
}

/// Gives the words of a name and labels for as long as `more` says that it wants more; `None` where it does not.
#[inline(always)]
fn each(name: &str, labels: &[(&str, &str)], mut more: impl FnMut(u64) -> bool) -> Option<()> {
    words(name.as_bytes(), &mut more)?;
    for (name, value) in labels {
        words(name.as_bytes(), &mut more)?;
        words(value.as_bytes(), &mut more)?;
    }
    Some(())
}

/// Eight bytes a word; the last word has the rest and, in its upper byte, the length. So a sequence of texts can be
/// read from its end, and no two of them have the same words.
#[inline(always)]
pub(super) fn words(text: &[u8], more: &mut impl FnMut(u64) -> bool) -> Option<()> {
    // A key has few words: a length fits into a byte.
    let length = (text.len() as u64) << 56;
    let Some(last) = text.last_chunk::<8>() else {
        return more(short(text) | length).then_some(());
    };
    let (eights, rest) = text.as_chunks::<8>();
    for eight in eights {
        if !more(u64::from_le_bytes(*eight)) {
            return None;
        }
    }
    // The upper bytes of what overlaps with the word before, moved down; none where nothing is left.
    let rest = u64::from_le_bytes(*last) >> 1 >> (63 - 8 * rest.len());
    more(rest | length).then_some(())
}

/// Fewer than eight bytes as the lower ones of a word, without a loop over them.
#[inline(always)]
fn short(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // Where the two overlap they have the same bits.
        let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
        return first | last << (8 * (len - 4));
    }
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, ..] => u64::from(u32::from_le_bytes([a, b, c, 0])),
    }
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const SALT: u64 = 0xd6e8_feb8_6659_fd93;

/// Both halves of a product.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
