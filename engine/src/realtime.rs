//! The audio thread's side of an engine. It copies stems into a ring, takes mix frames out of another, delays the dry
//! signal and applies smoothed gains; everything that takes time happens in `worker.rs`. It allocates nothing, takes no
//! lock, makes no system call that waits and never wakes the worker in real time – the worker sleeps just until the
//! frames it lacks can have arrived. Only when the host renders faster than real time does it wait for the worker, with
//! limits.

#![warn(clippy::disallowed_methods)]

use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer};
use tributary_dsp::CHANNELS;

use crate::delay_line::{DryDelay, Ramp};
use crate::faded_stream::FadedStream;
use crate::protocol::Shared;
use crate::settings::{DrySource, Settings};
use crate::telemetry::{PEAK_FALL_PER_SECOND, Telemetry};

/// Length of the crossfade between mix and fallback. At least 5 ms keeps it free of clicks.
const FADE_MS: f64 = 6.0;
/// Time in which mix, output gain and bypass move to a new value.
const SMOOTHING_MS: f64 = 20.0;
/// The audio clock is ahead of the wall clock by more than this (or half the latency): the host renders offline.
const OFFLINE_LEAD_S: f64 = 0.5;
/// Longest wait for the model to load while rendering offline.
const LOADING_PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for a hop while rendering offline.
const HOP_PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks while waiting.
const WAIT_STEP: Duration = Duration::from_micros(200);
/// Largest block handled in one go; longer ones are cut.
pub(crate) const MAX_BLOCK_LIMIT: usize = 65_536;

/// Frames of the crossfade between mix and fallback.
pub(crate) fn fade_frames(rate_hz: f64) -> usize {
    (FADE_MS * 1e-3 * rate_hz.clamp(0.0, 768e3)).ceil() as usize
}

/// How far the audio clock is ahead of the wall clock.
#[derive(Debug)]
struct Clock {
    /// Tells the time; simulations have their own.
    now: fn() -> Instant,
    last_call: Option<Instant>,
    lead_s: f64,
    last_block_s: f64,
}

impl Clock {
    fn new(now: fn() -> Instant) -> Self {
        Self { now, last_call: None, lead_s: 0.0, last_block_s: 0.0 }
    }

    /// A block is being asked for. A pause lets the wall clock get ahead, which says nothing about the blocks after
    /// it, so the lead never falls below zero.
    fn tick(&mut self, block_s: f64) {
        let now = (self.now)();
        if let Some(last) = self.last_call {
            let elapsed_s = now.duration_since(last).as_secs_f64();
            self.lead_s = (self.lead_s + self.last_block_s - elapsed_s).max(0.0);
        }
        self.last_call = Some(now);
        self.last_block_s = block_s;
    }
}

/// Cuts a block into parts of at most `longest` frames. A stem shorter than `main` is shorter, or empty, in the last ones.
pub(crate) fn in_parts(
    [left, right]: [&mut [f32]; 2],
    stems: [&[f32]; CHANNELS],
    longest: usize,
    mut take: impl FnMut([&mut [f32]; 2], [&[f32]; CHANNELS]),
) {
    let frames = left.len().min(right.len());
    let mut from = 0;
    while from < frames {
        let to = frames.min(from + longest);
        let part = |stem: &'_ [f32]| from.min(stem.len())..to.min(stem.len());
        take([&mut left[from..to], &mut right[from..to]], stems.map(|stem| &stem[part(stem)]));
        from = to;
    }
}

/// The audio side's ends of the three rings.
pub(crate) struct AudioRings {
    /// Stems to the worker, eight interleaved channels.
    pub(crate) input: Producer<f32>,
    /// The mix from the worker, two interleaved channels.
    pub(crate) mix: Consumer<f32>,
    /// The normalized sum from the worker, two interleaved channels.
    pub(crate) sum: Consumer<f32>,
}

