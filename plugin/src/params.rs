//! What a host can automate, and what it saves beside it.
//!
//! Parameters carry no smoothers: the engine smooths the [`Settings`] snapshot it is given,
//! so that the plug-in and every other caller of the engine glide alike.

pub mod amounts;
mod kinds;
mod stem;

pub use amounts::AmountParams;
pub use stem::StemParams;

use crate::editor::appearance::Appearance;
use crate::editor::size::EditorSize;
use crate::models::{ModelChoice, ModelField};
use crate::saved::{
    self, Learned, LearnedField, Locked, LockedField, Session, SessionField, SettingField, Snapshots,
    SnapshotsField,
};
use crate::targets::{TargetsChoice, TargetsField};
use crate::text;
use kinds::{clamp, decibels, share, switch};
use nice_plug::plugin::ParamValue;
use nice_plug::prelude::*;
use std::sync::Arc;
use tributary_dsp::{Amounts, Stem};
use tributary_engine::{Controls, LatencyMode, Settings};

/// Range of the output gain to either side of 0, in dB.
pub const GAIN_RANGE_DB: f32 = 24.0;

/// What the dry side of the Mix control plays.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrySource {
    /// The main input, delayed by the latency.
    #[id = "bus"]
    #[name = "Bus"]
    Bus,
    /// The plain sum of the four stems, delayed by the latency.
    #[id = "sum"]
    #[name = "Sum of stems"]
    Sum,
}

/// The parameters. Identifiers never change: projects and automation refer to them.
#[derive(Params)]
pub struct TributaryParams {
    /// Wet part of the output, 0–1.
    #[id = "mix"]
    pub mix: FloatParam,
    /// Gain behind Mix, in dB.
    #[id = "gain"]
    pub gain_db: FloatParam,
    /// Passes the main input, delayed by the latency. Linked to the host's own bypass control.
    #[id = "bypass"]
    pub bypass: BoolParam,
    /// What Mix = 0 % plays.
    #[id = "dry_source"]
    pub dry_source: EnumParam<DrySource>,
    /// Part of the network in the mix, 0–1.
    #[id = "network"]
    pub network: FloatParam,
    /// Brings the dry signal to the loudness of the mix.
    #[id = "match_loudness"]
    pub match_loudness: BoolParam,
    /// Plays the mix less the dry signal.
    #[id = "delta"]
    pub delta: BoolParam,
    /// How much of the recipe's corrections is let through, of all stems.
    #[nested(group = "Amounts")]
    pub amounts: AmountParams,
    /// What acts on the vocals.
    #[nested(id_prefix = "vocals", group = "Vocals")]
    pub vocals: StemParams,
    /// What acts on the bass.
    #[nested(id_prefix = "bass", group = "Bass")]
    pub bass: StemParams,
    /// What acts on the drums.
    #[nested(id_prefix = "drums", group = "Drums")]
    pub drums: StemParams,
    /// What acts on everything else.
    #[nested(id_prefix = "other", group = "Other")]
    pub other: StemParams,
    /// Which model made the mix, and how the last run went.
    #[persist = "session"]
    pub session: Arc<SessionField>,
    /// The learned profile.
    #[persist = "learned"]
    pub learned: Arc<LearnedField>,
    /// What stems are locked at.
    #[persist = "locked"]
    pub locked: Arc<LockedField>,
    /// The snapshots.
    #[persist = "snapshots"]
    pub snapshots: Arc<SnapshotsField>,
    /// The latency mode.
    #[persist = "latency"]
    pub latency: Arc<SettingField<LatencyMode>>,
    /// The model.
    #[persist = "model"]
    pub model: Arc<ModelField>,
    /// The targets.
    #[persist = "targets"]
    pub targets: Arc<TargetsField>,
    /// The window's size.
    #[persist = "window"]
    pub window: Arc<SettingField<EditorSize>>,
    /// Whether the editor is dark or light.
    #[persist = "appearance"]
    pub appearance: Arc<SettingField<Appearance>>,
}

impl Default for TributaryParams {
    fn default() -> Self {
        Self {
            mix: share("Mix"),
            gain_db: decibels("Output gain", GAIN_RANGE_DB),
            bypass: BoolParam::new("Bypass", false)
                .with_value_to_string(formatters::v2s_bool_bypass())
                .with_string_to_value(Arc::new(text::switch))
                .make_bypass(),
            dry_source: EnumParam::new("Dry source", DrySource::Bus),
            network: share("Network"),
            match_loudness: switch("Match loudness"),
            delta: switch("Delta"),
            amounts: AmountParams::new(""),
            vocals: StemParams::new(Stem::Vocals),
            bass: StemParams::new(Stem::Bass),
            drums: StemParams::new(Stem::Drums),
            other: StemParams::new(Stem::Other),
            session: Arc::default(),
            learned: Arc::default(),
            locked: Arc::default(),
            snapshots: Arc::default(),
            latency: Arc::default(),
            model: Arc::default(),
            targets: Arc::default(),
            window: Arc::default(),
            appearance: Arc::default(),
        }
    }
}

