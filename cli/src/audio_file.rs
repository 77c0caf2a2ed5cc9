//! Audio files in and out: WAV and FLAC become one stereo buffer, and a stereo buffer becomes a 32-bit float WAV.
//!
//! Everything a file can do wrong is met here, once: every command gets either finite stereo audio, with notes about
//! what was mended, or one plain sentence. Writing never leaves half a file behind: it goes to a temporary file in the
//! same folder, reaches the disk, and only then takes the final name.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use tributary_dsp::StereoBuffer;

/// Lowest sample rate that is read, in Hz (telephone speech).
pub const MIN_SAMPLE_RATE_HZ: u32 = 8_000;
/// Highest sample rate that is read, in Hz (sixteen times 48 kHz).
pub const MAX_SAMPLE_RATE_HZ: u32 = 768_000;

/// Bytes of one stereo frame of 32-bit floats.
const FRAME_BYTES: u64 = 8;
/// A WAV header counts bytes in 32 bits; a little is left for the header itself.
const MAX_WAV_BYTES: u64 = u32::MAX as u64 - 4096;

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

impl AudioFile {
    /// Takes interleaved stereo samples as they come from outside.
    ///
    /// # Errors
    /// [`AudioFileError::Empty`] without a frame.
    pub fn from_interleaved(samples: Vec<f32>, sample_rate_hz: u32) -> Result<Self, AudioFileError> {
        let mut sink = Sink { packet: samples, ..Sink::new(sample_rate_hz) };
        sink.take_packet(2);
        sink.finish(None)
    }
}

/// Something about a file that the user should hear of, although it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// NaN or infinite samples, replaced by zero.
    BadSamples {
        /// How many, over both channels.
        count: usize,
    },
    /// The file stops before the length its header promises; what is there is used.
    EndsEarly {
        /// Frames promised.
        expected_frames: u64,
        /// Frames found.
        frames: usize,
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
    TooLong(usize),
    /// The temporary or final file cannot be written.
    #[error("cannot be written: {0}")]
    Write(String),
}

impl From<hound::Error> for AudioFileError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => AudioFileError::Write(error.to_string()),
            other => AudioFileError::Write(other.to_string()),
        }
    }
}

/// Reads a whole WAV (16, 24, 32 bit, float) or FLAC file, mono or stereo.
///
/// # Errors
/// Says in words why the file cannot be used; see [`AudioFileError`].
pub fn read(path: &Path) -> Result<AudioFile, AudioFileError> {
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(AudioFileError::Io(io::Error::new(ErrorKind::IsADirectory, "it is a folder")));
    }
    let stream = MediaSourceStream::new(Box::new(file), Default::default());
    let mut reader = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(not_audio)?;
    decode(reader.as_mut())
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

/// Decodes the first audio track to the end and checks it.
fn decode(reader: &mut dyn FormatReader) -> Result<AudioFile, AudioFileError> {
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or_else(|| AudioFileError::NotAudio("no audio track".into()))?;
    let (track_id, expected_frames) = (track.id, track.num_frames);
    let params = track
        .codec_params
        .as_ref()
        .and_then(|p| p.audio())
        .ok_or_else(|| AudioFileError::NotAudio("unknown coding".into()))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default().verify(true))
        .map_err(not_audio)?;
    let sample_rate_hz = params.sample_rate.unwrap_or(0);
    check_format(sample_rate_hz, params.channels.as_ref().map_or(0, |c| c.count()))?;

    let mut sink = Sink::new(sample_rate_hz);
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == track_id => packet,
            Ok(Some(_)) => continue,
            Ok(None) => break,
            // A file cut short ends here; the frame count below tells.
            Err(SymphoniaError::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(sink.damaged(&error.to_string())),
        };
        // A reader that skips a broken part goes on behind it: the audio would shift against the other stems.
        if packet.pts.get() > sink.frames() as i64 {
            return Err(sink.damaged("a part is missing"));
        }
        match decoder.decode(&packet) {
            Ok(decoded) => sink.append(&decoded)?,
            Err(error) => return Err(sink.damaged(&error.to_string())),
        }
    }
    let ends_early = expected_frames.filter(|&expected| (sink.frames() as u64) < expected);
    // The checksum covers the whole file, so a file cut short cannot meet it; that is said as what it is.
    if ends_early.is_none() && decoder.finalize().verify_ok == Some(false) {
        return Err(AudioFileError::Checksum);
    }
    sink.finish(ends_early)
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

