//! Lists and values of a document that comes from anywhere: so large and no larger. It is counted
//! while they are read, since a few bytes of text can ask for a thousand times as much memory.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Series;

/// Most series of a document that is taken in, and most sentences on what it lacks.
pub(crate) const SERIES_MAX: usize = 1_000_000;
/// Most cells that its series have: as many as a store.
pub(crate) const CELLS_MAX: usize = 11_184_640;
/// Most parts of a value; a histogram with all its buckets has fewer.
const PARTS_MAX: usize = 20_000;

/// Something of which a document holds many.
pub(super) trait Item {
    /// How many cells it takes in a store.
    fn cells(&self) -> usize;
}

impl Item for Series {
    fn cells(&self) -> usize {
        self.value.shape().cells() as usize
    }
}

impl Item for String {
    fn cells(&self) -> usize {
        0
    }
}

/// A list that is bounded unless it stands in a document of the store itself.
pub(super) struct List<T, const BOUNDED: bool>(pub(super) Vec<T>);

impl<T, const BOUNDED: bool> Default for List<T, BOUNDED> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Item + Deserialize<'de>, const BOUNDED: bool> Deserialize<'de> for List<T, BOUNDED> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

struct Items<T, const BOUNDED: bool>(PhantomData<T>);

impl<'de, T: Item + Deserialize<'de>, const BOUNDED: bool> Visitor<'de> for Items<T, BOUNDED> {
    type Value = List<T, BOUNDED>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        let mut cells = 0;
        while let Some(item) = seq.next_element::<T>()? {
            cells += item.cells();
            items.push(item);
            if BOUNDED && items.len() > SERIES_MAX {
                return Err(A::Error::custom(too_many_series(SERIES_MAX)));
            }
            if BOUNDED && cells > CELLS_MAX {
                return Err(A::Error::custom(too_many_cells()));
            }
        }
        Ok(List(items))
    }
}

pub(crate) fn too_many_series(most: usize) -> String {
    format!("it has more than the {most} series that are taken in")
}

pub(crate) fn too_many_cells() -> String {
    format!("its series have more than the {CELLS_MAX} cells of a store")
}

/// Any JSON of a bounded size.
pub(super) fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Part(&Cell::new(PARTS_MAX)).deserialize(deserializer)
}

/// One part of a value, and how many may still come.
#[derive(Clone, Copy)]
struct Part<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0.get().checked_sub(1) {
            Some(left) => self.0.set(left),
            None => {
                let reason = format!("a value has more than {PARTS_MAX} parts");
                return Err(D::Error::custom(reason));
            }
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = seq.next_element_seed(self)? {
            parts.push(part);
        }
        Ok(parts.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut parts = serde_json::Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let part = map.next_value_seed(self)?;
            parts.insert(name, part);
        }
        Ok(parts.into())
    }
}
