//! A small FLAC encoder (RFC 9639): stereo of 16 or 24 bits at any rate, piece by piece; fixed predictors, partitioned Rice
//! codes, four stereo modes.
//!
//! Every browser decodes FLAC to the very samples that went in, which lossy codings do not, and it is half the size of
//! WAV. Linear prediction would save a few percent more. The encoders that exist as crates either stop at 96 kHz or keep a
//! whole song in memory.

mod bits;

use md5::{Digest, Md5};

use bits::{Bits, coded_number, crc};

/// Frames of one FLAC frame.
const BLOCK_FRAMES: usize = 4096;
const MAX_FIXED_ORDER: usize = 4;
const MAX_PARTITION_ORDER: u32 = 6;
/// The highest rate that 20 bits hold, in Hz.
pub const MAX_SAMPLE_RATE_HZ: u32 = (1 << 20) - 1;

/// How wide the samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 16 bits.
    Bits16,
    /// 24 bits.
    Bits24,
}

impl Width {
    fn bits(self) -> u32 {
        match self {
            Width::Bits16 => 16,
            Width::Bits24 => 24,
        }
    }

    /// As frame headers code it.
    fn code(self) -> u8 {
        match self {
            Width::Bits16 => 0b100,
            Width::Bits24 => 0b110,
        }
    }

    /// Rice parameters: which of two methods, the bits of one, and the largest; the next one would announce residuals as
    /// they are.
    fn rice(self) -> Rice {
        match self {
            Width::Bits16 => Rice { method: 0, bits: 4, largest: 14 },
            Width::Bits24 => Rice { method: 1, bits: 5, largest: 30 },
        }
    }
}

/// One of two ways to write Rice parameters.
#[derive(Debug, Clone, Copy)]
struct Rice {
    method: u32,
    bits: u32,
    largest: u32,
}

/// Encodes two channels of equal length, 16 bits.
pub fn encode(left: &[i16], right: &[i16], sample_rate_hz: u32) -> Vec<u8> {
    let frames = left.len().min(right.len());
    let wide = |samples: &[i16]| samples[..frames].iter().map(|x| i32::from(*x)).collect::<Vec<i32>>();
    let mut encoder = Encoder::new(Width::Bits16, sample_rate_hz);
    let mut out = encoder.header(frames as u64);
    encoder.push(&wide(left), &wide(right), &mut out);
    encoder.finish(&mut out);
    let header = encoder.header(frames as u64);
    out[..header.len()].copy_from_slice(&header);
    out
}

/// A stream in the making.
pub struct Encoder {
    width: Width,
    sample_rate_hz: u32,
    /// Samples that do not fill a block yet.
    pending: [Vec<i32>; 2],
    /// Number of the next block.
    number: u32,
    checksum: Md5,
}

impl Encoder {
    /// A stream of this kind, at up to [`MAX_SAMPLE_RATE_HZ`].
    pub fn new(width: Width, sample_rate_hz: u32) -> Self {
        Self { width, sample_rate_hz, pending: Default::default(), number: 0, checksum: Md5::new() }
    }

    /// What the file begins with; once all is pushed it holds the checksum, before that a placeholder of the same length.
    /// Without a checksum the stream is valid as well.
    pub fn header(&self, frames: u64) -> Vec<u8> {
        let mut out = b"fLaC".to_vec();
        // The only metadata block: STREAMINFO, 34 bytes, with unknown sizes of frames.
        out.extend([0x80, 0, 0, 34]);
        out.extend((BLOCK_FRAMES as u16).to_be_bytes());
        out.extend((BLOCK_FRAMES as u16).to_be_bytes());
        out.extend([0; 6]);
        let width = u64::from(self.width.bits() - 1);
        // A length of 0 says that it is unknown.
        let frames = if frames < 1 << 36 { frames } else { 0 };
        out.extend((u64::from(self.sample_rate_hz) << 44 | 1 << 41 | width << 36 | frames).to_be_bytes());
        let is_done = self.number > 0 && self.pending[0].is_empty();
        out.extend(if is_done { self.checksum.clone().finalize().into() } else { [0u8; 16] });
        out
    }

    /// Takes samples of both sides, as many of each, and appends the blocks that they fill.
    pub fn push(&mut self, left: &[i32], right: &[i32], out: &mut Vec<u8>) {
        let bytes = self.width.bits() as usize / 8;
        for (left, right) in left.iter().zip(right) {
            self.checksum.update(&left.to_le_bytes()[..bytes]);
            self.checksum.update(&right.to_le_bytes()[..bytes]);
            self.pending[0].push(*left);
            self.pending[1].push(*right);
            if self.pending[0].len() == BLOCK_FRAMES {
                self.block(out);
            }
        }
    }

    /// Appends what is left.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.pending[0].is_empty() {
            self.block(out);
        }
    }

    fn block(&mut self, out: &mut Vec<u8>) {
        let [left, right] = std::mem::take(&mut self.pending);
        out.extend(frame(self.number, left, right, self.width));
        self.number += 1;
    }
}

