//! Label sets: what tells the series of one family apart.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::name::LABELS_MAX;

/// A label set: label names and values, sorted by name. Cloning it is cheap.
///
/// ```
/// let labels = deespec::LabelSet::from_iter([("job", "backup"), ("code", "200")]);
/// assert_eq!(labels.get("job").map(String::as_str), Some("backup"));
/// assert_eq!(labels.keys().collect::<Vec<_>>(), ["code", "job"]);
/// ```
// A slice, since a map has room for eleven labels in each set, and a store may have a million sets.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelSet(Arc<[(String, String)]>);

impl LabelSet {
    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&String> {
        let at = self.0.binary_search_by(|(own, _)| own.as_str().cmp(name));
        Some(&self.0.get(at.ok()?)?.1)
    }

    /// Whether there is a label of this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels, sorted by name.
    pub fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.into_iter()
    }

    /// The names, sorted.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &String> + DoubleEndedIterator {
        self.0.iter().map(|(name, _)| name)
    }

    /// The values, sorted by the labels' names.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &String> + DoubleEndedIterator {
        self.0.iter().map(|(_, value)| value)
    }
}

/// A label as its two parts.
type Parts<'a> = fn(&'a (String, String)) -> (&'a String, &'a String);

impl<'a> IntoIterator for &'a LabelSet {
    type Item = (&'a String, &'a String);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (String, String)>, Parts<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

/// The value of a label that is there; as with a map, it is a fault to ask for another.
impl std::ops::Index<&str> for LabelSet {
    type Output = String;

    fn index(&self, name: &str) -> &String {
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

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for LabelSet {
    /// Of a name that comes twice the last value stays.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let owned = labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        let mut labels: Vec<(String, String)> = owned.collect();
        if !labels.is_sorted_by(|a, b| a.0 < b.0) {
            labels.sort_by(|a, b| a.0.cmp(&b.0));
            labels.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        Self(labels.into())
    }
}

impl Serialize for LabelSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for LabelSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Labels)
    }
}

/// Reads an object of strings in which no name stands twice.
struct Labels;

impl<'de> Visitor<'de> for Labels {
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
    use super::*;

    #[test]
    fn of_a_name_that_comes_twice_the_last_value_stays() {
        let labels = LabelSet::from_iter([("b", "1"), ("a", "2"), ("b", "3"), ("b", "4")]);
        assert_eq!(format!("{labels:?}"), r#"{"a": "2", "b": "4"}"#);
        assert_eq!(labels, LabelSet::from_iter([("a", "2"), ("b", "4")]));
        assert_eq!(
            (labels.get("b"), labels.get("c")),
            (Some(&"4".to_owned()), None)
        );
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
}
