//! An engine in real time: what runs on the audio thread, the worker behind it, and what both share. The folder
//! [`audio_thread`] holds all that the audio thread calls, and nothing in it may wait; whatever takes time is the worker's.

mod atomics;
pub(crate) mod audio_thread;
mod control_ring;
pub(crate) mod engine;
mod fallback;
pub(crate) mod mask_history;
pub(crate) mod model_source;
mod onlookers;
mod output_meter;
mod output_ring;
pub(crate) mod protocol;
mod publication;
pub(crate) mod report;
pub(crate) mod telemetry;
mod worker;
