//! A plug-in's saved state, opened.
//!
//! The framework saves eight bytes of length and then JSON with the parameters and the persisted fields; the field
//! `session` holds Tributary's own JSON with the report of the last run. Stands apart so that only this file knows it.

use anyhow::{Context, Result};
use serde_json::Value;

/// Length of the length that stands before the JSON.
const PREFIX_BYTES: usize = 8;

/// The plug-in's meters end here: what is not louder is silence. In LUFS.
const SILENCE_LUFS: f64 = -119.0;

/// A state as a host keeps it: bytes it does not look into – except here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState {
    bytes: Vec<u8>,
}

impl SavedState {
    /// Takes a state as it came from a plug-in or a file.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// A state with the given JSON and a correct length before it.
    #[must_use]
    pub fn from_json(json: &Value) -> Self {
        let text = json.to_string();
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        Self { bytes }
    }

    /// The bytes a host would write to its session.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The JSON inside.
    ///
    /// # Errors
    /// When it is too short or not JSON.
    pub fn json(&self) -> Result<Value> {
        let text = self.bytes.get(PREFIX_BYTES..).context("the state is shorter than its length field")?;
        serde_json::from_slice(text).context("the state is not JSON")
    }

    /// Tributary's own part: the field `session`.
    #[must_use]
    pub fn session(&self) -> Option<Value> {
        let json = self.json().ok()?;
        let session = json.get("fields")?.get("session")?;
        // The framework stores each field as a string of JSON.
        match session {
            Value::String(text) => serde_json::from_str(text).ok(),
            other => Some(other.clone()),
        }
    }

    /// The report of the last run.
    #[must_use]
    pub fn report(&self) -> Option<RunReport> {
        self.session()?.get("report").filter(|report| report.is_object()).cloned().map(RunReport)
    }
}

/// What the plug-in says of its last run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport(pub Value);

/// What the report says of one stem.
#[derive(Clone, Debug, PartialEq)]
pub struct StemReport {
    /// The stem's name.
    pub name: String,
    /// Integrated loudness of what came in, in LUFS; `None` for silence.
    pub before_lufs: Option<f64>,
    /// Integrated loudness after normalization, in LUFS; `None` for silence.
    pub after_lufs: Option<f64>,
}

impl RunReport {
    /// The state of the model: `idle`, `loading`, `ready` or `failed`.
    #[must_use]
    pub fn model_state(&self) -> Option<String> {
        Some(self.0.get("state")?.as_str()?.to_owned())
    }

    /// Why the model failed, in plain words; empty when it did not.
    #[must_use]
    pub fn reason(&self) -> String {
        self.0.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Hops that were not ready when due.
    #[must_use]
    pub fn underruns(&self) -> Option<u64> {
        self.0.get("underruns")?.as_u64()
    }

    /// The latency the plug-in believes it has, in frames.
    #[must_use]
    pub fn latency_frames(&self) -> Option<u64> {
        self.0.get("latency_frames")?.as_u64()
    }

    /// The four stems.
    #[must_use]
    pub fn stems(&self) -> Vec<StemReport> {
        let stems = self.0.get("stems").and_then(Value::as_array).cloned().unwrap_or_default();
        let audible = |stem: &Value, name: &str| stem.get(name)?.as_f64().filter(|&lufs| lufs > SILENCE_LUFS);
        let read = |stem: &Value| StemReport {
            name: stem.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            before_lufs: audible(stem, "before_lufs"),
            after_lufs: audible(stem, "after_lufs"),
        };
        stems.iter().map(read).collect()
    }
}
