//! What the plug-in tells its host beside audio and parameters: that the project has changed, and which latency it has
//! now. And what the host says apart from them: whether it renders a file.
//!
//! The framework has no call for the first and answers the second with a restart too many. So the two factories,
//! `clap.rs` and `vst3.rs`, give each instance a `Voice` of their format; without one – in tests
//! of the shell alone – nothing is said. A change may be noticed on any thread, the host hears of it on its main thread.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A format's way to reach the host.
pub(crate) trait Voice: Send + Sync {
    /// Tells the host that the project differs from what it has saved. False when this is not the host's main thread: the
    /// host is told when it next calls.
    fn mark_changed(&self) -> bool;

    /// The plug-in is being activated with this latency. True when the format lets the host know without a restart.
    fn latency_is(&self, samples: u32) -> bool;
}

/// Asks for [`HostLink::tell`] on the main thread.
type Wake = Box<dyn Fn() + Send + Sync>;

/// One instance's link to its host.
#[derive(Default)]
pub struct HostLink {
    changed: AtomicBool,
    /// The latency of the latest activation.
    latency_samples: AtomicU32,
    /// The latency that the host knows.
    told_samples: AtomicU32,
    /// A restart that the plug-in wants, as against one the framework asks for on its own account.
    wish: AtomicBool,
    voice: Mutex<Option<Arc<dyn Voice>>>,
    wake: OnceLock<Wake>,
    /// Changes noticed so far, for tests.
    changes: AtomicU64,
    /// The host says that it renders offline.
    offline: AtomicBool,
}

impl HostLink {
    /// The project differs from what the host may have saved. For any thread but the audio thread.
    pub fn project_changed(&self) {
        self.changes.fetch_add(1, Relaxed);
        self.changed.store(true, Relaxed);
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    /// The host says whether it renders offline: with an activation, while active, or with a block. What it says last
    /// counts. Real-time safe.
    pub fn says_offline(&self, offline: bool) {
        self.offline.store(offline, Relaxed);
    }

    /// Whether the host says that it renders offline. Real-time safe.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Relaxed)
    }

    /// How often the project has changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    /// Passes on what there is to say. For the main thread; elsewhere it is kept.
    pub(crate) fn tell(&self) {
        // Never the lock while the host is called: it may call back at once.
        let Some(voice) = self.voice() else { return };
        if self.changed.swap(false, Relaxed) && !voice.mark_changed() {
            self.changed.store(true, Relaxed);
        }
    }

    /// What the host saves now is the present.
    pub(crate) fn saved(&self) {
        self.changed.store(false, Relaxed);
    }

    /// The plug-in is being activated with this latency.
    pub(crate) fn latency_is(&self, samples: u32) {
        self.latency_samples.store(samples, Relaxed);
        if self.voice().is_none_or(|voice| voice.latency_is(samples)) {
            self.latency_was_read(samples);
        }
    }

    /// The host has asked for the latency and was given this one.
    pub(crate) fn latency_was_read(&self, samples: u32) {
        self.told_samples.store(samples, Relaxed);
    }

    /// Whether the host must be asked to look at the latency; true once. Real-time safe.
    pub(crate) fn take_untold_latency(&self) -> bool {
        let samples = self.latency_samples.load(Relaxed);
        self.told_samples.load(Relaxed) != samples && self.told_samples.swap(samples, Relaxed) != samples
    }

    /// The next request for a restart is the plug-in's own. Real-time safe.
    pub(crate) fn wish(&self) {
        self.wish.store(true, Relaxed);
    }

    /// Whether the plug-in itself wants the restart that the framework asks for.
    pub(crate) fn take_wish(&self) -> bool {
        self.wish.swap(false, Relaxed)
    }

    pub(crate) fn set_voice(&self, voice: Option<Arc<dyn Voice>>) {
        *self.voice.lock().unwrap_or_else(PoisonError::into_inner) = voice;
    }

    fn voice(&self) -> Option<Arc<dyn Voice>> {
        self.voice.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Only the first call counts.
    pub(crate) fn set_wake(&self, wake: Wake) {
        let _ = self.wake.set(wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Host {
        marked: AtomicU32,
        elsewhere: AtomicBool,
    }

    impl Voice for Host {
        fn mark_changed(&self) -> bool {
            let here = !self.elsewhere.load(Relaxed);
            self.marked.fetch_add(u32::from(here), Relaxed);
            here
        }

        fn latency_is(&self, _samples: u32) -> bool {
            false
        }
    }

    #[test]
    fn a_change_is_told_once_and_kept_until_it_can_be() {
        let (link, host) = (HostLink::default(), Arc::new(Host::default()));
        link.project_changed();
        link.tell();
        link.set_voice(Some(host.clone()));
        let marked = || host.marked.load(Relaxed);
        link.tell();
        link.tell();
        assert_eq!(marked(), 1);
        host.elsewhere.store(true, Relaxed);
        link.project_changed();
        link.project_changed();
        link.tell();
        assert_eq!(marked(), 1);
        host.elsewhere.store(false, Relaxed);
        link.tell();
        assert_eq!((marked(), link.changes()), (2, 3));
        link.project_changed();
        link.saved();
        link.tell();
        assert_eq!(marked(), 2, "saved before it could be told");
    }

    #[test]
    fn a_latency_that_the_host_reads_needs_no_telling() {
        let link = HostLink::default();
        link.latency_is(5);
        assert!(!link.take_untold_latency(), "nobody to tell");
        link.set_voice(Some(Arc::new(Host::default())));
        assert!(!link.take_untold_latency(), "as it was");
        link.latency_is(6);
        link.latency_was_read(6);
        assert!(!link.take_untold_latency());
        link.latency_was_read(6);
        link.latency_is(7);
        assert!(link.take_untold_latency() && !link.take_untold_latency(), "once");
        link.latency_is(7);
        assert!(!link.take_untold_latency(), "nothing new");
    }
}
