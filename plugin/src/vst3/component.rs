//! `IComponent`: saving, loading and activation, with what the host has set but not yet sent.

use super::instance::{Instance, Table};
use super::presets;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IComponent, IComponentHandlerTrait, IComponentVtbl, RestartFlags_,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{IBStream, TBool, int32, kResultOk, tresult};
use std::sync::PoisonError;
use tributary_engine::Preset;

pub(super) fn replaced(framework: IComponentVtbl) -> IComponentVtbl {
    IComponentVtbl { setActive, setState, getState, ..framework }
}

unsafe extern "system" fn setActive(this: *mut IComponent, state: TBool) -> tresult {
    // SAFETY: the host's own arguments, for an object whose table is ours.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.tell();
        (framework.setActive)(this, state)
    }
}

/// A loaded state replaces what was set before it; a preset sets its parameters only.
unsafe extern "system" fn setState(this: *mut IComponent, stream: *mut IBStream) -> tresult {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.held.drop_all();
        if let Some(preset) = presets::named_in(stream) {
            load(instance, preset);
            return kResultOk;
        }
        (framework.setState)(this, stream)
    }
}

/// Sets a preset's parameters and lets the host read all values anew.
fn load(instance: &Instance, preset: &Preset) {
    let changed = instance.params.set_at_once(&preset.values().into_iter().collect());
    instance.engines.have_set(format!("Preset {}", preset.name), changed);
    let handler = instance.handler.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(handler) = handler.filter(|_| instance.is_main_thread()) {
        // SAFETY: the host's own object, on its main thread.
        unsafe { handler.restartComponent(RestartFlags_::kParamValuesChanged as int32) };
    }
}

/// What the user has set is saved, whether or not a block has brought it.
unsafe extern "system" fn getState(this: *mut IComponent, stream: *mut IBStream) -> tresult {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.held.apply();
        instance.link.saved();
        (framework.getState)(this, stream)
    }
}
