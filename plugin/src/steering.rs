//! All parameters that steer the mix as one list: what a snapshot holds, a preset asks for and the history puts back. That
//! is every parameter but the bypass, which is the host's, and the locks, which belong to a decision that no snapshot holds. The editor sets them through the host, as if by hand; a format
//! that loads a preset sets them at once and tells the host itself.

use crate::params::{AmountParams, DrySource, StemParams, TributaryParams};
use crate::values::Values;
use nice_plug::prelude::*;
use tributary_dsp::{Amounts, Stem};

/// Positions as near as this are the same: hosts round.
const SAME: f32 = 1e-4;

/// One of the parameters.
pub enum Steering<'a> {
    /// A number.
    Number(&'a FloatParam),
    /// A switch: 0 or 1.
    Switch(&'a BoolParam),
    /// A choice, by its place.
    Dry(&'a EnumParam<DrySource>),
}

/// What a step changed, before and after it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Both<T> {
    /// Before it.
    pub before: T,
    /// After it.
    pub after: T,
}

impl<T> Both<T> {
    /// What undoing it changes.
    pub fn reversed(self) -> Self {
        Self { before: self.after, after: self.before }
    }
}

impl Steering<'_> {
    /// Where it stands, in its own unit.
    fn value(&self) -> f32 {
        match self {
            Self::Number(param) => param.unmodulated_plain_value(),
            Self::Switch(param) => f32::from(u8::from(param.unmodulated_plain_value())),
            Self::Dry(param) => param.unmodulated_plain_value().to_index() as f32,
        }
    }

    /// Of a fresh instance.
    fn default(&self) -> f32 {
        match self {
            Self::Number(param) => param.default_plain_value(),
            Self::Switch(param) => f32::from(u8::from(param.default_plain_value())),
            Self::Dry(param) => param.default_plain_value().to_index() as f32,
        }
    }

    /// The position of a value, 0–1; of one out of range the nearest.
    fn position(&self, value: f32) -> f32 {
        match self {
            Self::Number(param) => param.preview_normalized(value),
            Self::Switch(_) | Self::Dry(_) => f32::from(u8::from(value >= 0.5)),
        }
    }

    /// Whether it stands there.
    fn is_at(&self, value: f32) -> bool {
        (self.position(self.value()) - self.position(value)).abs() < SAME
    }

    /// Sets it through the host, in a gesture.
    fn set(&self, setter: &ParamSetter<'_>, value: f32) {
        let position = self.position(value);
        match self {
            Self::Number(param) => gesture(setter, *param, position),
            Self::Switch(param) => gesture(setter, *param, position),
            Self::Dry(param) => gesture(setter, *param, position),
        }
    }
}

impl Steering<'_> {
    #[allow(unsafe_code)] // The framework sets parameters through pointers only.
    fn set_at_once(&self, value: f32) {
        let position = self.position(value);
        let pointer = match self {
            Self::Number(param) => param.as_ptr(),
            Self::Switch(param) => param.as_ptr(),
            Self::Dry(param) => param.as_ptr(),
        };
        // SAFETY: the parameter is borrowed, so it lives.
        unsafe { pointer._internal_set_normalized_value(position) };
    }
}

fn gesture<P: Param>(setter: &ParamSetter<'_>, param: &P, position: f32) {
    setter.begin_set_parameter(param);
    setter.set_parameter(param, param.preview_plain(position));
    setter.end_set_parameter(param);
}

impl TributaryParams {
    /// All of them, with their identifiers.
    pub fn steering(&self) -> Vec<(String, Steering<'_>)> {
        let of_mix = [
            ("mix", Steering::Number(&self.mix)),
            ("gain", Steering::Number(&self.gain_db)),
            ("dry_source", Steering::Dry(&self.dry_source)),
            ("network", Steering::Number(&self.network)),
            ("match_loudness", Steering::Switch(&self.match_loudness)),
            ("delta", Steering::Switch(&self.delta)),
        ];
        let of_mix = of_mix.into_iter().chain(amounts(&self.amounts));
        let mut all: Vec<_> = of_mix.map(|(id, steering)| (id.to_owned(), steering)).collect();
        for stem in Stem::ALL {
            let of_stem = of_stem(self.stem(stem)).map(|(id, steering)| (format!("{stem}_{id}"), steering));
            all.extend(of_stem);
        }
        all
    }

