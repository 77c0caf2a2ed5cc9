//! Starting and stopping an engine: what it is built from, its latency before a model exists, the worker thread, and
//! the main thread's handle. Apart from `realtime.rs`, because all of this allocates, waits and runs on the main thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::RingBuffer;
use tributary_dsp::{CHANNELS, ProfileSource, Recipe, Targets};

use crate::analysis::LearnedNetwork;
use crate::bundle::ModelBundle;
use crate::contract::{ContractLimiter, LatencyMode, WindowGeometry};
use crate::error::{EngineError, ModelError};
use crate::intake::build_normalizer;
use crate::latency::{LatencyReport, pipeline_latency};
use crate::learned::Normalization;
use crate::learning::Learning;
use crate::model::MixModel;
use crate::output_meter::OutputMeter;
use crate::protocol::Shared;
use crate::realtime::{AudioRings, AudioSide, MAX_BLOCK_LIMIT, fade_frames};
use crate::telemetry::{ModelName, Report, Telemetry};
use crate::worker::{Worker, WorkerConfig};

/// Room in the rings beyond the latency: how long the worker may be held up before a stream must start anew.
const RING_SLACK_S: f64 = 1.0;
/// Longest time dropping a handle waits for the worker to finish its hop.
const JOIN_PATIENCE: Duration = Duration::from_secs(10);

/// Loads a model on the worker thread. The argument reports progress, 0 to 1.
pub type LoadModel = Box<dyn FnOnce(&dyn Fn(f32)) -> Result<Box<dyn MixModel>, ModelError> + Send>;

/// Where the model comes from.
#[allow(clippy::large_enum_variant, reason = "built once per engine; a box would only burden every caller")]
pub enum ModelSource {
    /// A bundle on disk. `library` is the ONNX Runtime file to use; `None` searches the usual places.
    Bundle {
        /// The opened bundle.
        bundle: Box<ModelBundle>,
        /// The ONNX Runtime library.
        library: Option<PathBuf>,
    },
    /// There is no usable bundle. The engine passes the aligned dry signal, at the latency of
    /// [`WindowGeometry::DEFAULT`], and shows the reason.
    Missing {
        /// One plain sentence.
        reason: String,
    },
    /// Any model: doubles in tests, models that are not on disk.
    Custom {
        /// Must be what the loaded model returns.
        geometry: WindowGeometry,
        /// How stems are normalized.
        recipe: Recipe,
        /// What they are normalized to.
        targets: Box<Targets>,
        /// The ceiling of what is heard of it, or none.
        limiter: Option<ContractLimiter>,
        /// Called once, on the worker thread.
        load: LoadModel,
    },
}

impl ModelSource {
    /// Opens the bundle in `folder`; when that fails, [`ModelSource::Missing`] with the reason.
    pub fn open(folder: impl Into<PathBuf>, library: Option<PathBuf>) -> Self {
        match ModelBundle::open(folder.into()) {
            Ok(bundle) => Self::Bundle { bundle: Box::new(bundle), library },
            Err(error) => Self::Missing { reason: error.to_string() },
        }
    }

    /// The same source in another latency mode. Only bundles have modes.
    pub fn in_mode(self, mode: LatencyMode) -> Self {
        match self {
            Self::Bundle { bundle, library } => {
                Self::Bundle { bundle: Box::new(bundle.in_mode(mode)), library }
            }
            other => other,
        }
    }
}

/// What an engine is built from.
pub struct EngineConfig {
    /// The model.
    pub model: ModelSource,
    /// Where the normalizer's corrections come from.
    pub profile: ProfileSource,
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
        let telemetry = Arc::new(Telemetry::default());
        let shared = Arc::new(Shared::default());
        let max_block = config.max_block.clamp(1, MAX_BLOCK_LIMIT);
        let name = config.model.name();
        let latency = match config.model.latency(&config.profile, config.host_rate_hz, max_block) {
            Ok(latency) => {
                let short_frames = least_frames.saturating_sub(latency.total_frames());
                if short_frames > 0 { latency.with("in step", short_frames) } else { latency }
            }
            Err(error) => {
                telemetry.set_failed(error.to_string());
                LatencyReport { rate_hz: config.host_rate_hz, parts: Vec::new() }
            }
        };
        let total_frames = latency.total_frames();
        let ring_frames = total_frames
            + 2 * max_block
            + (RING_SLACK_S * config.host_rate_hz.clamp(0.0, 768e3)) as usize
            + 1024;
        let (input, worker_input) = RingBuffer::new(ring_frames * CHANNELS);
        let (worker_mix, mix) = RingBuffer::new(ring_frames * 2);
        let (worker_sum, sum) = RingBuffer::new(ring_frames * 2);
        let (output, worker_output) = RingBuffer::new(ring_frames * 2);
        let (finished, has_finished) = channel();
        let (normalization, network) = (config.model.normalization(), config.model.learned_network());
        let (learning, commands) = Learning::new(normalization, network, Arc::clone(&shared));
        let limiter = config.model.limiter();
        let worker = WorkerConfig {
            model: config.model,
            profile: config.profile,
            host_rate_hz: config.host_rate_hz,
            latency_frames: total_frames,
            shared: Arc::clone(&shared),
            telemetry: Arc::clone(&telemetry),
            input: worker_input,
            mix: worker_mix,
            sum: worker_sum,
            commands,
        };
        let meter = OutputMeter::new(
            worker_output,
            (Arc::clone(&shared), Arc::clone(&telemetry)),
            config.host_rate_hz,
        );
        let spawned = std::thread::Builder::new().name("tributary-worker".into()).spawn(move || {
            Worker::main(worker, meter);
            let _ = finished.send(());
        });
        let thread = match spawned {
            Ok(thread) => Some(thread),
            Err(error) => {
                telemetry.set_failed(format!("The worker thread cannot be started: {error}."));
                None
            }
        };
        let rings = AudioRings { input, mix, sum, output };
        let worker = thread.as_ref().map(|thread| thread.thread().clone());
        let side = AudioSide::new(
            (Arc::clone(&shared), Arc::clone(&telemetry)),
            worker,
            rings,
            limiter,
            &latency,
            max_block,
        );
        let learning = Arc::new(learning);
        let handle = EngineHandle { shared, telemetry, latency, name, learning, thread, has_finished };
        (side, handle)
    }
}

