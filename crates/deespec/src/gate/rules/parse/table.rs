//! Tables and values of a TOML file that know where they stand: what is read from them is right, or an error with
//! the line. This room knows TOML and no rule.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::RulesError;
use super::super::error::quoted;

/// The file that is read.
pub(super) struct File<'a> {
    path: &'a Path,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> File<'a> {
    pub(super) fn new(text: &str, path: &'a Path) -> Self {
        let behind = text.match_indices('\n').map(|(place, _)| place + 1);
        let lines = std::iter::once(0).chain(behind).collect();
        Self { path, lines }
    }

    /// The line of a place in the text, from 1, and the column in bytes.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset);
        (line, offset - self.lines[line - 1] + 1)
    }

    pub(super) fn not_toml(&self, error: &toml::de::Error) -> RulesError {
        let (line, column) = self.place(error.span().map_or(0, |span| span.start));
        RulesError::NotToml {
            path: self.path.to_owned(),
            line,
            column,
            reason: error.message().replace(char::is_control, " "),
        }
    }

    pub(super) fn conflict(&self, line: usize, reason: String) -> RulesError {
        RulesError::Conflict {
            path: self.path.to_owned(),
            line,
            reason,
        }
    }
}

/// A table, and what messages call it.
pub(super) struct Table<'a> {
    file: &'a File<'a>,
    pub(super) line: usize,
    /// What it is, as `a rule of kind limit`.
    place: String,
    /// The keys around it with a dot behind each; empty for what is named by `place`.
    prefix: String,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn root(file: &'a File<'a>, root: &'a DeTable<'a>) -> Self {
        Self {
            file,
            line: 1,
            place: "the file".to_owned(),
            prefix: String::new(),
            entries: root,
        }
    }

    /// The same table by another name.
    pub(super) fn called(self, place: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            prefix: String::new(),
            ..self
        }
    }

    /// That no other keys stand in it than these.
    pub(super) fn only(&self, allowed: &[&'static str]) -> Result<(), RulesError> {
        let unknown = self
            .entries
            .iter()
            .filter(|(key, _)| !allowed.contains(&key.get_ref().as_ref()));
        let Some((key, _)) = unknown.min_by_key(|(key, _)| key.span().start) else {
            return Ok(());
        };
        Err(RulesError::UnknownKey {
            path: self.file.path.to_owned(),
            line: self.file.place(key.span().start).0,
            key: key.get_ref().to_string(),
            place: self.place.clone(),
            allowed: allowed.to_vec(),
        })
    }

    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let entry = |(name, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &Spanned<std::borrow::Cow<'a, str>> = name;
            (name.get_ref() == key).then(|| Value {
                file: self.file,
                key: format!("{}{key}", self.prefix),
                line: self.file.place(name.span().start).0,
                value: value.get_ref(),
            })
        };
        self.entries.iter().find_map(entry)
    }

    pub(super) fn need(&self, key: &str, expected: &str) -> Result<Value<'a>, RulesError> {
        self.get(key).ok_or_else(|| RulesError::Missing {
            path: self.file.path.to_owned(),
            line: self.line,
            place: self.place.clone(),
            key: key.to_owned(),
            expected: expected.to_owned(),
        })
    }

    pub(super) fn conflict(&self, reason: impl Into<String>) -> RulesError {
        self.file.conflict(self.line, reason.into())
    }
}

/// A value, and the key before it.
pub(super) struct Value<'a> {
    file: &'a File<'a>,
    pub(super) key: String,
    pub(super) line: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    /// That it must be something else.
    pub(super) fn must_be(&self, expected: impl Into<String>) -> RulesError {
        RulesError::Value {
            path: self.file.path.to_owned(),
            line: self.line,
            key: self.key.clone(),
            expected: expected.into(),
            found: found(self.value),
        }
    }

    pub(super) fn conflict(&self, reason: impl Into<String>) -> RulesError {
        self.file.conflict(self.line, reason.into())
    }

    /// The text; `None` of another type.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text.as_ref()),
            _ => None,
        }
    }

    /// A text that says something.
    pub(super) fn text(&self) -> Result<String, RulesError> {
        let text = self.as_text().filter(|text| !text.trim().is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| self.must_be("a text that is not empty"))
    }

    /// One of these words, and what it stands for.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, RulesError> {
        let text = self.as_text();
        let word = words.iter().find(|(word, _)| Some(*word) == text);
        word.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.must_be(match words.as_slice() {
                [one] => one.clone(),
                several => format!("one of {}", several.join(", ")),
            })
        })
    }

    pub(super) fn switch(&self) -> Result<bool, RulesError> {
        match self.value {
            DeValue::Boolean(switch) => Ok(*switch),
            _ => Err(self.must_be("true or false")),
        }
    }

    /// A number that is one; `None` of another type, of NaN and of infinity.
    pub(super) fn as_number(&self) -> Option<f64> {
        let number = match self.value {
            DeValue::Integer(_) => self.as_whole()? as f64,
            DeValue::Float(float) => float.as_str().parse().ok()?,
            _ => return None,
        };
        // Adding zero turns -0.0 into 0.0, which is shown without a sign.
        Some(number + 0.0).filter(|number| number.is_finite())
    }

    pub(super) fn number(&self) -> Result<f64, RulesError> {
        self.as_number()
            .ok_or_else(|| self.must_be("a finite number"))
    }

    fn as_whole(&self) -> Option<i128> {
        match self.value {
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn count(&self, least: u64, most: u64) -> Result<u64, RulesError> {
        let number = self.as_whole().and_then(|whole| u64::try_from(whole).ok());
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.must_be(format!("a whole number from {least} to {most}")))
    }

    /// The date of a TOML date or of a text, as it stands there.
    pub(super) fn date_text(&self) -> Option<String> {
        match self.value {
            DeValue::Datetime(date) => Some(date.to_string()),
            _ => self.as_text().map(str::to_owned),
        }
    }

    pub(super) fn table(&self, expected: &str) -> Result<Table<'a>, RulesError> {
        match self.value {
            DeValue::Table(entries) => Ok(Table {
                file: self.file,
                line: self.line,
                place: self.key.clone(),
                prefix: format!("{}.", self.key),
                entries,
            }),
            _ => Err(self.must_be(expected)),
        }
    }

    /// The elements, each with its own line and the key of the list.
    pub(super) fn list(&self, expected: &str) -> Result<Vec<Self>, RulesError> {
        let DeValue::Array(elements) = self.value else {
            return Err(self.must_be(expected));
        };
        let element = |element: &'a Spanned<DeValue<'a>>| Self {
            file: self.file,
            key: self.key.clone(),
            line: self.file.place(element.span().start).0,
            value: element.get_ref(),
        };
        Ok(elements.iter().map(element).collect())
    }
}

/// A value as a message shows it.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
