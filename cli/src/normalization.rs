//! The options that decide how stems are normalized, shared by every command that does it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_dsp::{Effect, Recipe, Targets};

use crate::commands::normalize::TRAINING_RATE_HZ;
use crate::reverb::{ReverbArgs, Room};

/// How to normalize.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NormalizationArgs {
    /// Targets to meet, as written by `tributary analyze` [default: the model's, else the MUSDB18 averages]
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// "paper", "published" (what the published code does, slips included) or a JSON file [default: the model's, else paper]
    #[arg(long, value_name = "paper|published|FILE")]
    recipe: Option<String>,
    /// Only these effects: equalization, dynamics, panning, loudness
    #[arg(long, value_name = "EFFECT,...", value_delimiter = ',')]
    effects: Vec<String>,
    /// How far each effect goes, from 0 (not at all) to 1 (fully): equalization=0.3,...
    #[arg(long, value_name = "EFFECT=AMOUNT,...", value_delimiter = ',')]
    amounts: Vec<String>,
    #[command(flatten)]
    reverb: ReverbArgs,
}

/// What the options amount to.
pub struct Normalization {
    /// Which effects run, how strongly, by whose rules; a room is read.
    pub recipe: Recipe,
    /// What stems are brought to.
    pub targets: Targets,
    /// The rooms that were named.
    pub rooms: Vec<Room>,
}

impl NormalizationArgs {
    /// Only a recipe, everything else as by default.
    pub fn of_recipe(recipe: Option<String>) -> Self {
        Self { recipe, ..Self::default() }
    }

    /// Reads the files and puts the options together, for data at the rate of training; without options the paper's
    /// recipe and the MUSDB18 averages.
    ///
    /// # Errors
    /// A file is unreadable, an effect unknown, an amount out of 0..=1.
    pub fn resolve(&self) -> Result<Normalization> {
        self.resolve_from(Recipe::default(), Targets::default(), TRAINING_RATE_HZ)
    }

    /// As [`Self::resolve`], starting from a model's own recipe and targets, at its rate.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn resolve_from(
        &self,
        recipe: Recipe,
        targets: Targets,
        sample_rate_hz: u32,
    ) -> Result<Normalization> {
        let mut recipe = self.base_recipe(recipe)?;
        if !self.effects.is_empty() {
            let wanted = self.effects.iter().map(|name| effect_named(name)).collect::<Result<Vec<_>>>()?;
            for effect in Effect::ALL {
                recipe.effect_mut(effect).enabled = wanted.contains(&effect);
            }
        }
        for text in &self.amounts {
            let (effect, amount) = parse_amount(text)?;
            recipe.effect_mut(effect).amount = amount;
        }
        let base = self.recipe.as_deref().map(Path::new).and_then(Path::parent);
        let rooms = self.reverb.apply(&mut recipe, base, sample_rate_hz)?;
        Ok(Normalization { recipe, targets: self.base_targets(targets)?, rooms })
    }

    fn base_recipe(&self, otherwise: Recipe) -> Result<Recipe> {
        match self.recipe.as_deref() {
            None => Ok(otherwise),
            Some("paper") => Ok(Recipe::default()),
            Some("published") => Ok(Recipe::published()),
            Some(path) => {
                let context =
                    || format!("the recipe is neither \"paper\", \"published\" nor a recipe file: {path}");
                let text = fs::read_to_string(path).with_context(context)?;
                let recipe: Recipe = serde_json::from_str(&text).with_context(context)?;
                recipe.validate().with_context(context)?;
                Ok(recipe)
            }
        }
    }

    fn base_targets(&self, otherwise: Targets) -> Result<Targets> {
        let Some(path) = &self.targets else { return Ok(otherwise) };
        let context = || format!("the targets {} cannot be used", path.display());
        Targets::from_json(&fs::read_to_string(path).with_context(context)?).with_context(context)
    }
}

/// Finds an effect by our name for it or by the published code's.
fn effect_named(name: &str) -> Result<Effect> {
    Effect::from_name(name.trim()).with_context(|| {
        format!("\"{name}\" is not an effect; there are equalization, dynamics, panning and loudness")
    })
}

/// Reads `effect=amount`.
fn parse_amount(text: &str) -> Result<(Effect, f64)> {
    let (name, amount) = text
        .split_once('=')
        .with_context(|| format!("\"{text}\" is not an amount; write equalization=0.3"))?;
    let effect = effect_named(name)?;
    match amount.trim().parse::<f64>() {
        Ok(amount) if (0.0..=1.0).contains(&amount) => Ok((effect, amount)),
        _ => bail!("the amount of {name} must be between 0 and 1, not \"{amount}\""),
    }
}
