//! One engine: finds the chosen model's bundle and starts an engine with it.
//!
//! Takes milliseconds, on the main thread for an activation and on a thread of its own for a change of model; graphs and
//! the runtime library are loaded by the engine's worker. Nothing is looked for before activation, so that scanning stays
//! quick.

use crate::models::{ModelChoice, Models};
use nice_plug::prelude::BufferConfig;
use tributary_dsp::CorrectionSource;
use tributary_engine::{AudioSide, Engine, EngineConfig, EngineHandle, LatencyMode, ModelSource};

/// The engine's two sides and what the editor says of its model.
pub struct Instance {
    /// What the audio thread calls.
    pub audio: AudioSide,
    /// What the main thread keeps. Dropping it joins the worker.
    pub handle: EngineHandle,
    /// The model.
    pub facts: ModelFacts,
}

/// What the editor says of a model beside its name.
#[derive(Debug, Clone, Default)]
pub struct ModelFacts {
    /// One sentence on the training data, empty without a model.
    pub trained_on: String,
    /// Latency modes that the model has, in the order of [`LatencyMode::ALL`].
    pub offered: [bool; 4],
    /// Why another model than the chosen one is used.
    pub notice: Option<String>,
}

/// What an engine is started with, beside its model.
#[derive(Debug, Clone, Copy)]
pub struct Activation {
    /// The host's rate.
    pub sample_rate_hz: f64,
    /// The host's largest block.
    pub max_block: usize,
    /// The latency mode in force.
    pub mode: LatencyMode,
}

impl Activation {
    /// The activation with the host's configuration.
    pub fn new(config: &BufferConfig, mode: LatencyMode) -> Self {
        let (sample_rate_hz, max_block) = (f64::from(config.sample_rate), config.max_buffer_size as usize);
        Self { sample_rate_hz, max_block, mode }
    }
}

impl Instance {
    /// Starts an engine with the chosen model, or with the default one when that is not installed here. Never fails:
    /// without a usable model the engine passes the aligned dry signal and says why.
    pub fn start(activation: &Activation, models: &Models, choice: &ModelChoice) -> Self {
        match models.folder(choice) {
            Ok(folder) => Self::of(activation, ModelSource::open(folder, None), None, 0),
            Err(reason) if *choice == ModelChoice::default() => {
                Self::of(activation, ModelSource::Missing { reason }, None, 0)
            }
            Err(reason) => {
                let source = match models.folder(&ModelChoice::default()) {
                    Ok(folder) => ModelSource::open(folder, None),
                    Err(reason) => ModelSource::Missing { reason },
                };
                let notice = Some(format!("{reason} The default model is used meanwhile."));
                Self::of(activation, source, notice, 0)
            }
        }
    }

    /// Starts an engine that can take the place of one with this latency.
    ///
    /// # Errors
    /// Why the model cannot be used, if its files say so already.
    pub fn start_beside(
        activation: &Activation,
        models: &Models,
        choice: &ModelChoice,
        latency_frames: usize,
    ) -> Result<Self, String> {
        match ModelSource::open(models.folder(choice)?, None) {
            ModelSource::Missing { reason } => Err(reason),
            source => Ok(Self::of(activation, source, None, latency_frames)),
        }
    }

    fn of(activation: &Activation, model: ModelSource, notice: Option<String>, least_frames: usize) -> Self {
        let model = model.in_mode(activation.mode);
        let (trained_on, offered) = match &model {
            ModelSource::Bundle { bundle, .. } => {
                let contract = bundle.contract();
                (contract.trained_on.clone(), LatencyMode::ALL.map(|mode| contract.offers(mode)))
            }
            _ => (String::new(), [true; 4]),
        };
        let config = EngineConfig {
            model,
            corrections: CorrectionSource::Adaptive,
            host_rate_hz: activation.sample_rate_hz,
            max_block: activation.max_block,
        };
        let (audio, handle) = Engine::start_at_latency(config, least_frames);
        Self { audio, handle, facts: ModelFacts { trained_on, offered, notice } }
    }
}
