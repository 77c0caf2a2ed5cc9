//! The send itself: shelved at both ends, convolved with a room, added to the dry stem, hop by hop. No latency: the room's
//! first hop is convolved within the hop.

use crate::amounts::Share;
use crate::effects::reverb::room::ImpulseResponse;
use crate::filters::biquad::{Coefficients, StereoBiquad};
use crate::filters::long_convolution::LongConvolver;
use crate::hop::{HOP_FRAMES, Hop, LARGEST_SAMPLE};
use crate::recipe::ReverbSetting;
use crate::stem::Stem;

/// Gain of both shelves of the send.
const SHELF_DB: f64 = -30.0;
const SHELF_Q: f64 = 0.707;
/// Adds the reverberated send to a stem, hop by hop. No latency.
#[derive(Debug)]
pub struct ReverbSend {
    shelves: [StereoBiquad; 2],
    convolvers: [LongConvolver; 2],
    send: Box<Hop>,
    wet: Box<[f32; HOP_FRAMES]>,
    share: Share,
}

impl ReverbSend {
    /// The send of a stem; `None` where the recipe has none for it.
    pub fn of(stem: Stem, setting: &ReverbSetting, sample_rate_hz: f64) -> Option<Self> {
        let gain = setting.gain(stem)?;
        Some(match &setting.room {
            Some(room) => Self::new(room, gain, setting, stem, sample_rate_hz),
            None => {
                let room = ImpulseResponse::generate(&setting.generated.room(), sample_rate_hz);
                Self::new(&room, gain, setting, stem, sample_rate_hz)
            }
        })
    }

    /// A send into the given room at the given linear gain.
    fn new(
        room: &ImpulseResponse,
        gain: f64,
        setting: &ReverbSetting,
        stem: Stem,
        sample_rate_hz: f64,
    ) -> Self {
        // All channels do the heavy parts of their work in different hops; those of vocals and other lie evenly.
        let mut turns = match stem {
            Stem::Vocals => [0, 2],
            Stem::Other => [4, 6],
            Stem::Bass => [1, 3],
            Stem::Drums => [5, 7],
        }
        .into_iter();
        let convolvers = room.sides().map(|side| {
            let taps: Vec<f32> = side.iter().map(|tap| tap * gain as f32).collect();
            LongConvolver::new(&taps, turns.next().unwrap_or(0))
        });
        let low = Coefficients::low_shelf(setting.low_shelf_hz, SHELF_DB, SHELF_Q, sample_rate_hz);
        let high = Coefficients::high_shelf(setting.high_shelf_hz, SHELF_DB, SHELF_Q, sample_rate_hz);
        Self {
            shelves: [StereoBiquad::new(low), StereoBiquad::new(high)],
            convolvers,
            send: Box::new(Hop::SILENT),
            wet: Box::new([0.0; HOP_FRAMES]),
            share: Share::FULL,
        }
    }

    /// How much of it is let through over the next hop.
    pub fn let_through(&mut self, share: Share) {
        self.share = share;
    }

    /// Adds the send's reverb to one hop.
    pub fn process(&mut self, hop: &mut Hop) {
        for n in 0..HOP_FRAMES {
            let dry = [f64::from(hop.left[n]), f64::from(hop.right[n])];
            let [low, high] = &mut self.shelves;
            let shelved = high.tick(low.tick(dry));
            self.send.left[n] = shelved[0] as f32;
            self.send.right[n] = shelved[1] as f32;
        }
        self.shelves.iter_mut().for_each(StereoBiquad::flush);
        let sides = self.send.sides().into_iter().zip(hop.sides_mut());
        if self.share == (Share { start: 0.0, end: 0.0 }) {
            return self
                .convolvers
                .iter_mut()
                .zip(sides)
                .for_each(|(convolver, (send, _))| convolver.listen(send));
        }
        for (convolver, (send, output)) in self.convolvers.iter_mut().zip(sides) {
            convolver.process(send, &mut self.wet);
            if !self.share.is_full() {
                self.wet.iter_mut().zip(self.share.frames()).for_each(|(wet, share)| *wet *= share);
            }
            for (sample, wet) in output.iter_mut().zip(self.wet.iter()) {
                // Of an absurd response as of an absurd sample nothing may remain that later effects cannot square.
                *sample = (*sample + wet).clamp(-LARGEST_SAMPLE, LARGEST_SAMPLE);
            }
        }
    }

    /// Tells which hop of the stem comes next: the room's longer blocks fall on the same frames of it everywhere.
    pub fn start_at(&mut self, hop: i64) {
        self.convolvers.iter_mut().for_each(|convolver| convolver.start_at(hop));
    }

    /// A silent hop after silence longer than the room.
    pub fn pass_silence(&mut self) {
        self.convolvers.iter_mut().for_each(LongConvolver::pass_silence);
    }

    /// Back to silence.
    pub fn reset(&mut self) {
        self.shelves.iter_mut().for_each(StereoBiquad::reset);
        self.convolvers.iter_mut().for_each(LongConvolver::reset);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::recipe::SendLevels;

    #[test]
    fn the_send_adds_the_room_to_the_dry_stem_at_once() {
        let room = ImpulseResponse::new(vec![0.1, 0.5, 0.25], vec![0.1, 0.5, 0.25], 44_100.0).expect("valid");
        assert_eq!(room.frames(), 2, "what precedes the peak is cut off");
        let room = Some(Arc::new(room));
        let setting = ReverbSetting { enabled: true, room, ..ReverbSetting::default() };
        let mut reverb = ReverbSend::of(Stem::Vocals, &setting, 44_100.0).expect("vocals are sent");
        let mut hop = Hop::SILENT;
        // 2 kHz lies between the shelves, which pass it nearly whole.
        let tone = |n: usize| (n as f32 * 0.285).sin();
        for n in 0..HOP_FRAMES {
            hop.left[n] = tone(n);
        }
        reverb.process(&mut hop);
        let expected: f32 =
            (500..1_000).map(|n| (tone(n) + 0.5 * tone(n) + 0.25 * tone(n - 1)).powi(2)).sum();
        let actual: f32 = hop.left[500..1_000].iter().map(|sample| sample * sample).sum();
        assert!((actual / expected - 1.0).abs() < 0.15, "{actual} {expected}");
        assert_eq!(hop.right, [0.0; HOP_FRAMES]);
    }

    #[test]
    fn only_vocals_and_other_are_sent_unless_asked_and_only_on_request() {
        let off = ReverbSetting::default();
        let on = ReverbSetting { enabled: true, ..off.clone() };
        assert!(Stem::ALL.iter().all(|stem| ReverbSend::of(*stem, &off, 44_100.0).is_none()));
        let sent = Stem::ALL.map(|stem| ReverbSend::of(stem, &on, 44_100.0).is_some());
        assert_eq!(sent, [true, false, false, true]);
        let drums = SendLevels { vocals: None, drums: Some(-6.0), ..SendLevels::default() };
        let on = ReverbSetting { levels_db: drums, ..on };
        let sent = Stem::ALL.map(|stem| ReverbSend::of(stem, &on, 44_100.0).is_some());
        assert_eq!(sent, [false, false, true, true]);
    }
}
