//! The VST3 factory, exported by hand, and what the framework's wrapper leaves out or gets wrong.
//!
//! This file hands out the framework's own object with some entries of its tables replaced; everything else is the
//! framework's. Of its faults these are mended:
//!
//! - It bounds its loop over auxiliary *inputs* by the number of *outputs* (upstream issue nih-plug #212): of four
//!   sidechains only the first arrives, and with fewer buses than it expects it reads past the host's array.
//! - It takes the offline flag from the previous `setupProcessing`.
//! - It forgets what a host sets while processing, until a block brings it (`held.rs`).
//! - It asks for a restart after each activation with another latency, and cannot say that the project has changed
//!   (`handler.rs`).
//! - It takes a size below the minimum (`view.rs`), and reads a value's text to the letter (`controller.rs`).
#![allow(unsafe_code)] // A COM factory and table entries are raw pointers by definition.
#![allow(non_snake_case)]

mod component;
mod controller;
mod handler;
mod held;
mod instance;
mod module_info;
mod processor;
#[cfg(test)]
mod tests;
mod view;

pub use module_info::module_info;

use crate::Tributary;
use crate::host::Parts;
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3,
    IPluginFactory3Trait, IPluginFactoryTrait, PClassInfo, PClassInfo2, PClassInfoW, PFactoryInfo, TUID,
    int32, kInvalidArgument, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComWrapper};
use nice_plug::wrapper::vst3::{PluginInfo, Wrapper};
use std::ffi::c_void;
use std::ptr::null_mut;

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
            let Some((wrapper, parts)) = Parts::of(|| ComWrapper::new(Wrapper::<Tributary>::new())) else {
                return kInvalidArgument;
            };
            instance::attach(&wrapper, parts);
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

/// Called by the host after loading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(all(target_family = "unix", not(target_os = "macos")))]
pub extern "C" fn ModuleEntry(_library: *mut c_void) -> bool {
    nice_plug::wrapper::setup_logger::<Tributary>();
    true
}

/// Called by the host before unloading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(all(target_family = "unix", not(target_os = "macos")))]
pub extern "C" fn ModuleExit() -> bool {
    true
}

/// Called by the host after loading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(target_os = "macos")]
pub extern "C" fn bundleEntry(_library: *mut c_void) -> bool {
    nice_plug::wrapper::setup_logger::<Tributary>();
    true
}

/// Called by the host before unloading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(target_os = "macos")]
pub extern "C" fn bundleExit() -> bool {
    true
}

/// Called by the host after loading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(target_os = "windows")]
pub extern "system" fn InitDll() -> bool {
    nice_plug::wrapper::setup_logger::<Tributary>();
    true
}

/// Called by the host before unloading the library (name per platform).
#[unsafe(no_mangle)]
#[cfg(target_os = "windows")]
pub extern "system" fn ExitDll() -> bool {
    true
}
