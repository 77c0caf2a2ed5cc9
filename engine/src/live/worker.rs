//! The worker thread of one engine: loads the model, then turns input frames into the normalized sum and the mix for as
//! long as the engine lives. It owns the [`Pipeline`] and everything that may allocate or take time. Nobody wakes it in
//! real time: having worked off what there is, it sleeps until the frames it lacks can have arrived. It is parked by the
//! standard library's means, because while a host renders the audio side nudges it, and `crossbeam`'s unparker may lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use rtrb::{Consumer, Producer};
use tributary_dsp::{CHANNELS, CorrectionSource};

use super::control_ring::ControlReceiver;
use super::fallback::Fallback;
use super::model_source::ModelSource;
use super::onlookers::Onlookers;
use super::output_meter::OutputMeter;
use super::output_ring::OutputRing;
use super::protocol::{NO_STREAM, Shared};
use super::publication::Publication;
use super::telemetry::Telemetry;
use crate::error::EngineError;
use crate::learn::state::Command;
use crate::pipeline::{HopOutcome, Pipeline};

/// Frames taken from the input ring at a time.
const TAKE_FRAMES: usize = 1024;
/// Shortest and longest sleep. The longest bounds how late the worker notices a new stream or that it should end.
const SLEEP_RANGE_MS: (f64, f64) = (1.0, 20.0);
/// Longest sleep while there is nothing to do.
const REST_MS: f64 = 125.0;
/// Share of the time for computing a hop that such a sleep may take of it, in case that sound has come meanwhile.
const REST_SHARE: f64 = 0.5;
/// Sleep of a worker that has failed and only measures.
const FAILED_SLEEP: Duration = Duration::from_millis(50);
/// A host that has sent nothing for this long has stopped.
const STOPPED_MS: f64 = 500.0;

/// What a worker is given.
pub(crate) struct WorkerConfig {
    pub(crate) model: ModelSource,
    pub(crate) corrections: CorrectionSource,
    pub(crate) host_rate_hz: f64,
    pub(crate) latency_frames: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) rings: WorkerRings,
    pub(crate) commands: Receiver<Command>,
}

/// The worker's ends of the rings.
pub(crate) struct WorkerRings {
    /// Stems from the audio side, eight interleaved channels.
    pub(crate) input: Consumer<f32>,
    /// What is asked of them.
    pub(crate) controls: ControlReceiver,
    /// The mix for the audio side, two interleaved channels.
    pub(crate) mix: Producer<f32>,
    /// The normalized sum for the audio side, two interleaved channels.
    pub(crate) sum: Producer<f32>,
}

/// The running worker.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    telemetry: Arc<Telemetry>,
    input: Consumer<f32>,
    controls: ControlReceiver,
    mix: OutputRing,
    sum: OutputRing,
    commands: Receiver<Command>,
    pipeline: Pipeline,
    fallback: Fallback,
    latency_frames: u64,
    /// Absolute frames taken from the input ring.
    taken: u64,
    /// Absolute frame with which the capture ends.
    capture_end: Option<u64>,
    /// The stream being worked on.
    stream: u64,
    publication: Publication,
    onlookers: Onlookers,
    /// How long it has slept without finding a frame, in ms.
    waited_ms: f64,
}

/// What one round of the worker found to do.
#[derive(Debug, PartialEq, Eq)]
enum Round {
    Busy,
    Idle,
}

