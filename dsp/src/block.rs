//! Views of audio in flight and the owned audio of one stem. Everything is planar 32-bit float; a frame is one instant
//! across channels.

use crate::stem::{CHANNELS, Stem};

/// A mutable view of one stereo stem; both sides have the same length.
#[derive(Debug)]
pub struct StereoBlock<'a> {
    /// Left samples.
    pub left: &'a mut [f32],
    /// Right samples.
    pub right: &'a mut [f32],
}

/// A mutable view of all four stems, planar in stem order; all channels have the same length.
///
/// ```
/// use tributary_dsp::{CHANNELS, StemsBlock};
///
/// let mut song = vec![vec![0.0_f32; 512]; CHANNELS];
/// let mut views = song.iter_mut();
/// let block = StemsBlock { channels: std::array::from_fn(|_| views.next().unwrap().as_mut_slice()) };
/// assert_eq!(block.frames(), 512);
/// ```
#[derive(Debug)]
pub struct StemsBlock<'a> {
    /// Vocals L, vocals R, bass L, bass R, drums L, drums R, other L, other R.
    pub channels: [&'a mut [f32]; CHANNELS],
}

impl StemsBlock<'_> {
    /// Frames in the block: the length of the shortest channel.
    pub fn frames(&self) -> usize {
        self.channels.iter().map(|channel| channel.len()).min().unwrap_or(0)
    }

    /// The two channels of one stem.
    pub fn stem(&mut self, stem: Stem) -> StereoBlock<'_> {
        let (left, right) = self.channels[stem.index() * 2..stem.index() * 2 + 2].split_at_mut(1);
        StereoBlock { left: &mut *left[0], right: &mut *right[0] }
    }
}

/// Owned audio of one stem; both sides have the same length.
///
/// ```
/// use tributary_dsp::StereoBuffer;
///
/// let voice = StereoBuffer::mono(vec![0.0, 0.25, -0.5]);
/// assert_eq!((voice.frames(), voice.peak()), (3, 0.5));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StereoBuffer {
    /// Left samples.
    pub left: Vec<f32>,
    /// Right samples.
    pub right: Vec<f32>,
}

impl StereoBuffer {
    /// Silence of `frames` frames.
    pub fn silence(frames: usize) -> Self {
        Self { left: vec![0.0; frames], right: vec![0.0; frames] }
    }

    /// Both sides alike.
    pub fn mono(samples: Vec<f32>) -> Self {
        Self { right: samples.clone(), left: samples }
    }

    /// Length: that of the shorter side.
    pub fn frames(&self) -> usize {
        self.left.len().min(self.right.len())
    }

    /// Largest magnitude on either side, linear.
    pub fn peak(&self) -> f32 {
        self.left.iter().chain(&self.right).fold(0.0, |peak: f32, sample| peak.max(sample.abs()))
    }

    /// Both sides, for meters.
    pub fn sides(&self) -> [&[f32]; 2] {
        [&self.left, &self.right]
    }

    /// A mutable view of the whole buffer.
    pub fn as_block(&mut self) -> StereoBlock<'_> {
        StereoBlock { left: &mut self.left, right: &mut self.right }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stem_views_address_their_own_channels() {
        let mut channels: Vec<Vec<f32>> = (0..CHANNELS).map(|channel| vec![channel as f32; 3]).collect();
        let mut views = channels.iter_mut().map(Vec::as_mut_slice);
        let mut block =
            StemsBlock { channels: std::array::from_fn(|_| views.next().expect("eight channels")) };
        assert_eq!(block.frames(), 3);
        for stem in Stem::ALL {
            let view = block.stem(stem);
            assert_eq!(view.left[0], (stem.index() * 2) as f32);
            assert_eq!(view.right[0], (stem.index() * 2 + 1) as f32);
        }
    }
}
