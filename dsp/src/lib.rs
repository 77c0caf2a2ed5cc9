//! Fx-normalization after "Automatic music mixing with deep learning and out-of-domain data" (Martínez-Ramírez et al.,
//! ISMIR 2022): every stem's loudness, spectrum, dynamics and panning are brought to the averages of a data set.
//!
//! The folder reads like the paper: one file per effect, each with a *meter* (measures a feature), a *target* (the
//! average it must meet) and a *matcher* (applies the correction). [`FxNormalizer`] chains the matchers for all four
//! stems, block by block; [`whole_file`] measures complete files and then streams them through the same matchers.
//!
//! The crate forbids unsafe code, does no input or output and starts no thread.
#![forbid(unsafe_code)]

pub mod analysis;
mod block;
mod chain;
mod effect;
pub mod effects;
pub mod filters;
mod hop;
pub mod normalizer;
mod padded;
pub mod profile;
mod reading;
pub mod recipe;
mod rules;
mod stem;
mod store;
pub mod targets;
mod targets_builder;
mod transition;
pub mod units;
mod whole_file;

pub use block::{StemsBlock, StereoBlock, StereoBuffer};
pub use chain::Chain;
pub use effect::{Context, Effect, Feature, Source};
pub use effects::reverb;
pub use filters::{biquad as filter, transform as stft};
pub use hop::{HOP_FRAMES, Hop};
pub use normalizer::{Corrections, FxNormalizer, NormalizerError};
pub use profile::{ProfileSource, SongProfile, StemProfile};
pub use reading::{
    DynamicsReading, EqualizationReading, LoudnessReading, PanningReading, StemReading, WidthReading,
};
pub use recipe::{EffectName, Recipe, SendLevels};
pub use rules::RecipeKind;
pub use stem::{CHANNELS, Stem};
pub use store::{Sides, StemStore, StoreError};
pub use targets::{Targets, TargetsError};
pub use targets_builder::{BandFeature, TargetsBuilder};
pub use whole_file::{
    measure_feature, measure_feature_of, normalize_in_place, normalize_stem, profile_song, profile_stem,
    stream,
};
