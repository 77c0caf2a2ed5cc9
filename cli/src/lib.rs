//! `tributary`: mix four stems, and prepare data sets of stems, from the command line.
//!
//! | room | what happens there |
//! |---|---|
//! | `command_line`, `commands` | what can be said, and what is done about it: one file per command |
//! | `options` | what several commands can be told alike |
//! | `jobs` | many songs: shared out, resumed, counted |
//! | [`evaluation`] | judging mixes against the human mix |
//! | `listening` | listening tests, from a plan to a report |
//! | `statistics` | ranks, intervals and chance, for both |
//! | `plot`, `report`, `progress` | what is drawn and said |
//!
//! Songs are read and audio is written by `tributary-audio-io`, mixed by `tributary-engine`. Only what tests and
//! measurements of this workspace look at is public.

mod command_line;
mod commands;
pub mod evaluation;
mod jobs;
mod listening;
mod markup;
mod metrics;
mod model;
mod normalized;
mod options;
mod plot;
mod progress;
mod report;
mod statistics;

pub use command_line::run;
