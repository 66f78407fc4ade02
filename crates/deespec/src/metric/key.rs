//! The canonical bytes of a series' identity: its name and its label set sorted by label name.
//! Two label sets are the same series exactly when these bytes are equal.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::label::LabelSet;
use super::name::{check_label_set, check_metric_name};

/// Most keys fit here, so that looking a series up allocates nothing.
const INLINE: usize = 256;

/// The canonical bytes of one series' name and labels.
pub(crate) struct Key {
    inline: [u8; INLINE],
    heap: Vec<u8>,
    len: usize,
}

impl Key {
    /// Encodes a name and its labels; `labels` must be sorted by name.
    pub(crate) fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let mut key = Self {
            inline: [0; INLINE],
            heap: Vec::new(),
            len: 0,
        };
        key.push(name);
        for (name, value) in labels {
            key.push(name);
            key.push(value);
        }
        if !key.heap.is_empty() {
            key.heap.resize(key.len.next_multiple_of(8), 0);
        }
        key
    }

    /// The key of a family's declaration: that of no series, since no series' name is empty.
    pub(crate) fn of_family(name: &str) -> Self {
        let mut key = Self {
            inline: [0; INLINE],
            heap: Vec::new(),
            len: 0,
        };
        key.push("");
        key.push(name);
        key
    }

    fn push(&mut self, text: &str) {
        // Texts of 64 KiB and more are unlawful; the checks refuse them, since no stored key has
        // such a length and the lookup therefore misses.
        let len = u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes();
        self.extend(&len);
        self.extend(text.as_bytes());
    }

    fn extend(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if self.heap.is_empty() && end <= INLINE {
            self.inline[self.len..end].copy_from_slice(bytes);
        } else {
            if self.heap.is_empty() {
                self.heap.extend_from_slice(&self.inline[..self.len]);
            }
            self.heap.extend_from_slice(bytes);
        }
        self.len = end;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.padded()[..self.len]
    }

    /// The bytes in groups of eight, zeros behind the last.
    pub(crate) fn words(&self) -> &[[u8; 8]] {
        let (words, _) = self.padded()[..self.len.next_multiple_of(8)].as_chunks();
        words
    }

    /// The words as an entry has them, each with a mask of the bytes that belong to the key.
    pub(crate) fn masked_words(&self) -> impl Iterator<Item = (u64, u64)> {
        let last = self.len / 8;
        let rest = (1_u64 << (self.len % 8 * 8)) - 1;
        let mask = move |index| if index < last { u64::MAX } else { rest };
        let words = self.words().iter().enumerate();
        words.map(move |(index, bytes)| (u64::from_le_bytes(*bytes), mask(index)))
    }

    fn padded(&self) -> &[u8] {
        if self.heap.is_empty() {
            &self.inline
        } else {
            &self.heap
        }
    }

    /// The keyed hash that places the series in the index: keyed by the store, so that nobody can
    /// prepare label values which all land in one place.
    pub(crate) fn hash(&self, seed: [u64; 2]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(seed[0], seed[1]);
        hasher.write(self.bytes());
        hasher.finish()
    }

    /// The name in the key of a family.
    pub(crate) fn decode_family(mut bytes: &[u8]) -> Option<String> {
        let (empty, name) = (take(&mut bytes)?, take(&mut bytes)?);
        (empty.is_empty() && bytes.is_empty()).then(|| name.to_owned())
    }

    /// Decodes canonical bytes; `None` when they are not what [`Key::new`] writes of a lawful series.
    /// A checksum keeps nobody from writing others, and a name may have to stand in an exposition.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<(&str, LabelSet)> {
        let name = take(&mut bytes)?;
        let mut labels = Vec::new();
        while !bytes.is_empty() {
            labels.push((take(&mut bytes)?, take(&mut bytes)?));
        }
        check_metric_name(name).ok()?;
        if !labels.is_sorted_by(|a, b| a.0 < b.0) {
            return None;
        }
        check_label_set(&labels).ok()?;
        Some((name, LabelSet::of_sorted(&labels)))
    }
}

/// Splits one length-prefixed text off the front.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    *bytes = rest;
    str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(
            name in "[a-z_]{1,40}",
            labels in proptest::collection::btree_map("[a-z]{1,20}", "\\PC{0,90}", 0..8),
        ) {
            let borrowed: Vec<(&str, &str)> =
                labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let key = Key::new(&name, &borrowed);
            let (decoded, back) = Key::decode(key.bytes()).unwrap();
            prop_assert_eq!(decoded, name);
            prop_assert_eq!(back, labels.into_iter().collect::<LabelSet>());
        }

        #[test]
        fn any_bytes_decode_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            let _ = Key::decode(&bytes);
        }
    }

    #[test]
    fn bytes_that_no_lawful_series_has_are_no_key() {
        let key = |texts: &[&str]| -> Vec<u8> {
            let text = |text: &&str| [&(text.len() as u16).to_le_bytes(), text.as_bytes()].concat();
            texts.iter().flat_map(text).collect()
        };
        assert!(Key::decode(&key(&["a", "k", "v", "l", ""])).is_some());
        for bad in [
            &[""][..],
            &["a 1\nb"],
            &["a", "k-", "v"],
            &["a", "__k", "v"],
            &["a", "k", &"v".repeat(1025)],
            // Sorted otherwise, or twice: the same series would have two keys.
            &["a", "l", "v", "k", "v"],
            &["a", "k", "v", "k", "w"],
        ] {
            assert_eq!(Key::decode(&key(bad)), None, "{bad:?}");
        }
    }

    #[test]
    fn the_border_between_name_and_label_is_part_of_the_key() {
        let one = Key::new("ab", &[("c", "d")]);
        let other = Key::new("a", &[("bc", "d")]);
        assert_ne!(one.bytes(), other.bytes());
        assert_ne!(one.hash([1, 2]), other.hash([1, 2]));
    }
}
