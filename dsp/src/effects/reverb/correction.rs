//! The reverb of one stem, where a recipe sends what it lacks.

use serde::{Deserialize, Serialize};

/// The reverb that one stem gets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReverbCorrection {
    /// Share of the recipe's send, 0 to 1.
    pub share: f32,
}
