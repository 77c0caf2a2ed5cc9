//! What a stereo file will be: container, rate, length, and how samples are written. Decided before the first sample, and
//! known to whoever writes a header.

use std::path::Path;

/// What samples are packed into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Container {
    /// WAV, and RF64 by itself above 4 GiB.
    #[default]
    Wav,
    /// FLAC, whole numbers without loss.
    Flac,
}

impl Container {
    /// As the ending of a name says; none for other endings.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_string_lossy().to_ascii_lowercase();
        match &*ending {
            "wav" | "wave" => Some(Self::Wav),
            "flac" => Some(Self::Flac),
            _ => None,
        }
    }

    /// How samples are written where nothing else is said.
    pub fn samples(self) -> Samples {
        match self {
            Container::Wav => Samples::Float32,
            Container::Flac => Samples::Int24,
        }
    }
}

/// How samples are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Samples {
    /// Whole numbers of 16 bits, dithered.
    Int16,
    /// Whole numbers of 24 bits, dithered.
    Int24,
    /// As they are: floating point of 32 bits.
    #[default]
    Float32,
}

impl Samples {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Int16, Self::Int24, Self::Float32];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Samples::Int16 => "16",
            Samples::Int24 => "24",
            Samples::Float32 => "32f",
        }
    }

    /// Bits of a whole number; none for floating point.
    pub(super) fn bits(self) -> Option<u32> {
        (self != Samples::Float32).then(|| 8 * u32::from(self.bytes()))
    }

    /// Bytes of one.
    pub fn bytes(self) -> u16 {
        match self {
            Samples::Int16 => 2,
            Samples::Int24 => 3,
            Samples::Float32 => 4,
        }
    }
}

/// What a stereo file will be.
#[derive(Debug, Clone, Copy)]
pub struct AudioFormat {
    /// What it is packed into.
    pub container: Container,
    /// Rate in Hz.
    pub sample_rate_hz: u32,
    /// Length in frames.
    pub frames: u64,
    /// How samples are written.
    pub samples: Samples,
}
