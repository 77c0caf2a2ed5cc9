//! An instance as the host holds it, and the host as the instance does: what the factory makes, and what its calls, the
//! presets' among them, find behind a host's pointer.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use clap_sys::ext::latency::{CLAP_EXT_LATENCY, clap_host_latency};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_host_state};
use nice_plug::wrapper::clap::{Wrapper, clap_host, clap_plugin};

use crate::Tributary;
use crate::host::Voice;
use crate::parts::Parts;

/// The host's table for the instance. Its pointer is the host's, and in a call it is the framework's or ours alike: both
/// read `plugin_data` only.
#[repr(C)]
pub(super) struct Instance {
    /// What the host calls. First, so that the host's pointer is one to the whole.
    pub(super) table: clap_plugin,
    /// What the framework made.
    pub(super) framework: clap_plugin,
    pub(super) parts: Parts,
    pub(super) voice: Arc<ClapVoice>,
}

/// The host, as the framework was given it: it outlives the plug-in.
#[derive(Clone, Copy)]
pub(super) struct Host(pub(super) *const clap_host);

// SAFETY: the pointer is read on the main thread only, and by calls that CLAP marks as thread-safe.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    /// An extension of the host.
    pub(super) fn extension<T>(&self, id: &CStr) -> Option<&T> {
        // SAFETY: the factory checked the pointer, and the host outlives the plug-in. What it returns for an extension's
        // name is null or that extension's table, valid as long.
        unsafe { (*self.0).get_extension?(self.0, id.as_ptr()).cast::<T>().as_ref() }
    }
}

/// The way to the host.
pub(super) struct ClapVoice {
    pub(super) host: Host,
    pub(super) wrapper: Weak<Wrapper<Tributary>>,
    pub(super) latency_changed: AtomicBool,
}

impl Voice for ClapVoice {
    fn mark_changed(&self) -> bool {
        if let Some(mark_dirty) =
            self.host.extension::<clap_host_state>(CLAP_EXT_STATE).and_then(|state| state.mark_dirty)
        {
            // SAFETY: the framework calls this on the main thread only.
            unsafe { mark_dirty(self.host.0) };
        }
        true
    }

    /// Sets the framework's own figure first, so that it sees no difference and asks for no restart.
    fn latency_is(&self, samples: u32) -> bool {
        if let Some(wrapper) = self.wrapper.upgrade() {
            let before = wrapper.current_latency.swap(samples, std::sync::atomic::Ordering::SeqCst);
            self.latency_changed.fetch_or(before != samples, Relaxed);
        }
        true
    }
}

impl ClapVoice {
    /// Tells the host of a latency that the activation just changed.
    pub(super) fn announce_latency(&self) {
        let changed =
            self.host.extension::<clap_host_latency>(CLAP_EXT_LATENCY).and_then(|latency| latency.changed);
        if self.latency_changed.swap(false, Relaxed)
            && let Some(changed) = changed
        {
            // SAFETY: called inside `activate`, on the main thread, as CLAP asks for.
            unsafe { changed(self.host.0) };
        }
    }
}

/// The instance behind a pointer that the host has from the factory.
pub(super) unsafe fn instance<'a>(plugin: *const clap_plugin) -> Option<&'a Instance> {
    // SAFETY: the host's pointer is the first field of an `Instance`, which lives until `destroy`.
    unsafe { plugin.cast::<Instance>().as_ref() }
}
