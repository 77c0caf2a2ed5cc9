//! A file whose header is replaced: what decoders read instead of the original, where its own header would stop them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// A header from memory, followed by a part of a file.
pub struct Joined {
    head: Vec<u8>,
    file: File,
    start: u64,
    length: u64,
    at: u64,
}

impl Joined {
    /// The header, then `length` bytes of the file from `start` on.
    pub fn new(head: Vec<u8>, file: File, start: u64, length: u64) -> Self {
        Self { head, file, start, length, at: 0 }
    }
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let head = self.head.len() as u64;
        if self.at < head {
            let count = (&self.head[self.at as usize..]).read(buffer)?;
            self.at += count as u64;
            return Ok(count);
        }
        let offset = self.at - head;
        let left = self.length.saturating_sub(offset).min(buffer.len() as u64) as usize;
        self.file.seek(SeekFrom::Start(self.start + offset))?;
        let count = self.file.read(&mut buffer[..left])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Joined {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let whole = self.head.len() as u64 + self.length;
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => whole.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl MediaSource for Joined {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.head.len() as u64 + self.length)
    }
}
