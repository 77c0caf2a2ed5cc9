//! One of the two rings that the worker writes: interleaved stereo frames for the audio side, and how many went in.

use rtrb::Producer;

/// Frames moved in one go.
const PIECE_FRAMES: usize = 1024;

/// See the module documentation.
pub(super) struct OutputRing {
    ring: Producer<f32>,
    /// Absolute frames in the ring so far.
    written: u64,
    planar: [Vec<f32>; 2],
    interleaved: Vec<f32>,
}

impl OutputRing {
    /// Allocates.
    pub(super) fn new(ring: Producer<f32>) -> Self {
        Self {
            ring,
            written: 0,
            planar: [vec![0.0; PIECE_FRAMES], vec![0.0; PIECE_FRAMES]],
            interleaved: Vec::with_capacity(2 * PIECE_FRAMES),
        }
    }

    /// Absolute frames written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Moves everything `pull` yields into the ring. The ring holds a whole latency and more, so it has room unless
    /// the stream was given up; what does not fit then is dropped, and only counted frames are ever in the ring.
    pub(super) fn drain(&mut self, mut pull: impl FnMut(&mut [&mut [f32]; 2]) -> usize) {
        loop {
            let [left, right] = &mut self.planar;
            let count = pull(&mut [left, right]);
            if count == 0 {
                return;
            }
            let Self { ring, written, planar, interleaved } = self;
            push(ring, written, interleaved, planar.each_ref().map(|side| &side[..count]));
        }
    }

    /// Writes planar frames, or none of them.
    pub(super) fn write(&mut self, piece: [&[f32]; 2]) {
        push(&mut self.ring, &mut self.written, &mut self.interleaved, piece);
    }
}

fn push(ring: &mut Producer<f32>, written: &mut u64, interleaved: &mut Vec<f32>, [left, right]: [&[f32]; 2]) {
    interleaved.clear();
    interleaved.extend(left.iter().zip(right).flat_map(|(&left, &right)| [left, right]));
    if ring.push_entire_slice(interleaved).is_ok() {
        *written += left.len() as u64;
    }
}
