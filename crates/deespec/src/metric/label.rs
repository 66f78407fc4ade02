//! Label sets: what tells the series of one family apart.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::name::LABELS_MAX;

/// A label set: label names and values, sorted by name. Cloning it is cheap.
///
/// ```
/// let labels = deespec::LabelSet::from_iter([("job", "backup"), ("code", "200")]);
/// assert_eq!(labels.get("job"), Some("backup"));
/// assert_eq!(labels.keys().collect::<Vec<_>>(), ["code", "job"]);
/// ```
// One text, since a store may have a million sets: two strings for each label would take five times as much. Each name
// and each value has its length in front, in digits that are text too (`push_length`).
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct LabelSet(Arc<str>);

/// The digits of a length have so many bits, the lowest digit first.
const DIGIT_BITS: u32 = 6;
/// A further digit comes behind one that has this bit.
const MORE: u8 = 1 << DIGIT_BITS;

impl LabelSet {
    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.iter().find(|(own, _)| *own == name);
        Some(found?.1)
    }

    /// Whether there is a label of this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels, sorted by name.
    #[must_use]
    pub fn iter(&self) -> Labels<'_> {
        Labels { rest: &self.0 }
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.iter().map(|(name, _)| name)
    }

    /// The values, sorted by the labels' names.
    pub fn values(&self) -> impl Iterator<Item = &str> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The labels as pairs, as most functions want them.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.iter().collect()
    }

    /// A set of labels that are sorted by name, each name once.
    pub(crate) fn of_sorted<K: AsRef<str>, V: AsRef<str>>(labels: &[(K, V)]) -> Self {
        let texts = || {
            let each = labels.iter();
            each.flat_map(|(name, value)| [name.as_ref(), value.as_ref()])
        };
        let bytes = texts().map(|text| digits(text.len()) + text.len()).sum();
        let mut packed = String::with_capacity(bytes);
        for text in texts() {
            push_length(&mut packed, text.len());
            packed.push_str(text);
        }
        Self(packed.into())
    }
}

/// How many digits a length has.
fn digits(length: usize) -> usize {
    let bits = usize::BITS - length.leading_zeros();
    bits.div_ceil(DIGIT_BITS).max(1) as usize
}

/// Writes a length in digits that are ASCII, so that the whole stays a text and can be divided without being looked at.
fn push_length(packed: &mut String, mut length: usize) {
    loop {
        let digit = (length % usize::from(MORE)) as u8;
        length /= usize::from(MORE);
        if length == 0 {
            return packed.push(char::from(digit));
        }
        packed.push(char::from(digit | MORE));
    }
}

/// The labels of a [`LabelSet`], sorted by name.
#[derive(Debug, Clone)]
pub struct Labels<'a> {
    rest: &'a str,
}

impl<'a> Labels<'a> {
    /// Takes a length and the text behind it.
    fn take(&mut self) -> Option<&'a str> {
        let (mut length, mut at) = (0, 0);
        for byte in self.rest.bytes() {
            length |= usize::from(byte % MORE) << (DIGIT_BITS * at);
            at += 1;
            if byte < MORE {
                break;
            }
        }
        let (text, rest) = self.rest.get(at as usize..)?.split_at_checked(length)?;
        self.rest = rest;
        Some(text)
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some((self.take()?, self.take()?))
    }
}

impl std::iter::FusedIterator for Labels<'_> {}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = (&'a str, &'a str);
    type IntoIter = Labels<'a>;

    fn into_iter(self) -> Labels<'a> {
        self.iter()
    }
}

/// By the first label that differs; lengths, which stand in front, must not decide.
impl Ord for LabelSet {
    fn cmp(&self, other: &Self) -> Ordering {
        match Arc::ptr_eq(&self.0, &other.0) {
            true => Ordering::Equal,
            false => self.iter().cmp(other.iter()),
        }
    }
}

