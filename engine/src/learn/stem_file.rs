//! A stem on disk, for work on whole songs whose memory must not grow with the song: a temporary file of samples that can
//! be appended to, read and overwritten anywhere. The file has no name while it is open where the system allows that, so
//! that nothing is left behind however the program ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tributary_dsp::{Cause, StemStore, StoreError};

/// Frames held in memory at a time; one transfer between memory and disk.
const BLOCK_FRAMES: usize = 32_768;
/// Bytes of such a block: left samples, then right ones.
const BLOCK_BYTES: usize = BLOCK_FRAMES * 2 * 4;

/// Stereo audio in a temporary file. Not shared between threads at the same time.
pub struct StemFile {
    file: File,
    /// Where to remove the file from when it could not be removed at once.
    path: Option<PathBuf>,
    frames: usize,
    /// Blocks that the file holds; behind them lies silence.
    blocks: usize,
    block: Block,
    bytes: Vec<u8>,
}

/// The block in memory.
struct Block {
    index: usize,
    changed: bool,
    left: Vec<f32>,
    right: Vec<f32>,
}

impl StemFile {
    /// An empty stem in a new temporary file in `folder`.
    ///
    /// # Errors
    /// The file cannot be made there.
    pub fn create_in(folder: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".tributary-stem-{}-{count}.part", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        // Where an open file cannot be removed it is removed when it is closed.
        let path = if cfg!(unix) && std::fs::remove_file(&path).is_ok() { None } else { Some(path) };
        let block =
            Block { index: 0, changed: false, left: vec![0.0; BLOCK_FRAMES], right: vec![0.0; BLOCK_FRAMES] };
        Ok(Self { file, path, frames: 0, blocks: 0, block, bytes: vec![0; BLOCK_BYTES] })
    }

    /// Makes the stem longer, with silence, or shorter.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn set_frames(&mut self, frames: usize) -> Result<(), StemFileError> {
        if frames < self.frames {
            // What lies behind the new end must be silent should the stem grow again.
            let kept = frames.next_multiple_of(BLOCK_FRAMES) - frames;
            self.visit(frames..(frames + kept).min(self.frames), |block, range, _| {
                block.changed = true;
                block.left[range.clone()].fill(0.0);
                block.right[range].fill(0.0);
            })?;
            self.forget_blocks_from(frames.div_ceil(BLOCK_FRAMES))?;
        }
        self.frames = frames;
        Ok(())
    }

    /// Drops blocks both in the file, where a gap would otherwise show them again, and in memory.
    fn forget_blocks_from(&mut self, first: usize) -> Result<(), StemFileError> {
        if self.blocks > first {
            self.file.set_len((first * BLOCK_BYTES) as u64).map_err(StemFileError::Write)?;
            self.blocks = first;
        }
        if self.block.index >= first {
            self.block.changed = false;
            self.block.left.fill(0.0);
            self.block.right.fill(0.0);
        }
        Ok(())
    }

    /// Appends frames; both sides have the same length.
    ///
    /// # Errors
    /// The file cannot be written, or its last part not be read.
    pub fn append(&mut self, left: &[f32], right: &[f32]) -> Result<(), StemFileError> {
        let start = self.frames;
        self.frames += left.len();
        self.overwrite(start, left, right)
    }

    fn overwrite(&mut self, start: usize, left: &[f32], right: &[f32]) -> Result<(), StemFileError> {
        self.visit(start..start + left.len(), |block, range, at| {
            block.changed = true;
            block.left[range.clone()].copy_from_slice(&left[at..at + range.len()]);
            block.right[range.clone()].copy_from_slice(&right[at..at + range.len()]);
        })
    }

    /// Brings every block that a range of frames touches into memory, and hands over the place in the block and the
    /// offset in the range.
    fn visit(
        &mut self,
        range: std::ops::Range<usize>,
        mut act: impl FnMut(&mut Block, std::ops::Range<usize>, usize),
    ) -> Result<(), StemFileError> {
        let mut position = range.start;
        while position < range.end {
            self.load(position / BLOCK_FRAMES)?;
            let first = position % BLOCK_FRAMES;
            let count = (range.end - position).min(BLOCK_FRAMES - first);
            act(&mut self.block, first..first + count, position - range.start);
            position += count;
        }
        Ok(())
    }

    fn load(&mut self, index: usize) -> Result<(), StemFileError> {
        if self.block.index == index {
            return Ok(());
        }
        self.store()?;
        if index >= self.blocks {
            self.block.index = index;
            self.block.left.fill(0.0);
            self.block.right.fill(0.0);
            return Ok(());
        }
        let at = SeekFrom::Start((index * BLOCK_BYTES) as u64);
        let read = self.file.seek(at).and_then(|_| self.file.read_exact(&mut self.bytes));
        read.map_err(StemFileError::Read)?;
        self.block.index = index;
        let (left, right) = self.bytes.split_at(BLOCK_BYTES / 2);
        for (side, bytes) in [(&mut self.block.left, left), (&mut self.block.right, right)] {
            for (sample, four) in side.iter_mut().zip(bytes.chunks_exact(4)) {
                *sample = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            }
        }
        Ok(())
    }

    /// Writes the block in memory where it differs from the file.
    fn store(&mut self) -> Result<(), StemFileError> {
        if !self.block.changed {
            return Ok(());
        }
        let (left, right) = self.bytes.split_at_mut(BLOCK_BYTES / 2);
        for (side, bytes) in [(&self.block.left, left), (&self.block.right, right)] {
            for (sample, four) in side.iter().zip(bytes.chunks_exact_mut(4)) {
                four.copy_from_slice(&sample.to_le_bytes());
            }
        }
        // A block may come after a gap that was never written: the system fills it with zeros, which are silence.
        let at = SeekFrom::Start((self.block.index * BLOCK_BYTES) as u64);
        let written = self.file.seek(at).and_then(|_| self.file.write_all(&self.bytes));
        written.map_err(StemFileError::Write)?;
        self.blocks = self.blocks.max(self.block.index + 1);
        self.block.changed = false;
        Ok(())
    }
}

