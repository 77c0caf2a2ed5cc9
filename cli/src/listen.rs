//! Listening tests: `test.toml` becomes one self-contained page, and the results of its listeners become one report.
//!
//! ```text
//! plan → excerpts → page                  listen build    (plan, excerpt, page.rs and page/)
//! results → screening → analysis → report listen analyze  (results, screening, analysis, report, picture, export)
//! ```
//!
//! `key.rs` is what both sides agree on: the names that the page hides from its listener and copies into every result.

mod analysis;
mod excerpt;
mod export;
mod key;
mod page;
mod picture;
mod plan;
mod report;
mod results;
mod screening;

pub use analysis::{Analysis, Settings, Unit};
pub use export::{csv, json};
pub use page::build;
pub use plan::Plan;
pub use report::html;
pub use results::read_all;

/// Text made safe for HTML and SVG, inside elements and inside quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters are no text; HTML forbids them even as references.
            other if other.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_markup_survives() {
        assert_eq!(super::escape("<b a='1'>\"&\u{7}é"), "&lt;b a=&#39;1&#39;&gt;&quot;&amp; é");
    }
}
