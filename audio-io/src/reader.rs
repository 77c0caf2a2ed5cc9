//! Audio files in: whatever they are coded in becomes stereo, piece by piece, so that no file has to fit into memory.
//!
//! Everything a file can do wrong is met here, once: every command gets either finite stereo audio, with notes about
//! what was mended, or one plain sentence.

use std::path::Path;

use tributary_dsp::StereoBuffer;

use crate::error::{AudioFileError, Note};
use decoding::Decoding;

mod caf;
mod decoding;
mod flac_header;
mod joined;
mod lossy;
pub(crate) mod mp4;
mod opus;
mod rifx;
mod wave;

/// One file's audio: two channels, finite samples.
#[derive(Debug, Clone)]
pub struct AudioFile {
    /// The samples; a mono file fills both channels alike.
    pub audio: StereoBuffer,
    /// The rate of the file, in Hz.
    pub sample_rate_hz: u32,
    /// Channels of the file, 1 or 2.
    pub channels: usize,
    /// What was mended while reading, to be told to the user.
    pub notes: Vec<Note>,
}

/// Reads a whole audio file, mono or stereo, into memory; docs/files.md has the table of what is read.
///
/// # Errors
/// Says in words why the file cannot be used; see [`AudioFileError`].
pub fn read(path: &Path) -> Result<AudioFile, AudioFileError> {
    let mut reader = AudioReader::open(path)?;
    let mut audio = StereoBuffer::default();
    while let Some([left, right]) = reader.next_piece()? {
        audio.left.extend_from_slice(left);
        audio.right.extend_from_slice(right);
    }
    let (sample_rate_hz, channels) = (reader.sample_rate_hz(), reader.channels);
    Ok(AudioFile { audio, sample_rate_hz, channels, notes: reader.notes() })
}

/// Reads audio piece by piece: all of it is good only once the end is reached without an error.
pub struct AudioReader {
    decoding: Decoding,
    interleaved: Vec<f32>,
    left: Vec<f32>,
    right: Vec<f32>,
    /// Frames handed out.
    frames: u64,
    /// Frames of the encoder that are still to be left out.
    to_skip: u64,
    /// Channels of the last piece.
    channels: usize,
    bad_samples: u64,
    /// Frames promised by a file that ended early.
    ends_early: Option<u64>,
}

impl AudioReader {
    /// Opens an audio file; of several tracks the first one is read.
    ///
    /// # Errors
    /// The file cannot be opened, or what its header says cannot be used.
    pub fn open(path: &Path) -> Result<Self, AudioFileError> {
        Decoding::open(path, None).map(Self::of)
    }

    /// Opens one audio track of an MP4 file, counted from 0.
    ///
    /// # Errors
    /// As [`AudioReader::open`], or there is no such track.
    pub fn open_track(path: &Path, index: usize) -> Result<Self, AudioFileError> {
        Decoding::open(path, Some(index)).map(Self::of)
    }

    fn of(decoding: Decoding) -> Self {
        Self {
            to_skip: decoding.span.skip,
            decoding,
            interleaved: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            frames: 0,
            channels: 0,
            bad_samples: 0,
            ends_early: None,
        }
    }

    /// The rate of the audio, in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.decoding.sample_rate_hz
    }

    /// The next piece, finite, left and right of the same length; none at the end.
    ///
    /// # Errors
    /// The audio is damaged, or there was none at all.
    pub fn next_piece(&mut self) -> Result<Option<[&[f32]; 2]>, AudioFileError> {
        loop {
            self.interleaved.clear();
            let Some(channels) = self.decoding.next(&mut self.interleaved)? else {
                self.finish()?;
                return if self.frames == 0 { Err(AudioFileError::Empty) } else { Ok(None) };
            };
            self.channels = channels;
            self.take_piece(channels);
            if !self.left.is_empty() {
                return Ok(Some([&self.left, &self.right]));
            }
        }
    }

    /// Takes over what belongs to the recording.
    fn take_piece(&mut self, channels: usize) {
        self.left.clear();
        self.right.clear();
        let most = self.decoding.span.frames.map_or(u64::MAX, |frames| frames.saturating_sub(self.frames));
        let there = (self.interleaved.len() / channels) as u64;
        let skipped = self.to_skip.min(there);
        self.to_skip -= skipped;
        let frames = self.interleaved.chunks_exact_mut(channels).skip(skipped as usize);
        for frame in frames.take(usize::try_from(most).unwrap_or(usize::MAX)) {
            for sample in &mut *frame {
                if !sample.is_finite() {
                    *sample = 0.0;
                    self.bad_samples += 1;
                }
            }
            self.left.push(frame[0]);
            self.right.push(frame[channels - 1]);
        }
        self.frames += self.left.len() as u64;
    }

    fn finish(&mut self) -> Result<(), AudioFileError> {
        self.ends_early = self.decoding.expected_frames.filter(|&expected| self.frames < expected);
        // The checksum covers the whole file, so a file cut short cannot meet it; that is said as what it is.
        if self.ends_early.is_none() && !self.decoding.checksum_holds() {
            return Err(AudioFileError::Checksum);
        }
        Ok(())
    }

    /// What was mended; complete at the end.
    pub fn notes(&self) -> Vec<Note> {
        let bad = (self.bad_samples > 0).then_some(Note::BadSamples { count: self.bad_samples });
        let early =
            self.ends_early.map(|expected_frames| Note::EndsEarly { expected_frames, frames: self.frames });
        self.decoding.notes.iter().cloned().chain(bad).chain(early).collect()
    }
}