/// Collects decoded packets as stereo.
struct Sink {
    audio: StereoBuffer,
    packet: Vec<f32>,
    bad_samples: usize,
    sample_rate_hz: u32,
}

impl Sink {
    fn new(sample_rate_hz: u32) -> Self {
        let audio = StereoBuffer { left: Vec::new(), right: Vec::new() };
        Self { audio, packet: Vec::new(), bad_samples: 0, sample_rate_hz }
    }

    fn frames(&self) -> usize {
        self.audio.left.len()
    }

    fn append(
        &mut self,
        decoded: &symphonia::core::audio::GenericAudioBufferRef<'_>,
    ) -> Result<(), AudioFileError> {
        let channels = decoded.num_planes();
        check_format(self.sample_rate_hz, channels)?;
        self.packet.clear();
        decoded.copy_to_vec_interleaved(&mut self.packet);
        self.take_packet(channels);
        Ok(())
    }

    /// Moves the interleaved packet to the audio, without its bad samples.
    fn take_packet(&mut self, channels: usize) {
        for sample in &mut self.packet {
            if !sample.is_finite() {
                *sample = 0.0;
                self.bad_samples += 1;
            }
        }
        for frame in self.packet.chunks_exact(channels) {
            self.audio.left.push(frame[0]);
            self.audio.right.push(frame[channels - 1]);
        }
    }

    fn damaged(&self, reason: &str) -> AudioFileError {
        let at_s = self.frames() as f64 / f64::from(self.sample_rate_hz);
        AudioFileError::Damaged { at_s, reason: reason.into() }
    }

    fn finish(self, ends_early: Option<u64>) -> Result<AudioFile, AudioFileError> {
        let frames = self.frames();
        if frames == 0 {
            return Err(AudioFileError::Empty);
        }
        let mut notes = Vec::new();
        if self.bad_samples > 0 {
            notes.push(Note::BadSamples { count: self.bad_samples });
        }
        if let Some(expected_frames) = ends_early {
            notes.push(Note::EndsEarly { expected_frames, frames });
        }
        Ok(AudioFile { audio: self.audio, sample_rate_hz: self.sample_rate_hz, notes })
    }
}

/// Writes stereo audio as a 32-bit float WAV; an existing file is replaced only by a complete one.
///
/// # Errors
/// [`AudioFileError::TooLong`] past 4 GiB, [`AudioFileError::Write`] when the folder is missing, the disk is full, …
pub fn write_wav(path: &Path, audio: &StereoBuffer, sample_rate_hz: u32) -> Result<(), AudioFileError> {
    let frames = audio.left.len();
    if frames as u64 * FRAME_BYTES > MAX_WAV_BYTES {
        return Err(AudioFileError::TooLong(frames));
    }
    replace_file(path, |file| {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: sample_rate_hz,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::new(BufWriter::with_capacity(1 << 20, file), spec)?;
        for (&left, &right) in audio.left.iter().zip(&audio.right) {
            writer.write_sample(left)?;
            writer.write_sample(right)?;
        }
        writer.finalize()?;
        Ok(())
    })
}

/// Writes text (a report, targets) with the same promise as [`write_wav`].
///
/// # Errors
/// [`AudioFileError::Write`] with the system's reason.
pub fn write_text(path: &Path, text: &str) -> Result<(), AudioFileError> {
    replace_file(path, |mut file| {
        io::Write::write_all(&mut file, text.as_bytes()).map_err(|e| AudioFileError::Write(e.to_string()))
    })
}

/// Lets `write` fill a temporary file beside `path`, brings it to the disk, and gives it the final name.
fn replace_file(
    path: &Path,
    write: impl FnOnce(&File) -> Result<(), AudioFileError>,
) -> Result<(), AudioFileError> {
    let io_error = |e: io::Error| AudioFileError::Write(e.to_string());
    let temporary = Temporary(temporary_beside(path));
    let file = File::create_new(&temporary.0).map_err(io_error)?;
    write(&file)?;
    file.sync_all().map_err(io_error)?;
    drop(file);
    fs::rename(&temporary.0, path).map_err(io_error)?;
    sync_folder(path);
    Ok(())
}

/// A name in the same folder that no other run and no other thread uses.
fn temporary_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file");
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{count}.part", std::process::id()))
}

/// Removes the temporary file unless it has been renamed away.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove, and that is the good case.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes the rename itself durable. Not every file system offers it, and the file is complete either way.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
