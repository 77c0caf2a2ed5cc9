//! Which effects run, how strongly, and by whose rules: the part of a model's contract that training and inference
//! must share. `paper` does what the paper says; `published` repeats the released code, slips included.

mod send;

pub use send::{ReverbSetting, RoomFile, SendLevels};

use serde::{Deserialize, Serialize};

use crate::rules::RecipeKind;
use crate::stem::Stem;

/// The effects that a recipe switches by an amount.
///
/// ```
/// use tributary_dsp::EffectName;
///
/// assert_eq!(EffectName::from_name("compression"), Some(EffectName::Dynamics));
/// assert_eq!(EffectName::ALL.len(), 5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectName {
    /// Average spectrum.
    Equalization,
    /// Onset peaks, by compression.
    Dynamics,
    /// Left/right similarity per frequency.
    Panning,
    /// A side for narrow stems.
    Width,
    /// Integrated loudness.
    Loudness,
}

impl EffectName {
    /// All of them, in the order in which the chain measures and applies them.
    pub const ALL: [EffectName; 5] = [
        EffectName::Equalization,
        EffectName::Dynamics,
        EffectName::Panning,
        EffectName::Width,
        EffectName::Loudness,
    ];

    /// Those with a feature of their own, the averages of which make targets; width aims at panning's.
    pub const MEASURED: [EffectName; 4] =
        [EffectName::Equalization, EffectName::Dynamics, EffectName::Panning, EffectName::Loudness];

    /// Lower-case name, as in a recipe.
    pub const fn name(self) -> &'static str {
        match self {
            EffectName::Equalization => "equalization",
            EffectName::Dynamics => "dynamics",
            EffectName::Panning => "panning",
            EffectName::Width => "width",
            EffectName::Loudness => "loudness",
        }
    }

    /// The effect of that name; the released code's short names (`eq`, `compression`) are understood too.
    pub fn from_name(name: &str) -> Option<EffectName> {
        match name.to_ascii_lowercase().as_str() {
            "eq" => Some(EffectName::Equalization),
            "compression" => Some(EffectName::Dynamics),
            name => Self::ALL.into_iter().find(|effect| effect.name() == name),
        }
    }
}

/// Switch and strength of one effect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EffectSetting {
    /// Off: audio passes untouched, only delayed as if the effect were on.
    pub enabled: bool,
    /// 0 (untouched) to 1 (full correction), in the effect's own unit.
    pub amount: f64,
}

impl Default for EffectSetting {
    fn default() -> Self {
        Self { enabled: true, amount: 1.0 }
    }
}

impl EffectSetting {
    /// Strength in force: 0 when switched off.
    pub fn effective_amount(&self) -> f64 {
        if self.enabled { self.amount } else { 0.0 }
    }
}

/// The normalizer's part of a model contract.
///
/// ```
/// use tributary_dsp::{EffectName, Recipe};
///
/// let recipe = Recipe::default().with_amounts([0.3, 0.5, 0.0, 1.0]).with_width(1.0);
/// assert_eq!(recipe.effect(EffectName::Equalization).effective_amount(), 0.3);
/// assert!(recipe.validate().is_ok());
/// assert!(Recipe::default().with_amounts([1.1; 4]).validate().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Rules.
    pub kind: RecipeKind,
    /// Average-spectrum matching.
    pub equalization: EffectSetting,
    /// Compression toward the target's onset peaks.
    pub dynamics: EffectSetting,
    /// Spectral re-panning.
    pub panning: EffectSetting,
    /// A side for stems that are narrower than the average; not in the paper, off by default. Its feature is panning's.
    pub width: EffectSetting,
    /// Integrated loudness.
    pub loudness: EffectSetting,
    /// Reverb send.
    pub reverb: ReverbSetting,
    /// How loudly a fault must speak, in spreads of the data set, before it is mended; for rules of kind `tributary`.
    #[serde(skip_serializing_if = "is_usual_tolerance")]
    pub tolerance: f64,
}

