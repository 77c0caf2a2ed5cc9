//! The model's contract: the JSON that says what a bundle holds, at which rate and window lengths its network works,
//! how the stems must be normalized for it and which checksums its files have. A bundle comes from anywhere, so it is
//! read as hostile input: every size is limited before a byte is read, unknown fields are refused, file names may not
//! leave the folder, and every refusal is one plain sentence.

mod geometry;
mod modes;
mod network;

use std::path::Path;

use serde::{Deserialize, Serialize};
use tributary_dsp::recipe::RoomFile;
use tributary_dsp::{Recipe, Stem};

pub use geometry::WindowGeometry;
pub use modes::LatencyMode;
pub use network::Network;

use crate::error::BundleError;
use crate::limiter::CEILING_RANGE_DBTP;

/// The contract format this engine reads.
pub const CONTRACT_FORMAT: u32 = 1;
/// Largest contract in bytes.
pub const CONTRACT_LIMIT_BYTES: u64 = 64 * 1024;
/// Largest targets file in bytes.
pub const TARGETS_LIMIT_BYTES: u64 = 1024 * 1024;
/// Largest ONNX graph in bytes.
pub const GRAPH_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// Every window length is a multiple of this: the network's latent frame.
pub const FRAME_RATIO: usize = 64;
/// Longest window in frames: 60 s at 48 kHz. Bounds the memory a contract can ask for.
pub const WINDOW_LIMIT_FRAMES: usize = 2_880_000;
/// Frames by which a split front end runs behind the newest sample.
pub const SPLIT_MARGIN_FRAMES: usize = 128;

/// A file of the bundle with its checksum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileReference {
    /// Plain file name inside the bundle folder.
    pub file: String,
    /// Lower-case hexadecimal SHA-256 of the file.
    pub sha256: String,
}

impl From<&RoomFile> for FileReference {
    fn from(room: &RoomFile) -> Self {
        Self { file: room.file.clone(), sha256: room.sha256.clone() }
    }
}

/// Window lengths as written in the contract, in frames at the model's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractWindow {
    /// Past frames.
    pub context_frames: usize,
    /// Frames made per run.
    pub hop_frames: usize,
    /// Future frames.
    pub lookahead_frames: usize,
    /// Frames over which hops are joined.
    pub crossfade_frames: usize,
}

/// Vectors that prove a graph computes what its author's did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Raw little-endian f32, planar (8, frames).
    pub input: String,
    /// Raw little-endian f32, planar (2, frames).
    pub output: String,
    /// Frames of both.
    pub frames: usize,
    /// Largest allowed absolute difference.
    pub tolerance: f64,
}

/// The limiter behind the network, as written in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractLimiter {
    /// No true peak of the mix exceeds this, in dBTP, −24 to 0.
    pub ceiling_dbtp: f64,
}

