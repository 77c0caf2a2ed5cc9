//! The part of the command line that other programs of this workspace share: reading a song from files, judging mixes,
//! and statistics.
//!
//! A library so that the demo's host reads, resamples and writes audio exactly as the commands do, without a second reader.

pub mod audio_file;
pub mod base64;
pub mod batch;
pub mod dataset;
pub mod evaluate;
pub mod ffmpeg;
pub mod file_output;
pub mod flac;
mod flac_header;
mod joined;
pub mod markup;
pub mod outputs;
pub mod resample;
pub mod song;
pub mod statistics;
pub mod wav_output;
mod wave;
