//! WAV in the making: header first and complete, so that a file can be written to a pipe as well. How many frames there will
//! be is known before; above 4 GiB the header is that of RF64 (EBU Tech 3306), which every current program reads.

use std::io::{self, Write};

use crate::audio_file::AudioFileError;

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

    fn bytes(self) -> u16 {
        match self {
            Samples::Int16 => 2,
            Samples::Int24 => 3,
            Samples::Float32 => 4,
        }
    }
}

/// What a stereo file will be.
#[derive(Debug, Clone, Copy)]
pub struct WavFormat {
    /// Rate in Hz.
    pub sample_rate_hz: u32,
    /// Length in frames.
    pub frames: u64,
    /// How samples are written.
    pub samples: Samples,
}

/// Channels of every file that is written.
const CHANNELS: u16 = 2;
/// Numbers of a coding in the `fmt ` chunk.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
/// Contents of a `ds64` chunk without a table: three sizes of 64 bits and the table's length.
const DS64_BYTES: u32 = 28;

impl WavFormat {
    fn frame_bytes(self) -> u64 {
        u64::from(CHANNELS * self.samples.bytes())
    }

    /// The header of the whole file.
    fn header(self) -> Vec<u8> {
        let data_bytes = self.frames * self.frame_bytes();
        let is_float = self.samples == Samples::Float32;
        let mut fmt = Vec::new();
        let align = self.frame_bytes() as u16;
        [if is_float { FLOAT } else { PCM }, CHANNELS].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
        let rate = u64::from(self.sample_rate_hz) * self.frame_bytes();
        [self.sample_rate_hz, rate as u32].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
        [align, 8 * self.samples.bytes()].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
        let in_32_bits = u32::try_from(self.frames).unwrap_or(u32::MAX).to_le_bytes();
        let mut chunks = Vec::new();
        let mut chunk = |id: &[u8; 4], contents: &[u8]| {
            chunks.extend(id);
            chunks.extend((contents.len() as u32).to_le_bytes());
            chunks.extend(contents);
        };
        if is_float {
            // Whatever is not PCM states the length of its extension and its number of frames.
            fmt.extend([0, 0]);
            chunk(b"fmt ", &fmt);
            chunk(b"fact", &in_32_bits);
        } else {
            chunk(b"fmt ", &fmt);
        }
        // "WAVE", the chunks, the name and size of the samples.
        let after_size = 4 + chunks.len() as u64 + 8 + data_bytes;
        let mut header = Vec::new();
        if let (Ok(riff), Ok(data)) = (u32::try_from(after_size), u32::try_from(data_bytes)) {
            header.extend([&b"RIFF"[..], &riff.to_le_bytes(), b"WAVE"].concat());
            header.extend(chunks);
            header.extend([&b"data"[..], &data.to_le_bytes()].concat());
            return header;
        }
        let after_size = after_size + 8 + u64::from(DS64_BYTES);
        header
            .extend([&b"RF64"[..], &u32::MAX.to_le_bytes(), b"WAVEds64", &DS64_BYTES.to_le_bytes()].concat());
        [after_size, data_bytes, self.frames].iter().for_each(|x| header.extend(x.to_le_bytes()));
        header.extend(0u32.to_le_bytes());
        header.extend(chunks);
        header.extend([&b"data"[..], &u32::MAX.to_le_bytes()].concat());
        header
    }
}

/// A stereo file in the making.
pub struct WavSink<'a> {
    out: &'a mut dyn Write,
    format: WavFormat,
    frames: u64,
    dither: Dither,
    bytes: Vec<u8>,
}

impl<'a> WavSink<'a> {
    /// Writes the header.
    pub(crate) fn begin(out: &'a mut dyn Write, format: WavFormat) -> io::Result<Self> {
        out.write_all(&format.header())?;
        Ok(Self { out, format, frames: 0, dither: Dither(DITHER_SEED), bytes: Vec::new() })
    }