    /// Where all of them stand.
    pub fn values(&self) -> Values {
        self.steering().into_iter().map(|(id, steering)| (id, steering.value())).collect()
    }

    /// The same values, and the defaults of what they lack: a snapshot of an earlier version knows nothing of newer
    /// parameters.
    pub fn completed(&self, values: &Values) -> Values {
        let of = |(id, steering): (String, Steering<'_>)| {
            let value = values.get(&id).unwrap_or_else(|| steering.default());
            (id, value)
        };
        self.steering().into_iter().map(of).collect()
    }

    /// Whether everything stands where these values say.
    pub fn are_at(&self, values: &Values) -> bool {
        let is_at = |(id, steering): &(String, Steering<'_>)| {
            values.get(id).is_none_or(|value| steering.is_at(value))
        };
        self.steering().iter().all(is_at)
    }

    /// Sets what stands elsewhere, through the host; returns what that has changed.
    pub fn set(&self, setter: &ParamSetter<'_>, values: &Values) -> Both<Values> {
        self.set_by(values, |steering, value| steering.set(setter, value))
    }

    /// Sets what stands elsewhere and lets the caller tell the host; returns what that has changed. The values are atomic,
    /// and whoever reads them glides: it may be done while audio runs.
    pub(crate) fn set_at_once(&self, values: &Values) -> Both<Values> {
        self.set_by(values, |steering, value| steering.set_at_once(value))
    }

    fn set_by(&self, values: &Values, set: impl Fn(&Steering<'_>, f32)) -> Both<Values> {
        let steering = self.steering();
        let differs = |(id, steering): &(String, Steering<'_>)| {
            let value = values.get(id).filter(|value| !steering.is_at(*value))?;
            Some((id.clone(), steering.value(), value))
        };
        let changed: Vec<_> = steering.iter().filter_map(differs).collect();
        for (id, steering) in &steering {
            if let Some((.., value)) = changed.iter().find(|(changed, ..)| changed == id) {
                set(steering, *value);
            }
        }
        let before = changed.iter().map(|(id, before, _)| (id.clone(), *before)).collect();
        Both { before, after: changed.into_iter().map(|(id, _, after)| (id, after)).collect() }
    }
}

fn amounts(amounts: &AmountParams) -> impl Iterator<Item = (&'static str, Steering<'_>)> {
    Amounts::NAMES.into_iter().zip(amounts.each().map(Steering::Number))
}

fn of_stem(params: &StemParams) -> impl Iterator<Item = (&'static str, Steering<'_>)> {
    let own = [
        ("trim", Steering::Number(&params.trim_db)),
        ("mute", Steering::Switch(&params.mute)),
        ("solo", Steering::Switch(&params.solo)),
        ("leave_alone", Steering::Switch(&params.leave_alone)),
    ];
    own.into_iter().chain(amounts(&params.amounts))
}

#[cfg(test)]
#[allow(unsafe_code)] // The framework sets parameters through pointers.
mod tests {
    use super::*;
    use nice_plug::context::PluginApi;
    use nice_plug::context::gui::{GuiContext, GuiContextInner};
    use std::sync::{Arc, Mutex};
    use tributary_engine::PRESETS;

