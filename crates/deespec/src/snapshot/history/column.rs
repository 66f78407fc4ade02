//! One series of a part: in which rows it stands, and its numbers there. Bytes only, no file.

use crate::metric::Key;

use super::value::{self, HistoryValue, WIDTHS};
use super::varint::{self, from_count, from_float, put, to_count, to_float};

/// What the series of a column are, and how wide: the first byte of a column.
pub(super) type Code = u8;

/// A column in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Column {
    /// The rows that have the series, ascending.
    pub(super) rows: Vec<u32>,
    /// For each of them the numbers of its value.
    pub(super) words: Vec<u64>,
}

impl Column {
    /// The numbers in each row, with the number of the row.
    pub(super) fn iter(&self, code: Code) -> impl Iterator<Item = (u32, &[u64])> {
        let width = value::width(code);
        let words = move |index: usize| &self.words[index * width..(index + 1) * width];
        let rows = self.rows.iter().enumerate();
        rows.map(move |(index, row)| (*row, words(index)))
    }

    /// The value in one row.
    pub(super) fn value(&self, code: Code, row: u32) -> Option<HistoryValue> {
        let at = self.rows.binary_search(&row).ok()?;
        let width = value::width(code);
        HistoryValue::of_words(code, self.words.get(at * width..(at + 1) * width)?)
    }

    pub(super) fn push(&mut self, row: u32, words: &[u64]) {
        self.rows.push(row);
        self.words.extend_from_slice(words);
    }

    /// The bytes of the column.
    pub(super) fn encode(&self, code: Code, key: &[u8]) -> Vec<u8> {
        let mut bytes = vec![code];
        put(&mut bytes, key.len() as u64);
        bytes.extend_from_slice(key);
        let runs = self.runs();
        put(&mut bytes, runs.len() as u64);
        for (skipped, there) in runs {
            put(&mut bytes, skipped);
            put(&mut bytes, there);
        }
        let width = value::width(code);
        let mut before = [0; WIDTHS];
        for words in self.words.chunks(width.max(1)) {
            for (index, (word, before)) in words.iter().zip(&mut before).enumerate() {
                let written = match value::is_count(code, index) {
                    true => from_count(*word, *before),
                    false => from_float(*word, *before),
                };
                put(&mut bytes, written);
                *before = *word;
            }
        }
        bytes
    }

    /// How many rows are left out and then taken, again and again.
    fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut next = 0;
        for row in &self.rows {
            match runs.last_mut() {
                Some(last) if *row == next => last.1 += 1,
                _ => runs.push((u64::from(row - next), 1)),
            }
            next = row + 1;
        }
        runs
    }

    /// Reads what [`Column::encode`] wrote, in a part of so many rows. A checksum keeps nobody from
    /// writing other bytes: they are `None`.
    pub(super) fn decode(mut bytes: &[u8], row_count: u32) -> Option<(Code, &[u8], Self)> {
        let (&code, rest) = bytes.split_first()?;
        bytes = rest;
        if !value::is_code(code) {
            return None;
        }
        let length = usize::try_from(varint::take(&mut bytes)?).ok()?;
        let (key, mut bytes) = bytes.split_at_checked(length)?;
        Key::decode(key)?;
        let mut column = Self::default();
        let (mut next, rows) = (0_u64, u64::from(row_count));
        let runs = varint::take(&mut bytes)?;
        for run in 0..runs {
            let (skipped, there) = (varint::take(&mut bytes)?, varint::take(&mut bytes)?);
            let begin = next.checked_add(skipped)?;
            let end = begin.checked_add(there)?;
            // Neighbouring runs would be one.
            if end > rows || there == 0 || (skipped == 0 && run > 0) {
                return None;
            }
            column.rows.extend(begin as u32..end as u32);
            next = end;
        }
        if column.rows.is_empty() {
            return None;
        }
        let width = value::width(code);
        let mut before = [0; WIDTHS];
        column.words.reserve(column.rows.len() * width);
        for _ in 0..column.rows.len() {
            for (index, before) in before.iter_mut().take(width).enumerate() {
                let written = varint::take(&mut bytes)?;
                *before = match value::is_count(code, index) {
                    true => to_count(written, *before),
                    false => to_float(written, *before),
                };
                column.words.push(*before);
            }
        }
        bytes.is_empty().then_some((code, key, column))
    }
}