impl TributaryParams {
    /// What acts on a stem.
    pub fn stem(&self, stem: Stem) -> &StemParams {
        match stem {
            Stem::Vocals => &self.vocals,
            Stem::Bass => &self.bass,
            Stem::Drums => &self.drums,
            Stem::Other => &self.other,
        }
    }

    /// Which stems are locked, in stem order.
    pub fn locks(&self) -> [bool; Stem::COUNT] {
        Stem::ALL.map(|stem| self.stem(stem).lock.value())
    }

    fn controls(&self) -> Controls {
        Controls {
            stems: Stem::ALL.map(|stem| self.stem(stem).controls()),
            network: self.network.value(),
            amounts: self.amounts.values(),
        }
    }

    /// What the engine is told for a block. Real-time safe.
    pub fn settings(&self, offline: bool) -> Settings {
        Settings {
            mix: self.mix.value(),
            output_gain: util::db_to_gain(self.gain_db.value()),
            match_loudness: self.match_loudness.value(),
            delta: self.delta.value(),
            bypass: self.bypass.value(),
            dry_source: match self.dry_source.value() {
                DrySource::Bus => tributary_engine::DrySource::Bus,
                DrySource::Sum => tributary_engine::DrySource::SumOfStems,
            },
            offline,
            song_frame: None,
            controls: self.controls(),
        }
    }
}

/// Mends a state before the framework reads it: values come into range, those that were saved by an earlier version get the
/// parameters it lacked at their defaults, and every saved field is JSON.
pub(crate) fn mend(state: &mut PluginState) {
    mend_values(state);
    saved::mend::<Session>(state);
    saved::mend::<Learned>(state);
    saved::mend::<Locked>(state);
    saved::unlock_unasked(state);
    saved::mend::<Snapshots>(state);
    saved::mend::<LatencyMode>(state);
    saved::mend::<ModelChoice>(state);
    saved::mend::<TargetsChoice>(state);
    saved::mend::<EditorSize>(state);
    saved::mend::<Appearance>(state);
}

/// The framework stores what a state says as it is, and looks an enum's name up by that value without a check.
fn mend_values(state: &mut PluginState) {
    state.params.retain(|id, value| match (id.as_str(), value) {
        ("mix" | "network", ParamValue::F32(value)) => clamp(value, 0.0, 1.0),
        ("gain", ParamValue::F32(value)) => clamp(value, -GAIN_RANGE_DB, GAIN_RANGE_DB),
        ("dry_source", ParamValue::I32(index)) => (0..DrySource::variants().len() as i32).contains(index),
        (id, ParamValue::F32(value)) if Amounts::NAMES.contains(&id) => clamp(value, 0.0, 1.0),
        (id, value) => stem::mend(id, value).unwrap_or(true), // the framework ignores another kind of value
    });
    // The framework leaves a parameter that a state lacks where it stands, which may be anywhere.
    let of_mix = [
        ("network", ParamValue::F32(1.0)),
        ("match_loudness", ParamValue::Bool(false)),
        ("delta", ParamValue::Bool(false)),
    ];
    let amounts = Amounts::NAMES.map(|id| (id, ParamValue::F32(1.0)));
    let of_mix = of_mix.into_iter().chain(amounts).map(|(id, value)| (id.to_owned(), value));
    for (id, value) in of_mix.chain(Stem::ALL.into_iter().flat_map(stem::defaults)) {
        state.params.entry(id).or_insert(value);
    }
}

#[cfg(test)]
#[allow(unsafe_code)] // The framework lists parameters as pointers.
mod tests {
    use super::*;

