//! A FLAC writer of the simplest kind (16 bit, verbatim subframes, no prediction; RFC 9639), so that tests of reading
//! need neither the encoder of the project, which they would prove by itself, nor a committed binary file.

use std::fs;
use std::path::Path;

const BLOCK_FRAMES: usize = 4096;

/// Writes planar 16-bit audio as FLAC.
///
/// # Panics
/// When the file cannot be written, or is longer than 127 blocks of 4096 frames.
pub fn write(path: &Path, channels: &[Vec<i16>], rate_hz: u32) {
    let frames = channels[0].len();
    let mut bytes = b"fLaC".to_vec();
    bytes.extend([0x80, 0, 0, 34]);
    bytes.extend((BLOCK_FRAMES as u16).to_be_bytes());
    bytes.extend((BLOCK_FRAMES as u16).to_be_bytes());
    bytes.extend([0; 6]);
    let packed: u64 = u64::from(rate_hz) << 44 | (channels.len() as u64 - 1) << 41 | 15 << 36 | frames as u64;
    bytes.extend(packed.to_be_bytes());
    bytes.extend([0; 16]);
    for (number, start) in (0..frames).step_by(BLOCK_FRAMES).enumerate() {
        let end = frames.min(start + BLOCK_FRAMES);
        bytes.extend(frame(number as u8, channels.iter().map(|channel| &channel[start..end])));
    }
    fs::write(path, bytes).expect("the file can be written");
}

fn frame<'a>(number: u8, channels: impl ExactSizeIterator<Item = &'a [i16]>) -> Vec<u8> {
    assert!(number < 128, "a longer file would need a two-byte frame number");
    let assignment = (channels.len() as u8 - 1) << 4;
    let mut bytes = vec![0xff, 0xf8, 0x70, assignment | 0x08, number];
    let mut body = Vec::new();
    let mut frames = 0;
    for channel in channels {
        frames = channel.len();
        body.push(0x02);
        body.extend(channel.iter().flat_map(|sample| sample.to_be_bytes()));
    }
    bytes.extend((frames as u16 - 1).to_be_bytes());
    bytes.push(crc(&bytes, 8, 0x07) as u8);
    bytes.extend(body);
    bytes.extend((crc(&bytes, 16, 0x8005) as u16).to_be_bytes());
    bytes
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
