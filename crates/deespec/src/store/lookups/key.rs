//! What is asked for, as words that no other name and labels have, and a hash of them.

use super::KEY;

/// A name and labels, in the order in which they are asked for.
pub(super) trait Key {
    fn hash(&self) -> u64;
    /// How many words it is, and of what form: keys of different ones are different.
    fn form(&self) -> u64;
    /// Gives the words one after the other.
    fn each(&self, then: impl FnMut(u64));
}

/// Up to three labels of short texts, as nearly all are: two words for each text and one for their lengths. All of them
/// stay in registers, so they are made once for the hash and the comparison.
pub(super) struct Short<const LABELS: usize> {
    lengths: u64,
    name: [u64; 2],
    labels: [[[u64; 2]; 2]; LABELS],
    hash: u64,
}

/// Most bytes of a short text.
const SHORT: usize = 16;
/// What tells the forms apart.
const IS_SHORT: u64 = 1 << 7;

impl<const LABELS: usize> Short<LABELS> {
    /// `None` where a text is too long.
    #[inline(always)]
    pub(super) fn new(name: &str, labels: &[(&str, &str); LABELS]) -> Option<Self> {
        let (mut lengths, mut longest) = (name.len() as u64, name.len());
        for (name, value) in labels {
            longest = longest.max(name.len()).max(value.len());
            lengths = lengths << 16 | (name.len() as u64) << 8 | value.len() as u64;
        }
        if longest > SHORT {
            return None;
        }
        let name = pair(name.as_bytes());
        let mut packed = [[[0; 2]; 2]; LABELS];
        for ([first, second], (name, value)) in packed.iter_mut().zip(labels) {
            (*first, *second) = (pair(name.as_bytes()), pair(value.as_bytes()));
        }
        // Each product by itself: the processor makes them side by side.
        let (mut sum, mut salt) = (fold(name[0] ^ SALT, name[1] ^ lengths ^ MULTIPLIER), SALT);
        for [first, second] in packed.as_flattened() {
            salt = salt.wrapping_add(MULTIPLIER);
            sum = sum.wrapping_add(fold(first ^ salt, second ^ MULTIPLIER));
        }
        Some(Self {
            lengths,
            name,
            labels: packed,
            hash: fold(sum, SALT),
        })
    }
}

impl<const LABELS: usize> Key for Short<LABELS> {
    #[inline(always)]
    fn hash(&self) -> u64 {
        self.hash
    }

    #[inline(always)]
    fn form(&self) -> u64 {
        IS_SHORT | LABELS as u64
    }

    #[inline(always)]
    fn each(&self, mut then: impl FnMut(u64)) {
        then(self.lengths);
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
pub(super) struct Long<'a> {
    name: &'a str,
    labels: &'a [(&'a str, &'a str)],
    len: usize,
    hash: u64,
}

impl<'a> Long<'a> {
    /// `None` where it is too long.
    pub(super) fn new(name: &'a str, labels: &'a [(&'a str, &'a str)]) -> Option<Self> {
        let (mut sum, mut salt, mut len) = (0_u64, SALT, 0);
        each(name, labels, |word| {
            sum = sum.wrapping_add(fold(word ^ salt, MULTIPLIER));
            salt = salt.wrapping_add(SALT);
            len += 1;
            len <= KEY
        })?;
        Some(Self {
            name,
            labels,
            len,
            hash: fold(sum, SALT),
        })
    }
}

impl Key for Long<'_> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn form(&self) -> u64 {
        self.len as u64
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
#[derive(Clone, Copy)]
pub(in crate::store) struct Asked {
    pub(super) words: [u64; KEY],
    pub(super) form: u64,
    pub(super) hash: u64,
}

impl Asked {
    /// `None` where it is too long.
    pub(in crate::store) fn new(name: &str, labels: &[(&str, &str)]) -> Option<Self> {
        let short = match labels {
            [] => Short::new(name, &[]).map(|key| Self::of(&key)),
            [a] => Short::new(name, &[*a]).map(|key| Self::of(&key)),
            [a, b] => Short::new(name, &[*a, *b]).map(|key| Self::of(&key)),
            [a, b, c] => Short::new(name, &[*a, *b, *c]).map(|key| Self::of(&key)),
            _ => None,
        };
        short.or_else(|| Some(Self::of(&Long::new(name, labels)?)))
    }

    fn of(key: &impl Key) -> Self {
        let mut words = [0; KEY];
        let mut place = words.iter_mut();
        key.each(|word| {
            if let Some(place) = place.next() {
                *place = word;
            }
        });
        Self {
            words,
            form: key.form(),
            hash: key.hash(),
        }
    }
}

impl Key for Asked {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn form(&self) -> u64 {
        self.form
    }

    /// With zeros behind those that it is.
    fn each(&self, then: impl FnMut(u64)) {
        self.words.into_iter().for_each(then);
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
