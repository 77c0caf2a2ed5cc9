//! Fx-normalization after "Automatic music mixing with deep learning and out-of-domain data" (Martínez-Ramírez et al.,
//! ISMIR 2022): every stem's loudness, spectrum, dynamics and panning are brought to the averages of a data set.
//!
//! The folder reads like the paper: one file per effect, each with a *meter* (measures a feature), a *target* (the
//! average it must meet) and a *matcher* (applies the correction). [`FxNormalizer`] chains the matchers for all four
//! stems, block by block; [`whole_file`] measures complete files and then streams them through the same matchers.
//!
//! The crate forbids unsafe code, does no input or output and starts no thread.
#![forbid(unsafe_code)]

pub mod block;
pub mod convolution;
pub mod delay;
pub mod dynamics;
pub mod dynamics_search;
pub mod equalization;
pub mod filter;
pub mod long_convolution;
pub mod loudness;
pub mod normalizer;
pub mod onset;
pub mod onset_peaks;
pub mod panning;
pub mod peaks;
pub mod profile;
pub mod recipe;
pub mod reverb;
pub mod similarity;
pub mod smoothing;
pub mod spectrum;
pub mod stem;
pub mod stft;
pub mod store;
pub mod targets;
pub mod targets_builder;
mod transition;
pub mod units;
pub mod whole_file;
pub mod width;

pub use block::{StemsBlock, StereoBlock, StereoBuffer};
pub use normalizer::{Corrections, FxNormalizer, NormalizerError, StemReading};
pub use profile::{ProfileSource, SongProfile, StemProfile};
pub use recipe::{Effect, Recipe, RecipeKind, SendLevels};
pub use stem::{CHANNELS, Stem};
pub use store::{StemStore, StoreError};
pub use targets::{Targets, TargetsError};
pub use targets_builder::{BandFeature, TargetsBuilder};
pub use whole_file::{
    Feature, measure_feature, measure_feature_of, normalize_in_place, normalize_stem, profile_song,
    profile_stem,
};
