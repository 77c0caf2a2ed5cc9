//! What is heard of all that is there: the mix, in its place the fallback, in that one's the plain sum, before a model is
//! ready the dry signal; and over all of it the user's gains. Every step from one to the other glides, and the dry
//! signals are delayed here by exactly the latency.

use tributary_dsp::CHANNELS;

use super::delay_line::{DryDelay, HeldPeak, Ramp};
use super::faded_stream::FadedStream;
use super::loudness_match::LoudnessMatch;
use super::settings::{DrySource, Settings};
use crate::bundle::contract::ContractLimiter;
use crate::glide::{GAIN_MS, Glide};

/// Time in which what depends on the model moves to a new value.
const SMOOTHING_MS: f64 = 20.0;
/// How far samples of the plain sum stay below the ceiling when that sum stands in for everything else: what lies between
/// them exceeds a tone's samples by 3 dB at most up to a quarter of the rate.
const RAW_MARGIN_DB: f64 = 3.0;

/// See the module documentation.
pub(super) struct Blend {
    dry: DryDelay,
    mix_gain: Glide,
    output_gain: Glide,
    bypass: Glide,
    bus: Glide,
    ready: Ramp,
    raw_gain: Ramp,
    delta: Glide,
    matching: LoudnessMatch,
    /// Largest sample of the plain sum that is to be heard, and the largest one that is on its way.
    raw_limit: f32,
    raw_peak: HeldPeak,
    /// Gains have had their first value.
    settled: bool,
}

impl Blend {
    /// Nothing on its way; the first gains are there at once. Allocates.
    pub(super) fn new(
        latency_frames: usize,
        max_block: usize,
        rate_hz: f64,
        limiter: Option<ContractLimiter>,
    ) -> Self {
        let smoothing_frames = (SMOOTHING_MS * 1e-3 * rate_hz.clamp(0.0, 768e3)) as usize;
        let ramp = |value| Ramp::new(value, smoothing_frames);
        let glide = |value| Glide::new(value, GAIN_MS, rate_hz.clamp(8e3, 768e3));
        Self {
            dry: DryDelay::new(latency_frames),
            mix_gain: glide(1.0),
            output_gain: glide(1.0),
            bypass: glide(0.0),
            bus: glide(1.0),
            ready: ramp(0.0),
            raw_gain: ramp(1.0),
            delta: glide(0.0),
            matching: LoudnessMatch::new(rate_hz),
            raw_limit: limiter.map_or(f32::INFINITY, |limiter| {
                10f64.powf((limiter.ceiling_dbtp - RAW_MARGIN_DB) / 20.0) as f32
            }),
            raw_peak: HeldPeak::new(latency_frames + max_block),
            settled: false,
        }
    }

    /// Nothing is on its way any more; the next gains are there at once.
    pub(super) fn reset(&mut self) {
        self.dry.reset();
        self.raw_peak.reset();
        self.matching.reset();
        self.settled = false;
    }

    /// Gains of the next part. `mixed`: the mix has come through. `raw_gain` brings the plain sum to the mix's loudness.
    /// While all is `unheard`, what depends on the model need not move smoothly.
    pub(super) fn set_gains(&mut self, settings: &Settings, mixed: bool, raw_gain: f32, unheard: bool) {
        let jump = !self.settled || unheard;
        let on = |yes: bool| if yes { 1.0 } else { 0.0 };
        let at_once = !self.settled;
        self.mix_gain.move_to(f64::from(settings.mix), at_once);
        self.output_gain.move_to(f64::from(settings.output_gain), at_once);
        self.bypass.move_to(on(settings.bypass), at_once);
        self.bus.move_to(on(settings.dry_source == DrySource::Bus), at_once);
        self.delta.move_to(on(settings.delta), at_once);
        self.matching.set(settings.match_loudness);
        self.ready.set(if mixed { 1.0 } else { 0.0 }, jump);
        // The gain is down before a peak comes out of the delay.
        let most = self.raw_limit / self.raw_peak.held().max(f32::MIN_POSITIVE);
        self.raw_gain.set(raw_gain.min(most), jump);
        self.settled = true;
    }

    /// Delays the dry signals – `main` and the sum of `stems`, which are interleaved – and writes the output over `main`.
    /// Returns whether there is a frame from `heard_from` on that is not the mix, or not only.
    pub(super) fn write(
        &mut self,
        main: [&mut [f32]; 2],
        stems: &[f32],
        mix: &FadedStream,
        sum: &FadedStream,
        heard_from: usize,
    ) -> bool {
        let [left, right] = main;
        let mut lacks_mix = false;
        let (mut raw_peak, frames) = (0f32, left.len());
        let stems = stems.chunks_exact(CHANNELS);
        for (i, ((left, right), stems)) in left.iter_mut().zip(right.iter_mut()).zip(stems).enumerate() {
            let raw = |side: usize| stems[side] + stems[side + 2] + stems[side + 4] + stems[side + 6];
            let raw = [raw(0), raw(1)];
            raw_peak = raw_peak.max(raw[0].abs()).max(raw[1].abs());
            let delayed = self.dry.step([bounded(*left), bounded(*right), raw[0], raw[1]]);
            let mix_share = self.mix_gain.next() as f32;
            let gain = self.output_gain.next() as f32;
            let bypass = self.bypass.next() as f32;
            let bus = self.bus.next() as f32;
            let ready = self.ready.next();
            let raw_gain = self.raw_gain.next();
            let (delta, dry_gain) = (self.delta.next() as f32, self.matching.gain());
            let (mixed, summed) = ([mix.left[i], mix.right[i]], [sum.left[i], sum.right[i]]);
            let (mix_weight, sum_weight) = (mix.weights[i], sum.weights[i]);
            lacks_mix |= (mix_weight < 1.0 || ready < 1.0) && i >= heard_from;
            let (mut dry_frame, mut wet_frame) = ([0.0; 2], [0.0; 2]);
            for (side, out) in [left, right].into_iter().enumerate() {
                let (main, raw) = (delayed[side], delayed[side + 2]);
                let dry = blend(raw, main, bus);
                let fallback = blend(raw * raw_gain, summed[side], sum_weight);
                let wet = blend(dry, blend(fallback, mixed[side], mix_weight), ready);
                (dry_frame[side], wet_frame[side]) = (dry, wet);
                let dry = dry * dry_gain;
                let heard = blend(blend(dry, wet, mix_share), wet - dry, delta);
                *out = blend(heard * gain, main, bypass);
            }
            self.matching.hear(dry_frame, wet_frame);
        }
        self.raw_peak.take(raw_peak, frames);
        lacks_mix
    }
}

/// What is not a number becomes silence, and what is beyond audio (+120 dB full scale) stops there, so that no sum or
/// gain overflows. Everything else passes bit for bit.
pub(super) fn bounded(x: f32) -> f32 {
    if x.is_nan() { 0.0 } else { x.clamp(-1e6, 1e6) }
}

/// `a` at weight 0, `b` at weight 1, each exactly.
fn blend(a: f32, b: f32, weight: f32) -> f32 {
    a * (1.0 - weight) + b * weight
}