    /// Appends frames; both sides have the same length.
    ///
    /// # Errors
    /// [`AudioFileError::Write`] when the disk is full, …
    pub fn write(&mut self, left: &[f32], right: &[f32]) -> Result<(), AudioFileError> {
        self.bytes.clear();
        for (&left, &right) in left.iter().zip(right) {
            for sample in [left, right] {
                match self.format.samples {
                    Samples::Float32 => self.bytes.extend(sample.to_le_bytes()),
                    Samples::Int16 => self.bytes.extend((self.dither.whole(sample, 16) as i16).to_le_bytes()),
                    Samples::Int24 => self.bytes.extend(&self.dither.whole(sample, 24).to_le_bytes()[..3]),
                }
            }
        }
        self.frames += left.len() as u64;
        self.out.write_all(&self.bytes).map_err(|error| AudioFileError::Write(error.to_string()))
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<(), AudioFileError> {
        let (frames, promised) = (self.frames, self.format.frames);
        if frames != promised {
            return Err(AudioFileError::Write(format!("it has {frames} frames instead of {promised}")));
        }
        self.out.flush().map_err(|error| AudioFileError::Write(error.to_string()))
    }
}

/// Any number but zero; always the same, so that equal mixes are equal files.
const DITHER_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Noise of triangular distribution, two steps wide: it makes the error of rounding independent of the signal (Lipshitz,
/// Wannamaker and Vanderkooy, "Quantization and Dither", JAES 40, 1992).
struct Dither(u64);

impl Dither {
    /// Uniform between 0 and 1, by Marsaglia's xorshift of 64 bits.
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The whole number for a sample. Digital silence stays silent; what is too loud is clipped.
    fn whole(&mut self, sample: f32, bits: u32) -> i32 {
        let full_scale = f64::from(1u32 << (bits - 1));
        let noise = if sample == 0.0 { 0.0 } else { self.uniform() - self.uniform() };
        (f64::from(sample) * full_scale + noise).round().clamp(-full_scale, full_scale - 1.0) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(frames: u64, samples: Samples) -> WavFormat {
        WavFormat { sample_rate_hz: 44_100, frames, samples }
    }

    fn number(bytes: &[u8]) -> u64 {
        bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    #[test]
    fn above_4_gib_the_header_is_that_of_rf64() {
        for samples in Samples::ALL {
            let longest = (u64::from(u32::MAX) - 100) / format(0, samples).frame_bytes();
            let small = format(longest, samples).header();
            assert_eq!(&small[..4], b"RIFF");
            assert_eq!(
                number(&small[4..8]) + 8,
                small.len() as u64 + longest * format(0, samples).frame_bytes()
            );
            let frames = u64::from(u32::MAX);
            let large = format(frames, samples).header();
            assert_eq!((&large[..4], &large[12..16]), (&b"RF64"[..], &b"ds64"[..]));
            let bytes = frames * format(0, samples).frame_bytes();
            assert_eq!(number(&large[20..28]) + 8, large.len() as u64 + bytes);
            assert_eq!((number(&large[28..36]), number(&large[36..44])), (bytes, frames));
        }
    }

    #[test]
    fn dither_keeps_the_mean_below_one_step() {
        let mut dither = Dither(DITHER_SEED);
        let level = 0.3 / 32_768.0;
        let sum: i64 = (0..100_000).map(|_| i64::from(dither.whole(level, 16))).sum();
        assert!((sum as f64 / 100_000.0 - 0.3).abs() < 0.01, "{sum}");
        assert_eq!(dither.whole(0.0, 16), 0);
        assert_eq!((dither.whole(2.0, 16), dither.whole(-2.0, 24)), (32_767, -8_388_608));
    }

    #[test]
    fn a_file_of_another_length_than_promised_is_an_error() {
        let mut bytes = Vec::new();
        let mut sink = WavSink::begin(&mut bytes, format(2, Samples::Int24)).expect("in memory");
        sink.write(&[0.5], &[-0.5]).expect("in memory");
        assert!(sink.finish().is_err());
    }
}
