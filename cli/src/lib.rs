//! The part of the command line that other programs of this workspace share: reading a song from files, and statistics.
//!
//! A library so that the demo's host reads, resamples and writes audio exactly as the commands do, without a second reader.

pub mod audio_file;
pub mod dataset;
pub mod ffmpeg;
pub mod file_output;
pub mod resample;
pub mod song;
pub mod statistics;
