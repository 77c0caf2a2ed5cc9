//! Where the stems of a song are kept while they are read and worked on: in memory, or in temporary files when memory must
//! not grow with the song. Whoever fills, changes or walks through a stem sees no difference.

use std::path::Path;

use anyhow::{Context, Result};
use tributary_dsp::{StemStore, StereoBuffer, StoreError};
use tributary_engine::StemFile;

/// Frames that are copied, changed or looked at together.
pub(crate) const PIECE_FRAMES: usize = 8192;

/// Where a stem can be collected: a store that grows.
pub trait StemSpace: StemStore + Sized {
    /// Appends frames; both sides have the same length.
    ///
    /// # Errors
    /// The storage's reason.
    fn append(&mut self, left: &[f32], right: &[f32]) -> Result<(), StoreError>;

    /// Makes the stem longer, with silence, or shorter.
    ///
    /// # Errors
    /// The storage's reason.
    fn set_frames(&mut self, frames: usize) -> Result<(), StoreError>;
}

impl StemSpace for StereoBuffer {
    fn append(&mut self, left: &[f32], right: &[f32]) -> Result<(), StoreError> {
        self.left.extend_from_slice(left);
        self.right.extend_from_slice(right);
        Ok(())
    }

    fn set_frames(&mut self, frames: usize) -> Result<(), StoreError> {
        self.left.resize(frames, 0.0);
        self.right.resize(frames, 0.0);
        Ok(())
    }
}

impl StemSpace for StemFile {
    fn append(&mut self, left: &[f32], right: &[f32]) -> Result<(), StoreError> {
        Ok(self.append(left, right)?)
    }

    fn set_frames(&mut self, frames: usize) -> Result<(), StoreError> {
        Ok(self.set_frames(frames)?)
    }
}

/// Makes empty spaces for stems.
pub type Spaces<'a, S> = dyn Fn() -> Result<S> + Sync + 'a;

/// Spaces in temporary files of a folder: 8 bytes per frame, gone when dropped.
pub fn spaces_in(folder: &Path) -> impl Fn() -> Result<StemFile> + use<> {
    let folder = folder.to_owned();
    move || {
        StemFile::create_in(&folder)
            .with_context(|| format!("a temporary file in {} cannot be written", folder.display()))
    }
}

/// Hands a stem over piece by piece.
///
/// # Errors
/// That of the store or of `take`.
pub fn for_each_piece(
    stem: &mut dyn StemStore,
    mut take: impl FnMut(&[f32], &[f32]) -> Result<()>,
) -> Result<()> {
    let (mut left, mut right) = (vec![0f32; PIECE_FRAMES], vec![0f32; PIECE_FRAMES]);
    for start in (0..stem.frames()).step_by(PIECE_FRAMES) {
        let count = (stem.frames() - start).min(PIECE_FRAMES);
        stem.read(start, &mut left[..count], &mut right[..count])?;
        take(&left[..count], &right[..count])?;
    }
    Ok(())
}
