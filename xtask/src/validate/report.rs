//! The table of what was tried in which host, and its place in a document.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::files;
use crate::process;
use crate::steps;

/// The lines of the document between which the table stands.
const BEGIN: &str = "<!-- results: written by `cargo xtask validate --record` -->";
const END: &str = "<!-- end of results -->";

/// One trial.
pub struct Row {
    host: String,
    version: String,
    what: String,
    result: String,
}

impl Row {
    /// A trial that ended.
    pub fn new(host: &str, version: &str, what: &str, ended: Result<&str, &anyhow::Error>) -> Self {
        let result = match ended {
            Ok(said) => said.lines().last().unwrap_or("passed").to_owned(),
            Err(error) => {
                // The last line of what a program said is its reason; the first names the program.
                let said = format!("{error:#}");
                format!("**FAILED**: {}", said.lines().last().unwrap_or_default())
            }
        };
        Self { host: host.into(), version: version.into(), what: what.into(), result }
    }

    /// A trial that did not take place.
    pub fn not_tried(host: &str, what: &str, why: &str) -> Self {
        Self {
            host: host.into(),
            version: "–".into(),
            what: what.into(),
            result: format!("not tried: {}", steps::first_line(why)),
        }
    }
}

/// All trials, in their order.
#[derive(Default)]
pub struct Report {
    /// The trials.
    pub rows: Vec<Row>,
}

impl Report {
    /// A table in Markdown.
    pub fn table(&self) -> String {
        let mut table = "| host | version | what | result |\n|---|---|---|---|\n".to_owned();
        for row in &self.rows {
            let cells = [&row.host, &row.version, &row.what, &row.result].map(|cell| cell.replace('|', "/"));
            table += &format!("| {} |\n", cells.join(" | "));
        }
        table
    }

    /// Puts the table, with the day and the system, between the marks of a document.
    ///
    /// # Errors
    /// When the document cannot be read or written, or has no marks.
    pub fn record(&self, document: &Path) -> Result<()> {
        let text =
            fs::read_to_string(document).with_context(|| format!("cannot read {}", document.display()))?;
        let (before, rest) =
            text.split_once(BEGIN).context("the document has no mark where results begin")?;
        let (_, after) = rest.split_once(END).context("the document has no mark where results end")?;
        let day = process::capture(Command::new("date").arg("+%F"))?;
        let head = format!("{}, {}, {}", day.trim(), system(), env::consts::ARCH);
        files::write(document, &format!("{before}{BEGIN}\n\n{head}:\n\n{}\n{END}{after}", self.table()))
    }
}

/// The operating system, as it calls itself.
pub fn system() -> String {
    let said = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = said.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or(env::consts::OS, |name| name.trim_matches('"')).to_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::files::Scratch;

    fn report() -> Report {
        let failed = anyhow::anyhow!("`compare.py` failed:\nerror: differs by -20.0 dB");
        let rows = vec![
            Row::new("One", "1.0", "mixes", Ok("equal to the bit")),
            Row::new("Two", "2.0", "mixes", Err(&failed)),
            Row::not_tried("Three", "mixes", "not on PATH"),
        ];
        Report { rows }
    }

    #[test]
    fn a_failure_and_an_absence_are_told_from_a_success() {
        let table = report().table();
        assert!(table.contains("| One | 1.0 | mixes | equal to the bit |"), "{table}");
        assert!(table.contains("| Two | 2.0 | mixes | **FAILED**: error: differs by -20.0 dB |"), "{table}");
        assert!(table.contains("| Three | – | mixes | not tried: not on PATH |"), "{table}");
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let scratch = Scratch::new();
        let page = scratch.0.join("hosts.md");
        assert!(report().record(&page).is_err());
        files::write(&page, "No marks here.\n").unwrap();
        assert!(report().record(&page).is_err());
        files::write(&page, &format!("# Before\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")).unwrap();
        for _twice in 0..2 {
            report().record(&page).unwrap();
            let text = fs::read_to_string(&page).unwrap();
            assert!(text.starts_with("# Before\n\n") && text.ends_with("\n\nAfter.\n"), "{text}");
            assert!(text.contains("| Three |") && !text.contains("old"), "{text}");
            assert_eq!(text.matches(END).count(), 1);
        }
    }
}