impl ModelSource {
    fn name(&self) -> ModelName {
        match self {
            Self::Bundle { bundle, .. } => ModelName {
                name: bundle.contract().name.clone(),
                version: bundle.contract().version.clone(),
                sha256: bundle.sha256().into(),
            },
            Self::Missing { .. } | Self::Custom { .. } => ModelName::default(),
        }
    }

    /// The ceiling of what is heard of the model.
    pub(crate) fn limiter(&self) -> Option<ContractLimiter> {
        match self {
            Self::Bundle { bundle, .. } => bundle.contract().limiter,
            Self::Missing { .. } => None,
            Self::Custom { limiter, .. } => *limiter,
        }
    }

    /// What profiles are learned for; nothing without a model.
    fn normalization(&self) -> Option<Normalization> {
        let (recipe, targets, geometry) = match self {
            Self::Bundle { bundle, .. } => (bundle.recipe(), bundle.targets(), bundle.geometry()),
            Self::Missing { .. } => return None,
            Self::Custom { geometry, recipe, targets, .. } => (recipe, &**targets, *geometry),
        };
        Some(Normalization {
            recipe: recipe.clone(),
            targets: targets.clone(),
            sample_rate_hz: geometry.sample_rate_hz,
        })
    }

    /// What statistics are learned for; nothing without a network that averages over a song.
    fn learned_network(&self) -> Option<LearnedNetwork> {
        match self {
            Self::Bundle { bundle, library } if bundle.has_statistics() => {
                Some(LearnedNetwork { bundle: bundle.clone(), library: library.clone() })
            }
            _ => None,
        }
    }

    /// The latency of an engine with this model: the pipeline's, and what real time takes on top. Nothing is loaded.
    ///
    /// # Errors
    /// For an impossible rate, window or recipe.
    pub fn latency(
        &self,
        profile: &ProfileSource,
        host_rate_hz: f64,
        max_block: usize,
    ) -> Result<LatencyReport, EngineError> {
        let defaults = (WindowGeometry::DEFAULT, Recipe::default(), Targets::default());
        let (geometry, recipe, targets) = match self {
            Self::Bundle { bundle, .. } => (bundle.geometry(), bundle.recipe(), bundle.targets()),
            Self::Missing { .. } => (defaults.0, &defaults.1, &defaults.2),
            Self::Custom { geometry, recipe, targets, .. } => (*geometry, recipe, &**targets),
        };
        let limits = self.limiter().is_some() || matches!(self, Self::Missing { .. });
        geometry.check().map_err(|reason| EngineError::Geometry { reason })?;
        if !crate::resample::RATE_RANGE_HZ.contains(&host_rate_hz) {
            return Err(EngineError::SampleRate { rate_hz: host_rate_hz });
        }
        let model_rate_hz = f64::from(geometry.sample_rate_hz);
        let normalizer = build_normalizer(recipe, targets, profile.clone(), model_rate_hz)?;
        let computing = (geometry.hop_frames as f64 * host_rate_hz / model_rate_hz).ceil() as usize;
        Ok(pipeline_latency(geometry, &normalizer, limits, host_rate_hz)?
            .with("computing", computing)
            .with("fade", fade_frames(host_rate_hz) + 1)
            .with("block", max_block))
    }
}

/// The main thread's side. Dropping it stops the worker and waits until it has ended, at most ten seconds.
pub struct EngineHandle {
    shared: Arc<Shared>,
    telemetry: Arc<Telemetry>,
    latency: LatencyReport,
    name: ModelName,
    learning: Arc<Learning>,
    thread: Option<JoinHandle<()>>,
    has_finished: Receiver<()>,
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
            // A plain join cannot be limited. A worker that hangs inside a run is left behind rather than the host.
            if self.has_finished.recv_timeout(JOIN_PATIENCE).is_ok() {
                let _ = thread.join();
            }
        }
        self.learning.join();
    }
}
