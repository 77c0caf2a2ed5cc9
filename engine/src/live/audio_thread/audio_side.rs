//! The audio thread's side of an engine. It copies stems into a ring, takes mix frames out of another, and blends what is
//! heard; everything that takes time happens in `worker.rs`, which it never wakes in real time – the worker sleeps just until
//! the frames it lacks can have arrived. While a host renders a file, and only then, it waits for the worker.

use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

use rtrb::{Consumer, Producer};
use tributary_dsp::CHANNELS;

use super::blend::{Blend, bounded};
use super::faded_stream::FadedStream;
use super::output_copy::OutputCopy;
use super::parts::in_parts;
use super::render_mode::{Pace, Patience, RenderMode};
use super::render_record::RenderRecord;
use super::settings::Settings;
use super::time::{REAL_TIME, Time};
use crate::bundle::contract::ContractLimiter;
use crate::latency::LatencyReport;
use crate::live::control_ring::ControlSender;
use crate::live::protocol::Shared;
use crate::live::telemetry::{PEAK_FALL_PER_SECOND, Telemetry};
use crate::silence::{self, Tail};

/// Length of the crossfade between mix and fallback. At least 5 ms keeps it free of clicks.
const FADE_MS: f64 = 6.0;
/// Hosts round positions, and some count them in beats: less is no jump.
const POSITION_SLACK_MS: f64 = 1.0;
/// Pause between two looks while waiting.
const WAIT_STEP: Duration = Duration::from_micros(200);
/// Frames of the crossfade between mix and fallback.
pub(crate) fn fade_frames(rate_hz: f64) -> usize {
    (FADE_MS * 1e-3 * rate_hz.clamp(0.0, 768e3)).ceil() as usize
}

/// The audio side's ends of the five rings.
pub(crate) struct AudioRings {
    /// Stems to the worker, eight interleaved channels.
    pub(crate) input: Producer<f32>,
    /// What is asked of them.
    pub(crate) controls: ControlSender,
    /// The mix from the worker, two interleaved channels.
    pub(crate) mix: Consumer<f32>,
    /// The normalized sum from the worker, two interleaved channels.
    pub(crate) sum: Consumer<f32>,
    /// A copy of what leaves, to be measured, two interleaved channels.
    pub(crate) output: Producer<f32>,
}

/// The audio thread's side: call [`AudioSide::process`] for every block.
pub struct AudioSide {
    shared: Arc<Shared>,
    telemetry: Arc<Telemetry>,
    worker: Option<Thread>,
    input: Producer<f32>,
    controls: ControlSender,
    interleaved: Vec<f32>,
    output: OutputCopy,
    /// Absolute frames written to the input ring.
    written: u64,
    /// Input was lost because the ring was full; the stream starts anew as soon as there is room.
    overflowed: bool,
    /// The current stream's start, once it is declared.
    stream: Option<u64>,
    /// The song's frame less the engine's (`stream_frames`), as the host or the stream's beginning last said.
    song_offset: i64,
    /// Silent frames that went in last, of stems and main input; no more than the dry delay holds.
    quiet: Tail,
    /// Stream frame that the next output frame shows; negative while the stream has not come through.
    position: i64,
    /// Frames since the engine started, for the time of an underrun.
    stream_frames: u64,
    latency_frames: usize,
    /// Frames of the latency that are there for the worker to compute in.
    computing_frames: i64,
    mix: FadedStream,
    sum: FadedStream,
    max_block: usize,
    rate_hz: f64,
    peaks: [f32; 4],
    blend: Blend,
    /// The current stream follows silence (start, reset), not an overflow.
    fresh: bool,
    /// A mix has come through: from now on gaps are bridged by the fallback instead of the dry signal.
    mixed: bool,
    time: Time,
    render_mode: RenderMode,
    /// What the host does with the present call.
    pace: Pace,
    patience: Patience,
    record: RenderRecord,
}

