//! Values that the host's user has set while it processes, until a block brings them.
//!
//! The framework ignores `setParamNormalized` from `setProcessing(true)` on, because the host sends the same value with the
//! next block. But a host may save, or ask for the value, before there is one; then what the user set was lost. Applied at
//! once it would step on automation, which the host's window repeats with a delay. So the value is held here: the host
//! reads it back, a save takes it over, and a block that brings a value of its own drops it.

use crate::params::TributaryParams;
use nice_plug::prelude::{ParamPtr, Params};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{IEditController, ParamID, ParameterInfo};
use nice_plug::wrapper::vst3::vst3::Steinberg::kResultOk;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// One for each parameter.
pub(super) struct HeldValues {
    values: Vec<Held>,
    /// The pointers are into these.
    _params: Arc<TributaryParams>,
}

struct Held {
    id: ParamID,
    param: ParamPtr,
    /// Bits of the normalized value, or of [`NONE`].
    bits: AtomicU32,
}

/// No value is held.
const NONE: f32 = f32::NAN;

impl HeldValues {
    /// Nothing held. The framework lists parameters in the order of their map, under numbers of its own.
    ///
    /// # Safety
    /// `controller` must be a live object with the framework's table.
    pub(super) unsafe fn new(params: &Arc<TributaryParams>, controller: *mut IEditController) -> Self {
        let held = |(index, (_, param, _)): (usize, (String, ParamPtr, String))| {
            // SAFETY: plain data for the framework to fill; `controller` is live.
            let (result, info) = unsafe {
                let mut info: ParameterInfo = std::mem::zeroed();
                let result = ((*(*controller).vtbl).getParameterInfo)(controller, index as i32, &mut info);
                (result, info)
            };
            let held = Held { id: info.id, param, bits: AtomicU32::new(NONE.to_bits()) };
            (result == kResultOk).then_some(held)
        };
        let values = params.param_map().into_iter().enumerate().filter_map(held).collect();
        Self { values, _params: Arc::clone(params) }
    }

    fn of(&self, id: ParamID) -> Option<&Held> {
        self.values.iter().find(|held| held.id == id)
    }

    /// How many parameters there are.
    pub(super) fn count(&self) -> i32 {
        self.values.len() as i32
    }

    /// Holds a value; false when there is no such parameter or value.
    pub(super) fn hold(&self, id: ParamID, value: f64) -> bool {
        let Some(held) = self.of(id) else { return false };
        if value.is_finite() {
            held.bits.store((value as f32).clamp(0.0, 1.0).to_bits(), Relaxed);
        }
        value.is_finite()
    }

    /// The value held for a parameter, as the parameter would take it: a switch is on or off.
    pub(super) fn get(&self, id: ParamID) -> Option<f32> {
        let held = self.of(id)?;
        let value = f32::from_bits(held.bits.load(Relaxed));
        // SAFETY: the parameters are kept alive here.
        let snapped = || unsafe { held.param.preview_normalized(held.param.preview_plain(value)) };
        (!value.is_nan()).then(snapped)
    }

    /// A block brings its own value. Real-time safe.
    pub(super) fn drop_one(&self, id: ParamID) {
        if let Some(held) = self.of(id) {
            held.bits.store(NONE.to_bits(), Relaxed);
        }
    }

    /// All values are replaced by others.
    pub(super) fn drop_all(&self) {
        self.values.iter().for_each(|held| held.bits.store(NONE.to_bits(), Relaxed));
    }

    /// What is held becomes the parameters' values.
    pub(super) fn apply(&self) {
        for held in &self.values {
            let value = f32::from_bits(held.bits.swap(NONE.to_bits(), Relaxed));
            if !value.is_nan() {
                // SAFETY: the parameters are kept alive here, and their values are atomics.
                unsafe { held.param._internal_set_normalized_value(value) };
            }
        }
    }
}
