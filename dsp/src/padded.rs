//! A stem with room around it for what the effects' filters spread beyond its ends. Later effects hear that, as they do
//! live and in the released code, which pads files with zeros and crops them last.

use crate::block::StereoBuffer;
use crate::hop::HOP_FRAMES;
use crate::store::{StemStore, StoreError};

/// A stem between stretches of silence, which live in memory; itself a store, longer by those.
pub struct PaddedStem<'a> {
    hops: usize,
    stem: &'a mut dyn StemStore,
    before: StereoBuffer,
    after: StereoBuffer,
}

impl<'a> PaddedStem<'a> {
    /// With this many hops of silence on either side of the stem's own, and as many frames more behind it.
    pub fn new(stem: &'a mut dyn StemStore, hops: usize, tail_frames: usize) -> Self {
        let frames = stem.frames();
        let after = (frames + tail_frames).next_multiple_of(HOP_FRAMES) - frames + hops * HOP_FRAMES;
        Self {
            hops,
            stem,
            before: StereoBuffer::silence(hops * HOP_FRAMES),
            after: StereoBuffer::silence(after),
        }
    }

    /// The stem alone.
    pub fn stem(&mut self) -> &mut dyn StemStore {
        &mut *self.stem
    }

    /// What has come to lie behind the stem's end.
    pub fn into_tail(self) -> StereoBuffer {
        self.after
    }

    /// Hops ahead of the stem's first.
    pub fn hops(&self) -> usize {
        self.hops
    }

    /// Calls `visit` with each of the three parts that the range touches, the place in that part, and the place in the
    /// range.
    fn parts(
        &mut self,
        range: std::ops::Range<usize>,
        mut visit: impl FnMut(&mut dyn StemStore, usize, std::ops::Range<usize>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut offset = 0;
        let parts: [&mut dyn StemStore; 3] = [&mut self.before, &mut *self.stem, &mut self.after];
        for part in parts {
            let end = offset + part.frames();
            let (from, to) = (range.start.max(offset), range.end.min(end));
            if from < to {
                visit(part, from - offset, from - range.start..to - range.start)?;
            }
            offset = end;
        }
        Ok(())
    }
}

impl StemStore for PaddedStem<'_> {
    fn frames(&self) -> usize {
        self.before.frames() + self.stem.frames() + self.after.frames()
    }

    fn read(&mut self, start: usize, left: &mut [f32], right: &mut [f32]) -> Result<(), StoreError> {
        self.parts(start..start + left.len(), |part, at, range| {
            part.read(at, &mut left[range.clone()], &mut right[range])
        })
    }

    fn write(&mut self, start: usize, left: &[f32], right: &[f32]) -> Result<(), StoreError> {
        self.parts(start..start + left.len(), |part, at, range| {
            part.write(at, &left[range.clone()], &right[range])
        })
    }
}
