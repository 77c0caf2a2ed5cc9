//! Audio files in: WAV and FLAC become stereo, piece by piece, so that no file has to fit into memory.
//!
//! Everything a file can do wrong is met here, once: every command gets either finite stereo audio, with notes about
//! what was mended, or one plain sentence.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use tributary_dsp::{StereoBuffer, StoreError};

use crate::ffmpeg::Stream;
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
        }
    }
}

/// Why a file could not be read or written. The sentence leaves out the path; callers add it.
#[derive(Debug, thiserror::Error)]
pub enum AudioFileError {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Not WAV or FLAC, or a coding inside them that is not supported.
    #[error("is not a readable WAV or FLAC file ({0})")]
    NotAudio(String),
    /// A header without a single frame.
    #[error("holds no audio")]
    Empty,
    /// More than two channels.
    #[error("has {0} channels; only mono and stereo are supported")]
    Channels(usize),
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
    /// The result would not fit into a WAV file.
    #[error("would need {0} frames, more than a WAV file can hold")]
    TooLong(u64),
    /// The temporary or final file cannot be written.
    #[error("cannot be written: {0}")]
    Write(String),
    /// What was read cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<hound::Error> for AudioFileError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => AudioFileError::Write(error.to_string()),
            other => AudioFileError::Write(other.to_string()),
        }
    }
}

/// Reads a whole WAV (16, 24, 32 bit, float) or FLAC file, mono or stereo, into memory.
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
    Ok(AudioFile { audio, sample_rate_hz: reader.sample_rate_hz(), notes: reader.notes() })
}

/// Reads audio piece by piece: all of it is good only once the end is reached without an error.
pub struct AudioReader {
    pieces: Pieces,
    sample_rate_hz: u32,
    interleaved: Vec<f32>,
    left: Vec<f32>,
    right: Vec<f32>,
    frames: u64,
    bad_samples: u64,
    /// Frames promised by a file that ended early.
    ends_early: Option<u64>,
}

/// Where interleaved samples come from.
enum Pieces {
    File(Box<Decoding>),
    Stream(Stream),
}

impl AudioReader {
    /// Opens a WAV or FLAC file.
    ///
    /// # Errors
    /// The file cannot be opened, or what its header says cannot be used.
    pub fn open(path: &Path) -> Result<Self, AudioFileError> {
        let (decoding, sample_rate_hz) = Decoding::open(path)?;
        Ok(Self::of(Pieces::File(Box::new(decoding)), sample_rate_hz))
    }

    /// Reads a running stream.
    pub fn of_stream(stream: Stream, sample_rate_hz: u32) -> Self {
        Self::of(Pieces::Stream(stream), sample_rate_hz)
    }

    fn of(pieces: Pieces, sample_rate_hz: u32) -> Self {
        Self {
            pieces,
            sample_rate_hz,
            interleaved: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            frames: 0,
            bad_samples: 0,
            ends_early: None,
        }
    }

    /// The rate of the audio, in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// The next piece, finite, left and right of the same length; none at the end.
    ///
    /// # Errors
    /// The audio is damaged, or there was none at all.
    pub fn next_piece(&mut self) -> Result<Option<[&[f32]; 2]>, AudioFileError> {
        let channels = loop {
            self.interleaved.clear();
            let channels = match &mut self.pieces {
                Pieces::File(decoding) => {
                    decoding.next(self.frames, self.sample_rate_hz, &mut self.interleaved)?
                }
                Pieces::Stream(stream) => stream.next(&mut self.interleaved)?.then_some(2),
            };
            match channels {
                None if self.frames == 0 => return Err(AudioFileError::Empty),
                None => return self.finish().map(|()| None),
                Some(channels) if self.interleaved.len() >= channels => break channels,
                Some(_) => {}
            }
        };
        self.left.clear();
        self.right.clear();
        for sample in &mut self.interleaved {
            if !sample.is_finite() {
                *sample = 0.0;
                self.bad_samples += 1;
            }
        }
        for frame in self.interleaved.chunks_exact(channels) {
            self.left.push(frame[0]);
            self.right.push(frame[channels - 1]);
        }
        self.frames += self.left.len() as u64;
        Ok(Some([&self.left, &self.right]))
    }

