//! FLAC between tags, and with a header that leaves the smallest block open: taggers put ID3 before and behind the stream, and
//! encoders that write to a pipe a smallest block of 0. The decoder accepts neither; RFC 9639 is what it expects.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

use super::joined::Joined;
use super::wave::read_up_to;

/// The marker, the header of the first metadata block, and STREAMINFO (RFC 9639, 8.2).
const HEAD_BYTES: usize = 4 + 4 + 34;
/// Bytes of an ID3v1 tag, which begins with "TAG".
const ID3V1_BYTES: u64 = 128;
/// The smallest block that the format allows.
const SMALLEST_BLOCK: u16 = 16;

/// The stream as it should be; none when the file is no FLAC file, or one that needs no help.
///
/// # Errors
/// The file cannot be read.
pub fn open(file: &File) -> io::Result<Option<Box<dyn MediaSource>>> {
    let mut file = file.try_clone()?;
    let length = file.metadata()?.len();
    let start = behind_id3v2(&file)?;
    let mut head = vec![0; HEAD_BYTES];
    file.seek(SeekFrom::Start(start))?;
    let is_flac =
        read_up_to(&mut file, &mut head)? == HEAD_BYTES && head.starts_with(b"fLaC") && head[4] & 0x7f == 0;
    let end = if is_flac { before_id3v1(&mut file, length)? } else { length };
    let smallest = u16::from_be_bytes([head[8], head[9]]);
    if is_flac && smallest < SMALLEST_BLOCK {
        // With blocks of one size the decoder counts in these; otherwise the number says little.
        let size =
            if is_variable(&mut file, start)? { SMALLEST_BLOCK.to_be_bytes() } else { [head[10], head[11]] };
        head[8..10].copy_from_slice(&size);
    }
    file.seek(SeekFrom::Start(0))?;
    if !is_flac || (start, end) == (0, length) && smallest >= SMALLEST_BLOCK {
        return Ok(None);
    }
    let behind = start + HEAD_BYTES as u64;
    Ok(Some(Box::new(Joined::new(head, file, behind, end.saturating_sub(behind)))))
}

/// Where a file begins behind its ID3v2 tag, if it has one: ten bytes, the last four of which are a size of 7 bits each.
///
/// # Errors
/// The file cannot be read.
pub fn behind_id3v2(file: &File) -> io::Result<u64> {
    let (mut file, mut tag) = (file, [0; 10]);
    file.seek(SeekFrom::Start(0))?;
    if read_up_to(&mut file, &mut tag)? < tag.len() || !tag.starts_with(b"ID3") {
        return Ok(0);
    }
    let size = tag[6..].iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7f));
    // A footer doubles the header.
    let footer = if tag[5] & 0x10 == 0 { 0 } else { 10 };
    Ok(10 + size + footer)
}

fn before_id3v1(file: &mut File, length: u64) -> io::Result<u64> {
    let Some(at) = length.checked_sub(ID3V1_BYTES) else { return Ok(length) };
    let mut start = [0; 3];
    file.seek(SeekFrom::Start(at))?;
    read_up_to(file, &mut start)?;
    Ok(if start == *b"TAG" { at } else { length })
}

/// Whether blocks differ in size: the first frame says so, behind all metadata.
fn is_variable(file: &mut File, start: u64) -> io::Result<bool> {
    let mut at = start + 4;
    loop {
        let mut head = [0; 4];
        file.seek(SeekFrom::Start(at))?;
        if read_up_to(file, &mut head)? < head.len() {
            return Ok(false);
        }
        at += 4 + u64::from(u32::from_be_bytes([0, head[1], head[2], head[3]]));
        if head[0] & 0x80 != 0 {
            break;
        }
    }
    let mut frame = [0; 2];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut frame).map_or(Ok(false), |()| Ok(frame[1] & 1 == 1))
}
