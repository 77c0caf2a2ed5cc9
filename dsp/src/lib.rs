//! Fx-normalization after "Automatic music mixing with deep learning and out-of-domain data" (Martínez-Ramírez et al.,
//! ISMIR 2022): every stem's loudness, spectrum, dynamics and panning are brought to the averages of a data set.
//!
//! The folder reads like the paper: one folder per effect, each with a *meter* (measures a feature), a *correction* (what
//! brings the stem to its *target*, the average) and a *matcher* (applies it). All keep one contract, [`Effect`], and stand in
//! one order, that of [`Chain`]. [`FxNormalizer`] runs the chains of all four stems block by block; [`normalize_stem`],
//! [`profile_song`] and their like measure complete files and then stream them through the same matchers.
//!
//! ```
//! use tributary_dsp::{Recipe, Stem, StereoBuffer, Targets, normalize_stem};
//!
//! let tone: Vec<f32> = (0..88_200).map(|n| 0.5 * (n as f32 * 0.05).sin()).collect();
//! let stem = StereoBuffer::mono(tone);
//! let (normalized, profile) =
//!     normalize_stem(Stem::Bass, &stem, &Recipe::default(), &Targets::default(), 44_100.0)?;
//! assert_eq!(normalized.frames(), stem.frames());
//! assert!(profile.loudness.is_some());
//! # Ok::<(), tributary_dsp::NormalizerError>(())
//! ```
//!
//! The crate forbids unsafe code, does no input or output and starts no thread.
#![forbid(unsafe_code)]
#![warn(clippy::too_many_lines)]

mod amounts;
pub mod analysis;
mod block;
mod cause;
mod chain;
mod context;
mod decision;
mod effect;
pub mod effects;
pub mod explain;
pub mod filters;
mod findings;
mod hop;
pub mod normalizer;
mod padded;
mod portrait;
pub mod profile;
mod reading;
pub mod recipe;
mod rules;
mod session;
mod stem;
mod stem_chain;
mod store;
pub mod targets;
mod targets_builder;
mod transition;
pub mod units;
mod whole_file;

pub use amounts::{Amounts, Share};
pub use block::{StemsBlock, StereoBlock, StereoBuffer};
pub use cause::Cause;
pub use chain::Chain;
pub use context::Context;
pub use effect::{Effect, Feature, Source};
pub use effects::equalization::faults::Fault;
pub use effects::reverb;
pub use filters::{biquad as filter, transform as stft};
pub use findings::Findings;
pub use hop::{HOP_FRAMES, Hop};
pub use normalizer::{Corrections, FxNormalizer, LockedCorrections, NormalizerError};
pub use portrait::TonePortrait;
pub use profile::{CorrectionSource, SongProfile, StemProfile};
pub use reading::{
    DynamicsReading, EqualizationReading, LoudnessReading, PanningReading, ReverbReading, StemReading,
    WidthReading,
};
pub use recipe::{EffectName, Recipe, SendLevels};
pub use rules::RecipeKind;
pub use session::{BLEED_LU, GainLimit, LARGEST_GAIN_DB, Session, Standing, WORKING_LUFS};
pub use stem::{CHANNELS, Stem};
pub use store::{Sides, StemStore, StoreError};
pub use targets::{Targets, TargetsError};
pub use targets_builder::{BandFeature, TargetsBuilder};
pub use whole_file::{
    WholeFile, measure_feature, measure_feature_of, normalize_in_place, normalize_stem, normalize_with_tail,
    profile_song, profile_stem, stream,
};
