//! The options that steer a mix, with the names of the plug-in's parameters.

use anyhow::{Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser};
use tributary_dsp::{Amounts, Stem};
use tributary_engine::{Controls, PRESETS, Preset, StemControls, TRIM_RANGE_DB};

/// How to steer the mix.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ControlArgs {
    /// Begin with a factory preset; the other options change what it says
    #[arg(long, value_name = "NAME", value_parser = presets(), ignore_case = true)]
    preset: Option<String>,
    /// Gain of stems ahead of the network in dB, from -12 to 12
    #[arg(long, value_name = "STEM=DB,...", value_delimiter = ',', allow_hyphen_values = true)]
    trim: Vec<String>,
    /// Stems to leave out
    #[arg(long, value_name = "STEM,...", value_delimiter = ',')]
    mute: Vec<String>,
    /// Leave all other stems out
    #[arg(long, value_name = "STEM,...", value_delimiter = ',')]
    solo: Vec<String>,
    /// How much of the mix is the network's, from 0 (the plain sum of the normalized and trimmed stems) to 100 % [default: 100]
    #[arg(long, value_name = "PERCENT")]
    network: Option<f32>,
    /// Stems to leave as they come in
    #[arg(long, value_name = "STEM,...", value_delimiter = ',')]
    leave_alone: Vec<String>,
    /// How much of the recipe's corrections is let through, from 0 to 100 %, of all stems or of one: reverb, equalization,
    /// dynamics, panning, width, loudness
    #[arg(long, value_name = "[STEM_]EFFECT=PERCENT,...", value_delimiter = ',')]
    amount: Vec<String>,
}

/// Keys of presets, each with what it does.
fn presets() -> PossibleValuesParser {
    PossibleValuesParser::new(PRESETS.iter().map(|preset| PossibleValue::new(preset.key).help(preset.words)))
}

impl ControlArgs {
    /// What they ask for.
    ///
    /// # Errors
    /// An unknown stem, or a value out of range.
    pub fn resolve(&self) -> Result<Controls> {
        let preset = self.preset.as_deref().and_then(Preset::named);
        let mut controls = preset.map_or(Controls::NEUTRAL, Preset::controls);
        for trim in &self.trim {
            let Some((name, db)) = trim.split_once('=') else { bail!("--trim needs STEM=DB, not {trim:?}") };
            controls.stems[stem(name, "--trim")?.index()].trim_db =
                number(db, "--trim", -TRIM_RANGE_DB, TRIM_RANGE_DB)?;
        }
        for name in &self.mute {
            controls.stems[stem(name, "--mute")?.index()].mute = true;
        }
        for name in &self.solo {
            controls.stems[stem(name, "--solo")?.index()].solo = true;
        }
        for name in &self.leave_alone {
            controls.stems[stem(name, "--leave-alone")?.index()].leave_alone = true;
        }
        for amount in &self.amount {
            set_amount(&mut controls, amount)?;
        }
        if let Some(network) = self.network {
            controls.network = percent(network, "--network")?;
        }
        Ok(controls)
    }
}

/// What is asked of a stem, in a few words; empty where nothing is.
pub fn words(controls: &StemControls) -> String {
    let trim = (controls.trim_db != 0.0).then(|| format!("{:+} dB", controls.trim_db));
    let mute = controls.mute.then(|| "mute".to_owned());
    let solo = controls.solo.then(|| "solo".to_owned());
    let alone = controls.leave_alone.then(|| "left alone".to_owned());
    [trim, mute, solo, alone].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn stem(name: &str, option: &str) -> Result<Stem> {
    match Stem::from_name(name) {
        Some(stem) => Ok(stem),
        None => bail!("{option} knows vocals, bass, drums and other, not {name:?}"),
    }
}

fn number(text: &str, option: &str, least: f32, most: f32) -> Result<f32> {
    match text.parse::<f32>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => bail!("{option} takes numbers from {least} to {most}, not {text:?}"),
    }
}

/// `equalization=50` of all stems, or `vocals_equalization=50` of one.
fn set_amount(controls: &mut Controls, amount: &str) -> Result<()> {
    let known = Amounts::NAMES.join(", ");
    let Some((name, share)) = amount.split_once('=') else {
        bail!("--amount needs EFFECT=PERCENT or STEM_EFFECT=PERCENT, not {amount:?}")
    };
    let Ok(share) = share.parse() else { bail!("--amount takes numbers from 0 to 100, not {share:?}") };
    let (amounts, effect) = match name.split_once('_') {
        Some((name, effect)) => (&mut controls.stems[stem(name, "--amount")?.index()].amounts, effect),
        None => (&mut controls.amounts, name),
    };
    match amounts.get_mut(effect) {
        Some(amount) => *amount = percent(share, "--amount")?,
        None => bail!("--amount knows {known}, not {effect:?}"),
    }
    Ok(())
}

/// A share of a whole.
fn percent(percent: f32, option: &str) -> Result<f32> {
    if !(0.0..=100.0).contains(&percent) {
        bail!("{option} takes numbers from 0 to 100, not {percent}");
    }
    Ok(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(trim: &[&str], mute: &[&str], solo: &[&str]) -> Result<Controls> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ControlArgs { trim: owned(trim), mute: owned(mute), solo: owned(solo), ..ControlArgs::default() }
            .resolve()
    }

    #[test]
    fn options_mean_what_they_say() {
        assert_eq!(resolve(&[], &[], &[]).expect("nothing"), Controls::NEUTRAL);
        let controls = resolve(&["vocals=-3", "Drums=2.5"], &["other"], &["vocals"]).expect("controls");
        assert_eq!(controls.stems.map(|stem| stem.trim_db), [-3.0, 0.0, 2.5, 0.0]);
        assert_eq!(controls.stems.each_ref().map(words), ["-3 dB, solo", "", "+2.5 dB", "mute"]);
        for (trim, part) in [("vocals", "STEM=DB"), ("voice=1", "voice"), ("bass=13", "13"), ("bass=x", "x")]
        {
            let said = resolve(&[trim], &[], &[]).expect_err("refused").to_string();
            assert!(said.contains("--trim") && said.contains(part), "{said}");
        }
        let amount = |amount: &str| {
            ControlArgs { amount: vec![amount.to_owned()], ..ControlArgs::default() }.resolve()
        };
        assert_eq!(amount("width=25").expect("known").amounts.width, 0.25);
        assert_eq!(amount("bass_loudness=0").expect("known").stems[1].amounts.loudness, 0.0);
        for refused in ["width", "width=101", "voice_width=1", "bass_size=1", "width=half"] {
            assert!(amount(refused).is_err(), "{refused}");
        }
        let voice = ControlArgs {
            preset: Some("voice-forward".into()),
            trim: vec!["other=3".into()],
            network: Some(40.0),
            ..ControlArgs::default()
        };
        let asked = voice.resolve().expect("known");
        assert_eq!(
            asked.stems.map(|stem| stem.trim_db),
            [2.0, 0.0, -0.5, 3.0],
            "options go on top of the preset"
        );
        assert_eq!(asked.network, 0.4);
        assert!(resolve(&[], &["mix"], &[]).is_err() && resolve(&[], &[], &["mix"]).is_err());
    }
}
