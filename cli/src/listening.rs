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
