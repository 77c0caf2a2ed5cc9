//! Stems to mix: the engine behind Tributary. It reads a model bundle's contract, Fx-normalizes four stems, runs a mix
//! model over a sliding window and aligns the result to its input to the sample – synchronously for files
//! ([`pipeline`], [`offline`]) and in real time behind a worker thread ([`Engine`]).
//!
//! | room | what |
//! |---|---|
//! | [`bundle`] | a model's folder: contract, files, impulse response, parity vectors, statistics; hostile input that is read and checked, nothing is loaded |
//! | `loader` | where a bundle becomes a network, and what had to be done otherwise than asked |
//! | `mask_meter` | how far a network's masks go, for people to see |
//! | `model` | what a mix model is, and what one can do besides that learns a song |
//! | `crafx2` | the network: front end, bands, mixer, back end; whole, split or incremental |
//! | [`onnx`] | ONNX Runtime: the library, providers, graphs and their inspection; the only room that names it |
//! | [`pipeline`] | stems to mix, synchronously: intake, normalizer, faders, window, model, joints between hops, output under a limiter |
//! | [`resample`] | sample rates |
//! | [`offline`] | whole songs |
//! | `live` | an engine in real time: its handle, where its model comes from, worker, stream protocol, telemetry |
//! | `live/audio_thread` | all that the audio thread calls, and what it may call |
//! | `learn` | captures the song while it plays, analyzes it, and puts what was learned in force |
//! | `controls`, `presets` | what an engineer asks of the mix; where to begin with it |
//! | `glide` | a value on its way, without a corner |
//! | `latency`, `error` | what hosts are told, and what users are |
//! | `silence`, `regular_file`, `patient_thread` | digital silence and tails; files that are files; threads that are waited for, but not forever |
#![warn(clippy::too_many_lines)]

pub mod bundle;
mod controls;
mod crafx2;
mod error;
mod glide;
mod latency;
mod learn;
mod live;
mod loader;
mod mask_meter;
mod model;
pub mod offline;
pub mod onnx;
mod patient_thread;
pub mod pipeline;
mod presets;
mod regular_file;
pub mod resample;
mod silence;
#[doc(hidden)]
pub mod test_support;

pub use bundle::contract::{Contract, ContractLimiter, LatencyMode, WindowGeometry};
pub use bundle::impulse_response;
pub use bundle::statistics::Statistics;
pub use bundle::{ModelBundle, sha256_hex};
pub use controls::{Controls, StemControls, TRIM_RANGE_DB};
pub use error::{BundleError, EngineError, LibraryError, ModelError};
pub use latency::{LatencyPart, LatencyReport};
pub use learn::capture::{CaptureError, CaptureLimits};
pub use learn::learned::{LearnedSong, LearnedStatistics, LearningPhase, LearningStatus, Normalization};
pub use learn::learning::Learning;
pub use learn::song_averages::{NormalizedStems, Progress, SongAveragesError};
pub use learn::song_file::SongFileError;
pub use learn::stem_file::{StemFile, StemFileError};
pub use live::audio_thread::audio_side::AudioSide;
pub use live::audio_thread::engine_player::{EnginePlayer, PlayerControl, Retired};
pub use live::audio_thread::render_record::RenderReport;
pub use live::audio_thread::settings::{DrySource, Settings};
pub use live::audio_thread::time::Time;
pub use live::engine::{Engine, EngineConfig, EngineHandle};
pub use live::mask_history::MaskHistory;
pub use live::model_source::ModelSource;
pub use live::report::{ModelName, Report, StemReport};
pub use live::telemetry::{EngineState, HEARD_THRESHOLD, OutputLevels, StemLevels, StemTelemetry, Telemetry};
pub use loader::LoadedModel;
pub use mask_meter::{MOST_BANDS, MaskLayout, MaskMeter, MaskReading, PARTS};
pub use model::{MaskHold, MixHop, MixModel, SongLearner, SumModel};
pub use offline::{OfflineMix, mix_song};
pub use onnx::{OnnxLibrary, Provider};
pub use pipeline::image::StereoImage;
pub use pipeline::{Loudness, Pipeline, StemWindow};
pub use presets::{PRESETS, Preset};
