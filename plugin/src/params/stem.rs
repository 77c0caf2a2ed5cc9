//! The parameters of one stem, and how they are read, mended and told to the engine.

use super::amounts::AmountParams;
use super::kinds::{clamp, decibels, switch};
use nice_plug::plugin::ParamValue;
use nice_plug::prelude::*;
use tributary_dsp::{Amounts, Stem};
use tributary_engine::{StemControls, TRIM_RANGE_DB};

/// What acts on one stem ahead of the network. Identifiers get the stem's name in front: `vocals_trim`.
#[derive(Params)]
pub struct StemParams {
    /// Gain in dB.
    #[id = "trim"]
    pub trim_db: FloatParam,
    /// Silences the stem.
    #[id = "mute"]
    pub mute: BoolParam,
    /// Silences the others.
    #[id = "solo"]
    pub solo: BoolParam,
    /// Leaves the stem as it comes in.
    #[id = "leave_alone"]
    pub leave_alone: BoolParam,
    /// Keeps the stem's corrections as they are.
    #[id = "lock"]
    pub lock: BoolParam,
    /// How much of the recipe's corrections of this stem is let through.
    #[nested]
    pub amounts: AmountParams,
}

impl StemParams {
    pub(super) fn new(stem: Stem) -> Self {
        let mut name = stem.name().to_owned();
        name[..1].make_ascii_uppercase();
        Self {
            trim_db: decibels(format!("{name} trim"), TRIM_RANGE_DB),
            mute: switch(format!("{name} mute")),
            solo: switch(format!("{name} solo")),
            leave_alone: switch(format!("{name} leave alone")),
            lock: switch(format!("{name} lock")),
            amounts: AmountParams::new(&name),
        }
    }

    pub(super) fn controls(&self) -> StemControls {
        StemControls {
            trim_db: self.trim_db.value(),
            mute: self.mute.value(),
            solo: self.solo.value(),
            leave_alone: self.leave_alone.value(),
            lock: self.lock.value(),
            amounts: self.amounts.values(),
        }
    }
}

/// The parameters of a fresh instance, as a state holds them.
pub(super) fn defaults(stem: Stem) -> impl Iterator<Item = (String, ParamValue)> {
    let trim = (format!("{stem}_trim"), ParamValue::F32(0.0));
    let switches = ["mute", "solo", "leave_alone", "lock"];
    let switches = switches.map(|id| (format!("{stem}_{id}"), ParamValue::Bool(false)));
    let amounts = Amounts::NAMES.map(|id| (format!("{stem}_{id}"), ParamValue::F32(1.0)));
    [trim].into_iter().chain(switches).chain(amounts)
}

/// Brings a saved value into range; false when there is none to bring. `None` for other parameters than a stem's.
pub(super) fn mend(id: &str, value: &mut ParamValue) -> Option<bool> {
    let (stem, name) = id.split_once('_')?;
    Stem::from_name(stem).filter(|known| known.name() == stem)?;
    Some(match (name, value) {
        ("trim", ParamValue::F32(value)) => clamp(value, -TRIM_RANGE_DB, TRIM_RANGE_DB),
        (name, ParamValue::F32(value)) if Amounts::NAMES.contains(&name) => clamp(value, 0.0, 1.0),
        _ => true, // another kind of value is left to the framework, which ignores it
    })
}
