//! The engine's typed errors, one enum per place where something can go wrong: the bundle on disk, the ONNX Runtime
//! library, the model session, and the construction of a pipeline. Every message is one plain sentence that a musician
//! can act on; it is shown in the editor and printed by the command line as it stands.

use std::path::PathBuf;

use tributary_dsp::Cause;

/// Why a model bundle cannot be used. Nothing of it is loaded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BundleError {
    /// The folder or a file in it is not there.
    #[error("The model bundle has no file {}.", path.display())]
    Missing {
        /// The file looked for.
        path: PathBuf,
    },
    /// A file exists but cannot be read.
    #[error("{} cannot be read: {reason}.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        reason: Cause,
    },
    /// A file is larger than a bundle may hold.
    #[error("{} is {actual_bytes} bytes long; at most {limit_bytes} are allowed.", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        actual_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The contract is not JSON, or a field is missing, unknown or of another type.
    #[error("The model's contract.json is not valid: {reason}.")]
    Malformed {
        /// What the parser said.
        #[source]
        reason: Cause,
    },
    /// The contract can be read but asks for something this engine does not do.
    #[error("The model's contract.json cannot be used: {reason}.")]
    Unsupported {
        /// The field, what it holds and what is expected.
        reason: String,
    },
    /// A file's content is not the one the contract names.
    #[error("{} does not have the checksum its contract names; the bundle is damaged or was changed.", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
    },
    /// The data-set averages do not parse or are out of range.
    #[error("The model's targets cannot be used: {reason}.")]
    Targets {
        /// What the reader of the targets said.
        #[source]
        reason: Cause,
    },
}

/// Why ONNX Runtime is not available in this process.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LibraryError {
    /// No library file in any of the places looked at.
    #[error(
        "ONNX Runtime was not found. Put {file_name} beside the plug-in (folder Tributary) or set ORT_DYLIB_PATH."
    )]
    NotFound {
        /// The file name the engine looks for.
        file_name: String,
    },
    /// The file is there but cannot be loaded, or it is too old.
    #[error("ONNX Runtime at {} cannot be used: {reason}.", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the loader said; names the version found and the version needed when it is too old.
        #[source]
        reason: Cause,
    },
    /// The file is a release that reports to its vendor, whatever it is told.
    #[error(
        "ONNX Runtime at {} reports about this machine to its vendor, as releases from 1.29 on do, and was not loaded. Use {version}, which comes with Tributary.", path.display()
    )]
    Reports {
        /// The file.
        path: PathBuf,
        /// The version to use.
        version: &'static str,
    },
}

/// Why a model cannot be loaded or a run of it failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The bundle is damaged.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// ONNX Runtime is missing.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The graph holds what no graph may hold; ONNX Runtime has not seen it.
    #[error("The model's graph {graph} is refused: {reason}.")]
    Refused {
        /// File name of the graph.
        graph: String,
        /// What it holds.
        reason: String,
    },
    /// ONNX Runtime refuses the graph.
    #[error("The model's graph {graph} cannot be loaded: {}.", reason.to_string().trim_end_matches('.'))]
    Load {
        /// File name of the graph.
        graph: String,
        /// What ONNX Runtime said.
        #[source]
        reason: Cause,
    },
    /// A graph's inputs or outputs are not the ones the contract promises.
    #[error("The model's graph {graph} has another shape: expected {expected}, found {actual}.")]
    Shape {
        /// File name of the graph.
        graph: String,
        /// What the contract asks for.
        expected: String,
        /// What the graph holds.
        actual: String,
    },
    /// The graph ran into an error.
    #[error("The model stopped with an error: {reason}.")]
    Run {
        /// What ONNX Runtime said.
        #[source]
        reason: Cause,
    },
    /// The network does not compute what its author's did.
    #[error(
        "The model's results differ from its author's by {largest:.2e}; at most {tolerance:.0e} is allowed."
    )]
    Parity {
        /// Largest absolute difference.
        largest: f64,
        /// The contract's tolerance.
        tolerance: f64,
    },
    /// Statistics that belong to another network, or to none.
    #[error("The learned statistics do not belong to this model.")]
    Statistics,
    /// The first run took longer than a model may take.
    #[error("The model's first run took {seconds:.1} s; at most {limit_seconds:.0} s are allowed.")]
    TooSlow {
        /// Seconds the run took.
        seconds: f64,
        /// The limit in seconds.
        limit_seconds: f64,
    },
}

/// Why a pipeline or an engine cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// The host's sample rate is outside 8 kHz to 768 kHz or not a number.
    #[error("The sample rate {rate_hz} Hz is not supported; it must lie between 8000 and 768000 Hz.")]
    SampleRate {
        /// The rate asked for.
        rate_hz: f64,
    },
    /// The normalizer refuses its recipe or targets.
    #[error("The normalizer cannot be built: {reason}.")]
    Normalizer {
        /// What it said.
        #[source]
        reason: Cause,
    },
    /// The resampler refuses the rates.
    #[error("The resampler cannot be built: {reason}.")]
    Resampler {
        /// What it said.
        #[source]
        reason: Cause,
    },
    /// The model failed to load or to run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The window lengths contradict each other.
    #[error("The model's window cannot be used: {reason}.")]
    Geometry {
        /// The lengths and the rule they break.
        reason: String,
    },
    /// There is nothing to mix.
    #[error("None of the four stems holds any audio.")]
    NoStems,
    /// The caller's progress callback asked to stop, or its sink refused audio.
    #[error("The mix was stopped: {reason}.")]
    Stopped {
        /// Why.
        #[source]
        reason: Cause,
    },
}
