//! `IEditController`: parameters as the host's windows see them, the host's handler, and the editor's view.

use super::handler::{Handler, Vst3Voice};
use super::instance::{Instance, Table};
use super::view;
use crate::params::DrySource;
use crate::text;
use nice_plug::prelude::Enum;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IComponentHandler, IEditController, IEditControllerVtbl, ParamID, ParamValue, ParameterInfo, TChar,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, IPlugView, int32, kInvalidArgument, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{ComRef, ComWrapper};
use std::ptr::null_mut;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, PoisonError};

/// Longest text that is read: the format's own limit.
const TEXT_MAX: usize = 128;

pub(super) fn replaced(framework: IEditControllerVtbl) -> IEditControllerVtbl {
    IEditControllerVtbl {
        getParameterInfo,
        getParamValueByString,
        getParamNormalized,
        setParamNormalized,
        setComponentHandler,
        createView,
        ..framework
    }
}

/// The framework reads past its list for the index that equals the count.
unsafe extern "system" fn getParameterInfo(
    this: *mut IEditController,
    index: int32,
    info: *mut ParameterInfo,
) -> tresult {
    // SAFETY: the host's own arguments, for an object whose table is ours.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        if !(0..instance.held.count()).contains(&index) {
            return kInvalidArgument;
        }
        (framework.getParameterInfo)(this, index, info)
    }
}

/// The framework compares the names of a choice to the letter.
unsafe extern "system" fn getParamValueByString(
    this: *mut IEditController,
    id: ParamID,
    string: *mut TChar,
    value: *mut ParamValue,
) -> tresult {
    // SAFETY: as above; `string` ends with a zero.
    unsafe {
        let (framework, _) = Table::of((*this).vtbl);
        if string.is_null() || value.is_null() {
            return kInvalidArgument;
        }
        let result = (framework.getParamValueByString)(this, id, string, value);
        if result == kResultOk {
            return result;
        }
        let length = (0..TEXT_MAX).take_while(|at| *string.add(*at) != 0).count();
        let units: Vec<u16> = (0..length).map(|at| *string.add(at)).collect();
        let typed = String::from_utf16_lossy(&units);
        let Some(name) = text::choice(&typed, DrySource::variants()) else { return result };
        let mut name: Vec<TChar> = name.encode_utf16().chain([0]).map(|unit| unit as TChar).collect();
        (framework.getParamValueByString)(this, id, name.as_mut_ptr(), value)
    }
}

unsafe extern "system" fn getParamNormalized(this: *mut IEditController, id: ParamID) -> ParamValue {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.tell();
        let held = instance.held.get(id).map(f64::from);
        held.unwrap_or_else(|| (framework.getParamNormalized)(this, id))
    }
}

unsafe extern "system" fn setParamNormalized(
    this: *mut IEditController,
    id: ParamID,
    value: ParamValue,
) -> tresult {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.tell();
        if instance.is_processing.load(SeqCst) {
            return if instance.held.hold(id, value) { kResultOk } else { kInvalidArgument };
        }
        instance.held.drop_one(id);
        (framework.setParamNormalized)(this, id, value)
    }
}

/// Gives the framework a handler of ours, which passes on what the plug-in means to say.
unsafe extern "system" fn setComponentHandler(
    this: *mut IEditController,
    handler: *mut IComponentHandler,
) -> tresult {
    // SAFETY: as above; a handler is null or a live object.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        let Some(host) = ComRef::from_raw(handler) else {
            take_handler(instance, None);
            return (framework.setComponentHandler)(this, null_mut());
        };
        let host = host.to_com_ptr();
        let ours = ComWrapper::new(Handler::new(host.clone(), Arc::clone(&instance.link)));
        let result = match ours.as_com_ref::<IComponentHandler>() {
            // The framework takes a reference of its own.
            Some(ours) => (framework.setComponentHandler)(this, ours.as_ptr()),
            None => kInvalidArgument,
        };
        take_handler(instance, Some(host));
        instance.tell();
        result
    }
}

fn take_handler(
    instance: &Instance,
    handler: Option<nice_plug::wrapper::vst3::vst3::ComPtr<IComponentHandler>>,
) {
    let voice = handler.as_ref().map(|handler| Arc::new(Vst3Voice::new(handler, instance.main)) as Arc<_>);
    instance.link.set_voice(voice);
    *instance.handler.lock().unwrap_or_else(PoisonError::into_inner) = handler;
}

unsafe extern "system" fn createView(this: *mut IEditController, name: FIDString) -> *mut IPlugView {
    // SAFETY: as above.
    unsafe {
        let (framework, instance) = Table::of((*this).vtbl);
        instance.tell();
        let view = (framework.createView)(this, name);
        view::mend(view);
        view
    }
}
