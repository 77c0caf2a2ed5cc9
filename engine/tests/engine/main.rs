//! The engine's tests, in one binary: each further one would link everything again.

#![allow(clippy::unwrap_used)] // Helpers outside of test functions count as product code to the lint.

mod alloc;
mod anchor;
mod bundle;
mod common;
mod controls;
mod engine_player;
mod hostile;
mod idle;
mod incremental;
mod learned_statistics;
mod learning;
mod limiting;
mod metering;
mod modes;
mod networks;
mod output_drive;
mod pipeline;
mod protocol;
mod ready_stems;
mod realtime;
mod rendering;
mod seams;
mod soak;
mod watching;
