//! Six amounts, one for each effect: once for all stems, and once for each.

use super::kinds::share;
use nice_plug::prelude::*;
use tributary_dsp::Amounts;

/// How much of the recipe's corrections is let through, 0–1. Identifiers are the effects' names in recipes.
#[derive(Params)]
pub struct AmountParams {
    /// Of the reverb send.
    #[id = "reverb"]
    pub reverb: FloatParam,
    /// Of the equalization.
    #[id = "equalization"]
    pub equalization: FloatParam,
    /// Of the compression.
    #[id = "dynamics"]
    pub dynamics: FloatParam,
    /// Of the panning.
    #[id = "panning"]
    pub panning: FloatParam,
    /// Of the width.
    #[id = "width"]
    pub width: FloatParam,
    /// Of the gain.
    #[id = "loudness"]
    pub loudness: FloatParam,
}

/// What users read, in the order of [`Amounts::NAMES`].
pub const NAMES: [&str; 6] = ["Reverb", "EQ", "Compression", "Panning", "Width", "Loudness"];

impl AmountParams {
    /// Of one stem, by its name, or of all.
    pub(super) fn new(of: &str) -> Self {
        let [reverb, equalization, dynamics, panning, width, loudness] =
            NAMES.map(|name| share(if of.is_empty() { name.to_owned() } else { format!("{of} {name}") }));
        Self { reverb, equalization, dynamics, panning, width, loudness }
    }

    /// In the order of [`Amounts::NAMES`].
    pub fn each(&self) -> [&FloatParam; 6] {
        [&self.reverb, &self.equalization, &self.dynamics, &self.panning, &self.width, &self.loudness]
    }

    pub(super) fn values(&self) -> Amounts {
        let mut amounts = Amounts::FULL;
        amounts.each_mut().into_iter().zip(self.each()).for_each(|(amount, param)| *amount = param.value());
        amounts
    }
}
