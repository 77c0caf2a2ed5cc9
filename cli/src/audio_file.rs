//! Audio files in: whatever they are coded in becomes stereo, piece by piece, so that no file has to fit into memory.
//!
//! Everything a file can do wrong is met here, once: every command gets either finite stereo audio, with notes about
//! what was mended, or one plain sentence.

use std::fmt;
use std::io;
use std::path::Path;

use tributary_dsp::{StereoBuffer, StoreError};

use crate::decoding::Decoding;
pub use crate::file_output::{write_text, write_wav};

/// Lowest sample rate that is read, in Hz (telephone speech).
pub const MIN_SAMPLE_RATE_HZ: u32 = 8_000;
/// Highest sample rate that is read, in Hz (sixteen times 48 kHz).
pub const MAX_SAMPLE_RATE_HZ: u32 = 768_000;

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

/// Something about a file that the user should hear of, although it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// NaN or infinite samples, replaced by zero.
    BadSamples {
        /// How many, over both channels.
        count: u64,
    },
    /// The file stops before the length its header promises; what is there is used.
    EndsEarly {
        /// Frames promised.
        expected_frames: u64,
        /// Frames found.
        frames: u64,
    },
    /// The header says less than there is; all of it is used.
    HeaderTooSmall,
    /// The last part of the file is missing, nobody knows how much; what is there is used.
    CutOff,
    /// A second part of samples, which is not read.
    SecondData,
    /// The coding leaves out what it thinks nobody hears.
    Lossy {
        /// Its name.
        coding: &'static str,
    },
    /// How many frames the encoder put before the first one stands nowhere.
    StartUnknown {
        /// The coding's name.
        coding: &'static str,
    },
}

impl Note {
    /// Whether audio is missing.
    pub fn is_loss(&self) -> bool {
        matches!(self, Note::EndsEarly { .. } | Note::CutOff)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::BadSamples { count } => {
                write!(f, "{count} samples were NaN or infinite and are now zero")
            }
            Note::EndsEarly { expected_frames, frames } => {
                write!(f, "the file ends early, at frame {frames} of {expected_frames}; the rest is silent")
            }
            Note::HeaderTooSmall => {
                f.write_str("the sizes in its header are too small; all of the file is read")
            }
            Note::CutOff => f.write_str("the file is cut off; the rest is silent"),
            Note::SecondData => f.write_str("it has a second data chunk, which is not read"),
            Note::Lossy { coding } => write!(f, "it is coded with loss ({coding})"),
            Note::StartUnknown { coding } => write!(
                f,
                "{coding} encoders begin with silence of their own, and this file does not say how much: it may be some \
                 hundredths of a second late against the other stems"
            ),
        }
    }
}

/// Why a file could not be read or written. The sentence leaves out the path; callers add it.
#[derive(Debug, thiserror::Error)]
pub enum AudioFileError {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Nothing that is known, or a coding inside that is not supported.
    #[error("is not a readable audio file ({0})")]
    NotAudio(String),
    /// A header without a single frame.
    #[error("holds no audio")]
    Empty,
    /// More than two channels.
    #[error("has {0} channels; only mono and stereo are supported")]
    Channels(usize),
    /// The other half of a stereo pair does not go with it.
    #[error("has another sample rate than {0}, the other side of its pair")]
    Pair(String),
    /// A rate out of range.
    #[error("has a sample rate of {0} Hz; {MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz are supported")]
    SampleRate(u32),
    /// Damaged in the middle.
    #[error("is damaged at {at_s:.1} s ({reason})")]
    Damaged {
        /// Where, in seconds from the start.
        at_s: f64,
        /// What the decoder found.
        reason: String,
    },
    /// The decoded audio does not match the checksum in the file.
    #[error("is damaged: the audio does not match the file's own checksum")]
    Checksum,
    /// The temporary or final file cannot be written.
    #[error("cannot be written: {0}")]
    Write(String),
    /// What was read cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
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