/// The audio thread's side: call [`AudioSide::process`] for every block.
pub struct AudioSide {
    shared: Arc<Shared>,
    telemetry: Arc<Telemetry>,
    worker: Option<Thread>,
    input: Producer<f32>,
    interleaved: Vec<f32>,
    /// Absolute frames written to the input ring.
    written: u64,
    /// Input was lost because the ring was full; the stream starts anew as soon as there is room.
    overflowed: bool,
    /// The current stream's start.
    stream: u64,
    /// Stream frame that the next output frame shows; negative while the stream has not come through.
    position: i64,
    /// Frames since the engine started, for the time of an underrun.
    stream_frames: u64,
    latency_frames: usize,
    mix: FadedStream,
    sum: FadedStream,
    dry: DryDelay,
    max_block: usize,
    fade_frames: usize,
    rate_hz: f64,
    peaks: [f32; 4],
    output_peak: f32,
    mix_gain: Ramp,
    output_gain: Ramp,
    bypass: Ramp,
    bus: Ramp,
    ready: Ramp,
    sum_gain: Ramp,
    raw_gain: Ramp,
    /// Gains have had their first value.
    settled: bool,
    /// The current stream follows silence (start, reset), not an overflow.
    fresh: bool,
    /// A mix has come through: from now on gaps are bridged by the fallback instead of the dry signal.
    mixed: bool,
    clock: Clock,
    out_of_patience: bool,
}

impl AudioSide {
    /// A side at rest. `shared` are the words and values it shares with the worker.
    pub(crate) fn new(
        (shared, telemetry): (Arc<Shared>, Arc<Telemetry>),
        worker: Option<Thread>,
        rings: AudioRings,
        latency_frames: usize,
        rate_hz: f64,
        max_block: usize,
    ) -> Self {
        let fade_frames = fade_frames(rate_hz);
        let smoothing_frames = (SMOOTHING_MS * 1e-3 * rate_hz.clamp(0.0, 768e3)) as usize;
        Self {
            shared,
            telemetry,
            worker,
            input: rings.input,
            interleaved: vec![0.0; max_block * CHANNELS],
            written: 0,
            overflowed: false,
            stream: 0,
            position: -(latency_frames as i64),
            stream_frames: 0,
            latency_frames,
            mix: FadedStream::new(rings.mix, fade_frames, max_block),
            sum: FadedStream::new(rings.sum, fade_frames, max_block),
            dry: DryDelay::new(latency_frames),
            max_block,
            fade_frames,
            rate_hz,
            peaks: [0.0; 4],
            output_peak: 0.0,
            mix_gain: Ramp::new(1.0, smoothing_frames),
            output_gain: Ramp::new(1.0, smoothing_frames),
            bypass: Ramp::new(0.0, smoothing_frames),
            bus: Ramp::new(1.0, smoothing_frames),
            ready: Ramp::new(0.0, smoothing_frames),
            sum_gain: Ramp::new(1.0, smoothing_frames),
            raw_gain: Ramp::new(1.0, smoothing_frames),
            settled: false,
            fresh: true,
            mixed: false,
            clock: Clock::new(Instant::now),
            out_of_patience: false,
        }
    }

    /// The same side with another clock.
    #[cfg(test)]
    pub(crate) fn with_clock(mut self, now: fn() -> Instant) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// Frames between an input and its output.
    pub fn latency_frames(&self) -> usize {
        self.latency_frames
    }

    /// Whether the mix is what is heard, or would be: the model runs and its hops come in time. Real-time safe.
    pub fn is_mixing(&self) -> bool {
        self.mixed && self.position >= 0 && self.mix.has_until(self.position)
    }

    /// Whether the engine has failed and passes the dry signal. Real-time safe.
    pub fn is_failed(&self) -> bool {
        self.telemetry.is_failed()
    }

    /// Forgets everything, as after a transport jump: what follows is the start of a stream. The output is silent for
    /// one latency. Real-time safe.
    pub fn reset(&mut self) {
        self.overflowed = false;
        self.restart_stream(true);
        self.dry.reset();
        self.clock = Clock::new(self.clock.now);
        self.out_of_patience = false;
        self.settled = false;
    }

    /// Processes one block in place: `main` holds the main input and receives the output; `stems` are eight planar
    /// channels in stem order, left before right. Any length; a stem slice shorter than `main` counts as silent beyond
    /// its end. Real-time safe: no allocation, lock or wait – except when the host renders faster than real time,
    /// where it waits for the worker (at most 30 s for loading and 10 s for a hop).
    pub fn process(&mut self, main: [&mut [f32]; 2], stems: [&[f32]; CHANNELS], settings: &Settings) {
        let settings = settings.sanitized();
        in_parts(main, stems, self.max_block, |main, stems| self.process_part(main, stems, &settings));
    }