    #[test]
    fn saved_values_come_into_range() {
        let mut state: PluginState = serde_json::from_str(
            r#"{"params": {"mix": {"f32": 1e30}, "gain": {"f32": -99.0}, "dry_source": {"i32": 7}, "bypass": {"bool": true}},
                "fields": {}}"#,
        )
        .expect("a state");
        mend(&mut state);
        assert!(matches!(state.params["mix"], ParamValue::F32(1.0)));
        assert!(matches!(state.params["gain"], ParamValue::F32(-24.0)));
        assert!(!state.params.contains_key("dry_source"));
        assert!(state.params.contains_key("bypass"));
    }

    #[test]
    fn identifiers_and_defaults_are_fixed() {
        let params = TributaryParams::default();
        let ids: Vec<String> = params.param_map().into_iter().map(|(id, _, _)| id).collect();
        let effects = ["reverb", "equalization", "dynamics", "panning", "width", "loudness"];
        let of_stem = ["trim", "mute", "solo", "leave_alone", "lock"].into_iter().chain(effects);
        let stems =
            Stem::ALL.into_iter().flat_map(|stem| of_stem.clone().map(move |id| format!("{stem}_{id}")));
        let of_mix = ["mix", "gain", "bypass", "dry_source", "network", "match_loudness", "delta"];
        let wanted: Vec<String> = of_mix.into_iter().chain(effects).map(str::to_owned).chain(stems).collect();
        assert_eq!(ids, wanted);
        assert_eq!(params.settings(false), Settings::default());
        assert!(params.settings(true).offline);
    }

    #[test]
    fn a_state_of_an_earlier_version_means_the_defaults_of_what_it_lacks() {
        let mut state: PluginState = serde_json::from_str(
            r#"{"params": {"mix": {"f32": 0.5}, "vocals_trim": {"f32": 99.0}, "bass_trim": {"f32": 3.0},
                "drums_mute": {"bool": true}}, "fields": {}}"#,
        )
        .expect("a state");
        mend(&mut state);
        assert!(matches!(state.params["vocals_trim"], ParamValue::F32(12.0)));
        assert!(matches!(state.params["bass_trim"], ParamValue::F32(3.0)));
        assert!(matches!(state.params["drums_mute"], ParamValue::Bool(true)));
        let params = TributaryParams::default();
        let later = params.param_map().into_iter().map(|(id, _, _)| id).skip(4);
        for id in later.filter(|id| !["vocals_trim", "bass_trim", "drums_mute"].contains(&id.as_str())) {
            match &state.params[&id] {
                ParamValue::F32(value) => {
                    assert_eq!(*value, f32::from(u8::from(!id.ends_with("_trim"))), "{id}")
                }
                ParamValue::Bool(value) => assert!(!value, "{id}"),
                other => panic!("{id}: {other:?}"),
            }
        }
    }

    #[test]
    fn only_bypass_is_the_hosts_bypass() {
        let params = TributaryParams::default();
        assert!(params.bypass.flags().contains(ParamFlags::BYPASS));
        assert!(!params.mix.flags().contains(ParamFlags::BYPASS));
    }

    #[test]
    fn values_read_and_parse_in_their_units() {
        let params = TributaryParams::default();
        assert_eq!(params.mix.normalized_value_to_string(0.5, true), "50.0 %");
        assert_eq!(params.mix.string_to_normalized_value("25 %"), Some(0.25));
        assert_eq!(params.gain_db.normalized_value_to_string(0.0, true), "-24.0 dB");
        assert_eq!(params.gain_db.string_to_normalized_value("12 dB"), Some(0.75));
        assert_eq!(params.dry_source.string_to_normalized_value("Sum of stems"), Some(1.0));
        for (typed, db) in
            [("+3.5 dB", 3.5), ("3,5", 3.5), ("\u{2212}6.0 dB", -6.0), ("99", 24.0), ("-inf", -24.0)]
        {
            let position = params.gain_db.string_to_normalized_value(typed).expect(typed);
            assert!((params.gain_db.preview_plain(position) - db).abs() < 1e-5, "{typed}");
        }
        assert_eq!(params.mix.string_to_normalized_value("150%"), Some(1.0));
        assert_eq!(params.mix.string_to_normalized_value("nan"), None);
        for (typed, on) in [("on", 1.0), ("1", 1.0), ("off", 0.0), ("FALSE", 0.0)] {
            assert_eq!(params.bypass.string_to_normalized_value(typed), Some(on), "{typed}");
        }
    }

    /// Everything a host or the editor can display, with and without its unit, is understood and means the same.
    #[test]
    fn every_displayed_text_comes_back() {
        let params = TributaryParams::default();
        for (id, param, _) in params.param_map() {
            for step in 0..=480 {
                let position = step as f32 / 480.0;
                // SAFETY: the parameters outlive the pointers.
                unsafe {
                    for with_unit in [true, false] {
                        let shown = param.normalized_value_to_string(position, with_unit);
                        for shown in [shown.clone(), shown.replace('-', "\u{2212}"), shown.replace('.', ",")]
                        {
                            let read = param.string_to_normalized_value(&shown);
                            let read = read.unwrap_or_else(|| panic!("{id}: {shown:?}"));
                            let again = param.normalized_value_to_string(read, with_unit);
                            assert_eq!(
                                again.replace('-', "\u{2212}"),
                                shown.replace('-', "\u{2212}").replace(',', "."),
                                "{id}"
                            );
                        }
                    }
                }
            }
        }
    }
}