    /// A host that does at once what it is asked, and notes it.
    #[derive(Default)]
    struct Host(Mutex<Vec<(&'static str, ParamPtr)>>);

    impl GuiContextInner for Host {
        fn plugin_api(&self) -> PluginApi {
            PluginApi::Clap
        }

        fn request_restart(&self) {}

        unsafe fn raw_begin_set_parameter(&self, param: ParamPtr) {
            self.0.lock().expect("whole").push(("begin", param));
        }

        unsafe fn raw_set_parameter_normalized(&self, param: ParamPtr, normalized: f32) {
            self.0.lock().expect("whole").push(("set", param));
            // SAFETY: the parameters outlive the test's calls.
            unsafe { param._internal_set_normalized_value(normalized) };
        }

        unsafe fn raw_end_set_parameter(&self, param: ParamPtr) {
            self.0.lock().expect("whole").push(("end", param));
        }

        fn get_state(&self) -> PluginState {
            unimplemented!("nobody asks")
        }

        fn set_state(&self, _state: PluginState) {
            unimplemented!("nobody asks")
        }
    }

    fn values(values: &[(&str, f32)]) -> Values {
        values.iter().map(|(id, value)| ((*id).to_owned(), *value)).collect()
    }

    #[test]
    fn every_parameter_but_the_bypass_and_the_locks_steers_the_mix() {
        let params = TributaryParams::default();
        let all: Vec<String> = params.param_map().into_iter().map(|(id, ..)| id).collect();
        let listed: Vec<String> = params.steering().into_iter().map(|(id, _)| id).collect();
        let steers = |id: &String| id != "bypass" && !id.ends_with("_lock");
        assert_eq!(listed, all.into_iter().filter(steers).collect::<Vec<_>>());
        assert!(
            params.are_at(&params.completed(&Values::default())),
            "a fresh instance stands at the defaults"
        );
    }

    #[test]
    fn only_what_differs_is_set_each_in_a_gesture_of_its_own() {
        let (params, host) = (TributaryParams::default(), Arc::new(Host::default()));
        let context = GuiContext::new(host.clone());
        let asked =
            values(&[("gain", -99.0), ("dry_source", 7.0), ("bass_mute", 1.0), ("mix", 1.0), ("gone", 3.0)]);
        let changed = params.set(&context.param_setter(), &asked);
        assert_eq!(changed.before, values(&[("gain", 0.0), ("dry_source", 0.0), ("bass_mute", 0.0)]));
        assert_eq!(changed.after, values(&[("gain", -99.0), ("dry_source", 7.0), ("bass_mute", 1.0)]));
        let done: Vec<&str> = host.0.lock().expect("whole").iter().map(|(what, _)| *what).collect();
        assert_eq!(done, ["begin", "set", "end"].repeat(3));
        assert_eq!((params.gain_db.value(), params.dry_source.value()), (-24.0, DrySource::Sum));
        assert!(params.bass.mute.value() && params.are_at(&asked));
        assert!(params.set(&context.param_setter(), &asked).after.is_empty(), "nothing is left to do");
        params.set(&context.param_setter(), &changed.before);
        assert!(params.are_at(&params.completed(&Values::default())));
    }

    /// The plug-in and the command line are asked for the same, to the bit.
    #[test]
    fn a_preset_asks_for_what_its_controls_say() {
        for preset in &PRESETS {
            let params = TributaryParams::default();
            params.set_at_once(&preset.values().into_iter().collect());
            assert_eq!(params.settings(false).controls, preset.controls(), "{}", preset.name);
        }
    }

    /// What is stored now is found again, whatever the steps of the parameters.
    #[test]
    fn a_snapshot_of_any_position_is_where_it_was_taken() {
        let (params, host) = (TributaryParams::default(), Arc::new(Host::default()));
        let context = GuiContext::new(host);
        for step in 0..=97 {
            let position = step as f32 / 97.0;
            for (_, param, _) in params.param_map() {
                // SAFETY: as above.
                unsafe { param._internal_set_normalized_value(position) };
            }
            let taken = params.values();
            assert!(params.are_at(&taken));
            params.set(&context.param_setter(), &params.completed(&Values::default()));
            params.set(&context.param_setter(), &taken);
            assert!(params.are_at(&taken), "{position}");
        }
    }
}
