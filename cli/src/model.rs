//! Finds and loads the model to mix with: the one named, or the default one in the usual places.
//!
//! The word `sum` stands for the plain sum of the stems as they are: no model, no normalization. It is the baseline
//! every model is compared with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_dsp::{Recipe, Targets};
use tributary_engine::bundle::MODEL_VARIABLE;
use tributary_engine::{
    ContractLimiter, LatencyMode, LoadedModel, ModelBundle, ModelName, NormalizedStems, Progress, Provider,
    Statistics, SumModel, WindowGeometry,
};

/// Where models lie below a folder that may hold some.
const PLACES: [&str; 4] = ["models", "Tributary/models", "../Resources/models", "assets/models"];

/// The window of the plain sum, which needs no context: large hops, because nobody waits for the first one.
const SUM_GEOMETRY: WindowGeometry = WindowGeometry {
    sample_rate_hz: 44_100,
    context_frames: 0,
    hop_frames: 4096,
    lookahead_frames: 64,
    crossfade_frames: 64,
    margin_frames: 0,
    computing_frames: 4096,
};

/// What mixes, before it is loaded.
pub enum ModelChoice {
    /// A bundle on disk.
    Bundle(Box<ModelBundle>),
    /// The plain sum of the stems as they are.
    PlainSum,
}

impl ModelChoice {
    /// Opens what `--model` names, or the default model.
    ///
    /// # Errors
    /// No model in the usual places, or a bundle that cannot be used; the sentence says why.
    pub fn open(named: Option<&str>) -> Result<Self> {
        if named == Some("sum") {
            return Ok(Self::PlainSum);
        }
        let folder = named.map_or_else(default_folder, |named| Ok(named_folder(named)))?;
        let bundle = ModelBundle::open(&folder)
            .with_context(|| format!("the model in {} cannot be used", folder.display()))?;
        Ok(Self::Bundle(Box::new(bundle)))
    }

    /// The same model with the windows of a latency mode; the plain sum has none.
    pub fn in_mode(self, mode: LatencyMode) -> Self {
        match self {
            Self::Bundle(bundle) => Self::Bundle(Box::new(bundle.in_mode(mode))),
            Self::PlainSum => Self::PlainSum,
        }
    }

    /// The same model on another provider than the environment asks for; the plain sum needs none.
    pub fn on(self, provider: Option<Provider>) -> Self {
        match (self, provider) {
            (Self::Bundle(bundle), Some(provider)) => Self::Bundle(Box::new(bundle.on(provider))),
            (choice, _) => choice,
        }
    }

    /// Loads the network; takes up to seconds.
    ///
    /// # Errors
    /// ONNX Runtime is missing, or a graph is damaged or of another shape.
    pub fn load(&self) -> Result<LoadedModel> {
        match self {
            Self::Bundle(bundle) => bundle
                .find_library_and_load(None)
                .with_context(|| format!("the model in {} cannot be loaded", bundle.folder().display())),
            Self::PlainSum => Ok(LoadedModel { model: Box::new(SumModel::new(SUM_GEOMETRY)), remark: None }),
        }
    }

    /// What the network averages over the song, found in a run over its normalized stems, which are at the model's rate;
    /// `None` when nothing is averaged. Takes as long as mixing.
    ///
    /// # Errors
    /// The network cannot be loaded or run, the stems cannot be read, or `progress` gives a reason.
    pub fn song_statistics(
        &self,
        stems: NormalizedStems<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Statistics>> {
        match self {
            Self::Bundle(bundle) if bundle.mode() != LatencyMode::Monitor => {
                Ok(bundle.song_statistics(None, stems, true, progress)?)
            }
            Self::Bundle(_) | Self::PlainSum => Ok(None),
        }
    }

    /// Where it was read from; none for the plain sum.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Bundle(bundle) => Some(bundle.folder()),
            Self::PlainSum => None,
        }
    }

    /// How stems are normalized for this model, unless the user says otherwise.
    pub fn recipe(&self) -> Recipe {
        match self {
            Self::Bundle(bundle) => bundle.recipe().clone(),
            Self::PlainSum => Recipe::bypass(),
        }
    }

    /// The averages stems are normalized to, unless the user says otherwise.
    pub fn targets(&self) -> Targets {
        match self {
            Self::Bundle(bundle) => bundle.targets().clone(),
            Self::PlainSum => Targets::default(),
        }
    }

    /// The limiter the model wants behind it.
    pub fn limiter(&self) -> Option<ContractLimiter> {
        match self {
            Self::Bundle(bundle) => bundle.contract().limiter,
            Self::PlainSum => None,
        }
    }

    /// The rate the model works at, in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        match self {
            Self::Bundle(bundle) => bundle.geometry().sample_rate_hz,
            Self::PlainSum => SUM_GEOMETRY.sample_rate_hz,
        }
    }

    /// Name, version and checksum for reports.
    pub fn name(&self) -> ModelName {
        match self {
            Self::Bundle(bundle) => ModelName {
                name: bundle.contract().name.clone(),
                version: bundle.contract().version.clone(),
                sha256: bundle.sha256().into(),
            },
            Self::PlainSum => ModelName { name: "plain sum".into(), ..ModelName::default() },
        }
    }
}

/// The folder of that path or, if there is none, of that shipped model.
fn named_folder(named: &str) -> PathBuf {
    let folder = PathBuf::from(named);
    let is_name = folder.components().count() == 1 && !folder.is_dir();
    if is_name { shipped_folder(named).unwrap_or(folder) } else { folder }
}

/// `TRIBUTARY_MODEL`, else the shipped default model.
fn default_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(MODEL_VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    match shipped_folder("default") {
        Some(folder) => Ok(folder),
        None => bail!("no model was found; name one with --model or set {MODEL_VARIABLE}"),
    }
}

/// The first model of this name beside the program, in the working tree the program was built in or is run in.
fn shipped_folder(name: &str) -> Option<PathBuf> {
    let executable = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let current = std::env::current_dir().ok();
    let starts = [executable.as_deref().and_then(Path::parent), current.as_deref()];
    let holds_model = |folder: &PathBuf| folder.join("contract.json").is_file();
    starts
        .into_iter()
        .flatten()
        .flat_map(Path::ancestors)
        .flat_map(|folder| PLACES.map(|place| folder.join(place).join(name)))
        .find(holds_model)
}
