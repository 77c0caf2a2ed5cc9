//! The audio side's reader of one output ring: gives frames by their stream position, drops those that come too late,
//! and fades. It never lets go of a stream abruptly: as soon as it can see that frames run out within the length of a
//! fade it starts to fade out over those that are left, and it fades in again when enough frames follow.

use rtrb::Consumer;

use crate::pipeline::is_missing;

/// One output ring, read by stream position. Real-time safe throughout.
pub(crate) struct FadedStream {
    ring: Consumer<f32>,
    /// Absolute frames taken from the ring.
    taken: u64,
    /// Absolute frame that is stream frame 0; `None` until the worker has acknowledged the stream.
    start: Option<u64>,
    /// Frames from the read position up to this stream frame are present and not missing.
    valid_until: i64,
    /// Whether the frame at `valid_until` is known to be missing for good.
    gap_ahead: bool,
    fade_frames: usize,
    /// Current weight, 0 to 1.
    weight: f32,
    /// The weight falls, or has fallen and does not rise yet.
    falls: bool,
    /// The stream has just begun: no fade-in at its first frame.
    fresh: bool,
    /// Planar scratch of the rendered block.
    pub(crate) left: Vec<f32>,
    pub(crate) right: Vec<f32>,
    pub(crate) weights: Vec<f32>,
}

impl FadedStream {
    pub(crate) fn new(ring: Consumer<f32>, fade_frames: usize, max_block: usize) -> Self {
        Self {
            ring,
            taken: 0,
            start: None,
            valid_until: 0,
            gap_ahead: false,
            fade_frames: fade_frames.max(1),
            weight: 0.0,
            falls: true,
            fresh: true,
            left: vec![0.0; max_block],
            right: vec![0.0; max_block],
            weights: vec![0.0; max_block],
        }
    }

    /// A new stream begins; what is in the ring belongs to an old one. With `fresh`, the first frame comes at full
    /// weight; otherwise it fades in.
    pub(crate) fn restart(&mut self, fresh: bool) {
        self.start = None;
        self.valid_until = 0;
        self.gap_ahead = false;
        self.fresh = fresh;
        if fresh {
            self.weight = 0.0;
            self.falls = true;
        }
    }

    /// Frames in the ring. Ask before looking whether the worker has acknowledged the stream: see `protocol.rs`.
    pub(crate) fn filled(&self) -> usize {
        self.ring.slots() / 2
    }

    /// The worker said where this stream's output starts.
    pub(crate) fn go_live(&mut self, start: u64) {
        self.start.get_or_insert(start);
    }

    /// The worker has not come to this stream: the oldest `frames` in the ring belong to an earlier one.
    pub(crate) fn discard(&mut self, frames: usize) {
        self.drop_frames(frames as u64);
    }

    /// Whether the frames up to `until` are there.
    pub(crate) fn has_until(&self, until: i64) -> bool {
        self.valid_until >= until
    }

    /// Whether waiting cannot help: the next frame was given up by the worker.
    pub(crate) fn is_blocked(&self) -> bool {
        self.gap_ahead
    }

    /// The stream frame up to which frames must be there for a block at `position` to be at full weight.
    pub(crate) fn needed(&self, position: i64, frames: usize) -> i64 {
        position + (frames + self.fade_frames) as i64 + 1
    }

    /// Drops what is late and looks ahead as far as stream frame `wanted`.
    pub(crate) fn look_ahead(&mut self, position: i64, wanted: i64) {
        let Some(start) = self.start else { return };
        let due = start.saturating_add_signed(position.max(0));
        if self.taken < due {
            self.drop_frames(due - self.taken);
        }
        if self.valid_until < position {
            self.valid_until = position;
        }
        self.gap_ahead = false;
        if self.taken < start {
            return;
        }
        let first = (self.taken - start) as i64;
        let filled = self.ring.slots() / 2;
        let end = wanted.min(first + filled as i64);
        if let Ok(chunk) = self.ring.read_chunk(filled * 2) {
            let (head, tail) = chunk.as_slices();
            while self.valid_until < end {
                let at = (self.valid_until - first) as usize * 2;
                let left = if at < head.len() { head[at] } else { tail[at - head.len()] };
                if is_missing(left) {
                    self.gap_ahead = true;
                    break;
                }
                self.valid_until += 1;
            }
        }
    }

    /// Fills `left`, `right` and `weights` for `frames` frames from stream position `position`. A frame that is not
    /// there is silent and has weight 0. Returns how many times the weight began to fall, from wherever it was.
    pub(crate) fn render(&mut self, position: i64, frames: usize) -> usize {
        self.look_ahead(position, self.needed(position, frames));
        let step = 1.0 / self.fade_frames as f32;
        let mut falls = 0;
        let mut readable = 0;
        for i in 0..frames {
            let at = position + i as i64;
            let covered = at >= 0 && self.valid_until - at > self.fade_frames as i64;
            let begins = at == 0 && self.fresh;
            falls += usize::from(!covered && (begins || !self.falls));
            self.falls = !covered;
            self.weight = match (begins, covered) {
                (true, _) => f32::from(u8::from(covered)),
                (false, true) => (self.weight + step).min(1.0),
                (false, false) => (self.weight - step).max(0.0),
            };
            if at >= 0 {
                self.fresh = false;
                readable += usize::from(at < self.valid_until);
            }
            if at >= self.valid_until {
                self.weight = 0.0;
            }
            self.weights[i] = self.weight;
        }
        self.read(position, frames, readable);
        falls
    }

    /// Takes `readable` frames and places them where the block's stream positions begin; the rest is silence.
    fn read(&mut self, position: i64, frames: usize, readable: usize) {
        self.left[..frames].fill(0.0);
        self.right[..frames].fill(0.0);
        let offset = (-position).clamp(0, frames as i64) as usize;
        let Ok(chunk) = self.ring.read_chunk(readable * 2) else { return };
        let (head, tail) = chunk.as_slices();
        let samples = head.iter().chain(tail);
        for (i, &sample) in samples.enumerate() {
            let side = if i % 2 == 0 { &mut self.left } else { &mut self.right };
            side[offset + i / 2] = sample;
        }
        chunk.commit_all();
        self.taken += readable as u64;
    }

    fn drop_frames(&mut self, frames: u64) {
        let count = frames.min((self.ring.slots() / 2) as u64);
        if let Ok(chunk) = self.ring.read_chunk(count as usize * 2) {
            chunk.commit_all();
            self.taken += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtrb::RingBuffer;

    #[test]
    fn a_fall_counts_from_wherever_the_weight_was() {
        let (mut worker, ring) = RingBuffer::new(2 * 4000);
        let mut stream = FadedStream::new(ring, 100, 1000);
        stream.go_live(0);
        let mut play = |made: usize, position: i64, frames: usize| {
            worker.push_entire_slice(&vec![0.5; 2 * made]).unwrap();
            stream.render(position, frames)
        };
        assert_eq!(play(150, 0, 150), 1, "from full weight");
        // Of the next frames only the first fifty have a fade's length behind them: the weight comes to one half.
        assert_eq!(play(150, 150, 150), 1, "from half of it");
        assert_eq!(play(0, 300, 100), 0, "there is nothing to fall from");
        assert_eq!(play(400, 400, 150), 0, "too late by a block, and then enough");
        assert_eq!(play(0, 550, 250), 1);
        assert_eq!(play(900, 800, 600), 0, "once for every fall, not for every block");
    }
}
