//! Which controls are in force at which frame of a stream. Each stage that obeys some keeps a timeline of its own, counted in
//! the frames that it handles, because stages come to the same frame of the song at different times.

use std::collections::VecDeque;

use crate::controls::Controls;

/// See the module documentation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    /// In force at the next frame, unless others begin with it.
    current: Controls,
    /// The first frame of each of those that follow, in order.
    following: VecDeque<(u64, Controls)>,
    /// The next frame's number.
    frame: u64,
}

impl Timeline {
    /// Another stream begins; what was set last is in force at once. Returns that.
    pub(crate) fn start(&mut self) -> Controls {
        if let Some((_, last)) = self.following.pop_back() {
            self.current = last;
        }
        self.following.clear();
        self.frame = 0;
        self.current
    }

    /// These are in force from a frame on, or from the next one if that is over. Frames come in order.
    pub(crate) fn set(&mut self, from_frame: u64, controls: Controls) {
        let (last_frame, last) = self.following.back().copied().unwrap_or((0, self.current));
        if controls != last {
            self.following.push_back((from_frame.max(last_frame), controls));
        }
    }

    /// Whether nothing else follows what is in force.
    pub(crate) fn is_settled(&self) -> bool {
        self.following.is_empty()
    }

    /// Goes on by up to `frames` frames, and at most to where other controls begin. Returns what is in force there, and how
    /// many frames those were.
    pub(crate) fn next(&mut self, frames: usize) -> (Controls, usize) {
        while let Some((_, controls)) = self.following.pop_front_if(|(from, _)| *from <= self.frame) {
            self.current = controls;
        }
        let until = self.following.front().map_or(u64::MAX, |(from, _)| from - self.frame);
        let count = frames.min(usize::try_from(until).unwrap_or(usize::MAX));
        self.frame += count as u64;
        (self.current, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(trim_db: f32) -> Controls {
        let mut controls = Controls::NEUTRAL;
        controls.stems[0].trim_db = trim_db;
        controls
    }

    #[test]
    fn controls_come_into_force_at_their_frame() {
        let mut timeline = Timeline::default();
        timeline.set(100, trimmed(1.0));
        timeline.set(100, trimmed(2.0));
        timeline.set(150, trimmed(2.0));
        timeline.set(120, trimmed(3.0));
        assert_eq!(timeline.next(64), (trimmed(0.0), 64));
        assert_eq!(timeline.next(64), (trimmed(0.0), 36));
        assert_eq!(timeline.next(64), (trimmed(2.0), 20));
        assert_eq!(timeline.next(64), (trimmed(3.0), 64));
        timeline.set(7, trimmed(4.0));
        assert_eq!(timeline.next(1), (trimmed(4.0), 1), "what comes late begins now");
        timeline.set(1 << 40, trimmed(5.0));
        assert_eq!(timeline.start(), trimmed(5.0), "and at once in another stream");
        assert_eq!(timeline.next(8), (trimmed(5.0), 8));
    }
}
