//! The model's contract: the JSON that says what a bundle holds, at which rate and window lengths its network works,
//! how the stems must be normalized for it and which checksums its files have. A bundle comes from anywhere, so it is
//! read as hostile input: every size is limited before a byte is read, unknown fields are refused, file names may not
//! leave the folder, and every refusal is one plain sentence.

mod geometry;
mod limits;
mod modes;
mod network;
mod parts;

use std::path::Path;

use serde::{Deserialize, Serialize};
use tributary_dsp::{Cause, Recipe, Stem};

pub use geometry::WindowGeometry;
pub use limits::{
    CONTRACT_FORMAT, CONTRACT_LIMIT_BYTES, FRAME_RATIO, GRAPH_LIMIT_BYTES, SPLIT_MARGIN_FRAMES,
    TARGETS_LIMIT_BYTES,
};
pub use modes::LatencyMode;
pub use network::Network;
pub use parts::{ContractLimiter, ContractWindow, FileReference, Parity};

use limits::CEILING_RANGE_DBTP;
use modes::Flexibility;
use parts::{check_computing, check_file, check_parity};

use crate::error::BundleError;

/// The contract as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Format of this file: 1.
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
    /// not do, [`BundleError::TooLarge`] for more than 64 KiB.
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
        let malformed = |e: serde_json::Error| BundleError::Malformed { reason: Cause::new(e) };
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
        let window = WindowGeometry {
            sample_rate_hz: self.sample_rate_hz,
            context_frames: self.window.context_frames,
            hop_frames: self.window.hop_frames,
            lookahead_frames: self.window.lookahead_frames,
            crossfade_frames: self.window.crossfade_frames,
            margin_frames: self.network.margin_frames(),
            computing_frames: self.window.hop_frames.max(1),
        };
        window.with_computing(self.window.computing_share)
    }

    /// The window of a mode; the standard one when this network has no other.
    pub fn window_in(&self, mode: LatencyMode) -> WindowGeometry {
        self.geometry().in_mode(mode, self.flexibility())
    }

    /// The window for hearing a song without making anything of it.
    pub(crate) fn listening_window(&self) -> WindowGeometry {
        self.geometry().for_listening(self.flexibility())
    }

    fn flexibility(&self) -> Flexibility {
        Flexibility {
            delay_frames: self.network.flexible_delay_frames(),
            computing_share: self.window.computing_share,
        }
    }

    /// Whether a mode differs from the standard one.
    pub fn offers(&self, mode: LatencyMode) -> bool {
        mode == LatencyMode::Standard || self.window_in(mode) != self.geometry()
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
        check_computing(&self.window)?;
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
