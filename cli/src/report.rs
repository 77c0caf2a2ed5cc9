//! What a command says: aligned text tables, numbers with their units, and notes.
//!
//! Results go to standard output, notes and progress to standard error, so that a table can be piped.

use std::fmt;
use std::io::{self, Write};

/// A plain text table; the first column is text, all others are numbers or short words set flush right. A last column of
/// sentences can be set flush left.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    ends_in_sentences: bool,
}

impl Table {
    /// A table with these column titles.
    pub fn new(titles: &[&str]) -> Self {
        Self {
            rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()],
            ends_in_sentences: false,
        }
    }

    /// The same with sentences in the last column.
    pub fn ending_in_sentences(self) -> Self {
        Self { ends_in_sentences: true, ..self }
    }

    /// Appends a row; missing cells stay empty.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                match column {
                    0 => write!(f, "{cell:<width$}")?,
                    _ if self.ends_in_sentences && column + 1 == columns => write!(f, "  {cell}")?,
                    _ => write!(f, "  {cell:>width$}")?,
                }
            }
            writeln!(f)?;
            if index == 0 {
                let line: usize = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
                writeln!(f, "{}", "─".repeat(line))?;
            }
        }
        Ok(())
    }
}

/// A job over a set that is done, but not for every song: said once, and told by an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Incomplete(pub String);

/// A measured level with one decimal, or a dash for silence and for what is absent.
pub fn level(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.1}"),
        _ => "–".into(),
    }
}

/// Says a result on standard output. That nobody reads on, as behind `| head`, is no error and no reason to stop.
pub fn say(text: impl fmt::Display) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        say_aside(&format!("error: standard output cannot be written: {error}"));
        std::process::exit(1);
    }
}

/// Says something that is no result, on standard error.
pub fn say_aside(text: &str) {
    // Where nobody can be told, nobody is.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says a note about the input on standard error.
pub fn note(text: &str) {
    say_aside(&format!("note: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["stem", "LUFS"]);
        table.row(vec!["vocals".into(), level(Some(-23.04))]);
        table.row(vec!["bass".into(), level(Some(f64::NEG_INFINITY))]);
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, ["stem     LUFS", "─────────────", "vocals  -23.0", "bass        –"]);
    }
}