impl Worker {
    /// The thread's body: loads, works, and turns every failure, panics included, into a state the editor can show.
    pub(crate) fn main(config: WorkerConfig, mut meter: OutputMeter) {
        let shared = Arc::clone(&config.shared);
        let telemetry = Arc::clone(&config.telemetry);
        if telemetry.is_failed() {
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut worker = Self::load(config)?;
            worker.telemetry.set_ready();
            worker.run(&mut meter)
        }));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => telemetry.set_failed(reason),
            Err(_) => telemetry.set_failed("The engine stopped because of an internal error.".into()),
        }
        // The dry signal passes, and that is measured too.
        while !shared.should_stop() {
            meter.follow();
            std::thread::park_timeout(FAILED_SLEEP);
        }
    }

    fn load(config: WorkerConfig) -> Result<Self, String> {
        let fallback = Fallback::new(config.model.limiter(), config.host_rate_hz);
        let WorkerConfig {
            model,
            corrections,
            host_rate_hz,
            latency_frames,
            shared,
            telemetry,
            rings,
            commands,
        } = config;
        let (mut pipeline, remark) = build_pipeline(model, corrections, host_rate_hz, &|share| {
            telemetry.set_loading(share);
            shared.advance();
        })?;
        if let Some(remark) = remark {
            telemetry.set_remark(remark);
        }
        // The audio side relies on it: what the host was told must cover what the pipeline needs.
        if pipeline.latency().total_frames() > latency_frames {
            return Err("The model's window is longer than its contract says.".into());
        }
        telemetry.set_masks(pipeline.has_masks(), pipeline.mask_meter().is_some());
        let publication = Publication::new(Arc::clone(&telemetry));
        let onlookers = Onlookers::new(Arc::clone(&telemetry));
        Ok(Self {
            shared,
            telemetry,
            input: rings.input,
            controls: rings.controls,
            mix: OutputRing::new(rings.mix),
            sum: OutputRing::new(rings.sum),
            commands,
            pipeline,
            fallback,
            latency_frames: latency_frames as u64,
            taken: 0,
            capture_end: None,
            stream: NO_STREAM,
            publication,
            onlookers,
            waited_ms: 0.0,
        })
    }

    fn run(&mut self, meter: &mut OutputMeter) -> Result<(), String> {
        while !self.shared.should_stop() {
            meter.follow();
            if self.round()? == Round::Busy {
                self.waited_ms = 0.0;
            } else {
                let sleep_ms = self.sleep_ms();
                self.waited_ms += sleep_ms;
                std::thread::park_timeout(Duration::from_secs_f64(sleep_ms * 1e-3));
            }
        }
        Ok(())
    }

    /// Follows stream changes, takes all input there is, makes at most one hop.
    fn round(&mut self) -> Result<Round, String> {
        let started = Instant::now();
        // The order of these two looks is the protocol: see `protocol.rs`.
        let filled = self.input.slots() / CHANNELS;
        self.follow_commands();
        let requested = self.shared.requested_stream();
        if requested != self.stream {
            self.begin_stream(requested);
        }
        let stale = self.stream.saturating_sub(self.taken).min(filled as u64) as usize;
        self.discard(stale);
        let fresh = filled - stale;
        self.take(fresh);
        if self.capture_end.is_some_and(|end| self.taken >= end) {
            self.capture_end = None;
            self.pipeline.set_listener(None);
        }
        if filled > 0 {
            self.shared.advance();
        }
        self.publication.publish_locks(&self.pipeline);
        if fresh > 0 {
            let Self { fallback, pipeline, sum, .. } = self;
            fallback.pass(|out| pipeline.pull_sum(out), |piece| sum.write(piece));
            self.pipeline.watch_images(self.telemetry.is_looked_at());
            if let Some(gain) = self.publication.publish(&self.pipeline) {
                self.fallback.set_gain(gain);
            }
            self.onlookers.follow(&mut self.pipeline);
        }
        self.publication.add_work(started.elapsed());
        if self.pipeline.hop_is_due() {
            self.make_hop()?;
            return Ok(Round::Busy);
        }
        Ok(if filled > 0 { Round::Busy } else { Round::Idle })
    }

    /// Does what the main thread asks for. A capture begins before, and ends after, the frames that were pushed before
    /// it was asked for; so what was played between two commands is captured to the frame.
    fn follow_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Capture(chunks) => {
                    self.capture_end = None;
                    self.pipeline.set_listener(Some(Box::new(chunks)));
                }
                Command::EndCapture => {
                    let waiting = (self.input.slots() / CHANNELS) as u64;
                    self.capture_end = Some(self.taken + waiting);
                }
                Command::Glide(corrections, statistics) => {
                    self.pipeline.glide_to(corrections);
                    // The monitor path has no network that could hold them.
                    let _ = self.pipeline.freeze_statistics(statistics);
                }
                Command::Lock(kept) => self.pipeline.lock_at(kept),
            }
        }
    }

    fn begin_stream(&mut self, stream: u64) {
        self.pipeline.start_at(self.shared.song_frame());
        self.fallback.start();
        self.stream = stream;
        self.publication.restart();
        self.onlookers.restart();
        self.shared.acknowledge(stream, self.mix.written(), self.sum.written());
    }

    fn discard(&mut self, frames: usize) {
        if let Ok(chunk) = self.input.read_chunk(frames * CHANNELS) {
            chunk.commit_all();
            self.taken += frames as u64;
        }
    }

    /// Hands frames of the current stream to the pipeline.
    fn take(&mut self, frames: usize) {
        let mut left = frames;
        while left > 0 {
            let count = self.follow_controls(left.min(TAKE_FRAMES));
            let Ok(chunk) = self.input.read_chunk(count * CHANNELS) else { return };
            let (head, tail) = chunk.as_slices();
            self.pipeline.ingest_interleaved([head, tail]);
            chunk.commit_all();
            self.taken += count as u64;
            left -= count;
        }
    }

    /// Steers the pipeline as is asked from the next frame on; returns for how many of the next `frames` frames that holds.
    fn follow_controls(&mut self, frames: usize) -> usize {
        while let Some(controls) = self.controls.due(self.taken) {
            self.pipeline.set_controls(&controls);
        }
        let until = self.controls.next_frame().map_or(u64::MAX, |frame| frame - self.taken);
        frames.min(usize::try_from(until).unwrap_or(usize::MAX))
    }

    /// Makes the due hop, or gives it up when its last frame has been due already.
    fn make_hop(&mut self) -> Result<(), String> {
        let started = Instant::now();
        let overdue = self.pipeline.next_hop_end_frame() <= self.due_frame();
        if overdue && !self.shared.is_patient() {
            self.pipeline.skip_hop();
            self.telemetry.skipped_hops.fetch_add(1, Relaxed);
        } else {
            match self.pipeline.run_hop().map_err(|e| e.to_string())? {
                HopOutcome::Mixed => self.telemetry.hops.fetch_add(1, Relaxed),
                HopOutcome::Rested => 0,
                HopOutcome::Discarded => self.telemetry.skipped_hops.fetch_add(1, Relaxed),
            };
            let run = started.elapsed();
            self.publication.add_work(run);
            self.publication.publish_load(run, self.pipeline.geometry());
        }
        self.mix.drain(|out| self.pipeline.pull_mix(out));
        self.shared.advance();
        Ok(())
    }

    /// The stream frame the audio side puts out next: all it wrote, less the latency.
    fn due_frame(&self) -> u64 {
        let waiting = (self.input.slots() / CHANNELS) as u64;
        (self.taken + waiting).saturating_sub(self.stream).saturating_sub(self.latency_frames)
    }

    /// Until the missing frames can have arrived; longer when there is nothing to do, or nobody sends frames.
    fn sleep_ms(&self) -> f64 {
        let geometry = self.pipeline.geometry();
        let ms = |frames: usize| 1000.0 * frames as f64 / f64::from(geometry.sample_rate_hz);
        let (shortest, longest) = SLEEP_RANGE_MS;
        let missing_ms = ms(self.pipeline.missing_frames());
        // Nothing is to be made before the next hop is due, whenever its frames come.
        let rest_ms = missing_ms + REST_SHARE * ms(geometry.computing_frames);
        if self.waited_ms > STOPPED_MS || self.pipeline.is_resting() {
            return rest_ms.clamp(shortest, REST_MS);
        }
        missing_ms.clamp(shortest, longest)
    }
}

