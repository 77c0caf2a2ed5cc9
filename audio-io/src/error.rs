//! What can be wrong with an audio file: why it could not be read or written, and what was mended while reading. Readers and
//! writers share it, so that a sentence about a file is the same wherever it is met.

use std::fmt;
use std::io;

use tributary_dsp::StoreError;

use crate::place::PlaceError;

/// Lowest sample rate that is read, in Hz (telephone speech).
pub const MIN_SAMPLE_RATE_HZ: u32 = 8_000;
/// Highest sample rate that is read, in Hz (sixteen times 48 kHz).
pub const MAX_SAMPLE_RATE_HZ: u32 = 768_000;

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
    NotAudio(#[from] NotAudio),
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
        /// What was found.
        #[source]
        reason: Damage,
    },
    /// The decoded audio does not match the checksum in the file.
    #[error("is damaged: the audio does not match the file's own checksum")]
    Checksum,
    /// The temporary or final file cannot be written.
    #[error("cannot be written: {0}")]
    Write(#[source] WriteError),
    /// What was read cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What makes a file unreadable as audio.
#[derive(Debug, thiserror::Error)]
pub enum NotAudio {
    /// The header lacks something, or contradicts itself.
    #[error("{0}")]
    Header(&'static str),
    /// The number of audio tracks is smaller.
    #[error("it has no audio track {}", .0 + 1)]
    NoTrack(usize),
    /// A coding of WAV that nobody here decodes.
    #[error("its samples are coded as {0}, which is not supported")]
    WaveCoding(String),
    /// A coding of RIFX that nobody here decodes.
    #[error("coding {coding} of {bits} bits is not supported in RIFX")]
    RifxCoding {
        /// Its number in the `fmt ` chunk.
        coding: u16,
        /// Bits of a sample.
        bits: u16,
    },
    /// A kind of AAC that the decoder would make noise of.
    #[error("AAC of kind {0} is not supported; make it a WAV file")]
    AacKind(u32),
    /// AAC that may be of half the rate, without its treble.
    #[error("AAC at {0} Hz may be HE-AAC, which is not supported; make it a WAV file")]
    AacRate(u32),
    /// Opus with more channels, or in an order that is not known.
    #[error("Opus with {channels} channels of family {family} is not supported")]
    OpusChannels {
        /// Channels of the stream.
        channels: usize,
        /// The number of the order of channels.
        family: u8,
    },
    /// A decoder's own reason.
    #[error("{0}")]
    Decoder(#[source] Cause),
}

/// What a damaged place in a file is.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Packets are missing.
    #[error("a part is missing")]
    Gap,
    /// A packet without contents.
    #[error("a packet of Opus is empty")]
    EmptyPacket,
    /// A decoder's own reason.
    #[error("{0}")]
    Decoder(#[source] Cause),
}

/// What a decoder says, whichever it is.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The system's reason.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nothing can be written there.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Its header promises another length.
    #[error("it has {frames} frames instead of {promised}")]
    Frames {
        /// Frames written.
        frames: u64,
        /// Frames promised.
        promised: u64,
    },
}

/// Whatever kept a file from being written, as the error of that file.
pub(crate) fn unwritable(reason: impl Into<WriteError>) -> AudioFileError {
    AudioFileError::Write(reason.into())
}

/// An error with all its causes as one sentence, in which nothing is said twice: errors of this workspace say their cause
/// themselves, those of other crates leave it to the reader.
pub fn in_full(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if sentence.is_empty() {
            sentence = text;
        } else if !sentence.contains(&text) {
            sentence = format!("{sentence}: {text}");
        }
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_each_cause_once_and_every_cause_can_be_asked_for() {
        let full = || io::Error::new(io::ErrorKind::StorageFull, "the disk is full");
        let error = anyhow::Error::new(unwritable(full())).context("mix.wav");
        assert_eq!(in_full(&error), "mix.wav: cannot be written: the disk is full");
        assert!(error.chain().any(|cause| cause.is::<AudioFileError>()));
        assert_eq!(in_full(&anyhow::Error::new(full()).context("a").context("b")), "b: a: the disk is full");
    }
}
