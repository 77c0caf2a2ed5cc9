//! Starting and stopping an engine: its rings, its worker thread and the main thread's handle. Apart from the audio side,
//! because all of this allocates, waits and runs on the main thread.

use std::sync::Arc;

use rtrb::{Consumer, RingBuffer};
use tributary_dsp::{CHANNELS, CorrectionSource, SongProfile};

use super::audio_thread::audio_side::{AudioRings, AudioSide};
use super::audio_thread::parts::MAX_BLOCK_LIMIT;
use super::control_ring::control_ring;
use super::model_source::ModelSource;
use super::output_meter::OutputMeter;
use super::protocol::Shared;
use super::report::{ModelName, Report};
use super::telemetry::Telemetry;
use super::worker::{Worker, WorkerConfig, WorkerRings};
use crate::error::EngineError;
use crate::latency::LatencyReport;
use crate::learn::learning::Learning;
use crate::patient_thread::PatientThread;

/// What the rings hold beyond the latency: how long the worker may be held up before a stream must start anew.
const RING_SLACK_S: f64 = 1.0;
/// And at the least.
const RING_SLACK_FRAMES: usize = 1024;

/// What an engine is built from.
pub struct EngineConfig {
    /// The model.
    pub model: ModelSource,
    /// Where the normalizer's corrections come from.
    pub corrections: CorrectionSource,
    /// The host's sample rate, 8 to 768 kHz.
    pub host_rate_hz: f64,
    /// Largest block the host announces. Larger ones work, but leave the worker less time than planned.
    pub max_block: usize,
}

/// Starts engines.
pub struct Engine;

impl Engine {
    /// Starts a worker and returns both sides. Call it on the main thread; takes milliseconds, because the library and
    /// the model are loaded by the worker. The latency is known at once and constant. Never fails: without a usable
    /// model, or at an impossible rate, the engine passes the aligned dry signal and says why.
    pub fn start(config: EngineConfig) -> (AudioSide, EngineHandle) {
        Self::start_at_latency(config, 0)
    }

    /// [`Self::start`] with at least `least_frames` of latency, so that the engine can take another one's place.
    pub fn start_at_latency(config: EngineConfig, least_frames: usize) -> (AudioSide, EngineHandle) {
        let (shared, telemetry) = (Arc::new(Shared::default()), Arc::new(Telemetry::default()));
        let both = || (Arc::clone(&shared), Arc::clone(&telemetry));
        let max_block = config.max_block.clamp(1, MAX_BLOCK_LIMIT);
        let latency = latency(&config, max_block, least_frames).unwrap_or_else(|error| {
            telemetry.set_failed(error.to_string());
            LatencyReport { rate_hz: config.host_rate_hz, parts: Vec::new() }
        });
        let (rings, worker_rings, output) = rings(&latency, max_block);
        let (name, limiter) = (config.model.name(), config.model.limiter());
        let renders = Arc::clone(&shared);
        let (learning, commands) = Learning::new(
            config.model.normalization(),
            config.model.learned_network(),
            Arc::new(move || renders.is_patient()),
        );
        let meter = OutputMeter::new(output, both(), config.host_rate_hz);
        let worker = WorkerConfig {
            model: config.model,
            corrections: config.corrections,
            host_rate_hz: config.host_rate_hz,
            latency_frames: latency.total_frames(),
            shared: Arc::clone(&shared),
            telemetry: Arc::clone(&telemetry),
            rings: worker_rings,
            commands,
        };
        let spawned = PatientThread::spawn("tributary-worker", move || Worker::main(worker, meter));
        if let Err(error) = &spawned {
            telemetry.set_failed(format!("The worker thread cannot be started: {error}."));
        }
        let thread = spawned.ok();
        let worker = thread.as_ref().map(|thread| thread.thread().clone());
        let side = AudioSide::new(both(), worker, rings, limiter, &latency, max_block);
        let learning = Arc::new(learning);
        (side, EngineHandle { shared, telemetry, latency, name, learning, thread })
    }
}

/// What the host is to be told: the model's latency, held back to `least_frames`.
fn latency(
    config: &EngineConfig,
    max_block: usize,
    least_frames: usize,
) -> Result<LatencyReport, EngineError> {
    let own = config.model.latency(&config.corrections, config.host_rate_hz, max_block)?;
    let short_frames = least_frames.saturating_sub(own.total_frames());
    Ok(own.with("in step", short_frames))
}

/// The rings: the ends of the audio side, of the worker, and of the meter of the output.
fn rings(latency: &LatencyReport, max_block: usize) -> (AudioRings, WorkerRings, Consumer<f32>) {
    let slack_frames = (RING_SLACK_S * latency.rate_hz.clamp(0.0, 768e3)) as usize + RING_SLACK_FRAMES;
    let frames = latency.total_frames() + 2 * max_block + slack_frames;
    let (input, worker_input) = RingBuffer::new(frames * CHANNELS);
    let (worker_mix, mix) = RingBuffer::new(frames * 2);
    let (worker_sum, sum) = RingBuffer::new(frames * 2);
    let (output, measured) = RingBuffer::new(frames * 2);
    let (controls, worker_controls) = control_ring();
    let worker =
        WorkerRings { input: worker_input, controls: worker_controls, mix: worker_mix, sum: worker_sum };
    (AudioRings { input, controls, mix, sum, output }, worker, measured)
}

/// The main thread's side. Dropping it stops the worker and waits until it has ended, at most ten seconds.
pub struct EngineHandle {
    shared: Arc<Shared>,
    telemetry: Arc<Telemetry>,
    latency: LatencyReport,
    name: ModelName,
    learning: Arc<Learning>,
    thread: Option<PatientThread>,
}

impl EngineHandle {
    /// Live values; clone the `Arc` for the editor.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// The latency to report to the host. Constant for the life of the engine.
    pub fn latency(&self) -> &LatencyReport {
        &self.latency
    }

    /// The model; empty names when there is none.
    pub fn model(&self) -> &ModelName {
        &self.name
    }

    /// Learns profiles; clone the `Arc` for the editor. Without effect once the engine is gone.
    pub fn learning(&self) -> &Arc<Learning> {
        &self.learning
    }

    /// Puts in force what was kept of stems when they were locked ([`Telemetry::locked`]), and keeps it while their
    /// [lock](crate::StemControls::lock) is asked for: at once before the first frame of a stream, with a glide otherwise. For the
    /// main thread; takes milliseconds.
    pub fn lock_at(&self, kept: SongProfile) {
        self.learning.lock_at(&kept);
        self.telemetry.set_locked(kept);
    }

    /// The run so far in figures. Allocates: for the main thread.
    pub fn report(&self) -> Report {
        self.telemetry.report(self.name.clone(), &self.latency)
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        self.learning.close();
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            thread.join();
        }
        self.learning.join();
    }
}
