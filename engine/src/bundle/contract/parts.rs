//! The small parts of a contract, each as it is written and with what it must keep: files, window, parity vectors, limiter.
//! Apart from the contract because the networks have files and windows too.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use tributary_dsp::recipe::RoomFile;

use super::limits::WINDOW_LIMIT_FRAMES;

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

/// Shares of a hop that computing it may take. With less there is no room for a slower machine than the author's; with more
/// no time for anything else.
const COMPUTING_SHARE_RANGE: RangeInclusive<f64> = 0.05..=1.0;

/// Window lengths as written in the contract, in frames at the model's rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// The share of a hop's time that computing it may take on a slow machine, 0.05 to 1, in every mode: with what any machine
    /// may be late by, it is the latency's part for computing, so that this is the same everywhere. All of a hop when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computing_share: Option<f64>,
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

pub(super) fn check_computing(window: &ContractWindow) -> Result<(), String> {
    match window.computing_share {
        Some(share) if !COMPUTING_SHARE_RANGE.contains(&share) => {
            let (lowest, highest) = (COMPUTING_SHARE_RANGE.start(), COMPUTING_SHARE_RANGE.end());
            Err(format!("computing_share is {share}; expected {lowest} to {highest}"))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_parity(parity: &Parity) -> Result<(), String> {
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

pub(super) fn check_file(reference: &FileReference) -> Result<(), String> {
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
