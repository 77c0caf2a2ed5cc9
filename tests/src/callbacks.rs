//! What a plug-in may ask of this host, and what the host remembers of it.
//!
//! Every call is counted or kept, none is acted on here: the code that drives the instance decides when to serve a
//! request, as a real host's event loop does. Stands apart because the plug-in calls it from its own threads.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clack_extensions::audio_ports::{AudioPortRescanFlags, HostAudioPorts, HostAudioPortsImpl};
use clack_extensions::gui::{GuiSize, HostGui, HostGuiImpl};
use clack_extensions::latency::{HostLatency, HostLatencyImpl};
use clack_extensions::log::{HostLog, HostLogImpl, LogSeverity};
use clack_extensions::params::{HostParams, HostParamsImplMainThread, HostParamsImplShared};
use clack_extensions::params::{ParamClearFlags, ParamRescanFlags};
use clack_extensions::state::{HostState, HostStateImpl};
use clack_extensions::tail::{HostTail, HostTailImpl};
use clack_extensions::thread_check::{HostThreadCheck, HostThreadCheckImpl};
use clack_host::prelude::*;
use clack_host::utils::ClapId;

thread_local! {
    /// Its address tells threads apart; a `ThreadId` cannot be kept in an atomic.
    static THREAD_MARK: u8 = const { 0 };
}

/// A number no other living thread has.
pub(crate) fn current_thread_mark() -> usize {
    THREAD_MARK.with(|mark| std::ptr::from_ref(mark).addr())
}

/// The requests and messages of one instance, shared between all threads.
pub(crate) struct Callbacks {
    pub(crate) callback_requested: AtomicBool,
    pub(crate) restart_requests: AtomicU32,
    pub(crate) latency_changes: AtomicU32,
    pub(crate) dirty_marks: AtomicU32,
    pub(crate) latency_changed_while_processing: AtomicBool,
    pub(crate) audio_thread: AtomicUsize,
    main_thread: usize,
    messages: Mutex<Vec<String>>,
}

impl Callbacks {
    pub(crate) fn new() -> Self {
        Self {
            callback_requested: AtomicBool::new(false),
            restart_requests: AtomicU32::new(0),
            latency_changes: AtomicU32::new(0),
            dirty_marks: AtomicU32::new(0),
            latency_changed_while_processing: AtomicBool::new(false),
            audio_thread: AtomicUsize::new(0),
            main_thread: current_thread_mark(),
            messages: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The handlers of this host, as clack names them.
pub(crate) struct Host;

pub(crate) struct SharedCallbacks(pub(crate) Arc<Callbacks>);
pub(crate) struct MainThreadCallbacks(pub(crate) Arc<Callbacks>);
pub(crate) struct AudioThreadCallbacks;

impl HostHandlers for Host {
    type Shared<'a> = SharedCallbacks;
    type MainThread<'a> = MainThreadCallbacks;
    type AudioProcessor<'a> = AudioThreadCallbacks;

    fn declare_extensions(builder: &mut HostExtensions<Self>, _shared: &Self::Shared<'_>) {
        builder
            .register::<HostAudioPorts>()
            .register::<HostGui>()
            .register::<HostLatency>()
            .register::<HostLog>()
            .register::<HostParams>()
            .register::<HostState>()
            .register::<HostTail>()
            .register::<HostThreadCheck>();
    }
}

impl SharedHandler<'_> for SharedCallbacks {
    fn request_restart(&self) {
        self.0.restart_requests.fetch_add(1, Ordering::AcqRel);
    }
    fn request_process(&self) {}
    fn request_callback(&self) {
        self.0.callback_requested.store(true, Ordering::Release);
    }
}

impl HostLogImpl for SharedCallbacks {
    fn log(&self, severity: LogSeverity, message: &str) {
        let line = format!("{severity}: {message}");
        self.0.messages.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl HostThreadCheckImpl for SharedCallbacks {
    fn is_main_thread(&self) -> bool {
        current_thread_mark() == self.0.main_thread
    }
    fn is_audio_thread(&self) -> bool {
        current_thread_mark() == self.0.audio_thread.load(Ordering::Acquire)
    }
}

/// The window is shown nowhere: what matters is which sizes the plug-in takes.
impl HostGuiImpl for SharedCallbacks {
    fn resize_hints_changed(&self) {}
    fn request_resize(&self, _size: GuiSize) -> Result<(), HostError> {
        Ok(())
    }
    fn request_show(&self) -> Result<(), HostError> {
        Ok(())
    }
    fn request_hide(&self) -> Result<(), HostError> {
        Ok(())
    }
    fn closed(&self, _was_destroyed: bool) {}
}

impl HostParamsImplShared for SharedCallbacks {
    fn request_flush(&self) {}
}

impl MainThreadHandler<'_> for MainThreadCallbacks {}

impl HostAudioPortsImpl for MainThreadCallbacks {
    fn is_rescan_flag_supported(&self, _flag: AudioPortRescanFlags) -> bool {
        false
    }
    fn rescan(&self, _flags: AudioPortRescanFlags) {}
}

impl HostLatencyImpl for MainThreadCallbacks {
    fn changed(&self) {
        self.0.latency_changes.fetch_add(1, Ordering::AcqRel);
        if self.0.audio_thread.load(Ordering::Acquire) != 0 {
            self.0.latency_changed_while_processing.store(true, Ordering::Release);
        }
    }
}

impl HostParamsImplMainThread for MainThreadCallbacks {
    fn rescan(&self, _flags: ParamRescanFlags) {}
    fn clear(&self, _param_id: ClapId, _flags: ParamClearFlags) {}
}

impl HostStateImpl for MainThreadCallbacks {
    fn mark_dirty(&self) {
        self.0.dirty_marks.fetch_add(1, Ordering::AcqRel);
    }
}

impl AudioProcessorHandler<'_> for AudioThreadCallbacks {}

impl HostTailImpl for AudioThreadCallbacks {
    fn changed(&mut self) {}
}
