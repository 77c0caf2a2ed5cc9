//! The ratings for other programs: CSV with one row per rating (R, Python), and the whole analysis as JSON.

use std::fmt::Write;

use anyhow::{Context, Result};

use super::analysis::Analysis;

/// One row per rating, excluded listeners and repeats included and marked (RFC 4180, header first).
pub fn csv(analysis: &Analysis) -> String {
    let mut text = "listener,included,attribute,song,system,repeat,page,handle,rating,heard_s\n".to_owned();
    for one in &analysis.ratings {
        let quoted = [&one.attribute, &one.song, &one.system].map(|name| quote(name)).join(",");
        let _ = writeln!(
            text,
            "{},{},{quoted},{},{},{},{},{}",
            one.listener, one.included, one.repeat, one.page, one.handle, one.rating, one.heard_s
        );
    }
    text
}

/// Always in quotes: a name may hold anything.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\"").replace(['\r', '\n'], " "))
}

/// The analysis as JSON.
///
/// # Errors
/// Never in practice: an analysis is plain data.
pub fn json(analysis: &Analysis) -> Result<String> {
    Ok(serde_json::to_string_pretty(analysis).context("cannot write JSON")? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listening::analysis::tests::{SETTINGS, results};

    #[test]
    fn rows_are_complete_and_names_are_quoted() {
        let mut results = results();
        results.key.songs[0].name = "a \"b\", c\nd".into();
        let csv = csv(&Analysis::of(results, SETTINGS));
        assert_eq!(csv.lines().count(), 1 + 12 * 5 * 3);
        let first = csv.lines().nth(1).expect("a row");
        assert!(
            first.starts_with("0000,")
                && first.contains(",\"Clarity\",\"a \"\"b\"\", c d\",\"bad\",false,1,1,"),
            "{first}"
        );
    }
}
