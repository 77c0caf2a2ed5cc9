//! Joins consecutive hops of a model. Two runs see different windows and disagree a little where they meet, so each
//! run also makes `crossfade_frames` of the following hop, and the next hop fades in over that tail with linear
//! weights that add up to one (the two versions are nearly identical, so equal gain is right, equal power is not).

use crate::bundle::contract::WindowGeometry;

/// Keeps the tail of the last hop and fades the next one in over it.
pub struct HopJoin {
    hop_frames: usize,
    crossfade_frames: usize,
    tail: [Vec<f32>; 2],
    has_tail: bool,
}

impl HopJoin {
    /// No tail yet: the first hop starts as it is.
    pub fn new(geometry: WindowGeometry) -> Self {
        let tail = || vec![0.0; geometry.crossfade_frames];
        Self {
            hop_frames: geometry.hop_frames,
            crossfade_frames: geometry.crossfade_frames,
            tail: [tail(), tail()],
            has_tail: false,
        }
    }

    /// Drops the tail: the next hop starts as it is.
    pub fn reset(&mut self) {
        self.has_tail = false;
    }

    /// Takes hop + crossfade frames of both channels, fades the first `crossfade_frames` in over the kept tail in
    /// place and keeps the new tail. The first `hop_frames` of `mix` are then final.
    pub fn join(&mut self, mix: &mut [Vec<f32>; 2]) {
        let scale = 1.0 / (self.crossfade_frames as f32 + 1.0);
        for (samples, tail) in mix.iter_mut().zip(&mut self.tail) {
            if self.has_tail {
                for (i, (new, old)) in samples.iter_mut().zip(tail.iter()).enumerate() {
                    let weight = (i + 1) as f32 * scale;
                    *new = *old + weight * (*new - *old);
                }
            }
            tail.copy_from_slice(&samples[self.hop_frames..self.hop_frames + self.crossfade_frames]);
        }
        self.has_tail = true;
    }
}
