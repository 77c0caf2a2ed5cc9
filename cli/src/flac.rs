//! A small FLAC encoder (RFC 9639): 16-bit stereo, fixed predictors, partitioned Rice codes, four stereo modes.
//!
//! Every browser decodes FLAC to the very samples that went in, which lossy codings do not, and it is half the size of
//! WAV. Linear prediction would save a few percent more and a library many dependencies; neither is needed here.

/// Frames of one FLAC frame.
const BLOCK_FRAMES: usize = 4096;
const MAX_FIXED_ORDER: usize = 4;
const MAX_PARTITION_ORDER: u32 = 6;
/// 15 would announce unencoded residuals.
const MAX_RICE_PARAMETER: u32 = 14;
const BITS: u32 = 16;

/// Encodes two channels of equal length.
pub fn encode(left: &[i16], right: &[i16], sample_rate_hz: u32) -> Vec<u8> {
    let frames = left.len().min(right.len());
    let mut out = b"fLaC".to_vec();
    // The only metadata block: STREAMINFO, 34 bytes, with unknown frame sizes and checksum.
    out.extend([0x80, 0, 0, 34]);
    out.extend((BLOCK_FRAMES as u16).to_be_bytes());
    out.extend((BLOCK_FRAMES as u16).to_be_bytes());
    out.extend([0; 6]);
    let format = u64::from(sample_rate_hz) << 44 | 1 << 41 | u64::from(BITS - 1) << 36 | frames as u64;
    out.extend(format.to_be_bytes());
    out.extend([0; 16]);
    for (number, start) in (0..frames).step_by(BLOCK_FRAMES).enumerate() {
        let end = frames.min(start + BLOCK_FRAMES);
        out.extend(frame(number as u32, &left[start..end], &right[start..end]));
    }
    out
}

/// One frame: header, two subframes, checksums (RFC 9639 §9).
fn frame(number: u32, left: &[i16], right: &[i16]) -> Vec<u8> {
    let wide = |samples: &[i16]| samples.iter().map(|sample| i32::from(*sample)).collect::<Vec<i32>>();
    let (left, right) = (wide(left), wide(right));
    let side: Vec<i32> = left.iter().zip(&right).map(|(l, r)| l - r).collect();
    let mid: Vec<i32> = left.iter().zip(&right).map(|(l, r)| (l + r) >> 1).collect();
    let [left, right, side, mid] =
        [(left, BITS), (right, BITS), (side, BITS + 1), (mid, BITS)].map(|(s, bits)| Subframe::best(s, bits));
    let modes = [(1, &left, &right), (8, &left, &side), (9, &side, &right), (10, &mid, &side)];
    let mut best = modes[0];
    for mode in modes {
        if mode.1.bits + mode.2.bits < best.1.bits + best.2.bits {
            best = mode;
        }
    }
    let (assignment, first, second) = best;
    // Fixed block size; the size itself in 16 bits; the rate as in STREAMINFO; 16 bits per sample.
    let mut header = vec![0xff, 0xf8, 0x70, assignment << 4 | 0b100 << 1];
    header.extend(coded_number(number));
    header.extend((first.samples.len() as u16 - 1).to_be_bytes());
    header.push(crc(&header, 8, 0x07) as u8);
    let mut bits = Bits { bytes: header, ..Bits::default() };
    first.write(&mut bits);
    second.write(&mut bits);
    let mut bytes = bits.finish();
    bytes.extend((crc(&bytes, 16, 0x8005) as u16).to_be_bytes());
    bytes
}

/// A frame number in the style of UTF-8.
fn coded_number(number: u32) -> Vec<u8> {
    if number < 0x80 {
        return vec![number as u8];
    }
    // n bytes carry 5n + 1 bits.
    let count = (2..=6).find(|n| number < 1 << (5 * n + 1)).unwrap_or(6);
    let lead = (0xff_u32 << (8 - count)) & 0xff;
    let mut bytes = vec![(lead | number >> (6 * (count - 1))) as u8];
    bytes.extend((0..count - 1).rev().map(|place| 0x80 | (number >> (6 * place) & 0x3f) as u8));
    bytes
}

/// One channel of one frame with the predictor that codes it shortest.
struct Subframe {
    samples: Vec<i32>,
    sample_bits: u32,
    order: usize,
    /// Prediction errors, folded to 0, −1, 1, −2, … = 0, 1, 2, 3, …
    folded: Vec<u32>,
    partition_order: u32,
    bits: u64,
}

