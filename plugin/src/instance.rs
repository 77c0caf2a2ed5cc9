//! One engine: finds the chosen model's bundle and the chosen targets, and starts an engine with them.
//!
//! Takes milliseconds, on the main thread for an activation and on a thread of its own for a change of model; graphs and
//! the runtime library are loaded by the engine's worker. Nothing is looked for before activation, so that scanning stays
//! quick.

use crate::learned_files::LearnedFiles;
use crate::models::{ModelChoice, Models};
use crate::places;
use crate::targets::{TargetFiles, TargetsChoice};
use nice_plug::prelude::BufferConfig;
use std::path::PathBuf;
use tributary_dsp::{CorrectionSource, Targets};
use tributary_engine::{AudioSide, Engine, EngineConfig, EngineHandle, LatencyMode, ModelSource};

/// What an engine is built of, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The model.
    pub model: ModelChoice,
    /// What stems are brought to.
    pub targets: TargetsChoice,
}

/// Where that is found.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Models.
    pub models: Models,
    /// Targets.
    pub targets: TargetFiles,
    /// Learned profiles.
    pub learned: LearnedFiles,
    /// The folder of exported stems.
    pub exports: Option<PathBuf>,
}

impl Files {
    /// Those of this installation and this user.
    pub fn installed() -> Self {
        Self {
            models: Models::installed(),
            targets: TargetFiles::installed(),
            learned: LearnedFiles::of_user(),
            exports: places::of_user("stems"),
        }
    }

    /// Whether everything that was chosen is there. Looks at folders.
    pub fn have(&self, chosen: &Chosen) -> bool {
        self.models.folder(&chosen.model).is_ok() && self.targets.is_there(&chosen.targets)
    }
}

impl Chosen {
    /// What is another than before, as a sentence begins with it.
    pub fn words(&self, before: &Self) -> String {
        match (&self.model, &self.targets) {
            (model, _) if *model != before.model => format!("“{}”", model.name()),
            (_, targets) if targets.is_of_model() => "The model's own targets".into(),
            (_, targets) => format!("“{}”", targets.name()),
        }
    }
}

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
    /// Whose averages stems are brought to: name, and where the numbers come from.
    pub targets: [String; 2],
    /// Why something else than what was chosen is used.
    pub notice: Option<String>,
    /// What was chosen is not there.
    pub is_missing: bool,
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
    /// Starts an engine with the chosen model, or with the default one when that is not installed here, and the chosen
    /// targets, or the model's own. Never fails: without a usable model the engine passes the aligned dry signal and says
    /// why.
    pub fn start(activation: &Activation, files: &Files, chosen: &Chosen) -> Self {
        let (source, of_model) = model(files, &chosen.model);
        let (targets, of_targets) = match files.targets.read(&chosen.targets) {
            Ok(targets) => (targets, None),
            Err(reason) => (None, Some(format!("{reason} The model's own are used meanwhile."))),
        };
        let notices: Vec<String> = of_model.into_iter().chain(of_targets).collect();
        let notice = (!notices.is_empty()).then(|| notices.join("  "));
        let mut instance = Self::of(activation, source, targets, 0);
        instance.facts.notice = notice;
        instance.facts.is_missing = !files.have(chosen);
        instance
    }

    /// Starts an engine that can take the place of one with this latency.
    ///
    /// # Errors
    /// Why the model or the targets cannot be used, if their files say so already.
    pub fn start_beside(
        activation: &Activation,
        files: &Files,
        chosen: &Chosen,
        latency_frames: usize,
    ) -> Result<Self, String> {
        let targets = files.targets.read(&chosen.targets)?;
        match ModelSource::open(files.models.folder(&chosen.model)?, None) {
            ModelSource::Missing { reason } => Err(reason),
            source => Ok(Self::of(activation, source, targets, latency_frames)),
        }
    }

    fn of(
        activation: &Activation,
        model: ModelSource,
        targets: Option<Targets>,
        least_frames: usize,
    ) -> Self {
        let model = model.in_mode(activation.mode);
        let model = match targets {
            Some(targets) => model.with_targets(targets),
            None => model,
        };
        let facts = facts(&model);
        let config = EngineConfig {
            model,
            corrections: CorrectionSource::Adaptive,
            host_rate_hz: activation.sample_rate_hz,
            max_block: activation.max_block,
        };
        let (audio, handle) = Engine::start_at_latency(config, least_frames);
        Self { audio, handle, facts }
    }
}

/// The chosen model's bundle, or the default one and why.
fn model(files: &Files, choice: &ModelChoice) -> (ModelSource, Option<String>) {
    match files.models.folder(choice) {
        Ok(folder) => (ModelSource::open(folder, None), None),
        Err(reason) if *choice == ModelChoice::default() => (ModelSource::Missing { reason }, None),
        Err(reason) => {
            let source = match files.models.folder(&ModelChoice::default()) {
                Ok(folder) => ModelSource::open(folder, None),
                Err(reason) => ModelSource::Missing { reason },
            };
            (source, Some(format!("{reason} The default model is used meanwhile.")))
        }
    }
}

/// What the editor says of it.
fn facts(model: &ModelSource) -> ModelFacts {
    let ModelSource::Bundle { bundle, .. } = model else {
        return ModelFacts { offered: [true; 4], ..ModelFacts::default() };
    };
    let (contract, targets) = (bundle.contract(), bundle.targets());
    let name = match targets.songs {
        0 => targets.name.clone(),
        1 => format!("{}, one song", targets.name),
        songs => format!("{}, {songs} songs", targets.name),
    };
    ModelFacts {
        trained_on: contract.trained_on.clone(),
        offered: LatencyMode::ALL.map(|mode| contract.offers(mode)),
        targets: [name, targets.source.clone()],
        ..ModelFacts::default()
    }
}
