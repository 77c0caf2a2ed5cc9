//! The statistics of comparisons: rank tests, Holm's correction, bootstrap intervals and simulated power.
//!
//! Shared by `evaluate` (songs are the units) and `listen analyze` (listeners are). Nothing here knows of audio. Every
//! test value was computed with SciPy 1.17; the call stands beside it. Chance comes from a seeded generator: a report
//! made twice from the same data says the same.

mod descriptive;
mod distributions;
mod ranking;
mod resampling;

pub use descriptive::{mean, quantile};
pub use ranking::{KruskalWallis, Wilcoxon, holm, kruskal_wallis, ranks, spearman, wilcoxon};
pub use resampling::{Interval, Random, bootstrap_interval, detectable_difference};