impl Subframe {
    fn best(samples: Vec<i32>, sample_bits: u32) -> Self {
        let mut best: Option<Self> = None;
        let mut residual = samples.clone();
        for order in 0..=MAX_FIXED_ORDER.min(samples.len() - 1) {
            if order > 0 {
                // Each fixed predictor leaves the differences of what the one before leaves.
                residual = residual.windows(2).map(|pair| pair[1] - pair[0]).collect();
            }
            let folded: Vec<u32> = residual.iter().map(|r| (r << 1 ^ r >> 31) as u32).collect();
            for partition_order in 0..=MAX_PARTITION_ORDER {
                let count = 1 << partition_order;
                if !samples.len().is_multiple_of(count) || samples.len() / count <= order {
                    break;
                }
                let partitions = partitions(&folded, samples.len(), order, partition_order);
                let coded: u64 = partitions.map(|part| 4 + rice(part).1).sum();
                let bits = coded + u64::from(sample_bits) * order as u64;
                if best.as_ref().is_none_or(|best| bits < best.bits) {
                    let folded = folded.clone();
                    best =
                        Some(Self { samples: Vec::new(), sample_bits, order, folded, partition_order, bits });
                }
            }
        }
        Self { samples, ..best.expect("a block has a sample, so order 0 is always tried") }
    }

    fn write(&self, out: &mut Bits) {
        out.put((0b001_000 | self.order as u32) << 1, 8);
        for sample in &self.samples[..self.order] {
            out.put(*sample as u32 & ((1 << self.sample_bits) - 1), self.sample_bits);
        }
        out.put(self.partition_order, 2 + 4);
        for part in partitions(&self.folded, self.samples.len(), self.order, self.partition_order) {
            let (parameter, _) = rice(part);
            out.put(parameter, 4);
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

/// The Rice parameter that codes a partition shortest, and the bits it takes.
fn rice(part: &[u32]) -> (u32, u64) {
    let bits = |parameter: u32| {
        part.iter().map(|value| u64::from(value >> parameter)).sum::<u64>()
            + part.len() as u64 * u64::from(1 + parameter)
    };
    // The mean's logarithm is within one of the best parameter.
    let sum: u64 = part.iter().map(|value| u64::from(*value)).sum();
    let guess = (sum / part.len().max(1) as u64).checked_ilog2().unwrap_or(0).min(MAX_RICE_PARAMETER);
    (guess.saturating_sub(1)..=(guess + 1).min(MAX_RICE_PARAMETER))
        .map(|parameter| (parameter, bits(parameter)))
        .min_by_key(|(_, bits)| *bits)
        .unwrap_or((0, 0))
}

/// Bits, most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        self.pending = self.pending << bits | u64::from(value);
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
    }

    /// So many zeros, then a one.
    fn unary(&mut self, mut zeros: u32) {
        while zeros >= 16 {
            self.put(0, 16);
            zeros -= 16;
        }
        self.put(1, zeros + 1);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
        self.bytes
    }
}

/// A plain cyclic redundancy check, most significant bit first, starting from zero.
fn crc(bytes: &[u8], width: u32, polynomial: u32) -> u32 {
    let top = 1 << (width - 1);
    bytes.iter().fold(0, |mut crc, byte| {
        crc ^= u32::from(*byte) << (width - 8);
        for _ in 0..8 {
            crc = if crc & top == 0 { crc << 1 } else { crc << 1 ^ polynomial };
        }
        crc & (top | (top - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio_file;
    use crate::statistics::Random;

    /// Decodes with the project's reader: an encoder checked by itself would prove nothing.
    fn decoded(bytes: &[u8], name: &str) -> (u32, Vec<i16>, Vec<i16>) {
        let path = std::env::temp_dir().join(format!("tributary-flac-{}-{name}.flac", std::process::id()));
        std::fs::write(&path, bytes).expect("written");
        let file = audio_file::read(&path).expect("a valid FLAC file");
        std::fs::remove_file(&path).expect("removed");
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
                let (rate_hz, l, r) = decoded(&bytes, name);
                assert_eq!(rate_hz, 48_000);
                assert!(l == left[..frames] && r == right[..frames], "{name}, {frames} frames");
            }
        }
    }

    #[test]
    fn long_files_number_their_frames() {
        for (number, coded) in [
            (0x7f, vec![0x7f]),
            (0x80, vec![0xc2, 0x80]),
            (0x7ff, vec![0xdf, 0xbf]),
            (0x800, vec![0xe0, 0xa0, 0x80]),
        ] {
            assert_eq!(coded_number(number), coded, "the number is coded as UTF-8 codes the character");
        }
    }

    #[test]
    fn a_tone_is_much_smaller_than_its_samples() {
        let tone: Vec<i16> = (0..48_000).map(|n| (9000.0 * (f64::from(n) * 0.02).sin()) as i16).collect();
        let bytes = encode(&tone, &tone, 48_000).len();
        assert!(bytes * 4 < 48_000 * 4, "{bytes} bytes");
    }
}
