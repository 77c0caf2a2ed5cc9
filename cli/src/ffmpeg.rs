//! Reads audio streams that symphonia is not built for (the AAC of MUSDB18's stem files) through an installed ffmpeg.
//!
//! A separate program instead of one more decoder: these files exist in one data set only, and whoever has it has, or
//! easily gets, ffmpeg.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::audio_file::{AudioFile, AudioFileError};

/// The rate the stream is asked for, in Hz: that of all songs in MUSDB18, so nothing is converted.
const SAMPLE_RATE_HZ: u32 = 44_100;

/// Whether a program named ffmpeg can be started.
pub fn is_installed() -> bool {
    let started = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    started.is_ok_and(|status| status.success())
}

/// Reads one audio stream of a file as stereo.
///
/// # Errors
/// ffmpeg is missing or refuses the file, or the stream is empty.
pub fn read_stream(path: &Path, index: u32) -> Result<AudioFile, AudioFileError> {
    // The protocol prefix keeps a name with a colon or a leading dash from being taken for something else.
    let mut input = std::ffi::OsString::from("file:");
    input.push(path);
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(input)
        .args(["-map", &format!("0:a:{index}"), "-f", "f32le", "-ac", "2"])
        .args(["-ar", &SAMPLE_RATE_HZ.to_string(), "-"])
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => AudioFileError::NotAudio("ffmpeg is not installed".into()),
            _ => AudioFileError::Io(error),
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said.lines().last().unwrap_or("no reason given").trim().to_owned();
        return Err(AudioFileError::NotAudio(format!("ffmpeg: {reason}")));
    }
    let samples = output
        .stdout
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    AudioFile::from_interleaved(samples.collect(), SAMPLE_RATE_HZ)
}
