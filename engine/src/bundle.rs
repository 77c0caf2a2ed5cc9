//! A model bundle on disk: the folder with contract, targets, graphs and parity vectors. Opening one reads and checks
//! the small files only – contract, targets, an impulse response – so that a plug-in knows its latency at once; graphs
//! are read, hashed and handed to ONNX Runtime later, on the worker thread, by [`ModelBundle::load_model`].

pub(crate) mod contract;
pub(crate) mod files;
pub mod impulse_response;
pub(crate) mod parity;
pub(crate) mod statistics;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tributary_dsp::{CHANNELS, Cause, Recipe, Targets};

use contract::{
    CONTRACT_LIMIT_BYTES, Contract, FileReference, GRAPH_LIMIT_BYTES, LatencyMode, Network,
    TARGETS_LIMIT_BYTES, WindowGeometry,
};
pub use files::sha256_hex;
use files::{read_checked, read_limited, read_samples};
use impulse_response::RESPONSE_LIMIT_BYTES;
use parity::ParityVectors;
use statistics::{Prior, Statistics};

use crate::error::BundleError;
use crate::onnx::provider::Provider;

/// The environment variable that names a folder with a bundle to use instead of the shipped default model.
pub const MODEL_VARIABLE: &str = "TRIBUTARY_MODEL";

/// An opened and checked bundle. Cheap to clone; holds no graph.
///
/// ```
/// use tributary_engine::{BundleError, ModelBundle};
///
/// fn describe(folder: &str) -> Result<String, BundleError> {
///     let bundle = ModelBundle::open(folder)?;
///     Ok(format!("{} at {} Hz", bundle.contract().name, bundle.geometry().sample_rate_hz))
/// }
/// assert!(describe("no such folder").is_err());
/// ```
#[derive(Debug, Clone)]
pub struct ModelBundle {
    folder: PathBuf,
    contract: Contract,
    contract_sha256: String,
    targets: Targets,
    mode: LatencyMode,
    listening: bool,
    provider: Provider,
}

