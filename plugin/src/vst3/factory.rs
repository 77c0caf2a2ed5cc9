//! The class factory: it lets the framework build its object and puts tables of ours in the place of the object's own.

use super::instance::{self, Replaced};
use super::{component, controller, processor};
use crate::Tributary;
use crate::parts::Parts;
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3,
    IPluginFactory3Trait, IPluginFactoryTrait, PClassInfo, PClassInfo2, PClassInfoW, PFactoryInfo, TUID,
    int32, kInvalidArgument, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComWrapper};
use nice_plug::wrapper::vst3::{PluginInfo, Wrapper};
use std::ffi::c_void;
use std::ptr::null_mut;

/// An object of the framework's with our tables, and the parts of the plug-in inside.
pub(super) fn build() -> Option<(ComWrapper<Wrapper<Tributary>>, Parts)> {
    let (wrapper, parts) = Parts::of(|| ComWrapper::new(Wrapper::<Tributary>::new()))?;
    let replaced = Replaced {
        component: component::replaced,
        controller: controller::replaced,
        processor: processor::replaced,
    };
    instance::attach(&wrapper, &parts, &replaced);
    Some((wrapper, parts))
}

/// The class factory: one class, described by the framework.
struct Factory {
    info: PluginInfo,
}

impl Class for Factory {
    type Interfaces = (IPluginFactory, IPluginFactory2, IPluginFactory3);
}

/// Writes `value` where the host asked for class `index`.
unsafe fn answer<T>(index: int32, out: *mut T, value: impl FnOnce() -> T) -> tresult {
    if index != 0 || out.is_null() {
        return kInvalidArgument;
    }
    // SAFETY: not null, and the host promises room for a `T`.
    unsafe { out.write(value()) };
    kResultOk
}

impl IPluginFactoryTrait for Factory {
    unsafe fn getFactoryInfo(&self, info: *mut PFactoryInfo) -> tresult {
        unsafe { answer(0, info, || self.info.create_factory_info()) }
    }

    unsafe fn countClasses(&self) -> int32 {
        1
    }

    unsafe fn getClassInfo(&self, index: int32, info: *mut PClassInfo) -> tresult {
        unsafe { answer(index, info, || self.info.create_class_info()) }
    }

    unsafe fn createInstance(&self, cid: FIDString, iid: FIDString, obj: *mut *mut c_void) -> tresult {
        // SAFETY: both ids are 16 bytes by the VST3 contract; `obj` receives an owned interface or stays untouched.
        unsafe {
            if cid.is_null() || iid.is_null() || obj.is_null() || &*cid.cast::<[u8; 16]>() != self.info.cid {
                return kInvalidArgument;
            }
            let Some((wrapper, _)) = build() else { return kInvalidArgument };
            let Some(unknown) = wrapper.as_com_ref::<FUnknown>() else { return kInvalidArgument };
            let object = unknown.as_ptr();
            ((*(*object).vtbl).queryInterface)(object, iid.cast::<TUID>(), obj)
        }
    }
}

impl IPluginFactory2Trait for Factory {
    unsafe fn getClassInfo2(&self, index: int32, info: *mut PClassInfo2) -> tresult {
        unsafe { answer(index, info, || self.info.create_class_info_2()) }
    }
}

impl IPluginFactory3Trait for Factory {
    unsafe fn getClassInfoUnicode(&self, index: int32, info: *mut PClassInfoW) -> tresult {
        unsafe { answer(index, info, || self.info.create_class_info_unicode()) }
    }

    unsafe fn setHostContext(&self, _context: *mut FUnknown) -> tresult {
        kResultOk
    }
}

/// The VST3 entry point.
#[unsafe(no_mangle)]
pub extern "system" fn GetPluginFactory() -> *mut c_void {
    let factory = ComWrapper::new(Factory { info: PluginInfo::for_plugin::<Tributary>() });
    factory.to_com_ptr::<IPluginFactory>().map_or(null_mut(), |factory| factory.into_raw().cast())
}
