//! The header of a WAV file, complete before the first sample, so that a file can be written to a pipe as well. Above 4 GiB
//! it is that of RF64 (EBU Tech 3306), which every current program reads.

use super::format::{AudioFormat, Samples};

/// Channels of every file that is written.
const CHANNELS: u16 = 2;
/// Numbers of a coding in the `fmt ` chunk.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
/// Contents of a `ds64` chunk without a table: three sizes of 64 bits and the table's length.
const DS64_BYTES: u32 = 28;

fn frame_bytes(format: AudioFormat) -> u64 {
    u64::from(CHANNELS * format.samples.bytes())
}

/// The header of a whole file.
pub fn of(format: AudioFormat) -> Vec<u8> {
    let data_bytes = format.frames * frame_bytes(format);
    let is_float = format.samples == Samples::Float32;
    let mut fmt = Vec::new();
    let align = frame_bytes(format) as u16;
    [if is_float { FLOAT } else { PCM }, CHANNELS].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
    let rate = u64::from(format.sample_rate_hz) * frame_bytes(format);
    [format.sample_rate_hz, rate as u32].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
    [align, 8 * format.samples.bytes()].iter().for_each(|x| fmt.extend(x.to_le_bytes()));
    let in_32_bits = u32::try_from(format.frames).unwrap_or(u32::MAX).to_le_bytes();
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
    header.extend([&b"RF64"[..], &u32::MAX.to_le_bytes(), b"WAVEds64", &DS64_BYTES.to_le_bytes()].concat());
    [after_size, data_bytes, format.frames].iter().for_each(|x| header.extend(x.to_le_bytes()));
    header.extend(0u32.to_le_bytes());
    header.extend(chunks);
    header.extend([&b"data"[..], &u32::MAX.to_le_bytes()].concat());
    header
}

#[cfg(test)]
mod tests {
    use super::super::format::Container;
    use super::*;

    fn format(frames: u64, samples: Samples) -> AudioFormat {
        AudioFormat { container: Container::Wav, sample_rate_hz: 44_100, frames, samples }
    }

    fn number(bytes: &[u8]) -> u64 {
        bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    #[test]
    fn above_4_gib_the_header_is_that_of_rf64() {
        for samples in Samples::ALL {
            let longest = (u64::from(u32::MAX) - 100) / frame_bytes(format(0, samples));
            let small = of(format(longest, samples));
            assert_eq!(&small[..4], b"RIFF");
            assert_eq!(
                number(&small[4..8]) + 8,
                small.len() as u64 + longest * frame_bytes(format(0, samples))
            );
            let frames = u64::from(u32::MAX);
            let large = of(format(frames, samples));
            assert_eq!((&large[..4], &large[12..16]), (&b"RF64"[..], &b"ds64"[..]));
            let bytes = frames * frame_bytes(format(0, samples));
            assert_eq!(number(&large[20..28]) + 8, large.len() as u64 + bytes);
            assert_eq!((number(&large[28..36]), number(&large[36..44])), (bytes, frames));
        }
    }
}
