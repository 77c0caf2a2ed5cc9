//! The VST3 factory, exported by hand so that all four sidechains reach the plug-in.
//!
//! The framework's VST3 wrapper bounds its loop over auxiliary *inputs* by the number of *outputs* (upstream issue
//! nih-plug #212): of four sidechains only the first arrives, and with fewer buses than it expects the wrapper reads past
//! the host's array. It also takes the offline flag from the previous `setupProcessing`. This file hands out the
//! framework's own object with two entries of its `IAudioProcessor` table replaced; everything else is the framework's.
//! When upstream is mended the whole file becomes one line: `nice_export_vst3!(Tributary)`.
#![allow(unsafe_code)] // A COM factory and two table entries are raw pointers by definition.
#![allow(non_snake_case)]

use crate::Tributary;
use crate::ports::INPUT_BUSES;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, IAudioProcessor, IAudioProcessorVtbl, ProcessData, ProcessSetup,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3,
    IPluginFactory3Trait, IPluginFactoryTrait, PClassInfo, PClassInfo2, PClassInfoW, PFactoryInfo, TUID,
    int32, kInvalidArgument, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComWrapper};
use nice_plug::wrapper::vst3::{PluginInfo, Wrapper};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::OnceLock;

/// The framework's table and ours. Every instance of the one class shares both, so they are made once.
struct Tables {
    original: IAudioProcessorVtbl,
    mended: IAudioProcessorVtbl,
}

static TABLES: OnceLock<Tables> = OnceLock::new();

/// Points the object's `IAudioProcessor` at the mended table.
fn mend(wrapper: &ComWrapper<Wrapper<Tributary>>) {
    let Some(processor) = wrapper.as_com_ref::<IAudioProcessor>() else { return };
    let object = processor.as_ptr();
    // SAFETY: `object` is the interface slot inside the object just built; nobody else holds it yet, and its table
    // pointer is valid for the life of the library. Only the slot is written, never the shared framework table.
    unsafe {
        let tables = TABLES.get_or_init(|| {
            let original = *(*object).vtbl;
            Tables { original, mended: IAudioProcessorVtbl { process, setupProcessing, ..original } }
        });
        (*object).vtbl = &tables.mended;
    }
}

/// Calls the framework twice: the first call stores the mode, the second stores the set-up *with* that mode.
unsafe extern "system" fn setupProcessing(this: *mut IAudioProcessor, setup: *mut ProcessSetup) -> tresult {
    let Some(tables) = TABLES.get() else { return kInvalidArgument };
    // SAFETY: the host's own arguments, passed on unchanged.
    unsafe {
        let first = (tables.original.setupProcessing)(this, setup);
        if first != kResultOk { first } else { (tables.original.setupProcessing)(this, setup) }
    }
}

/// Passes the host's block on with exactly five input buses, absent ones empty, and as many outputs *counted*; the
/// plug-in has no auxiliary outputs, so the framework looks at the first one only.
unsafe extern "system" fn process(this: *mut IAudioProcessor, data: *mut ProcessData) -> tresult {
    let Some(tables) = TABLES.get() else { return kInvalidArgument };
    // SAFETY: `data` obeys the VST3 contract of `IAudioProcessor::process`; the copies live until the call returns.
    unsafe {
        if data.is_null() || (*data).numSamples <= 0 || !usable((*data).outputs, (*data).numOutputs) {
            return (tables.original.process)(this, data); // a parameter flush, or an error the framework reports
        }
        let mut block = *data;
        let mut inputs = std::array::from_fn::<_, INPUT_BUSES, _>(|bus| input_bus(&block, bus));
        let output = &mut *block.outputs;
        output.silenceFlags = 0;
        if inputs[0].numChannels == 0 {
            clear(output, block.numSamples); // the framework would leave the host's old memory in place
        }
        inputs[0].numChannels = inputs[0].numChannels.min(output.numChannels);
        block.inputs = inputs.as_mut_ptr();
        block.numInputs = INPUT_BUSES as int32;
        block.numOutputs = INPUT_BUSES as int32;
        (tables.original.process)(this, &mut block)
    }
}

/// One input bus as the host gave it, or an empty one when it is absent or any of its channels is.
unsafe fn input_bus(data: &ProcessData, bus: usize) -> AudioBusBuffers {
    let empty = AudioBusBuffers {
        numChannels: 0,
        silenceFlags: 0,
        __field0: AudioBusBuffers__type0 { channelBuffers32: null_mut() },
    };
    if data.inputs.is_null() || bus as int32 >= data.numInputs {
        return empty;
    }
    // SAFETY: `bus < numInputs`, so the host's array holds it.
    unsafe {
        let given = data.inputs.add(bus);
        if usable(given, 1) { *given } else { empty }
    }
}

/// Whether the first bus of `buses` is there with all its channel pointers.
unsafe fn usable(buses: *const AudioBusBuffers, count: int32) -> bool {
    if buses.is_null() || count <= 0 {
        return false;
    }
    // SAFETY: `count > 0`, so one bus can be read, and its channel array holds `numChannels` pointers.
    unsafe {
        let bus = &*buses;
        let channels = bus.__field0.channelBuffers32;
        bus.numChannels > 0
            && !channels.is_null()
            && (0..bus.numChannels as usize).all(|channel| !(*channels.add(channel)).is_null())
    }
}

unsafe fn clear(bus: &mut AudioBusBuffers, frames: int32) {
    for channel in 0..bus.numChannels.max(0) as usize {
        // SAFETY: checked by `usable`; the host promises `numSamples` samples a channel.
        unsafe { std::ptr::write_bytes(*bus.__field0.channelBuffers32.add(channel), 0, frames as usize) };
    }
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
            let wrapper = ComWrapper::new(Wrapper::<Tributary>::new());
            mend(&wrapper);
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