/// Fewer spreads mend more, and touch more that is fine. At 3 no stem of ten real songs is changed, and muffled ones are mended;
/// at 2.5 one of 32 is called thin that is not; at 2 the sums of songs that were mixed already move away from the human mix.
pub const USUAL_TOLERANCE: f64 = 3.0;

fn is_usual_tolerance(tolerance: &f64) -> bool {
    *tolerance == USUAL_TOLERANCE
}

/// What is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// An amount outside 0 to 1.
    #[error("the recipe's amount for {effect} is {amount}; it must lie between 0 and 1")]
    Amount {
        /// Name of the effect.
        effect: &'static str,
        /// The offending value.
        amount: f64,
    },
    /// A tolerance outside 0 to 10 spreads.
    #[error("the recipe's tolerance is {0}; it must lie between 0 and 10 spreads")]
    Tolerance(f64),
    /// An impulse response is named but was not read.
    #[error("the recipe's impulse response {0} has not been read")]
    RoomMissing(String),
    /// A send level out of range.
    #[error("the recipe's reverb level of {stem} is {level_db} dB; it must lie between -60 and 12 dB")]
    SendLevel {
        /// The stem.
        stem: Stem,
        /// The offending value.
        level_db: f64,
    },
    /// A shelf corner that is no audible frequency.
    #[error("the recipe's reverb {shelf} corner is {hz} Hz; it must lie between 20 and 20000 Hz")]
    Shelf {
        /// Which shelf.
        shelf: &'static str,
        /// The offending value.
        hz: f64,
    },
}

impl Default for Recipe {
    fn default() -> Self {
        let on = EffectSetting::default();
        Self {
            kind: RecipeKind::Paper,
            equalization: on,
            dynamics: on,
            panning: on,
            width: EffectSetting { enabled: false, ..on },
            loudness: on,
            reverb: ReverbSetting::default(),
            tolerance: USUAL_TOLERANCE,
        }
    }
}

impl Recipe {
    /// What the released code does, in full.
    pub fn published() -> Self {
        Self { kind: RecipeKind::Published, ..Self::default() }
    }

    /// No effect at all: a pure delay.
    pub fn bypass() -> Self {
        Self::default().with_amounts([0.0; 4])
    }

    /// The same recipe with width switched on at this amount, 0 to 1.
    pub fn with_width(mut self, amount: f64) -> Self {
        self.width = EffectSetting { enabled: true, amount };
        self
    }

    /// The same recipe with these amounts of the paper's four effects: equalization, dynamics, panning, loudness.
    pub fn with_amounts(mut self, [equalization, dynamics, panning, loudness]: [f64; 4]) -> Self {
        self.equalization.amount = equalization;
        self.dynamics.amount = dynamics;
        self.panning.amount = panning;
        self.loudness.amount = loudness;
        self
    }

    /// The same recipe with every other effect and the reverb switched off.
    pub fn only(&self, effect: EffectName) -> Self {
        let mut recipe = self.clone();
        for other in EffectName::ALL.into_iter().filter(|other| *other != effect) {
            recipe.effect_mut(other).enabled = false;
        }
        recipe.reverb.enabled = false;
        recipe
    }

    /// Setting of one effect.
    pub fn effect(&self, effect: EffectName) -> &EffectSetting {
        match effect {
            EffectName::Equalization => &self.equalization,
            EffectName::Dynamics => &self.dynamics,
            EffectName::Panning => &self.panning,
            EffectName::Width => &self.width,
            EffectName::Loudness => &self.loudness,
        }
    }

