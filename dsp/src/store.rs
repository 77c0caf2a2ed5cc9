//! Where a stem's audio lies while it is measured and corrected as a whole: in memory, or wherever the caller keeps it.
//! Every whole-file pass goes through this trait piece by piece, so its memory does not grow with the song; a caller
//! that keeps stems on disk implements it on a file (this crate does no input or output itself).

use crate::block::StereoBuffer;
use crate::cause::Cause;
use crate::hop::{HOP_FRAMES, Hop};
use crate::units::db_from_gain;

/// A stored stem could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct StoreError {
    /// The storage's own reason.
    #[source]
    pub reason: Cause,
}

/// Audio of one stereo stem that can be read and overwritten anywhere, again and again.
///
/// ```
/// use tributary_dsp::{StemStore, StereoBuffer};
///
/// let mut stem = StereoBuffer::mono(vec![0.1, 0.2, 0.3]);
/// let (mut left, mut right) = ([0.0; 2], [0.0; 2]);
/// StemStore::read(&mut stem, 1, &mut left, &mut right)?;
/// assert_eq!(left, [0.2, 0.3]);
/// # Ok::<(), tributary_dsp::StoreError>(())
/// ```
pub trait StemStore {
    /// Length in frames; does not change while the stem is worked on.
    fn frames(&self) -> usize;

    /// Copies the frames from `start` on; both slices have the same length and end within the stem.
    ///
    /// # Errors
    /// The storage's reason.
    fn read(&mut self, start: usize, left: &mut [f32], right: &mut [f32]) -> Result<(), StoreError>;

    /// Overwrites the frames from `start` on; both slices have the same length and end within the stem.
    ///
    /// # Errors
    /// The storage's reason.
    fn write(&mut self, start: usize, left: &[f32], right: &[f32]) -> Result<(), StoreError>;
}

impl StemStore for StereoBuffer {
    fn frames(&self) -> usize {
        StereoBuffer::frames(self)
    }

    fn read(&mut self, start: usize, left: &mut [f32], right: &mut [f32]) -> Result<(), StoreError> {
        left.copy_from_slice(&self.left[start..start + left.len()]);
        right.copy_from_slice(&self.right[start..start + right.len()]);
        Ok(())
    }

    fn write(&mut self, start: usize, left: &[f32], right: &[f32]) -> Result<(), StoreError> {
        self.left[start..start + left.len()].copy_from_slice(left);
        self.right[start..start + right.len()].copy_from_slice(right);
        Ok(())
    }
}

/// Which sides of a stem are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// Left and right.
    Both,
    /// One of them: 0 left, 1 right.
    One(usize),
}

impl Sides {
    /// Indices of the sides.
    pub fn indices(self) -> &'static [usize] {
        match self {
            Sides::Both => &[0, 1],
            Sides::One(0) => &[0],
            Sides::One(_) => &[1],
        }
    }
}

/// Hands a stem over hop by hop, with the number of frames in it; the last hop is filled up with zeros.
pub(crate) fn for_each_hop(
    store: &mut dyn StemStore,
    mut visit: impl FnMut(&mut Hop, usize),
) -> Result<(), StoreError> {
    let frames = store.frames();
    let mut hop = Hop::SILENT;
    for start in (0..frames).step_by(HOP_FRAMES) {
        let count = read_hop(store, start, &mut hop)?;
        visit(&mut hop, count);
    }
    Ok(())
}

/// Reads one hop, filled up with zeros beyond the end; returns the frames that lie within the stem.
pub(crate) fn read_hop(store: &mut dyn StemStore, start: usize, hop: &mut Hop) -> Result<usize, StoreError> {
    let count = store.frames().saturating_sub(start).min(HOP_FRAMES);
    store.read(start.min(store.frames()), &mut hop.left[..count], &mut hop.right[..count])?;
    hop.left[count..].fill(0.0);
    hop.right[count..].fill(0.0);
    Ok(count)
}

/// Largest magnitude on the given sides, linear.
pub(crate) fn peak(store: &mut dyn StemStore, sides: Sides) -> Result<f32, StoreError> {
    let mut peak = 0f32;
    for_each_hop(store, |hop, _| {
        for side in sides.indices() {
            peak = hop.sides()[*side].iter().fold(peak, |peak, sample| peak.max(sample.abs()));
        }
    })?;
    Ok(peak)
}

/// Stems whose peak is at or below this are left alone.
const QUIETEST_PEAK_DB: f64 = -50.0;

/// Whether this peak lies at or below −50 dBFS.
pub(crate) fn too_quiet(peak: f32) -> bool {
    db_from_gain(f64::from(peak)) <= QUIETEST_PEAK_DB
}