/// The contract as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Format of this file, [`CONTRACT_FORMAT`].
    pub format: u32,
    /// The model's name, shown in the editor.
    pub name: String,
    /// The model's version.
    pub version: String,
    /// Architecture, for the reader.
    pub architecture: String,
    /// Licence of the weights.
    pub license: String,
    /// One plain sentence on the training data.
    pub trained_on: String,
    /// Sample rate the model works at.
    pub sample_rate_hz: u32,
    /// Input order; must be the one of [`Stem::ALL`].
    pub stems: Vec<String>,
    /// Channels per stem; must be 2.
    pub channels_per_stem: usize,
    /// Window lengths of the standard mode.
    pub window: ContractWindow,
    /// The network.
    pub network: Network,
    /// Data-set averages the stems are normalized to.
    pub targets: FileReference,
    /// How the stems are normalized.
    pub recipe: Recipe,
    /// The limiter behind the network; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limiter: Option<ContractLimiter>,
    /// Parity vectors, when the bundle has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Parity>,
    /// Anything else the author wants to say; not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Contract {
    /// Reads and checks a contract.
    ///
    /// # Errors
    /// [`BundleError::Malformed`] for what is not the format, [`BundleError::Unsupported`] for what this engine does
    /// not do, [`BundleError::TooLarge`] for more than [`CONTRACT_LIMIT_BYTES`].
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        if json.len() as u64 > CONTRACT_LIMIT_BYTES {
            return Err(BundleError::TooLarge {
                path: Path::new("contract.json").to_path_buf(),
                actual_bytes: json.len() as u64,
                limit_bytes: CONTRACT_LIMIT_BYTES,
            });
        }
        // The format is looked at first: a contract of the future should be called that, not full of unknown fields.
        #[derive(Deserialize)]
        struct FormatOnly {
            format: u32,
        }
        let malformed = |e: serde_json::Error| BundleError::Malformed { reason: e.to_string() };
        let FormatOnly { format } = serde_json::from_str(json).map_err(malformed)?;
        if format != CONTRACT_FORMAT {
            return Err(BundleError::Unsupported {
                reason: format!("its format is {format}, this version reads format {CONTRACT_FORMAT}"),
            });
        }
        let contract: Self = serde_json::from_str(json).map_err(malformed)?;
        contract.check().map_err(|reason| BundleError::Unsupported { reason })?;
        Ok(contract)
    }

    /// The checked window lengths: those of the standard mode.
    pub fn geometry(&self) -> WindowGeometry {
        WindowGeometry {
            sample_rate_hz: self.sample_rate_hz,
            context_frames: self.window.context_frames,
            hop_frames: self.window.hop_frames,
            lookahead_frames: self.window.lookahead_frames,
            crossfade_frames: self.window.crossfade_frames,
            margin_frames: self.network.margin_frames(),
        }
    }

    fn check(&self) -> Result<(), String> {
        let texts = [("name", &self.name), ("version", &self.version)];
        for (field, text) in texts {
            if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
                return Err(format!("{field} must be 1 to 100 printable characters"));
            }
        }
        if !self.stems.iter().map(String::as_str).eq(Stem::ALL.iter().map(|stem| stem.name())) {
            return Err(format!("stems is {:?}; expected vocals, bass, drums, other", self.stems));
        }
        if self.channels_per_stem != 2 {
            return Err(format!("channels_per_stem is {}; expected 2", self.channels_per_stem));
        }
        self.geometry().check()?;
        if let Some(ContractLimiter { ceiling_dbtp }) = self.limiter
            && !CEILING_RANGE_DBTP.contains(&ceiling_dbtp)
        {
            let (lowest, highest) = (CEILING_RANGE_DBTP.start(), CEILING_RANGE_DBTP.end());
            return Err(format!("limiter.ceiling_dbtp is {ceiling_dbtp}; expected {lowest} to {highest}"));
        }
        if self.network.output_drive_db().is_some() && self.limiter.is_none() {
            return Err("output_drive_db leaves peaks to a limiter, and there is none".into());
        }
        check_file(&self.targets)?;
        if let Some(room) = &self.recipe.reverb.impulse_response {
            check_file(&room.into())?;
        }
        self.network.check(&self.window)?;
        self.parity.as_ref().map_or(Ok(()), check_parity)
    }
}

fn check_parity(parity: &Parity) -> Result<(), String> {
    check_file_name(&parity.input)?;
    check_file_name(&parity.output)?;
    if parity.frames == 0 || parity.frames > WINDOW_LIMIT_FRAMES {
        return Err(format!("parity.frames is {}; expected 1 to {WINDOW_LIMIT_FRAMES}", parity.frames));
    }
    if !(parity.tolerance > 0.0 && parity.tolerance <= 1e-2) {
        return Err(format!(
            "parity.tolerance is {}; expected more than 0 and at most 0.01",
            parity.tolerance
        ));
    }
    Ok(())
}

fn check_file(reference: &FileReference) -> Result<(), String> {
    check_file_name(&reference.file)?;
    let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if reference.sha256.len() != 64 || !reference.sha256.chars().all(hexadecimal) {
        return Err(format!("the sha256 of {} is not 64 lower-case hexadecimal digits", reference.file));
    }
    Ok(())
}

/// A plain name: letters, digits, `.`, `_` and `-`, not starting with a dot. Nothing that could leave the folder.
fn check_file_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!("{name:?} is not a plain file name"));
    }
    Ok(())
}