impl AudioSide {
    /// A side at rest. `shared` are the words and values it shares with the worker.
    pub(crate) fn new(
        (shared, telemetry): (Arc<Shared>, Arc<Telemetry>),
        worker: Option<Thread>,
        rings: AudioRings,
        limiter: Option<ContractLimiter>,
        latency: &LatencyReport,
        max_block: usize,
    ) -> Self {
        let (latency_frames, rate_hz) = (latency.total_frames(), latency.rate_hz);
        let fade_frames = fade_frames(rate_hz);
        let mut quiet = Tail::new(latency_frames);
        quiet.end();
        let first_due_frames = latency_frames.saturating_sub(fade_frames + max_block);
        Self {
            shared,
            telemetry,
            worker,
            input: rings.input,
            controls: rings.controls,
            interleaved: vec![0.0; max_block * CHANNELS],
            output: OutputCopy::new(rings.output, max_block, rate_hz),
            written: 0,
            overflowed: false,
            stream: None,
            song_offset: 0,
            quiet,
            position: -(latency_frames as i64),
            stream_frames: 0,
            latency_frames,
            computing_frames: latency.part_frames("computing") as i64,
            mix: FadedStream::new(rings.mix, fade_frames, max_block),
            sum: FadedStream::new(rings.sum, fade_frames, max_block),
            max_block,
            rate_hz,
            peaks: [0.0; 4],
            blend: Blend::new(latency_frames, max_block, rate_hz, limiter),
            fresh: true,
            mixed: false,
            time: REAL_TIME,
            render_mode: RenderMode::new(first_due_frames as f64 / rate_hz),
            pace: Pace::RealTime,
            patience: Patience::default(),
            record: RenderRecord::new(latency_frames, rate_hz),
        }
    }

    /// The same side in another time, for tests.
    #[doc(hidden)]
    pub fn in_time(self, time: Time) -> Self {
        Self { time, ..self }
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
        self.start_over();
        self.render_mode.reset();
        self.record.restart();
    }

    /// What follows is the start of a stream.
    fn start_over(&mut self) {
        self.overflowed = false;
        self.end_stream(true);
        self.blend.reset();
        self.shared.start_output(self.output.written());
        self.quiet.end();
    }

    /// Processes one block in place: `main` holds the main input and receives the output; `stems` are eight planar
    /// channels in stem order, left before right. Any length; a stem slice shorter than `main` counts as silent beyond
    /// its end. Real-time safe: no allocation, lock or wait, with one exception. While the host renders a file it waits
    /// for the worker: where [`Settings::offline`] says so as long as the worker makes progress, and at most 100 ms a
    /// call where only the host's pace does.
    pub fn process(&mut self, main: [&mut [f32]; 2], stems: [&[f32]; CHANNELS], settings: &Settings) {
        self.process_call(main, stems, settings, true);
    }

    /// [`Self::process`] of a side whose output is not what leaves the plug-in: that must be [shown](Self::show) to it.
    pub(crate) fn process_unshown(
        &mut self,
        main: [&mut [f32]; 2],
        stems: [&[f32]; CHANNELS],
        settings: &Settings,
    ) {
        self.process_call(main, stems, settings, false);
    }

    fn process_call(
        &mut self,
        main: [&mut [f32]; 2],
        stems: [&[f32]; CHANNELS],
        settings: &Settings,
        leaves: bool,
    ) {
        let mut settings = settings.sanitized();
        self.begin_call(main[0].len().min(main[1].len()), &settings);
        in_parts(main, stems, self.max_block, |[left, right], stems| {
            self.process_part([&mut *left, &mut *right], stems, &settings);
            if leaves {
                self.show([left, right]);
            }
            settings = settings.after(left.len());
        });
    }

    /// Notes what the host does with a call.
    fn begin_call(&mut self, frames: usize, settings: &Settings) {
        let now = (self.time.now)();
        self.pace = self.render_mode.block(settings.offline, now, frames as f64 / self.rate_hz);
        self.patience.begin_call();
        self.record.begin_call(self.pace, self.render_mode.plays(), now, &self.telemetry.render);
    }

    /// Has what leaves the plug-in measured.
    pub(crate) fn show(&mut self, output: [&[f32]; 2]) {
        self.output.take(output, &self.telemetry);
    }

