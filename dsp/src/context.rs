//! For whom and by whose rules an effect works: what everything that belongs to one stem is told when it is built.

use std::sync::Arc;

use crate::rules::RecipeKind;
use crate::stem::Stem;
use crate::targets::StemTargets;

/// For whom and by whose rules an effect works.
#[derive(Debug, Clone)]
pub struct Context {
    /// The stem.
    pub stem: Stem,
    /// The rules.
    pub kind: RecipeKind,
    /// What the stem is brought to.
    pub target: Arc<StemTargets>,
    /// How far off it may lie before that is a fault, in spreads; for rules that look for faults.
    pub tolerance: f64,
    /// The rate of everything the effect hears.
    pub sample_rate_hz: f64,
}
