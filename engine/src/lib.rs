//! Stems to mix: the engine behind Tributary. It reads a model bundle's contract, Fx-normalizes four stems, runs a mix
//! model over a sliding window and aligns the result to its input to the sample – synchronously for files
//! ([`pipeline`], [`offline`]) and in real time behind a worker thread ([`start`], [`realtime`]).
//!
//! | module | what |
//! |---|---|
//! | [`contract`], [`bundle`] | the model's JSON and files, read as hostile input |
//! | [`room`] | impulse responses from files, likewise |
//! | [`regular_file`] | opens files, and nothing else that has a name |
//! | [`model`], [`onnx`] | the trait every model implements; networks through ONNX Runtime |
//! | [`window`], [`crossfade`], [`resample`] | the sliding window, joints between hops, sample rates |
//! | [`statistics`] | what a network averages over a song, running or frozen |
//! | [`pipeline`] | all of it in one synchronous object |
//! | [`offline`] | whole songs |
//! | [`start`] | an engine's life on the main thread: what it is built from, its handle |
//! | [`realtime`] | the audio side, the worker, the stream protocol |
//! | [`deck`] | one engine after another, crossfaded |
//! | [`learning`], [`learned`] | captures the song while it plays and freezes its profile |
//! | [`latency`], [`telemetry`], [`settings`] | what hosts and editors are told, and what they say |

mod analysis;
mod anchor;
mod atomics;
pub mod bundle;
mod capture;
pub mod contract;
pub mod crossfade;
pub mod deck;
mod delay_line;
pub mod error;
mod faded_stream;
mod fallback;
mod intake;
pub mod latency;
pub mod learned;
pub mod learning;
mod limiter;
pub mod meters;
pub mod model;
pub mod offline;
pub mod onnx;
mod output;
mod output_meter;
pub mod pipeline;
mod protocol;
pub mod realtime;
pub mod regular_file;
mod render_mode;
mod render_record;
pub mod resample;
pub mod room;
pub mod settings;
mod silence;
mod song_statistics;
pub mod start;
pub mod statistics;
pub mod stem_file;
mod tap;
pub mod telemetry;
#[doc(hidden)]
pub mod test_support;
pub mod window;
mod worker;

pub use bundle::ModelBundle;
pub use capture::{CaptureError, CaptureLimits};
pub use contract::{Contract, LatencyMode, WindowGeometry};
pub use deck::{Deck, DeckControl, Retired};
pub use error::{BundleError, EngineError, LibraryError, ModelError};
pub use latency::{LatencyPart, LatencyReport};
pub use learned::{LearnedProfile, LearnedStatistics, LearningPhase, LearningStatus, Normalization};
pub use learning::Learning;
pub use model::{MixHop, MixModel, SumModel};
pub use offline::{OfflineMix, mix_song};
pub use onnx::{OnnxLibrary, Provider};
pub use pipeline::Pipeline;
pub use realtime::AudioSide;
pub use render_record::RenderReport;
pub use settings::{DrySource, Settings};
pub use song_statistics::{NormalizedStems, Progress};
pub use start::{Engine, EngineConfig, EngineHandle, ModelSource};
pub use statistics::Statistics;
pub use stem_file::{StemFile, StemFileError};
pub use telemetry::{EngineState, ModelName, Report, StemReport, Telemetry};
pub use window::StemWindow;