    fn process_part(&mut self, main: [&mut [f32]; 2], stems: [&[f32]; CHANNELS], settings: &Settings) {
        let frames = main[0].len();
        self.clock.tick(frames as f64 / self.rate_hz);
        self.gather(frames, stems);
        if !self.telemetry.is_failed() {
            self.send(frames, settings.offline);
            self.follow_worker();
            self.await_mix(frames, settings.offline);
        }
        let underruns = self.mix.render(self.position, frames);
        self.sum.render(self.position, frames);
        if underruns > 0 && self.telemetry.is_ready() {
            self.telemetry.underruns.fetch_add(underruns as u64, std::sync::atomic::Ordering::Relaxed);
            self.telemetry
                .last_underrun_frame
                .store(self.stream_frames, std::sync::atomic::Ordering::Relaxed);
        }
        self.set_gains(settings);
        self.write(main);
        self.position += frames as i64;
        self.stream_frames += frames as u64;
    }

    /// Interleaves the stems, cleans them and notes their peaks.
    fn gather(&mut self, frames: usize, stems: [&[f32]; CHANNELS]) {
        let fall = PEAK_FALL_PER_SECOND.powf(frames as f32 / self.rate_hz as f32);
        self.interleaved[..frames * CHANNELS].fill(0.0);
        for (channel, samples) in stems.iter().enumerate() {
            let peak = &mut self.peaks[channel / 2];
            if channel % 2 == 0 {
                *peak *= fall;
            }
            for (frame, &sample) in self.interleaved.chunks_exact_mut(CHANNELS).zip(samples.iter()) {
                let clean = clean(sample);
                *peak = peak.max(clean.abs());
                frame[channel] = clean;
            }
        }
        for (stem, peak) in self.telemetry.stems.iter().zip(self.peaks) {
            stem.set_input_peak(peak);
        }
    }

    /// Writes the gathered block to the worker. When it does not fit, the stream is given up; a new one starts with the
    /// first block that fits again.
    fn send(&mut self, frames: usize, offline: bool) {
        let needed = frames * CHANNELS;
        self.shared.set_patient(self.may_wait(offline));
        if self.input.slots() < needed && self.may_wait(offline) {
            self.wait(HOP_PATIENCE, |side| side.input.slots() >= needed);
        }
        if self.input.slots() < needed {
            if !self.overflowed {
                self.overflowed = true;
                self.restart_stream(false);
            }
            return;
        }
        if self.overflowed {
            self.overflowed = false;
            self.restart_stream(false);
        }
        if self.input.push_entire_slice(&self.interleaved[..needed]).is_ok() {
            self.written += frames as u64;
        }
    }

