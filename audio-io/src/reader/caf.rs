//! CAF with a byte or more behind its last chunk, as libsndfile pads it: the decoder takes it for a chunk that is cut off.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

use super::joined::Joined;
use super::wave::read_up_to;

/// Bytes of the file's header.
const FILE_HEAD_BYTES: u64 = 8;
/// Bytes of a chunk's name and size.
const CHUNK_HEAD_BYTES: u64 = 12;

/// The file without what is behind its last chunk; none when it is no CAF file, or one that ends with a chunk. The file is
/// then at its start.
///
/// # Errors
/// The file cannot be read.
pub fn open(file: &File) -> io::Result<Option<Box<dyn MediaSource>>> {
    let mut reader = file;
    let mut start = [0; 4];
    reader.seek(SeekFrom::Start(0))?;
    read_up_to(&mut reader, &mut start)?;
    let length = file.metadata()?.len();
    let mut at = FILE_HEAD_BYTES;
    while start == *b"caff" && at + CHUNK_HEAD_BYTES <= length {
        let mut head = [0; CHUNK_HEAD_BYTES as usize];
        reader.seek(SeekFrom::Start(at))?;
        reader.read_exact(&mut head)?;
        let [_, _, _, _, size @ ..] = head;
        // Samples until the end of the file have the size −1.
        let Ok(size) = u64::try_from(i64::from_be_bytes(size)) else { break };
        at = at.saturating_add(CHUNK_HEAD_BYTES).saturating_add(size);
        if at < length && at + CHUNK_HEAD_BYTES > length {
            return Ok(Some(Box::new(Joined::new(Vec::new(), file.try_clone()?, 0, at))));
        }
    }
    reader.seek(SeekFrom::Start(0))?;
    Ok(None)
}