/// Why a stem on disk cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum StemFileError {
    /// What was written does not come back.
    #[error("a temporary file cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The disk is full, …
    #[error("a temporary file cannot be written: {0}")]
    Write(#[source] io::Error),
}

impl From<StemFileError> for StoreError {
    fn from(error: StemFileError) -> Self {
        Self { reason: Cause::new(error) }
    }
}

impl From<StemFileError> for io::Error {
    fn from(error: StemFileError) -> Self {
        match error {
            StemFileError::Read(error) | StemFileError::Write(error) => error,
        }
    }
}

impl StemStore for StemFile {
    fn frames(&self) -> usize {
        self.frames
    }

    fn read(&mut self, start: usize, left: &mut [f32], right: &mut [f32]) -> Result<(), StoreError> {
        Ok(self.visit(start..start + left.len(), |block, range, at| {
            left[at..at + range.len()].copy_from_slice(&block.left[range.clone()]);
            right[at..at + range.len()].copy_from_slice(&block.right[range]);
        })?)
    }

    fn write(&mut self, start: usize, left: &[f32], right: &[f32]) -> Result<(), StoreError> {
        Ok(self.overwrite(start, left, right)?)
    }
}

impl Drop for StemFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // The system may still hold the file open for a moment; a leftover is harmless and says what it is.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::StereoBuffer;

    fn noise(frames: usize, seed: u32) -> StereoBuffer {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        };
        StereoBuffer {
            left: (0..frames).map(|_| next()).collect(),
            right: (0..frames).map(|_| next()).collect(),
        }
    }

    /// Whether a stem holds these frames on both sides.
    fn holds(disk: &mut StemFile, start: usize, expected: &[f32]) -> bool {
        let (mut left, mut right) = (vec![1.0; expected.len()], vec![1.0; expected.len()]);
        disk.read(start, &mut left, &mut right).expect("read");
        left == expected && right == expected
    }

    #[test]
    fn what_was_cut_off_never_comes_back() {
        let ones = vec![1.0; 4 * BLOCK_FRAMES];
        for kept in [0, 1, BLOCK_FRAMES - 1, BLOCK_FRAMES, 2 * BLOCK_FRAMES, 2 * BLOCK_FRAMES + 7] {
            // The last block written, or read, is still in memory when the stem is cut.
            for looked_at in [0, BLOCK_FRAMES, 2 * BLOCK_FRAMES, 4 * BLOCK_FRAMES - 1] {
                let mut disk = StemFile::create_in(&std::env::temp_dir()).expect("a temporary file");
                disk.append(&ones, &ones).expect("written");
                assert!(holds(&mut disk, looked_at, &[1.0]));
                disk.set_frames(kept).expect("shorter");
                disk.set_frames(4 * BLOCK_FRAMES).expect("longer");
                let mut expected = vec![0.0; 4 * BLOCK_FRAMES];
                expected[..kept].fill(1.0);
                // Written behind a gap: the gap is silent, whatever the file held there before.
                disk.append(&[0.5], &[0.5]).expect("written");
                expected.push(0.5);
                assert!(holds(&mut disk, 0, &expected), "kept {kept}, looked at {looked_at}");
            }
        }
    }

    #[test]
    fn an_error_says_whether_reading_or_writing_failed() {
        let ones = vec![1.0; 2 * BLOCK_FRAMES];
        let mut disk = StemFile::create_in(&std::env::temp_dir()).expect("a temporary file");
        disk.append(&ones, &ones).expect("written");
        let (mut left, mut right) = ([0.0], [0.0]);
        disk.read(0, &mut left, &mut right).expect("nothing is left to be stored");
        disk.file.set_len(0).expect("the disk forgets");
        for _ in 0..2 {
            let error = disk.read(BLOCK_FRAMES, &mut left, &mut right).expect_err("the block is gone");
            assert!(error.reason.to_string().starts_with("a temporary file cannot be read"), "{error}");
        }
        let path = std::env::temp_dir().join(format!("tributary-read-only-{}", std::process::id()));
        std::fs::write(&path, b"").expect("written");
        disk.file = File::open(&path).expect("opened to be read only");
        std::fs::remove_file(&path).expect("removed");
        disk.write(2 * BLOCK_FRAMES, &[1.0], &[1.0]).expect("it stays in memory");
        let error =
            disk.read(BLOCK_FRAMES, &mut left, &mut right).expect_err("the block in memory cannot be stored");
        assert!(error.reason.to_string().starts_with("a temporary file cannot be written"), "{error}");
    }

    #[test]
    fn a_stem_on_disk_behaves_like_one_in_memory() {
        let mut memory = noise(150_000, 3);
        let mut disk = StemFile::create_in(&std::env::temp_dir()).expect("a temporary file");
        for start in (0..150_000).step_by(7_000) {
            let end = (start + 7_000).min(150_000);
            disk.append(&memory.left[start..end], &memory.right[start..end]).expect("written");
        }
        let other = noise(40_000, 9);
        for start in [120_000usize, 0, 29_999, 65_536] {
            let count = 30_000;
            memory.write(start, &other.left[..count], &other.right[..count]).expect("in memory");
            disk.write(start, &other.left[..count], &other.right[..count]).expect("written");
        }
        disk.set_frames(70_000).expect("shorter");
        disk.set_frames(200_000).expect("longer");
        memory.left.truncate(70_000);
        memory.right.truncate(70_000);
        memory.left.resize(200_000, 0.0);
        memory.right.resize(200_000, 0.0);
        assert_eq!(disk.frames(), 200_000);
        for start in [0usize, 199_000, 60_000, 31_000, 140_000] {
            let count = 50_000.min(200_000 - start);
            let (mut left, mut right) = (vec![1.0; count], vec![1.0; count]);
            disk.read(start, &mut left, &mut right).expect("read");
            assert!(left == memory.left[start..start + count] && right == memory.right[start..start + count]);
        }
    }
}
