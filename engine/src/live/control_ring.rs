//! How controls travel from the audio thread to the worker: beside the audio, each with the absolute input frame from which it
//! is in force. They are sent **before** that frame is written to the input ring, and the worker looks at the input's fill
//! first, so whoever sees a frame finds its controls in here. Only changes travel.

#![warn(clippy::disallowed_methods)]

use rtrb::{Consumer, Producer, RingBuffer};

use crate::controls::Controls;

/// Changes on their way: one per block of 64 frames for longer than the input ring lasts.
const CHANGES: usize = 2048;

/// Controls and the absolute input frame from which they are in force.
type Change = (u64, Controls);

/// The audio side's end. Real-time safe.
pub(crate) struct ControlSender {
    ring: Producer<Change>,
    sent: Controls,
}

/// The worker's end.
pub(crate) struct ControlReceiver {
    ring: Consumer<Change>,
}

/// Both ends; neutral controls are in force. Allocates.
pub(crate) fn control_ring() -> (ControlSender, ControlReceiver) {
    let (sender, receiver) = RingBuffer::new(CHANGES);
    (ControlSender { ring: sender, sent: Controls::NEUTRAL }, ControlReceiver { ring: receiver })
}

impl ControlSender {
    /// Whether another change fits.
    pub(crate) fn has_room(&self) -> bool {
        self.ring.slots() > 0
    }

    /// These are in force from the input frame on that is written next. When there is no room for a change they come with
    /// a later block.
    pub(crate) fn send(&mut self, frame: u64, controls: &Controls) {
        if *controls != self.sent && self.ring.push((frame, *controls)).is_ok() {
            self.sent = *controls;
        }
    }
}

impl ControlReceiver {
    /// The next controls that are in force at `frame` or before; ask until there are none.
    pub(crate) fn due(&mut self, frame: u64) -> Option<Controls> {
        let (from, controls) = *self.ring.peek().ok()?;
        if from > frame {
            return None;
        }
        let _ = self.ring.pop();
        Some(controls)
    }

    /// The frame with which the next ones begin.
    pub(crate) fn next_frame(&mut self) -> Option<u64> {
        self.ring.peek().ok().map(|(frame, _)| *frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(trim_db: f32) -> Controls {
        let mut controls = Controls::NEUTRAL;
        controls.stems[3].trim_db = trim_db;
        controls
    }

    #[test]
    fn changes_arrive_in_order_and_nothing_is_lost_for_want_of_room() {
        let (mut sender, mut receiver) = control_ring();
        sender.send(0, &Controls::NEUTRAL);
        assert_eq!(receiver.next_frame(), None, "no change");
        for block in 0..CHANGES as u64 + 10 {
            sender.send(64 * block, &trimmed(1.0 + block as f32));
        }
        assert!(!sender.has_room());
        assert_eq!((receiver.due(0), receiver.due(63)), (Some(trimmed(1.0)), None));
        assert_eq!((receiver.next_frame(), receiver.due(64)), (Some(64), Some(trimmed(2.0))));
        while receiver.due(u64::MAX).is_some() {}
        sender.send(1 << 20, &trimmed(-1.0));
        assert_eq!((receiver.next_frame(), receiver.due(1 << 20)), (Some(1 << 20), Some(trimmed(-1.0))));
    }
}
