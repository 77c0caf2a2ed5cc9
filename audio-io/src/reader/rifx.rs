//! RIFX: WAV of machines that write the highest byte first. Its samples are those of CAF, so a header of CAF is put in the
//! place of its own (Apple Core Audio Format Specification 1.0).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::joined::Joined;
use super::wave::{Wave, read_up_to};
use crate::error::{AudioFileError, NotAudio};

/// Codings of the `fmt ` chunk.
const PCM: u16 = 1;
const FLOAT: u16 = 3;

/// Reads the header of a file; none when it is no RIFX file. The file is then at its start.
///
/// # Errors
/// There is no audio behind the header, or a coding that is not read.
pub fn open(file: &File) -> Result<Option<Wave>, AudioFileError> {
    let mut reader = file;
    let mut start = [0; 12];
    reader.seek(SeekFrom::Start(0))?;
    let count = read_up_to(&mut reader, &mut start)?;
    reader.seek(SeekFrom::Start(0))?;
    if count < start.len() || !start.starts_with(b"RIFX") || start[8..] != *b"WAVE" {
        return Ok(None);
    }
    let length = file.metadata()?.len();
    let (mut at, mut fmt) = (12, None);
    loop {
        let Some((id, size)) = chunk(file, at)? else { return Err(refused("it has no data chunk")) };
        let contents = at + 8;
        match (&id, fmt) {
            (b"fmt ", _) => fmt = format(file, contents)?,
            (b"data", Some(format)) => return wave(file, format, contents, size, length).map(Some),
            (b"data", None) => return Err(refused("its fmt chunk is missing or too short")),
            _ => {}
        }
        at = contents + size + size % 2;
    }
}

fn refused(reason: &'static str) -> AudioFileError {
    NotAudio::Header(reason).into()
}

/// A chunk's name and size; none behind the end.
fn chunk(mut file: &File, at: u64) -> io::Result<Option<([u8; 4], u64)>> {
    let mut head = [0; 8];
    file.seek(SeekFrom::Start(at))?;
    let [a, b, c, d, size @ ..] = head_of(file, &mut head)?;
    let is_name = [a, b, c, d].iter().all(|byte| (0x20..0x7f).contains(byte));
    Ok(is_name.then_some(([a, b, c, d], u64::from(u32::from_be_bytes(size)))))
}

/// Bytes from where the file is, zeros behind its end.
fn head_of<const N: usize>(mut file: &File, bytes: &mut [u8; N]) -> io::Result<[u8; N]> {
    read_up_to(&mut file, bytes)?;
    Ok(*bytes)
}

/// What the samples are.
#[derive(Clone, Copy)]
struct Format {
    is_float: bool,
    channels: u16,
    sample_rate_hz: u32,
    bits: u16,
}

fn format(mut file: &File, at: u64) -> Result<Option<Format>, AudioFileError> {
    let mut fmt = [0; 16];
    file.seek(SeekFrom::Start(at))?;
    if file.read_exact(&mut fmt).is_err() {
        return Ok(None);
    }
    let number = |at: usize| u16::from_be_bytes([fmt[at], fmt[at + 1]]);
    let (coding, channels, bits) = (number(0), number(2), number(14));
    if !(1..=2).contains(&channels) {
        return Err(AudioFileError::Channels(usize::from(channels)));
    }
    if !matches!((coding, bits), (PCM, 16 | 24 | 32) | (FLOAT, 32 | 64)) {
        return Err(NotAudio::RifxCoding { coding, bits }.into());
    }
    let sample_rate_hz = u32::from_be_bytes([fmt[4], fmt[5], fmt[6], fmt[7]]);
    Ok(Some(Format { is_float: coding == FLOAT, channels, sample_rate_hz, bits }))
}

/// Puts the samples behind a header of CAF.
fn wave(file: &File, format: Format, start: u64, promised: u64, length: u64) -> Result<Wave, AudioFileError> {
    let Format { is_float, channels, sample_rate_hz, bits } = format;
    let frame_bytes = u64::from(channels * bits / 8);
    let there = length.saturating_sub(start);
    let unknown = promised == 0 || promised == u64::from(u32::MAX);
    let bytes = if unknown { there } else { promised.min(there) };
    let bytes = bytes - bytes % frame_bytes;
    let mut head = b"caff\x00\x01\x00\x00desc".to_vec();
    head.extend(32u64.to_be_bytes());
    head.extend(f64::from(sample_rate_hz).to_be_bytes());
    head.extend(b"lpcm");
    let numbers = [u32::from(is_float), frame_bytes as u32, 1, u32::from(channels), u32::from(bits)];
    numbers.iter().for_each(|number| head.extend(number.to_be_bytes()));
    head.extend(b"data");
    // Four bytes count the edits.
    head.extend((bytes + 4).to_be_bytes());
    head.extend([0; 4]);
    let expected = (!unknown && promised > there).then(|| promised / frame_bytes);
    Ok(Wave {
        source: Box::new(Joined::new(head, file.try_clone()?, start, bytes)),
        ending: "caf",
        expected_frames: expected,
        most_frames: None,
        notes: Vec::new(),
    })
}