/// Loads the model and builds the pipeline around it; what the user should know about how the model runs comes with it.
fn build_pipeline(
    model: ModelSource,
    corrections: CorrectionSource,
    host_rate_hz: f64,
    progress: &dyn Fn(f32),
) -> Result<(Pipeline, Option<String>), String> {
    progress(0.05);
    let limiter = model.limiter();
    let built = match model {
        ModelSource::Missing { reason } => return Err(reason),
        ModelSource::Bundle { bundle, library } => {
            bundle.find_library_and_load(library.as_deref()).map_err(EngineError::from).and_then(|loaded| {
                let (recipe, targets) = (bundle.recipe(), bundle.targets());
                let pipeline =
                    Pipeline::new(loaded.model, recipe, targets, corrections, limiter, host_rate_hz)?;
                Ok((pipeline, loaded.remark))
            })
        }
        ModelSource::Custom { recipe, targets, load, .. } => {
            load(progress).map_err(EngineError::from).and_then(|model| {
                let pipeline = Pipeline::new(model, &recipe, &targets, corrections, limiter, host_rate_hz)?;
                Ok((pipeline, None))
            })
        }
    };
    progress(1.0);
    built.map(|(pipeline, remark)| (pipeline.with_meters().with_watch(), remark)).map_err(|e| e.to_string())
}

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod simulation;
