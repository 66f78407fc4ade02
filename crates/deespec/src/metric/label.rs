//! Label sets: what tells the series of one family apart.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
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
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelSet(Arc<BTreeMap<String, String>>);

impl Deref for LabelSet {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for LabelSet {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let owned = labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self(Arc::new(owned.collect()))
    }
}

impl Serialize for LabelSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
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
        let mut labels = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            if labels.contains_key(&name) {
                return Err(A::Error::custom(format!("label {name:?} stands twice")));
            }
            labels.insert(name, value);
            // No series has them; an object without an end is not worth the memory.
            if labels.len() > LABELS_MAX + 1 {
                let reason = format!("a series has at most {LABELS_MAX} labels");
                return Err(A::Error::custom(reason));
            }
        }
        Ok(LabelSet(Arc::new(labels)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
