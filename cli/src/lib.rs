//! The part of the command line that other programs of this workspace share: reading a song from files, judging mixes,
//! and statistics.
//!
//! A library so that the demo's host reads, resamples and writes audio exactly as the commands do, without a second reader.

pub mod audio_file;
pub mod audio_output;
mod balance;
pub mod base64;
pub mod batch;
mod caf;
pub mod dataset;
mod decoding;
pub mod evaluate;
pub mod explain;
pub mod file_output;
pub mod flac;
mod flac_header;
mod full_scale;
mod joined;
mod lossy;
pub mod markup;
mod mp4;
mod opus;
pub mod outputs;
pub mod resample;
mod rifx;
pub mod song;
pub mod statistics;
mod wav_header;
mod wave;
