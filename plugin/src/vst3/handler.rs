//! The host's `IComponentHandler` as the framework sees it, and the way to mark the project as changed.
//!
//! The framework asks for a restart whenever an activation ends with another latency than before, although a host reads the
//! latency after activating anyway: each change of the latency mode made the host activate twice. So a restart for the
//! latency's sake is passed on only when the plug-in itself wants it.

use crate::host::{HostLink, Voice};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IComponentHandler, IComponentHandler2, IComponentHandler2Trait, IComponentHandlerTrait, ParamID,
    ParamValue, RestartFlags_,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{int32, kResultOk, tresult};
use nice_plug::wrapper::vst3::vst3::{Class, ComPtr};
use std::sync::Arc;
use std::thread::ThreadId;

/// The flag of a latency's change, as the call takes it.
pub(super) const LATENCY_CHANGED: int32 = RestartFlags_::kLatencyChanged as int32;

/// Stands between the framework and the host.
pub(super) struct Handler {
    host: ComPtr<IComponentHandler>,
    link: Arc<HostLink>,
}

impl Handler {
    pub(super) fn new(host: ComPtr<IComponentHandler>, link: Arc<HostLink>) -> Self {
        Self { host, link }
    }
}

impl Class for Handler {
    type Interfaces = (IComponentHandler,);
}

impl IComponentHandlerTrait for Handler {
    unsafe fn beginEdit(&self, id: ParamID) -> tresult {
        // SAFETY: the framework's arguments, passed on unchanged. So below.
        unsafe { self.host.beginEdit(id) }
    }

    unsafe fn performEdit(&self, id: ParamID, value: ParamValue) -> tresult {
        // SAFETY: as above.
        unsafe { self.host.performEdit(id, value) }
    }

    unsafe fn endEdit(&self, id: ParamID) -> tresult {
        // SAFETY: as above.
        unsafe { self.host.endEdit(id) }
    }

    unsafe fn restartComponent(&self, flags: int32) -> tresult {
        if flags == LATENCY_CHANGED && !self.link.take_wish() {
            return kResultOk;
        }
        // SAFETY: as above.
        unsafe { self.host.restartComponent(flags) }
    }
}

/// The way to the host.
pub(super) struct Vst3Voice {
    /// Hosts need not have it.
    handler: Option<ComPtr<IComponentHandler2>>,
    main: ThreadId,
}

impl Vst3Voice {
    pub(super) fn new(handler: &ComPtr<IComponentHandler>, main: ThreadId) -> Self {
        Self { handler: handler.cast(), main }
    }
}

impl Voice for Vst3Voice {
    fn mark_changed(&self) -> bool {
        // Linux has no main thread to send work to while no window is open: the framework uses one of its own.
        if std::thread::current().id() != self.main {
            return false;
        }
        if let Some(handler) = &self.handler {
            // SAFETY: the host's own object, on its main thread.
            unsafe { handler.setDirty(1) };
        }
        true
    }

    /// The host reads the latency when it has activated; one that does not is asked to.
    fn latency_is(&self, _samples: u32) -> bool {
        false
    }
}
