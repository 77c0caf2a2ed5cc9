//! Reads audio streams that symphonia is not built for (the AAC of MUSDB18's stem files) through an installed ffmpeg.
//!
//! A separate program instead of one more decoder: these files exist in one data set only, and whoever has it has, or
//! easily gets, ffmpeg.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use crate::audio_file::{AudioFileError, AudioReader};

/// The rate the stream is asked for, in Hz: that of all songs in MUSDB18, so nothing is converted.
const SAMPLE_RATE_HZ: u32 = 44_100;

/// Whether a program named ffmpeg can be started.
pub fn is_installed() -> bool {
    let started = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    started.is_ok_and(|status| status.success())
}

/// The titles of a file's audio streams, in their order; none for a stream without.
///
/// # Errors
/// ffmpeg is missing or cannot be started, or finds no audio.
pub fn audio_titles(path: &Path) -> Result<Vec<Option<String>>, AudioFileError> {
    // Without an output ffmpeg describes its input, and calls it a failure.
    let described = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(input(path))
        .stdin(Stdio::null())
        .output()
        .map_err(not_started)?;
    let titles = titles_in(&String::from_utf8_lossy(&described.stderr));
    if titles.is_empty() {
        Err(AudioFileError::NotAudio("ffmpeg finds no audio stream".into()))
    } else {
        Ok(titles)
    }
}

/// Picks the audio streams and their titles from ffmpeg's description of a file.
fn titles_in(description: &str) -> Vec<Option<String>> {
    let mut titles = Vec::new();
    let mut in_audio = false;
    for line in description.lines().map(str::trim) {
        if line.starts_with("Stream #") {
            in_audio = line.contains(": Audio:");
            titles.extend(in_audio.then_some(None));
        } else if let Some((key, value)) = line.split_once(':') {
            // Some programs keep a stream's title where others name the software that handles it.
            let is_title =
                key.trim() == "title" || key.trim() == "handler_name" && !value.contains("Handler");
            if let (true, true, Some(title @ None)) = (in_audio, is_title, titles.last_mut()) {
                *title = Some(value.trim().to_owned());
            }
        }
    }
    titles
}

/// How ffmpeg is told of a file. The prefix keeps a name with a colon or a leading dash from being taken for something else.
fn input(path: &Path) -> std::ffi::OsString {
    let mut input = std::ffi::OsString::from("file:");
    input.push(path);
    input
}

fn not_started(error: std::io::Error) -> AudioFileError {
    match error.kind() {
        ErrorKind::NotFound => AudioFileError::NotAudio("ffmpeg is not installed".into()),
        _ => AudioFileError::Io(error),
    }
}

/// One audio stream of a file, decoded to interleaved stereo floats by a running ffmpeg.
pub struct Stream {
    child: Child,
    output: ChildStdout,
    errors: Option<JoinHandle<String>>,
    bytes: Vec<u8>,
}

/// Bytes read at a time: whole frames of two 32-bit floats.
const PIECE_BYTES: usize = 8 * 8192;
/// Bytes of ffmpeg's complaints that are kept.
const ERROR_BYTES: u64 = 16_384;

/// Opens one audio stream of a file.
///
/// # Errors
/// ffmpeg is missing or cannot be started; that it refuses the file is found when reading.
pub fn open_stream(path: &Path, index: u32) -> Result<AudioReader, AudioFileError> {
    let mut child = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(input(path))
        .args(["-map", &format!("0:a:{index}"), "-f", "f32le", "-ac", "2"])
        .args(["-ar", &SAMPLE_RATE_HZ.to_string(), "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(not_started)?;
    // Read beside the audio: a full pipe of complaints would stop ffmpeg.
    let errors = child.stderr.take().map(|mut errors| {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = (&mut errors).take(ERROR_BYTES).read_to_end(&mut said);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
            String::from_utf8_lossy(&said).into_owned()
        })
    });
    let output =
        child.stdout.take().ok_or_else(|| AudioFileError::NotAudio("ffmpeg has no output".into()))?;
    let stream = Stream { child, output, errors, bytes: vec![0; PIECE_BYTES] };
    Ok(AudioReader::of_stream(stream, SAMPLE_RATE_HZ))
}

impl Stream {
    /// Appends the next samples; false at the end.
    ///
    /// # Errors
    /// ffmpeg refused the file or a part of it.
    pub fn next(&mut self, interleaved: &mut Vec<f32>) -> Result<bool, AudioFileError> {
        let mut filled = 0;
        while filled < self.bytes.len() {
            match self.output.read(&mut self.bytes[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        let samples = self.bytes[..filled].chunks_exact(4);
        interleaved.extend(samples.map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])));
        if filled == 0 {
            self.check_end()?;
        }
        Ok(filled > 0)
    }

    fn check_end(&mut self) -> Result<(), AudioFileError> {
        if self.child.wait()?.success() {
            return Ok(());
        }
        let said = self.errors.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let reason = said.lines().last().unwrap_or("no reason given").trim();
        Err(AudioFileError::NotAudio(format!("ffmpeg: {reason}")))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Read to the end, it has ended by itself; given up, nobody reads what it still writes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_those_of_audio_streams() {
        let description = "Input #0, mov,mp4, from 'file:x.stem.mp4':
  Metadata:
    title           : A song: live
  Duration: 00:00:04.00, start: 0.000000, bitrate: 402 kb/s
  Stream #0:0[0x1](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, stereo, fltp, 132 kb/s (default)
    Metadata:
      handler_name    : SoundHandler
      title           : other
  Stream #0:1[0x2](und): Video: mjpeg, yuvj420p, 100x100
    Metadata:
      title           : Cover
  Stream #0:2[0x3](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, stereo, fltp, 132 kb/s
    Metadata:
      handler_name    : drums
  Stream #0:3[0x4](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, stereo, fltp, 132 kb/s
At least one output file must be specified
";
        let titles = titles_in(description);
        assert_eq!(titles, [Some("other".to_owned()), Some("drums".to_owned()), None]);
        assert!(titles_in("x: Invalid data found when processing input").is_empty());
    }
}