/// One frame: header, two subframes, checksums (RFC 9639 §9).
fn frame(number: u32, left: Vec<i32>, right: Vec<i32>, width: Width) -> Vec<u8> {
    let side: Vec<i32> = left.iter().zip(&right).map(|(l, r)| l - r).collect();
    let mid: Vec<i32> = left.iter().zip(&right).map(|(l, r)| (l + r) >> 1).collect();
    let bits = width.bits();
    let [left, right, side, mid] = [(left, bits), (right, bits), (side, bits + 1), (mid, bits)]
        .map(|(samples, bits)| Subframe::best(samples, bits, width.rice()));
    let modes = [(1, &left, &right), (8, &left, &side), (9, &side, &right), (10, &mid, &side)];
    let mut best = modes[0];
    for mode in modes {
        if mode.1.bits + mode.2.bits < best.1.bits + best.2.bits {
            best = mode;
        }
    }
    let (assignment, first, second) = best;
    // Fixed block size; the size itself in 16 bits; the rate as in STREAMINFO.
    let mut header = vec![0xff, 0xf8, 0x70, assignment << 4 | width.code() << 1];
    header.extend(coded_number(number));
    header.extend((first.samples.len() as u16 - 1).to_be_bytes());
    header.push(crc(&header, 8, 0x07) as u8);
    let mut bits = Bits::behind(header);
    first.write(&mut bits);
    second.write(&mut bits);
    let mut bytes = bits.finish();
    bytes.extend((crc(&bytes, 16, 0x8005) as u16).to_be_bytes());
    bytes
}

/// One channel of one frame with the predictor that codes it shortest.
struct Subframe {
    samples: Vec<i32>,
    sample_bits: u32,
    rice: Rice,
    order: usize,
    /// Prediction errors, folded to 0, −1, 1, −2, … = 0, 1, 2, 3, …
    folded: Vec<u32>,
    partition_order: u32,
    bits: u64,
}

impl Subframe {
    /// The order whose errors are smallest in sum, and the partitions that code these shortest.
    fn best(samples: Vec<i32>, sample_bits: u32, rice: Rice) -> Self {
        let size = |residual: &[i32]| residual.iter().map(|r| u64::from(r.unsigned_abs())).sum::<u64>();
        let (mut order, mut best, mut residual) = (0, samples.clone(), samples.clone());
        for next in 1..=MAX_FIXED_ORDER.min(samples.len() - 1) {
            // Each fixed predictor leaves the differences of what the one before leaves.
            residual = residual.windows(2).map(|pair| pair[1] - pair[0]).collect();
            if size(&residual) < size(&best) {
                (order, best) = (next, residual.clone());
            }
        }
        let folded: Vec<u32> = best.iter().map(|r| (r << 1 ^ r >> 31) as u32).collect();
        let coded = |partition_order: u32| -> u64 {
            let parts = partitions(&folded, samples.len(), order, partition_order);
            parts.map(|part| u64::from(rice.bits) + rice.of(part).1).sum()
        };
        let fits = |partition_order: &u32| {
            let count = 1 << partition_order;
            samples.len().is_multiple_of(count) && samples.len() / count > order
        };
        let orders = (0..=MAX_PARTITION_ORDER).take_while(fits);
        // Without a partition the block is always coded.
        let (partition_order, coded) =
            orders.map(|one| (one, coded(one))).min_by_key(|(_, bits)| *bits).unwrap_or((0, 0));
        let bits = coded + u64::from(sample_bits) * order as u64;
        Self { samples, sample_bits, rice, order, folded, partition_order, bits }
    }

    fn write(&self, out: &mut Bits) {
        out.put((0b001_000 | self.order as u32) << 1, 8);
        for sample in &self.samples[..self.order] {
            out.put(*sample as u32 & ((1 << self.sample_bits) - 1), self.sample_bits);
        }
        out.put(self.rice.method << 4 | self.partition_order, 2 + 4);
        for part in partitions(&self.folded, self.samples.len(), self.order, self.partition_order) {
            let (parameter, _) = self.rice.of(part);
            out.put(parameter, self.rice.bits);
            for value in part {
                out.unary(value >> parameter);
                out.put(value & ((1 << parameter) - 1), parameter);
            }
        }
    }
}

/// The residual's partitions: equal in frames, but the first lacks the frames that are stored as they are.
fn partitions(
    folded: &[u32],
    frames: usize,
    order: usize,
    partition_order: u32,
) -> impl Iterator<Item = &[u32]> {
    let length = frames >> partition_order;
    let (first, rest) = folded.split_at(length - order);
    std::iter::once(first).chain(rest.chunks(length))
}

