//! What a host gives a VST3 plug-in: a handler that counts, a block's changes of parameters, a stream in memory.

use nice_plug::wrapper::vst3::vst3::Steinberg::IBStream_::IStreamSeekMode_::{kIBSeekEnd, kIBSeekSet};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IComponentHandler, IComponentHandler2, IComponentHandler2Trait, IComponentHandlerTrait, IParamValueQueue,
    IParamValueQueueTrait, IParameterChanges, IParameterChangesTrait, ParamID, ParamValue,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, IBStream, IBStreamTrait, TBool, int32, int64, kResultFalse, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComWrapper};
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

/// A host's handler: how often it was called.
#[derive(Default)]
pub(super) struct Host {
    /// How often the project was marked as changed.
    pub(super) dirty: AtomicU32,
    /// How often a restart was asked for.
    pub(super) restarts: AtomicU32,
    /// What the last of them was for.
    pub(super) flags: AtomicI32,
}

impl Class for Host {
    type Interfaces = (IComponentHandler, IComponentHandler2);
}

impl IComponentHandlerTrait for Host {
    unsafe fn beginEdit(&self, _id: ParamID) -> tresult {
        kResultOk
    }

    unsafe fn performEdit(&self, _id: ParamID, _value: ParamValue) -> tresult {
        kResultOk
    }

    unsafe fn endEdit(&self, _id: ParamID) -> tresult {
        kResultOk
    }

    unsafe fn restartComponent(&self, flags: int32) -> tresult {
        self.restarts.fetch_add(1, Relaxed);
        self.flags.store(flags, Relaxed);
        kResultOk
    }
}

impl IComponentHandler2Trait for Host {
    unsafe fn setDirty(&self, _state: TBool) -> tresult {
        self.dirty.fetch_add(1, Relaxed);
        kResultOk
    }

    unsafe fn requestOpenEditor(&self, _name: FIDString) -> tresult {
        kResultFalse
    }

    unsafe fn startGroupEdit(&self) -> tresult {
        kResultOk
    }

    unsafe fn finishGroupEdit(&self) -> tresult {
        kResultOk
    }
}

/// One value for one parameter, as a block brings it.
pub(super) struct Changes(ComWrapper<Change>);

impl Changes {
    pub(super) fn new(id: ParamID, value: ParamValue) -> ComWrapper<Self> {
        ComWrapper::new(Self(ComWrapper::new(Change(id, value))))
    }
}

struct Change(ParamID, ParamValue);

impl Class for Changes {
    type Interfaces = (IParameterChanges,);
}

impl Class for Change {
    type Interfaces = (IParamValueQueue,);
}

impl IParameterChangesTrait for Changes {
    unsafe fn getParameterCount(&self) -> int32 {
        1
    }

    unsafe fn getParameterData(&self, _index: int32) -> *mut IParamValueQueue {
        self.0.as_com_ref::<IParamValueQueue>().expect("an interface").as_ptr()
    }

    unsafe fn addParameterData(&self, _id: *const ParamID, _index: *mut int32) -> *mut IParamValueQueue {
        null_mut()
    }
}

impl IParamValueQueueTrait for Change {
    unsafe fn getParameterId(&self) -> ParamID {
        self.0
    }

    unsafe fn getPointCount(&self) -> int32 {
        1
    }

    unsafe fn getPoint(&self, _index: int32, offset: *mut int32, value: *mut ParamValue) -> tresult {
        // SAFETY: the plug-in's own numbers.
        unsafe {
            offset.write(0);
            value.write(self.1);
        }
        kResultOk
    }

    unsafe fn addPoint(&self, _offset: int32, _value: ParamValue, _index: *mut int32) -> tresult {
        kResultFalse
    }
}

/// A state in memory.
#[derive(Default)]
pub(super) struct Memory(RefCell<(Vec<u8>, usize)>);

impl Memory {
    /// A stream that holds these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(RefCell::new((bytes.to_vec(), 0)))
    }

    /// Reading begins at the beginning.
    pub(super) fn rewind(&self) {
        self.0.borrow_mut().1 = 0;
    }
}

impl Class for Memory {
    type Interfaces = (IBStream,);
}

impl IBStreamTrait for Memory {
    unsafe fn read(&self, buffer: *mut c_void, bytes: int32, read: *mut int32) -> tresult {
        let (data, at) = &mut *self.0.borrow_mut();
        let count = (bytes as usize).min(data.len() - *at);
        // SAFETY: the plug-in's own room.
        unsafe {
            std::ptr::copy_nonoverlapping(data[*at..].as_ptr(), buffer.cast(), count);
            read.write(count as int32);
        }
        *at += count;
        kResultOk
    }

    unsafe fn write(&self, buffer: *mut c_void, bytes: int32, written: *mut int32) -> tresult {
        // SAFETY: as above.
        unsafe {
            let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), bytes as usize);
            self.0.borrow_mut().0.extend_from_slice(bytes);
            written.write(bytes.len() as int32);
        }
        kResultOk
    }

    unsafe fn seek(&self, at: int64, mode: int32, now: *mut int64) -> tresult {
        let (data, place) = &mut *self.0.borrow_mut();
        *place = match mode {
            mode if mode == kIBSeekSet as int32 => at as usize,
            mode if mode == kIBSeekEnd as int32 => data.len(),
            _ => *place,
        };
        if !now.is_null() {
            // SAFETY: not null.
            unsafe { now.write(*place as int64) };
        }
        kResultOk
    }

    unsafe fn tell(&self, at: *mut int64) -> tresult {
        // SAFETY: as above.
        unsafe { at.write(self.0.borrow().1 as int64) };
        kResultOk
    }
}
