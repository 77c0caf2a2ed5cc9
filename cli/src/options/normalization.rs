//! The options that decide how stems are normalized, shared by every command that does it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_dsp::recipe::EffectSetting;
use tributary_dsp::{EffectName, Recipe, Targets};

use crate::options::reverb::{ReverbArgs, Room};

/// The rate of all training data, in Hz: that of the published method and of the models.
pub const TRAINING_RATE_HZ: u32 = 44_100;

/// How to normalize.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NormalizationArgs {
    /// Targets to meet, as written by `tributary analyze` [default: the model's, else the MUSDB18 averages]
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// "paper", "published" (what the published code does, slips included) or a JSON file [default: the model's, else paper]
    #[arg(long, value_name = "paper|published|FILE")]
    recipe: Option<String>,
    /// Only these effects, in full where the recipe has them at 0: equalization, dynamics, panning, width, loudness
    #[arg(long, value_name = "EFFECT,...", value_delimiter = ',')]
    effects: Vec<String>,
    /// How far each effect goes, from 0 (not at all) to 1 (fully): equalization=0.3,... Above 0, it is switched on as well
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
    /// What was read for it: files, and folders of impulse responses.
    pub files: Vec<PathBuf>,
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
        self.choose_effects(&mut recipe)?;
        self.set_amounts(&mut recipe)?;
        let base = self.recipe_file().and_then(Path::parent);
        let rooms = self.reverb.apply(&mut recipe, base, sample_rate_hz)?;
        let named = self.recipe_file().into_iter().chain(self.targets.as_deref()).map(Path::to_owned);
        let response = recipe.reverb.impulse_response.as_ref();
        let beside = response.zip(base).map(|(response, base)| base.join(&response.file));
        let files = named.chain(beside).chain(self.reverb.files()).collect();
        Ok(Normalization { recipe, targets: self.base_targets(targets)?, rooms, files })
    }

    /// Switches everything off but the effects that were named; these act, even where the recipe gives them no strength.
    fn choose_effects(&self, recipe: &mut Recipe) -> Result<()> {
        if self.effects.is_empty() {
            return Ok(());
        }
        for effect in EffectName::ALL {
            recipe.effect_mut(effect).enabled = false;
        }
        recipe.reverb.enabled = false;
        for name in &self.effects {
            let setting = setting_named(recipe, name)?;
            setting.enabled = true;
            if setting.amount == 0.0 {
                setting.amount = 1.0;
            }
        }
        Ok(())
    }

    /// Sets the strengths that were given; one above 0 is heard.
    fn set_amounts(&self, recipe: &mut Recipe) -> Result<()> {
        for text in &self.amounts {
            let (name, amount) = parse_amount(text)?;
            let setting = setting_named(recipe, name)?;
            setting.amount = amount;
            if amount > 0.0 && !setting.enabled && !self.effects.is_empty() {
                bail!("--amounts gives {name} a strength, but --effects leaves it out");
            }
            setting.enabled |= amount > 0.0;
        }
        Ok(())
    }

    /// The recipe's file, unless one of our own is meant.
    fn recipe_file(&self) -> Option<&Path> {
        self.recipe.as_deref().filter(|name| !["paper", "published"].contains(name)).map(Path::new)
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

/// Finds an effect's setting by our name for it or by the published code's.
fn setting_named<'a>(recipe: &'a mut Recipe, name: &str) -> Result<&'a mut EffectSetting> {
    match EffectName::from_name(name.trim()) {
        Some(effect) => Ok(recipe.effect_mut(effect)),
        None => {
            bail!(
                "\"{name}\" is not an effect; there are equalization, dynamics, panning, width and loudness"
            )
        }
    }
}

/// Reads `effect=amount`.
fn parse_amount(text: &str) -> Result<(&str, f64)> {
    let (name, amount) = text
        .split_once('=')
        .with_context(|| format!("\"{text}\" is not an amount; write equalization=0.3"))?;
    match amount.trim().parse::<f64>() {
        Ok(amount) if (0.0..=1.0).contains(&amount) => Ok((name.trim(), amount)),
        _ => bail!("the amount of {name} must be between 0 and 1, not \"{amount}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the models that ship have it: no equalization, but width.
    fn of_model() -> Recipe {
        let mut recipe = Recipe::default().with_amounts([0.0, 1.0, 1.0, 1.0]).with_width(0.5);
        recipe.reverb.enabled = true;
        recipe
    }

    fn resolved(effects: &[&str], amounts: &[&str]) -> Result<Recipe> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let args = NormalizationArgs {
            effects: owned(effects),
            amounts: owned(amounts),
            ..NormalizationArgs::default()
        };
        Ok(args.resolve_from(of_model(), Targets::default(), TRAINING_RATE_HZ)?.recipe)
    }

    /// Strengths in force: those of the paper's effects in their order, then width's, then whether there is a reverb.
    fn acting(recipe: &Recipe) -> ([f64; 4], f64, bool) {
        let chain = EffectName::MEASURED.map(|effect| recipe.effect(effect).effective_amount());
        (chain, recipe.width.effective_amount(), recipe.reverb.enabled)
    }

    #[test]
    fn only_the_effects_that_were_named_act_and_those_do() {
        for (effects, expected) in [
            (&["loudness"][..], ([0.0, 0.0, 0.0, 1.0], 0.0, false)),
            (&["equalization"], ([1.0, 0.0, 0.0, 0.0], 0.0, false)),
            (&["eq", " Width "], ([1.0, 0.0, 0.0, 0.0], 0.5, false)),
            (&[], ([0.0, 1.0, 1.0, 1.0], 0.5, true)),
        ] {
            assert_eq!(acting(&resolved(effects, &[]).expect("known effects")), expected, "{effects:?}");
        }
        let both = resolved(&["equalization"], &["equalization=0.3"]).expect("valid");
        assert_eq!(acting(&both), ([0.3, 0.0, 0.0, 0.0], 0.0, false));
    }

    #[test]
    fn a_strength_that_was_given_is_heard_or_refused() {
        let mut off = of_model();
        off.panning.enabled = false;
        let args = NormalizationArgs {
            amounts: vec!["panning=0.4".into(), "width=0.2".into()],
            ..Default::default()
        };
        let recipe = args.resolve_from(off, Targets::default(), TRAINING_RATE_HZ).expect("valid").recipe;
        assert_eq!(acting(&recipe), ([0.0, 1.0, 0.4, 1.0], 0.2, true));
        let refused = resolved(&["loudness"], &["panning=0.5"]).expect_err("a contradiction");
        assert!(refused.to_string().contains("--effects leaves it out"), "{refused}");
        assert!(resolved(&["loudness"], &["panning=0"]).is_ok(), "nothing is lost");
    }
}