    fn finish(&mut self) -> Result<(), AudioFileError> {
        let Pieces::File(decoding) = &mut self.pieces else { return Ok(()) };
        self.ends_early = decoding.expected_frames.filter(|&expected| self.frames < expected);
        // The checksum covers the whole file, so a file cut short cannot meet it; that is said as what it is.
        if self.ends_early.is_none() && decoding.decoder.finalize().verify_ok == Some(false) {
            return Err(AudioFileError::Checksum);
        }
        Ok(())
    }

    /// What was mended; complete at the end.
    pub fn notes(&self) -> Vec<Note> {
        let bad = (self.bad_samples > 0).then_some(Note::BadSamples { count: self.bad_samples });
        let early =
            self.ends_early.map(|expected_frames| Note::EndsEarly { expected_frames, frames: self.frames });
        bad.into_iter().chain(early).collect()
    }
}

/// The first audio track of a file, packet by packet.
struct Decoding {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    expected_frames: Option<u64>,
}

impl Decoding {
    fn open(path: &Path) -> Result<(Self, u32), AudioFileError> {
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
            hint.with_extension(extension);
        }
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(AudioFileError::Io(io::Error::new(ErrorKind::IsADirectory, "it is a folder")));
        }
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let reader = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(not_audio)?;
        let track = reader
            .default_track(TrackType::Audio)
            .ok_or_else(|| AudioFileError::NotAudio("no audio track".into()))?;
        let (track_id, expected_frames) = (track.id, track.num_frames);
        let params = track
            .codec_params
            .as_ref()
            .and_then(|p| p.audio())
            .ok_or_else(|| AudioFileError::NotAudio("unknown coding".into()))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default().verify(true))
            .map_err(not_audio)?;
        let sample_rate_hz = params.sample_rate.unwrap_or(0);
        check_format(sample_rate_hz, params.channels.as_ref().map_or(0, |c| c.count()))?;
        Ok((Self { reader, decoder, track_id, expected_frames }, sample_rate_hz))
    }

    /// Appends the next packet's samples, interleaved; returns its channels, none at the end. `frames` precede it.
    fn next(
        &mut self,
        frames: u64,
        sample_rate_hz: u32,
        interleaved: &mut Vec<f32>,
    ) -> Result<Option<usize>, AudioFileError> {
        let damaged = |reason: &str| {
            let at_s = frames as f64 / f64::from(sample_rate_hz);
            AudioFileError::Damaged { at_s, reason: reason.into() }
        };
        let packet = loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => break packet,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                // A file cut short ends here; the frame count tells.
                Err(SymphoniaError::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(damaged(&error.to_string())),
            }
        };
        // A reader that skips a broken part goes on behind it: the audio would shift against the other stems.
        if packet.pts.get() > frames as i64 {
            return Err(damaged("a part is missing"));
        }
        let decoded = self.decoder.decode(&packet).map_err(|error| damaged(&error.to_string()))?;
        let channels = decoded.num_planes();
        check_format(sample_rate_hz, channels)?;
        decoded.copy_to_vec_interleaved(interleaved);
        Ok(Some(channels))
    }
}

/// A symphonia error while opening, as a sentence.
fn not_audio(error: SymphoniaError) -> AudioFileError {
    match error {
        SymphoniaError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => {
            AudioFileError::NotAudio("it ends within the header".into())
        }
        SymphoniaError::IoError(e) => AudioFileError::Io(e),
        other => AudioFileError::NotAudio(other.to_string()),
    }
}

/// Refuses rates and channel counts that nothing downstream can use.
fn check_format(sample_rate_hz: u32, channels: usize) -> Result<(), AudioFileError> {
    if !(MIN_SAMPLE_RATE_HZ..=MAX_SAMPLE_RATE_HZ).contains(&sample_rate_hz) {
        return Err(AudioFileError::SampleRate(sample_rate_hz));
    }
    if !(1..=2).contains(&channels) {
        return Err(AudioFileError::Channels(channels));
    }
    Ok(())
}