    /// Declares the next written frame to be the first of a stream.
    fn restart_stream(&mut self, fresh: bool) {
        self.stream = self.written;
        self.shared.start_stream(self.stream);
        self.position = -(self.latency_frames as i64);
        self.fresh = fresh;
        self.mix.restart(fresh);
        self.sum.restart(fresh);
        self.telemetry.restarts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether the host renders faster than real time, so that waiting is right.
    fn may_wait(&self, offline: bool) -> bool {
        let half_latency_s = 0.5 * self.latency_frames as f64 / self.rate_hz;
        !self.out_of_patience && (offline || self.clock.lead_s > OFFLINE_LEAD_S.min(half_latency_s))
    }

    /// Learns where the stream's output starts; until then, throws away that of earlier ones.
    fn follow_worker(&mut self) {
        // The order of these two looks is the protocol: see `protocol.rs`.
        let (mix_filled, sum_filled) = (self.mix.filled(), self.sum.filled());
        match self.shared.output_starts(self.stream) {
            Some((mix_start, sum_start)) => {
                self.mix.go_live(mix_start);
                self.sum.go_live(sum_start);
            }
            None => {
                self.mix.discard(mix_filled);
                self.sum.discard(sum_filled);
            }
        }
    }

    /// While rendering offline, waits until the mix covers the block.
    fn await_mix(&mut self, frames: usize, offline: bool) {
        let until = self.position + (frames + self.fade_frames) as i64 + 1;
        if until <= 0 {
            return;
        }
        self.mix.look_ahead(self.position, frames);
        if self.mix.has_until(until) {
            self.out_of_patience = false;
            return;
        }
        if !self.may_wait(offline) {
            return;
        }
        let patience = if self.telemetry.is_ready() { HOP_PATIENCE } else { LOADING_PATIENCE };
        let position = self.position;
        let came = self.wait(patience, |side| {
            side.follow_worker();
            side.mix.look_ahead(position, frames);
            side.mix.has_until(until) || side.mix.is_blocked() || side.telemetry.is_failed()
        });
        self.out_of_patience = !came;
    }

    /// Waits for `done`, nudging the worker. Only ever called while rendering offline.
    #[expect(clippy::disallowed_methods, reason = "offline, where waiting is right")]
    fn wait(&mut self, patience: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let start = Instant::now();
        while !done(self) {
            if start.elapsed() > patience {
                return false;
            }
            if let Some(worker) = &self.worker {
                worker.unpark();
            }
            std::thread::sleep(WAIT_STEP);
        }
        true
    }

    fn set_gains(&mut self, settings: &Settings) {
        // Before a fresh stream comes through nothing is heard, so gains need not move smoothly – and an offline render
        // must not depend on when the model became ready. After an overflow the dry signal goes on being heard.
        let unheard = self.fresh && self.position < 0;
        let jump = !self.settled || unheard;
        let on = |yes: bool| if yes { 1.0 } else { 0.0 };
        self.mix_gain.set(settings.mix, !self.settled);
        self.output_gain.set(settings.output_gain, !self.settled);
        self.bypass.set(on(settings.bypass), !self.settled);
        self.bus.set(on(settings.dry_source == DrySource::Bus), !self.settled);
        // A model that has just been loaded has made no mix yet, and no loudness is known to bring a fallback to: the
        // dry signal stays until the mix is there.
        let comes = (unheard || self.position >= 0) && self.mix.has_until(self.position.max(0) + 1);
        self.mixed = self.telemetry.is_ready() && (self.mixed || comes);
        self.ready.set(on(self.mixed), jump);
        self.sum_gain.set(self.telemetry.sum_gain.get(), jump);
        self.raw_gain.set(self.telemetry.raw_gain.get(), jump);
        self.settled = true;
    }

    /// Delays the dry signals and writes the output.
    fn write(&mut self, main: [&mut [f32]; 2]) {
        let [left, right] = main;
        let fall = PEAK_FALL_PER_SECOND.powf(left.len() as f32 / self.rate_hz as f32);
        let mut output_peak = self.output_peak * fall;
        for (i, (left, right)) in left.iter_mut().zip(right.iter_mut()).enumerate() {
            let stems = &self.interleaved[i * CHANNELS..(i + 1) * CHANNELS];
            let raw = |side: usize| stems[side] + stems[side + 2] + stems[side + 4] + stems[side + 6];
            let delayed = self.dry.step([clean(*left), clean(*right), raw(0), raw(1)]);
            let mix_share = self.mix_gain.next();
            let gain = self.output_gain.next();
            let bypass = self.bypass.next();
            let bus = self.bus.next();
            let ready = self.ready.next();
            let sum_gain = self.sum_gain.next();
            let raw_gain = self.raw_gain.next();
            let mix = [self.mix.left[i], self.mix.right[i]];
            let sum = [self.sum.left[i], self.sum.right[i]];
            let (mix_weight, sum_weight) = (self.mix.weights[i], self.sum.weights[i]);
            for (side, out) in [left, right].into_iter().enumerate() {
                let (main, raw) = (delayed[side], delayed[side + 2]);
                let dry = blend(raw, main, bus);
                let fallback = blend(raw * raw_gain, sum[side] * sum_gain, sum_weight);
                let wet = blend(dry, blend(fallback, mix[side], mix_weight), ready);
                *out = blend(blend(dry, wet, mix_share) * gain, main, bypass);
                output_peak = output_peak.max(out.abs());
            }
        }
        self.output_peak = output_peak;
        self.telemetry.output_peak.set(output_peak);
    }
}

/// What is not a number becomes silence, and what is beyond audio (+120 dB full scale) stops there, so that no sum or
/// gain overflows. Everything else passes bit for bit.
fn clean(x: f32) -> f32 {
    if x.is_nan() { 0.0 } else { x.clamp(-1e6, 1e6) }
}

/// `a` at weight 0, `b` at weight 1, each exactly.
fn blend(a: f32, b: f32, weight: f32) -> f32 {
    a * (1.0 - weight) + b * weight
}
