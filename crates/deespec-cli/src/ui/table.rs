//! Texts in columns, for a terminal of any width or none.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, Row, Table, Width};

use super::printable;

/// Columns of text that can be read in a last column.
const NARROWEST: u16 = 20;
/// What stands before each line below a title.
const INDENT: &str = "  ";

/// Columns without borders; the ones that are marked are numbers and stand to the right. What may
/// be long belongs into the last one, so that it moves no other out of sight.
pub(crate) fn columns(header: &[&str], numbers: &[usize], rows: Vec<Vec<String>>) -> String {
    columns_within(header, numbers, rows, None)
}

/// As [`columns`]; what does not fit into the width goes on in further lines of the last column,
/// unless that would be too narrow to be read.
fn columns_within(
    header: &[&str],
    numbers: &[usize],
    rows: Vec<Vec<String>>,
    width: Option<usize>,
) -> String {
    lines(header, numbers, rows, width, usize::MAX).join("\n") + "\n"
}

/// The lines of a table whose rows have at most `height` lines each.
fn lines(
    header: &[&str],
    numbers: &[usize],
    rows: Vec<Vec<String>>,
    width: Option<usize>,
    height: usize,
) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_truncation_indicator("…");
    if !header.is_empty() {
        table.set_header(header.to_vec());
    }
    for row in rows {
        let mut row = Row::from(row.into_iter().map(|text| Cell::new(printable(&text))));
        row.max_height(height);
        table.add_row(row);
    }
    let contents = table.column_max_content_widths();
    let others = contents.iter().rev().skip(1);
    let others: usize = others.map(|content| usize::from(*content) + 2).sum();
    let last = contents.len().saturating_sub(1);
    let room = width.and_then(|width| width.checked_sub(others));
    let room = room.and_then(|room| u16::try_from(room).ok());
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if let Some(room) = room.filter(|room| index == last && (*room >= NARROWEST || height == 1))
        {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(room.max(1))));
        }
    }
    let lines = table.lines();
    lines.map(|line| line.trim_end().to_owned()).collect()
}

/// As [`columns`], a line each, of which the first is the header. What does not fit into the width is cut off.
pub(crate) fn one_line_each(
    header: &[&str],
    numbers: &[usize],
    rows: Vec<Vec<String>>,
    width: Option<usize>,
) -> Vec<String> {
    lines(header, numbers, rows, width, 1)
}

/// Columns below something else, indented, and within the width.
pub(crate) fn indented(indent: &str, rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    let width = width.map(|width| width.saturating_sub(indent.len()));
    let table = columns_within(&[], &[], rows, width);
    let lines = table.lines();
    lines.map(|line| format!("{indent}{line}\n")).collect()
}

/// Columns below a title, indented, and within the width.
pub(crate) fn titled(
    title: &str,
    header: &[&str],
    numbers: &[usize],
    rows: Vec<Vec<String>>,
    width: usize,
) -> String {
    let width = width.saturating_sub(INDENT.len());
    let table = columns_within(header, numbers, rows, Some(width));
    let lines = table.lines();
    let lines: String = lines.map(|line| format!("{INDENT}{line}\n")).collect();
    format!("{}\n{lines}", printable(title))
}

/// Whether no line of a text is longer than the width of a terminal.
pub(crate) fn fits(text: &str, width: usize) -> bool {
    let mut table = Table::new();
    table.add_row([text]);
    let widths = table.column_max_content_widths();
    widths.iter().all(|widest| usize::from(*widest) <= width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_width_of_a_character() {
        let row = |name: &str, value: &str| vec![name.to_owned(), value.to_owned(), "x".to_owned()];
        let rows = vec![row("ab", "1"), row("日本", "22"), row("\x1b", "333")];
        assert_eq!(
            columns(&["N", "V", "L"], &[1], rows),
            "N         V  L\nab        1  x\n日本     22  x\n\\u{1b}  333  x\n"
        );
    }
}
