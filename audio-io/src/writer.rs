//! Audio in the making: stereo, piece by piece, into a WAV or a FLAC file or into a pipe. How many frames there will be is
//! known before.

use std::io::{self, Write};

use crate::error::{AudioFileError, WriteError, unwritable};
use flac::{Encoder, Width};

pub mod flac;
pub(crate) mod format;
mod wav_header;

pub use format::{AudioFormat, Container, Samples};

/// A stereo file in the making.
pub struct AudioSink<'a> {
    out: &'a mut dyn Write,
    format: AudioFormat,
    flac: Option<Encoder>,
    frames: u64,
    /// Samples that were too loud for whole numbers.
    clipped: u64,
    dither: Dither,
    bytes: Vec<u8>,
}

impl<'a> AudioSink<'a> {
    /// Writes the header.
    pub(crate) fn begin(out: &'a mut dyn Write, format: AudioFormat) -> io::Result<Self> {
        let flac = match (format.container, format.samples) {
            (Container::Wav, _) => None,
            (Container::Flac, Samples::Int16) => Some(Encoder::new(Width::Bits16, format.sample_rate_hz)),
            (Container::Flac, Samples::Int24) => Some(Encoder::new(Width::Bits24, format.sample_rate_hz)),
            (Container::Flac, Samples::Float32) => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "FLAC holds whole numbers only"));
            }
        };
        let header = flac.as_ref().map_or_else(|| wav_header::of(format), |flac| flac.header(format.frames));
        out.write_all(&header)?;
        Ok(Self { out, format, flac, frames: 0, clipped: 0, dither: Dither(DITHER_SEED), bytes: Vec::new() })
    }

    /// Appends frames; both sides have the same length.
    ///
    /// # Errors
    /// [`AudioFileError::Write`] when the disk is full, …
    pub fn write(&mut self, left: &[f32], right: &[f32]) -> Result<(), AudioFileError> {
        self.bytes.clear();
        match self.format.samples.bits() {
            None => {
                for sample in left.iter().zip(right).flat_map(|(left, right)| [left, right]) {
                    self.bytes.extend(sample.to_le_bytes());
                }
            }
            Some(bits) => self.whole(left, right, bits),
        }
        self.frames += left.len() as u64;
        self.out.write_all(&self.bytes).map_err(unwritable)
    }

    /// Makes whole numbers of samples, left and right in turn, as equal mixes have to be equal files.
    fn whole(&mut self, left: &[f32], right: &[f32], bits: u32) {
        let mut whole = [Vec::with_capacity(left.len()), Vec::with_capacity(left.len())];
        for (left, right) in left.iter().zip(right) {
            for (side, sample) in whole.iter_mut().zip([left, right]) {
                side.push(self.dither.whole(*sample, bits));
                self.clipped += u64::from(sample.abs() > 1.0);
            }
        }
        let [left, right] = whole;
        match &mut self.flac {
            Some(flac) => flac.push(&left, &right, &mut self.bytes),
            None => {
                let bytes = usize::from(self.format.samples.bytes());
                for number in left.iter().zip(&right).flat_map(|(left, right)| [left, right]) {
                    self.bytes.extend(&number.to_le_bytes()[..bytes]);
                }
            }
        }
    }

    /// How many samples were beyond full scale and could not be written as they are.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Ends the file; returns what has to take the header's place, where that is known only now.
    pub(crate) fn finish(mut self) -> Result<Option<Vec<u8>>, AudioFileError> {
        let (frames, promised) = (self.frames, self.format.frames);
        if frames != promised {
            return Err(unwritable(WriteError::Frames { frames, promised }));
        }
        let mut rest = Vec::new();
        if let Some(flac) = &mut self.flac {
            flac.finish(&mut rest);
        }
        self.out.write_all(&rest).and_then(|()| self.out.flush()).map_err(unwritable)?;
        Ok(self.flac.map(|flac| flac.header(frames)))
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
        for container in [Container::Wav, Container::Flac] {
            let format =
                AudioFormat { container, sample_rate_hz: 44_100, frames: 2, samples: Samples::Int24 };
            let mut bytes = Vec::new();
            let mut sink = AudioSink::begin(&mut bytes, format).expect("in memory");
            sink.write(&[0.5], &[-1.5]).expect("in memory");
            assert_eq!(sink.clipped(), 1);
            assert!(sink.finish().is_err());
        }
    }
}