    fn process_part(&mut self, main: [&mut [f32]; 2], stems: [&[f32]; CHANNELS], settings: &Settings) {
        let frames = main[0].len();
        self.follow_song(settings.song_frame);
        self.gather(frames, stems);
        let quiet = main.iter().all(|side| silence::is_silent(side))
            && stems.iter().all(|channel| silence::is_silent(channel));
        self.quiet.hear(quiet, frames);
        if !self.telemetry.is_failed() {
            self.send(frames, settings);
            self.follow_worker();
            self.await_mix(frames);
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
        let lacks_mix = self.write(main);
        let is_heard = !settings.bypass && (settings.mix > 0.0 || settings.delta);
        self.record.add(frames, lacks_mix && is_heard, &self.telemetry.render);
        self.position += frames as i64;
        self.stream_frames += frames as u64;
    }

    /// Notes where in the song the host is. A jump while nothing but silence is on its way – play after stop, most often –
    /// is the start of a stream: nothing is lost, and what is played depends on where it is in the song only. After a jump
    /// in the middle of sound, a loop's, the stream goes on: a new one would be silent for one latency.
    fn follow_song(&mut self, song_frame: Option<i64>) {
        let Some(frame) = song_frame else { return };
        let offset = frame.wrapping_sub(self.stream_frames as i64);
        let slack = (POSITION_SLACK_MS * 1e-3 * self.rate_hz) as u64;
        let jumped = self.stream.is_some() && offset.abs_diff(self.song_offset) > slack;
        if jumped && self.quiet.is_over() {
            self.start_over();
        }
        self.song_offset = offset;
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
                let clean = bounded(sample);
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
    fn send(&mut self, frames: usize, settings: &Settings) {
        let needed = frames * CHANNELS;
        self.shared.set_patient(self.patience.is_with(self.pace));
        let fits = |side: &mut Self| side.input.slots() >= needed && side.controls.has_room();
        self.wait(|side| fits(side) || side.telemetry.is_failed());
        if self.input.slots() < needed {
            if !self.overflowed {
                self.overflowed = true;
                self.end_stream(false);
            }
            return;
        }
        self.overflowed = false;
        if self.stream.is_none() {
            self.begin_stream(settings.song_frame);
        }
        self.controls.send(self.written, &settings.controls);
        if self.input.push_entire_slice(&self.interleaved[..needed]).is_ok() {
            self.written += frames as u64;
        }
    }

    /// Another stream begins with the next block that is written.
    fn end_stream(&mut self, fresh: bool) {
        self.stream = None;
        self.position = -(self.latency_frames as i64);
        self.fresh = fresh;
        self.mix.restart(fresh);
        self.sum.restart(fresh);
        self.telemetry.restarts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Declares the next written frame to be the first of a stream, and which one of the song's it is.
    fn begin_stream(&mut self, song_frame: Option<i64>) {
        let song_frame = song_frame.unwrap_or(0);
        self.song_offset = song_frame.wrapping_sub(self.stream_frames as i64);
        self.shared.start_stream(self.written, song_frame);
        self.stream = Some(self.written);
        self.position = -(self.latency_frames as i64);
    }

    /// Learns where the stream's output starts; until then, throws away that of earlier ones.
    fn follow_worker(&mut self) {
        // The order of these two looks is the protocol: see `protocol.rs`.
        let (mix_filled, sum_filled) = (self.mix.filled(), self.sum.filled());
        match self.stream.and_then(|stream| self.shared.output_starts(stream)) {
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

    /// While the host renders, waits until the mix covers the block. Where calls may not wait long, they begin as soon as
    /// a hop can be made, a hop before its first frame is due: so what a hop takes is spread over many calls.
    fn await_mix(&mut self, frames: usize) {
        let early_frames = if self.pace == Pace::Unannounced { self.computing_frames } else { 0 };
        let (position, until) = (self.position, self.mix.needed(self.position, frames) + early_frames);
        if until > 0 {
            self.wait(|side| {
                side.follow_worker();
                side.mix.look_ahead(position, until);
                side.mix.has_until(until) || side.mix.is_blocked() || side.telemetry.is_failed()
            });
        }
    }

    /// Waits for `done` as long as patience lasts – which is not at all while the host plays –, nudging the worker. This
    /// is the one place where the audio thread waits.
    #[expect(
        clippy::disallowed_methods,
        reason = "nobody listens to a render, and what comes late is lost for good"
    )]
    fn wait(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        if done(self) || self.pace == Pace::RealTime {
            return;
        }
        let began = (self.time.now)();
        let mut now = began;
        while self.patience.lasts(self.pace, now, self.shared.progress()) {
            if let Some(worker) = &self.worker {
                worker.unpark();
            }
            (self.time.sleep)(WAIT_STEP);
            now = (self.time.now)();
            if done(self) {
                break;
            }
        }
        self.render_mode.waited(now.saturating_duration_since(began));
    }

    /// What of the model is to be heard. A model that has just been loaded has made no mix yet, and no loudness is known to
    /// bring a fallback to: the dry signal stays until the mix is there.
    fn set_gains(&mut self, settings: &Settings) {
        // Before a fresh stream comes through nothing is heard, so gains need not move smoothly – and an offline render
        // must not depend on when the model became ready. After an overflow the dry signal goes on being heard.
        let unheard = self.fresh && self.position < 0;
        let comes = (unheard || self.position >= 0) && self.mix.has_until(self.position.max(0) + 1);
        self.mixed = self.telemetry.is_ready() && (self.mixed || comes);
        let raw_gain = self.telemetry.raw_gain.get();
        self.blend.set_gains(settings, self.mixed, raw_gain, unheard);
    }

    /// Writes the output. Returns whether there is a frame that is not the mix, or not only.
    fn write(&mut self, main: [&mut [f32]; 2]) -> bool {
        let heard_from = if self.fresh { (-self.position).max(0) as usize } else { 0 };
        let stems = &self.interleaved[..main[0].len() * CHANNELS];
        self.blend.write(main, stems, &self.mix, &self.sum, heard_from)
    }
}