impl Rice {
    /// The parameter that codes a partition shortest, and the bits it takes.
    fn of(self, part: &[u32]) -> (u32, u64) {
        let bits = |parameter: u32| {
            part.iter().map(|value| u64::from(value >> parameter)).sum::<u64>()
                + part.len() as u64 * u64::from(1 + parameter)
        };
        // The mean's logarithm is within one of the best parameter.
        let sum: u64 = part.iter().map(|value| u64::from(*value)).sum();
        let guess = (sum / part.len().max(1) as u64).checked_ilog2().unwrap_or(0).min(self.largest);
        (guess.saturating_sub(1)..=(guess + 1).min(self.largest))
            .map(|parameter| (parameter, bits(parameter)))
            .min_by_key(|(_, bits)| *bits)
            .unwrap_or((0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::AudioFileError;
    use crate::reader::{self, AudioFile};
    use tributary_test_support::{Folder, Random};

    /// Decodes with the project's reader: an encoder checked by itself would prove nothing.
    fn read(bytes: &[u8]) -> Result<AudioFile, AudioFileError> {
        let folder = Folder::new();
        let path = folder.join("made.flac");
        std::fs::write(&path, bytes).expect("written");
        reader::read(&path)
    }

    fn decoded(bytes: &[u8]) -> (u32, Vec<i16>, Vec<i16>) {
        let file = read(bytes).expect("a valid FLAC file");
        assert!(file.notes.is_empty(), "{:?}", file.notes);
        let narrow = |samples: &[f32]| samples.iter().map(|x| (x * 32_768.0).round() as i16).collect();
        (file.sample_rate_hz, narrow(&file.audio.left), narrow(&file.audio.right))
    }

    #[test]
    fn every_sample_comes_back() {
        let mut random = Random::new(1);
        let frames = 3 * BLOCK_FRAMES + 777;
        let mut noise = || -> Vec<i16> { (0..frames).map(|_| random.bits() as i16).collect() };
        let sine = |amplitude: f64, hz: f64| -> Vec<i16> {
            (0..frames)
                .map(|n| (amplitude * (n as f64 * hz / 44_100.0 * std::f64::consts::TAU).sin()) as i16)
                .collect()
        };
        let extremes: Vec<i16> = (0..frames).map(|n| if n % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
        let turned: Vec<i16> = extremes.iter().map(|x| !*x).collect();
        let cases = [
            ("noise", noise(), noise()),
            ("sines", sine(30_000.0, 440.0), sine(20.0, 3000.0)),
            ("same", sine(9000.0, 100.0), sine(9000.0, 100.0)),
            ("silence", vec![0; frames], vec![0; frames]),
            ("extremes", extremes, turned),
        ];
        for (name, left, right) in cases {
            for frames in [1, 2, 5, 4096, frames] {
                let bytes = encode(&left[..frames], &right[..frames], 48_000);
                let (rate_hz, l, r) = decoded(&bytes);
                assert_eq!(rate_hz, 48_000);
                assert!(l == left[..frames] && r == right[..frames], "{name}, {frames} frames");
            }
        }
    }

    #[test]
    fn wide_samples_come_back_at_high_rates_with_their_checksum() {
        let mut random = Random::new(2);
        let frames = 2 * BLOCK_FRAMES + 5;
        let full = 1 << 23;
        let mut noise = || -> Vec<i32> { (0..frames).map(|_| random.bits() as i32 >> 8).collect() };
        let loud: Vec<i32> = (0..frames).map(|n| if n % 3 == 0 { -full } else { full - 1 }).collect();
        let turned: Vec<i32> = loud.iter().map(|x| !*x).collect();
        for (name, left, right) in [("wide noise", noise(), noise()), ("wide extremes", loud, turned)] {
            let mut encoder = Encoder::new(Width::Bits24, 192_000);
            let mut bytes = encoder.header(frames as u64);
            // In uneven pieces.
            for (left, right) in left.chunks(1_000).zip(right.chunks(1_000)) {
                encoder.push(left, right, &mut bytes);
            }
            encoder.finish(&mut bytes);
            let header = encoder.header(frames as u64);
            assert!(header.ends_with(&encoder.checksum.finalize()) && bytes[26..42] == [0; 16]);
            bytes[..header.len()].copy_from_slice(&header);
            let file = read(&bytes).expect("a valid FLAC file");
            assert_eq!(file.sample_rate_hz, 192_000);
            let whole = |side: &[f32]| side.iter().map(|x| (x * full as f32) as i32).collect::<Vec<_>>();
            assert!(whole(&file.audio.left) == left && whole(&file.audio.right) == right, "{name}");
            // A wrong checksum is found, so the right one was looked at.
            bytes[30] ^= 1;
            assert!(matches!(read(&bytes), Err(AudioFileError::Checksum)));
        }
    }

    #[test]
    fn a_tone_is_much_smaller_than_its_samples() {
        let tone: Vec<i16> = (0..48_000).map(|n| (9000.0 * (f64::from(n) * 0.02).sin()) as i16).collect();
        let bytes = encode(&tone, &tone, 48_000).len();
        assert!(bytes * 4 < 48_000 * 4, "{bytes} bytes");
    }
}
