//! The kinds of parameters there are: how each is shown, read and brought into range.

use crate::text;
use nice_plug::prelude::*;
use std::sync::Arc;

/// A gain in dB, as far to either side of 0.
pub(super) fn decibels(name: impl Into<String>, range_db: f32) -> FloatParam {
    FloatParam::new(name, 0.0, FloatRange::Linear { min: -range_db, max: range_db })
        .with_unit(" dB")
        .with_step_size(0.1)
        // −0.04 would read as “-0.0”.
        .with_value_to_string(formatters::v2s_f32_rounded(1))
        .with_string_to_value(Arc::new(|typed| text::number(typed, "dB")))
}

/// A share of a whole, all of it at first.
pub(super) fn share(name: impl Into<String>) -> FloatParam {
    FloatParam::new(name, 1.0, FloatRange::Linear { min: 0.0, max: 1.0 })
        .with_unit(" %")
        .with_value_to_string(formatters::v2s_f32_percentage(1))
        .with_string_to_value(Arc::new(|typed| Some(text::number(typed, "%")? / 100.0)))
}

/// Off until it is pressed.
pub(super) fn switch(name: impl Into<String>) -> BoolParam {
    BoolParam::new(name, false)
        .with_value_to_string(Arc::new(|on| if on { "On" } else { "Off" }.to_owned()))
        .with_string_to_value(Arc::new(text::switch))
}

/// False when there is nothing to clamp.
pub(super) fn clamp(value: &mut f32, least: f32, most: f32) -> bool {
    *value = value.clamp(least, most);
    !value.is_nan()
}
