//! By whose rules a feature is measured and matched; every meter and matcher asks.

use serde::{Deserialize, Serialize};

/// By whose rules features are measured and matched.
///
/// ```
/// use tributary_dsp::{Recipe, RecipeKind};
///
/// let recipe = Recipe { kind: RecipeKind::Tributary, ..Recipe::default() };
/// assert_ne!(recipe, Recipe::published());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipeKind {
    /// What the paper says: bounded, smoothed, stereo balance kept.
    #[default]
    Paper,
    /// What the released code does, so that released checkpoints hear what they were trained on.
    Published,
    /// What an engineer would do: the paper's meters and matchers, but what has been worked on is left as it is. Stems
    /// that have a side keep it, and the bass stays in the middle.
    Tributary,
}

impl RecipeKind {
    /// Whether features are measured and matched as the released code does it, slips included.
    pub(crate) fn is_published(self) -> bool {
        self == RecipeKind::Published
    }
}