impl PartialOrd for LabelSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The value of a label that is there; as with a map, it is a fault to ask for another.
impl std::ops::Index<&str> for LabelSet {
    type Output = str;

    fn index(&self, name: &str) -> &str {
        match self.get(name) {
            Some(value) => value,
            None => panic!("there is no label {name:?}"),
        }
    }
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for LabelSet {
    /// Of a name that comes twice the last value stays.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let mut labels: Vec<(K, V)> = labels.into_iter().collect();
        if !labels.is_sorted_by(|a, b| a.0.as_ref() < b.0.as_ref()) {
            labels.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
            labels.dedup_by(|later, earlier| {
                let same = later.0.as_ref() == earlier.0.as_ref();
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        Self::of_sorted(&labels)
    }
}

impl Serialize for LabelSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for LabelSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

/// Reads an object of strings in which no name stands twice.
struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = LabelSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of label names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LabelSet, A::Error> {
        let mut labels: Vec<(String, String)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            // There are few of them.
            if labels.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("label {name:?} stands twice")));
            }
            labels.push((name, value));
            // No series has them; an object without an end is not worth the memory.
            if labels.len() > LABELS_MAX + 1 {
                let reason = format!("a series has at most {LABELS_MAX} labels");
                return Err(A::Error::custom(reason));
            }
        }
        Ok(labels.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_name_that_comes_twice_the_last_value_stays() {
        let labels = LabelSet::from_iter([("b", "1"), ("a", "2"), ("b", "3"), ("b", "4")]);
        assert_eq!(format!("{labels:?}"), r#"{"a": "2", "b": "4"}"#);
        assert_eq!(labels, LabelSet::from_iter([("a", "2"), ("b", "4")]));
        assert_eq!((labels.get("b"), labels.get("c")), (Some("4"), None));
    }

    #[test]
    fn an_object_reads_back_and_a_name_that_stands_twice_is_refused() {
        let labels: LabelSet = serde_json::from_str(r#"{"b": "2", "a": "1"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&labels).unwrap(),
            r#"{"a":"1","b":"2"}"#
        );
        let twice = serde_json::from_str::<LabelSet>(r#"{"a": "1", "a": "2"}"#).unwrap_err();
        assert!(
            twice.to_string().starts_with("label \"a\" stands twice"),
            "{twice}"
        );
        assert!(serde_json::from_str::<LabelSet>(r#"{"a": 1}"#).is_err());
        assert!(serde_json::from_str::<LabelSet>("[]").is_err());
    }

    #[test]
    fn a_label_of_any_length_is_itself_in_one_text() {
        for length in [0, 1, 63, 64, 65, 4095, 4096, 262_143, 262_144] {
            let (name, value) = ("n".repeat(length), "ä".repeat(length));
            let pairs = [("", "\0"), (&*name, &*value), ("z", "")];
            let set = LabelSet::from_iter(pairs);
            let map: BTreeMap<&str, &str> = pairs.into_iter().collect();
            assert!(set.iter().eq(map), "{length}");
            assert_eq!(set.get(&name), Some(&*value));
            let bytes: usize = set.iter().map(|(n, v)| n.len() + v.len()).sum();
            assert!(set.0.len() - bytes <= 2 * 3 * 4, "{length}");
        }
        assert_eq!(LabelSet::default(), LabelSet::from_iter([("", ""); 0]));
    }

    proptest! {
        #[test]
        fn sets_are_ordered_as_the_maps_that_they_were_made_of(
            one in any_labels(), other in any_labels(),
        ) {
            let sets = [&one, &other].map(LabelSet::from_iter);
            prop_assert_eq!(sets[0].cmp(&sets[1]), one.cmp(&other));
            prop_assert_eq!(sets[0] == sets[1], one == other);
            prop_assert!(sets[0].iter().eq(one.iter().map(|(n, v)| (&**n, &**v))));
        }
    }

    fn any_labels() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[ab]{0,2}", "[\0a@é]{0,70}", 0..4)
    }
}
