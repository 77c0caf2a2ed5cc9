//! Audio files in: whatever they are coded in becomes stereo, piece by piece, so that no file has to fit into memory.
//!
//! Everything a file can do wrong is met here, once: every command gets either finite stereo audio, with notes about
//! what was mended, or one plain sentence.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS, CODEC_ID_FLAC, CODEC_ID_MP1, CODEC_ID_MP2,
    CODEC_ID_MP3, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use tributary_dsp::{StereoBuffer, StoreError};

use crate::ffmpeg::Stream;
pub use crate::file_output::{write_text, write_wav};
use crate::{flac_header, wave};

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
    /// A second part of samples, which is not read.
    SecondData,
    /// The coding leaves out what it thinks nobody hears.
    Lossy {
        /// Its name.
        coding: &'static str,
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
            Note::HeaderTooSmall => {
                f.write_str("the sizes in its header are too small; all of the file is read")
            }
            Note::SecondData => f.write_str("it has a second data chunk, which is not read"),
            Note::Lossy { coding } => write!(f, "it is coded with loss ({coding})"),
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
    pieces: Pieces,
    sample_rate_hz: u32,
    interleaved: Vec<f32>,
    left: Vec<f32>,
    right: Vec<f32>,
    frames: u64,
    /// Channels of the last piece.
    channels: usize,
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
    /// Opens an audio file.
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
            channels: 0,
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
        self.channels = channels;
        self.left.clear();
        self.right.clear();
        for sample in &mut self.interleaved {
            if !sample.is_finite() {
                *sample = 0.0;
                self.bad_samples += 1;
            }
        }
        let most_frames = self.most_frames().saturating_sub(self.frames);
        for frame in self.interleaved.chunks_exact(channels).take(most_frames as usize) {
            self.left.push(frame[0]);
            self.right.push(frame[channels - 1]);
        }
        self.frames += self.left.len() as u64;
        Ok(Some([&self.left, &self.right]))
    }

    /// Frames behind which only filling comes.
    fn most_frames(&self) -> u64 {
        match &self.pieces {
            Pieces::File(decoding) => decoding.most_frames.unwrap_or(u64::MAX),
            Pieces::Stream(_) => u64::MAX,
        }
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
        let of_file = match &self.pieces {
            Pieces::File(decoding) => decoding.notes.clone(),
            Pieces::Stream(_) => Vec::new(),
        };
        of_file.into_iter().chain(bad).chain(early).collect()
    }
}

/// The first audio track of a file, packet by packet.
struct Decoding {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    /// Whether a gap between packets is one in the audio.
    is_gapless: bool,
    expected_frames: Option<u64>,
    most_frames: Option<u64>,
    notes: Vec<Note>,
}

impl Decoding {
    fn open(path: &Path) -> Result<(Self, u32), AudioFileError> {
        let there = std::fs::metadata(path)?;
        if !there.is_file() {
            let reason = if there.is_dir() { "it is a folder" } else { "it is no ordinary file" };
            return Err(AudioFileError::Io(io::Error::new(ErrorKind::InvalidInput, reason)));
        }
        let file = File::open(path)?;
        let mut hint = Hint::new();
        let wave = wave::open(&file)?;
        let (source, header): (Box<dyn MediaSource>, _) = match wave {
            Some(wave) => {
                hint.with_extension(wave.ending);
                (wave.source, Some((wave.expected_frames, wave.most_frames, wave.notes)))
            }
            None => {
                if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
                    hint.with_extension(extension);
                }
                let repaired = flac_header::open(&file)?;
                (repaired.unwrap_or_else(|| Box::new(file)), None)
            }
        };
        let stream = MediaSourceStream::new(source, Default::default());
        let reader = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(not_audio)?;
        let track = reader
            .default_track(TrackType::Audio)
            .ok_or_else(|| AudioFileError::NotAudio("no audio track".into()))?;
        let (track_id, num_frames) = (track.id, track.num_frames);
        let params = track
            .codec_params
            .as_ref()
            .and_then(|p| p.audio())
            .ok_or_else(|| AudioFileError::NotAudio("unknown coding".into()))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default().verify(true))
            .map_err(not_audio)?;
        let sample_rate_hz = params.sample_rate.unwrap_or(0);
        let lossy = lossy_coding(params.codec);
        let is_gapless = lossy.is_none() || params.codec == CODEC_ID_FLAC;
        // Some formats tell the number of channels with the first packet only.
        let channels = params.channels.as_ref().map_or(1, |c| c.count());
        check_format(sample_rate_hz, channels)?;
        refuse_late(params.codec)?;
        let (expected_frames, most_frames, mut notes) =
            header.unwrap_or((num_frames.filter(|_| lossy.is_none()), None, Vec::new()));
        notes.extend(lossy.map(|coding| Note::Lossy { coding }));
        Ok((
            Self { reader, decoder, track_id, is_gapless, expected_frames, most_frames, notes },
            sample_rate_hz,
        ))
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
        if self.is_gapless && packet.pts.get() > frames as i64 {
            return Err(damaged("a part is missing"));
        }
        let decoded = self.decoder.decode(&packet).map_err(|error| damaged(&error.to_string()))?;
        let channels = decoded.num_planes();
        check_format(sample_rate_hz, channels)?;
        decoded.copy_to_vec_interleaved(interleaved);
        Ok(Some(channels))
    }
}

/// The name of a coding that leaves something out.
fn lossy_coding(codec: AudioCodecId) -> Option<&'static str> {
    match codec {
        CODEC_ID_MP3 => Some("MP3"),
        CODEC_ID_VORBIS => Some("Vorbis"),
        CODEC_ID_ADPCM_IMA_WAV | CODEC_ID_ADPCM_MS => Some("ADPCM"),
        CODEC_ID_PCM_ALAW => Some("A-law"),
        CODEC_ID_PCM_MULAW => Some("µ-law"),
        _ => None,
    }
}

/// Refuses codings whose encoders put frames before the first one without the decoder taking them off again: a stem would be
/// late against the others by 11 to 48 ms.
fn refuse_late(codec: AudioCodecId) -> Result<(), AudioFileError> {
    let name = match codec {
        CODEC_ID_AAC => "AAC",
        CODEC_ID_MP1 | CODEC_ID_MP2 => "MP2",
        _ => return Ok(()),
    };
    Err(AudioFileError::NotAudio(format!(
        "{name} is not supported, because its start cannot be told; make it a WAV file"
    )))
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
