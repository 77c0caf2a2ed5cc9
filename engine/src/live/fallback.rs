//! What the worker keeps ready for the time when the mix is late: the sum of the normalized stems, brought to the mix's
//! loudness and held under the same ceiling. All of that is done here, ahead of time, so that the audio thread only
//! fades.

use crate::bundle::contract::ContractLimiter;
use crate::live::audio_thread::delay_line::Ramp;
use crate::pipeline::limiter::Limiter;

/// Time in which the gain moves to a new value.
const SMOOTHING_MS: f64 = 20.0;
/// Frames handled in one go.
const PIECE_FRAMES: usize = 1024;

/// Gain and limiter of the fallback, at the host's rate.
pub(crate) struct Fallback {
    gain: Ramp,
    target: f32,
    limiter: Option<Limiter>,
    piece: [Vec<f32>; 2],
}

impl Fallback {
    /// At unity gain; under the ceiling of `limiter`, if there is one.
    pub(crate) fn new(limiter: Option<ContractLimiter>, host_rate_hz: f64) -> Self {
        Self {
            gain: Ramp::new(1.0, (SMOOTHING_MS * 1e-3 * host_rate_hz) as usize),
            target: 1.0,
            limiter: limiter.map(|limiter| Limiter::new(limiter.ceiling_dbtp, host_rate_hz)),
            piece: [vec![0.0; PIECE_FRAMES], vec![0.0; PIECE_FRAMES]],
        }
    }

    /// Another stream begins. Until its mix is known, that of the one before it says how loud the fallback is.
    pub(crate) fn start(&mut self) {
        self.gain.set(self.target, true);
        self.limiter.iter_mut().for_each(Limiter::reset);
    }

    /// From the next frame on the gain moves to this, linear.
    pub(crate) fn set_gain(&mut self, gain: f32) {
        self.target = gain;
        self.gain.set(gain, false);
    }

    /// Takes all frames that `pull` yields; `sink` receives those that are finished, in order.
    pub(crate) fn pass(
        &mut self,
        mut pull: impl FnMut(&mut [&mut [f32]; 2]) -> usize,
        mut sink: impl FnMut([&[f32]; 2]),
    ) {
        loop {
            let [left, right] = &mut self.piece;
            let count = pull(&mut [left, right]);
            if count == 0 {
                return;
            }
            for (left, right) in left[..count].iter_mut().zip(&mut right[..count]) {
                let gain = self.gain.next();
                *left *= gain;
                *right *= gain;
            }
            let piece = [&left[..count], &right[..count]];
            match &mut self.limiter {
                Some(limiter) => limiter.pass(piece, &mut sink),
                None => sink(piece),
            }
        }
    }
}
