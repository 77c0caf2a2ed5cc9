//! Where an engine's model comes from, and what is known of it before it is loaded: its latency, its limiter, what would be
//! learned for it. Nothing is loaded here.

use std::path::PathBuf;

use tributary_dsp::{CorrectionSource, Recipe, Targets};

use super::audio_thread::audio_side::fade_frames;
use super::report::ModelName;
use crate::bundle::ModelBundle;
use crate::bundle::contract::{ContractLimiter, LatencyMode, WindowGeometry};
use crate::error::{EngineError, ModelError};
use crate::latency::{LatencyReport, pipeline_latency};
use crate::learn::analysis::LearnedNetwork;
use crate::learn::learned::Normalization;
use crate::model::MixModel;
use crate::pipeline::normalize::build_normalizer;

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

    /// The same source with other targets than its own. A source without a model has none.
    pub fn with_targets(self, targets: Targets) -> Self {
        match self {
            Self::Bundle { bundle, library } => {
                Self::Bundle { bundle: Box::new(bundle.with_targets(targets)), library }
            }
            Self::Custom { geometry, recipe, limiter, load, .. } => {
                Self::Custom { geometry, recipe, targets: Box::new(targets), limiter, load }
            }
            missing => missing,
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

impl ModelSource {
    /// The names to show; empty ones when there is no bundle.
    pub(super) fn name(&self) -> ModelName {
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
    pub(super) fn normalization(&self) -> Option<Normalization> {
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
    pub(super) fn learned_network(&self) -> Option<LearnedNetwork> {
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
        corrections: &CorrectionSource,
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
        let normalizer = build_normalizer(recipe, targets, corrections.clone(), model_rate_hz)?;
        let computing = (geometry.computing_frames as f64 * host_rate_hz / model_rate_hz).ceil() as usize;
        Ok(pipeline_latency(geometry, &normalizer, limits, host_rate_hz)?
            .with("computing", computing)
            .with("fade", fade_frames(host_rate_hz) + 1)
            .with("block", max_block))
    }
}