impl ModelBundle {
    /// Reads and checks `contract.json`, the targets and the impulse response it names.
    ///
    /// # Errors
    /// A [`BundleError`] whose text says what is missing or wrong.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, BundleError> {
        let folder = folder.as_ref().to_path_buf();
        let path = folder.join("contract.json");
        let json = read_limited(&path, CONTRACT_LIMIT_BYTES)?;
        let contract_sha256 = sha256_hex(&json);
        let json = String::from_utf8(json)
            .map_err(|_| BundleError::Malformed { reason: "it is not UTF-8 text".into() })?;
        let mut contract = Contract::from_json(&json)?;
        let targets = read_checked(&folder, &contract.targets, TARGETS_LIMIT_BYTES)?;
        let targets = targets_of(targets).map_err(|reason| BundleError::Targets { reason })?;
        let rate_hz = contract.sample_rate_hz;
        let reverb = &mut contract.recipe.reverb;
        if let (true, Some(wanted)) = (reverb.enabled, &reverb.impulse_response) {
            let bytes = read_checked(&folder, &wanted.into(), RESPONSE_LIMIT_BYTES)?;
            reverb.room =
                Some(Arc::new(impulse_response::decode(&folder.join(&wanted.file), bytes, rate_hz)?));
        }
        Ok(Self {
            folder,
            contract,
            contract_sha256,
            targets,
            mode: LatencyMode::Standard,
            listening: false,
            provider: Provider::from_environment(),
        })
    }

    /// The folder the bundle lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The contract.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// SHA-256 of `contract.json`. The contract names the checksums of everything else, so this identifies the model.
    pub fn sha256(&self) -> &str {
        &self.contract_sha256
    }

    /// The same bundle with other targets: its stems are brought to these.
    pub fn with_targets(self, targets: Targets) -> Self {
        Self { targets, ..self }
    }

    /// The same bundle in another latency mode: window and model are those of the mode from now on.
    pub fn in_mode(self, mode: LatencyMode) -> Self {
        Self { mode, ..self }
    }

    /// The same bundle with the window for hearing songs without making anything of them.
    pub(crate) fn listening(self) -> Self {
        Self { mode: LatencyMode::Standard, listening: true, ..self }
    }

    /// The same bundle, to be run on another provider than the environment asks for.
    pub fn on(self, provider: Provider) -> Self {
        Self { provider, ..self }
    }

    /// What the network is to run on.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The latency mode; the standard one of a bundle just opened.
    pub fn mode(&self) -> LatencyMode {
        self.mode
    }

    /// The window lengths in the bundle's mode.
    pub fn geometry(&self) -> WindowGeometry {
        if self.listening { self.contract.listening_window() } else { self.contract.window_in(self.mode) }
    }

    /// How stems are normalized for this model, with its impulse response at the model's rate.
    pub fn recipe(&self) -> &Recipe {
        &self.contract.recipe
    }

    /// The data-set averages stems are normalized to.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Whether the model needs ONNX Runtime: not the plain sum, which is also what the monitor mode plays.
    pub fn needs_library(&self) -> bool {
        self.mode != LatencyMode::Monitor && !matches!(self.contract.network, Network::Sum {})
    }

    /// Whether the network averages something over a song.
    pub fn has_statistics(&self) -> bool {
        matches!(self.contract.network, Network::Incremental { .. })
    }

    /// Whether these can be this network's statistics.
    pub fn accepts(&self, statistics: &Statistics) -> bool {
        match &self.contract.network {
            Network::Incremental { norms, filters, .. } => statistics.fits(*norms, *filters),
            _ => false,
        }
    }

    /// Reads a graph, checks its length and checksum.
    pub(crate) fn read_graph(&self, reference: &FileReference) -> Result<Vec<u8>, BundleError> {
        read_checked(&self.folder, reference, GRAPH_LIMIT_BYTES)
    }

    /// Reads what an incremental network of `norms` norms and `filters` filters starts from.
    pub(crate) fn read_prior(
        &self,
        reference: &FileReference,
        norms: usize,
        filters: usize,
    ) -> Result<Prior, BundleError> {
        let most_bytes = 4 * Prior::most_values(norms, filters) as u64;
        let bytes = read_checked(&self.folder, reference, most_bytes)?;
        let values: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Prior::from_values(&values, norms, filters).filter(|_| bytes.len().is_multiple_of(4)).ok_or_else(
            || {
                let reason =
                    format!("it does not hold possible statistics of {norms} norms and {filters} filters");
                BundleError::Unreadable { path: self.folder.join(&reference.file), reason: reason.into() }
            },
        )
    }

    /// Reads the parity vectors, when the contract names some.
    pub(crate) fn read_parity(&self) -> Result<Option<ParityVectors>, BundleError> {
        let Some(parity) = &self.contract.parity else { return Ok(None) };
        let input = read_samples(&self.folder.join(&parity.input), CHANNELS * parity.frames)?;
        let output = read_samples(&self.folder.join(&parity.output), 2 * parity.frames)?;
        Ok(Some(ParityVectors { frames: parity.frames, tolerance: parity.tolerance, input, output }))
    }
}

/// Reads targets that are no bundle's own, from a file as `tributary analyze` writes it.
///
/// # Errors
/// A [`BundleError`] that names the file and says what is missing or wrong.
pub fn read_targets(path: &Path) -> Result<Targets, BundleError> {
    let bytes = read_limited(path, TARGETS_LIMIT_BYTES)?;
    targets_of(bytes).map_err(|reason| BundleError::Unreadable { path: path.to_path_buf(), reason })
}

fn targets_of(bytes: Vec<u8>) -> Result<Targets, Cause> {
    let text = String::from_utf8(bytes).map_err(|_| Cause::from("they are not UTF-8 text"))?;
    Targets::from_json(&text).map_err(Cause::new)
}
