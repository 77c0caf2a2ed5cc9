//! Judging mixes against the human mix of the same song: alignment, figures, baselines, statistics and the report.
//!
//! One file per noun below `evaluation/`. [`song`] puts them together for one song, [`summary`] for many; every figure
//! is listed in [`catalog`] and defined, with its source, in `docs/evaluation.md`. Everything is measured at 44.1 kHz on
//! the common part of all mixes, brought to one loudness.

pub mod aligned_stems;
pub mod alignment;
pub mod audibility;
pub mod balance;
pub mod baselines;
pub mod catalog;
pub mod chart;
pub mod distance;
pub mod drift;
pub mod excerpt;
pub mod explain;
pub mod frames;
pub mod harm;
pub mod levels;
pub mod low_pass;
pub mod page;
pub mod panning;
pub mod portrait;
pub mod published;
pub mod scramble;
pub mod set;
pub mod song;
pub mod space;
pub mod spectral;
pub mod stereo;
pub mod summary;
pub mod text;
pub mod tone;
pub mod weighting;

/// Rate at which everything is compared, in Hz: that of the published evaluation, whose window lengths count samples.
pub const RATE_HZ: u32 = 44_100;

/// Loudness at which mixes are compared, in LUFS: EBU R 128's, which leaves room for every mix's peaks.
pub const COMPARISON_LUFS: f64 = -23.0;

/// What can be chosen about the figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Options {
    /// Compute the published figures exactly as the published code does, accidents included.
    pub published_oddities: bool,
    /// Take the middle of every stem for both of its sides, before anything is made of the stems.
    pub mono_stems: bool,
    /// Change the stems' gains five times and report the mean, before anything is made of the stems; see [`scramble`].
    pub scrambled_gains: bool,
}