    /// Mutable setting of one effect.
    pub fn effect_mut(&mut self, effect: EffectName) -> &mut EffectSetting {
        match effect {
            EffectName::Equalization => &mut self.equalization,
            EffectName::Dynamics => &mut self.dynamics,
            EffectName::Panning => &mut self.panning,
            EffectName::Width => &mut self.width,
            EffectName::Loudness => &mut self.loudness,
        }
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// The first value out of its range.
    pub fn validate(&self) -> Result<(), RecipeError> {
        let amounts = EffectName::ALL.map(|effect| (effect.name(), self.effect(effect).amount));
        let others = [("reverb", self.reverb.amount)];
        for (effect, amount) in amounts.into_iter().chain(others) {
            if !(0.0..=1.0).contains(&amount) {
                return Err(RecipeError::Amount { effect, amount });
            }
        }
        if !(0.0..=10.0).contains(&self.tolerance) {
            return Err(RecipeError::Tolerance(self.tolerance));
        }
        for stem in Stem::ALL {
            if let Some(level_db) = self.reverb.levels_db.stem(stem)
                && !SendLevels::RANGE_DB.contains(&level_db)
            {
                return Err(RecipeError::SendLevel { stem, level_db });
            }
        }
        let corners = [("low shelf", self.reverb.low_shelf_hz), ("high shelf", self.reverb.high_shelf_hz)];
        for (shelf, hz) in corners {
            if !(20.0..=20_000.0).contains(&hz) {
                return Err(RecipeError::Shelf { shelf, hz });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_recipe_is_the_full_paper_and_survives_json() {
        let recipe = Recipe::default();
        assert_eq!(recipe.kind, RecipeKind::Paper);
        let amounts = EffectName::ALL.map(|effect| recipe.effect(effect).effective_amount());
        assert_eq!(amounts, [1.0, 1.0, 1.0, 0.0, 1.0], "width is not the paper's");
        let text = serde_json::to_string(&recipe).expect("plain data");
        assert_eq!(serde_json::from_str::<Recipe>(&text).expect("own output"), recipe);
        assert_eq!(serde_json::from_str::<Recipe>("{}").expect("all defaults"), recipe);
    }

    #[test]
    fn send_levels_default_to_the_papers_and_each_can_be_given() {
        let read = |text: &str| serde_json::from_str::<Recipe>(text).expect("valid").reverb;
        let old = read(r#"{"reverb": {"enabled": true, "amount": 0.5}}"#);
        assert_eq!(Stem::ALL.map(|stem| old.gain(stem)), [Some(0.5), None, None, Some(0.5)]);
        let text = serde_json::to_string(&old).expect("plain data");
        assert!(!text.contains("levels_db") && !text.contains("generated"), "written as before: {text}");
        let given = read(r#"{"reverb": {"enabled": true, "levels_db": {"drums": -20.0, "other": null}}}"#);
        assert_eq!(Stem::ALL.map(|stem| given.gain(stem)), [Some(1.0), None, Some(0.1), None]);
        assert_eq!(
            read(&format!(r#"{{"reverb": {}}}"#, serde_json::to_string(&given).expect("plain"))),
            given
        );
        let off = ReverbSetting { enabled: false, ..given };
        assert!(Stem::ALL.iter().all(|stem| off.gain(*stem).is_none()));
        for level in ["13", "-61", "1e99"] {
            let text = format!(r#"{{"reverb": {{"levels_db": {{"bass": {level}}}}}}}"#);
            assert!(serde_json::from_str::<Recipe>(&text).expect("a number").validate().is_err(), "{level}");
        }
        assert!(serde_json::from_str::<Recipe>(r#"{"reverb": {"levels_db": {"piano": 0}}}"#).is_err());
    }

    #[test]
    fn unknown_fields_and_bad_amounts_are_refused() {
        assert!(serde_json::from_str::<Recipe>(r#"{"tempo": 1}"#).is_err());
        for amount in [-0.1, 1.1, f64::NAN] {
            assert!(Recipe::default().with_amounts([0.0, amount, 0.0, 0.0]).validate().is_err());
        }
    }

    #[test]
    fn only_leaves_one_effect() {
        let recipe = Recipe::default().only(EffectName::Panning);
        assert!(recipe.panning.enabled && !recipe.equalization.enabled && !recipe.loudness.enabled);
    }
}
