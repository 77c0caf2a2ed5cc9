//! One instance of a plug-in, seen from the main thread.
//!
//! Activating it gives a [`Processor`], which may go to another thread; everything else – latency, parameters, state –
//! is asked here. Stands apart because CLAP's contract separates the two threads, and so do the types.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clack_extensions::gui::{GuiApiType, GuiConfiguration, GuiSize, PluginGui};
use clack_extensions::latency::PluginLatency;
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::PluginState;
use clack_host::prelude::*;

use crate::callbacks::{AudioThreadCallbacks, Callbacks, Host, MainThreadCallbacks, SharedCallbacks};
use crate::parameters::{self, Parameter};
use crate::ports::Ports;
use crate::processor::Processor;
use crate::state::SavedState;

/// How an instance is activated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AudioSetup {
    /// Host rate, in Hz.
    pub rate_hz: f64,
    /// The longest block that will come, in frames.
    pub max_block_frames: usize,
    /// Whether the host says that it renders offline.
    pub offline: bool,
}

impl AudioSetup {
    /// An offline render.
    #[must_use]
    pub fn offline(rate_hz: f64, max_block_frames: usize) -> Self {
        Self { rate_hz, max_block_frames, offline: true }
    }

    /// A host that plays and says nothing about offline rendering.
    #[must_use]
    pub fn live(rate_hz: f64, max_block_frames: usize) -> Self {
        Self { rate_hz, max_block_frames, offline: false }
    }
}

/// A plug-in instance. It belongs to the thread that made it.
pub struct Instance {
    inner: PluginInstance<Host>,
    callbacks: Arc<Callbacks>,
    ports: Ports,
}

impl Instance {
    pub(crate) fn new(entry: &PluginEntry, id: &CStr) -> Result<Self> {
        let info = HostInfo::new("Tributary test host", "Tributary", "", env!("CARGO_PKG_VERSION"))?;
        let callbacks = Arc::new(Callbacks::new());
        let (shared, main) = (Arc::clone(&callbacks), Arc::clone(&callbacks));
        let mut inner = PluginInstance::<Host>::new(
            move |()| SharedCallbacks(shared),
            move |_| MainThreadCallbacks(main),
            entry,
            id,
            &info,
        )
        .with_context(|| format!("{} cannot be instantiated", id.to_string_lossy()))?;
        let ports = Ports::read(&inner.plugin_handle())?;
        Ok(Self { inner, callbacks, ports })
    }

    /// The audio ports.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Activates the instance: from here on its latency holds. Sets the render mode first, as hosts do.
    ///
    /// # Errors
    /// When the plug-in refuses the rate or the block length, or is active already.
    pub fn activate(&mut self, setup: AudioSetup) -> Result<Processor> {
        let max_frames_count = u32::try_from(setup.max_block_frames)?;
        ensure!(max_frames_count > 0, "a block has at least one frame");
        self.say_offline(setup.offline)?;
        let configuration =
            PluginAudioConfiguration { sample_rate: setup.rate_hz, min_frames_count: 1, max_frames_count };
        let stopped = self
            .inner
            .activate(|_, _| AudioThreadCallbacks, configuration)
            .with_context(|| format!("the plug-in cannot be activated with {setup:?}"))?;
        self.serve_requests();
        Processor::new(
            stopped,
            &self.ports,
            (setup.rate_hz, setup.max_block_frames),
            Arc::clone(&self.callbacks),
        )
    }

    /// Says whether the host renders offline, also while the instance is active.
    ///
    /// # Errors
    /// When the plug-in refuses.
    pub fn say_offline(&mut self, offline: bool) -> Result<()> {
        let plugin = self.inner.plugin_handle();
        if let Some(render) = plugin.get_extension::<PluginRender>() {
            let mode = if offline { RenderMode::Offline } else { RenderMode::Realtime };
            render.set(&plugin, mode).ok().context("the plug-in refuses the render mode")?;
        }
        Ok(())
    }

    /// Stops and deactivates: the counterpart of [`activate`](Self::activate).
    pub fn deactivate(&mut self, processor: Processor) {
        self.inner.deactivate(processor.into_stopped());
        self.serve_requests();
    }

    /// The latency the plug-in reports now, in frames at the host rate.
    #[must_use]
    pub fn latency_frames(&mut self) -> usize {
        let plugin = self.inner.plugin_handle();
        let latency = plugin.get_extension::<PluginLatency>();
        latency.map_or(0, |latency| latency.get(&plugin) as usize)
    }

    /// All parameters.
    ///
    /// # Errors
    /// When the plug-in does not describe them.
    pub fn parameters(&mut self) -> Result<Vec<Parameter>> {
        parameters::read_all(&self.inner.plugin_handle())
    }

    /// The parameter shown as `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn parameter(&mut self, name: &str) -> Result<Parameter> {
        let all = self.parameters()?;
        let names: Vec<_> = all.iter().map(|parameter| parameter.name.clone()).collect();
        let found = all.into_iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name));
        found.with_context(|| format!("no parameter {name:?} among {names:?}"))
    }

    /// The present value of a parameter.
    ///
    /// # Errors
    /// When the plug-in does not know it.
    pub fn value(&mut self, parameter: &Parameter) -> Result<f64> {
        parameters::read_value(&self.inner.plugin_handle(), parameter.id)
    }

    /// How the plug-in writes `value` for the user.
    ///
    /// # Errors
    /// When it cannot.
    pub fn text(&mut self, parameter: &Parameter, value: f64) -> Result<String> {
        parameters::text_of(&self.inner.plugin_handle(), parameter.id, value)
    }

    /// The value that the plug-in reads from what a user has typed; `None` when it is none.
    ///
    /// # Errors
    /// When the text holds a zero, or there are no parameters.
    pub fn read_text(&mut self, parameter: &Parameter, typed: &str) -> Result<Option<f64>> {
        parameters::value_of(&self.inner.plugin_handle(), parameter.id, typed)
    }

    /// Opens the plug-in's window, outside of any other. Needs a display.
    ///
    /// # Errors
    /// When the plug-in has no window or cannot open it.
    pub fn open_window(&mut self) -> Result<()> {
        let plugin = self.inner.plugin_handle();
        let gui = plugin.get_extension::<PluginGui>().context("the plug-in has no window")?;
        let api_type = GuiApiType::default_for_current_platform().context("windows of an unknown kind")?;
        let configuration = GuiConfiguration { api_type, is_floating: false };
        gui.create(&plugin, configuration).ok().context("the window cannot be opened")
    }

    /// Puts the open window on the display.
    ///
    /// # Errors
    /// When there is none, or it cannot be shown.
    pub fn show_window(&mut self) -> Result<()> {
        let plugin = self.inner.plugin_handle();
        let gui = plugin.get_extension::<PluginGui>().context("the plug-in has no window")?;
        gui.show(&plugin).ok().context("the window cannot be shown")
    }

    /// Closes it.
    pub fn close_window(&mut self) {
        let plugin = self.inner.plugin_handle();
        if let Some(gui) = plugin.get_extension::<PluginGui>() {
            gui.destroy(&plugin);
        }
    }

    /// The size of the window, open or not.
    #[must_use]
    pub fn window_size(&mut self) -> Option<[u32; 2]> {
        let plugin = self.inner.plugin_handle();
        let size = plugin.get_extension::<PluginGui>()?.get_size(&plugin)?;
        Some([size.width, size.height])
    }

    /// The size that the plug-in would make of this one.
    #[must_use]
    pub fn adjusted_window_size(&mut self, [width, height]: [u32; 2]) -> Option<[u32; 2]> {
        let plugin = self.inner.plugin_handle();
        let size = plugin.get_extension::<PluginGui>()?.adjust_size(&plugin, GuiSize { width, height })?;
        Some([size.width, size.height])
    }

    /// Gives the window another size; whether the plug-in takes it.
    pub fn resize_window(&mut self, [width, height]: [u32; 2]) -> bool {
        let plugin = self.inner.plugin_handle();
        let gui = plugin.get_extension::<PluginGui>();
        gui.is_some_and(|gui| gui.set_size(&plugin, GuiSize { width, height }).is_ok())
    }

    /// How often the plug-in said that the project has changed.
    #[must_use]
    pub fn dirty_marks(&self) -> u32 {
        self.callbacks.dirty_marks.load(Ordering::Acquire)
    }

    /// Saves the state.
    ///
    /// # Errors
    /// When the plug-in has no state or fails to save it.
    pub fn save_state(&mut self) -> Result<SavedState> {
        let plugin = self.inner.plugin_handle();
        let state = plugin.get_extension::<PluginState>().context("the plug-in has no state")?;
        let mut bytes = Vec::new();
        state.save(&plugin, &mut bytes).ok().context("the plug-in cannot save its state")?;
        Ok(SavedState::from_bytes(bytes))
    }

    /// Loads a state.
    ///
    /// # Errors
    /// When the plug-in refuses it.
    pub fn load_state(&mut self, saved: &SavedState) -> Result<()> {
        let plugin = self.inner.plugin_handle();
        let state = plugin.get_extension::<PluginState>().context("the plug-in has no state")?;
        let loaded = state.load(&plugin, &mut saved.bytes());
        self.serve_requests();
        loaded.ok().context("the plug-in refuses the state")
    }

    /// Calls the plug-in's main-thread callback if it asked for it; says whether it had.
    pub fn serve_requests(&mut self) -> bool {
        let requested = self.callbacks.callback_requested.swap(false, Ordering::AcqRel);
        if requested {
            self.inner.call_on_main_thread_callback();
        }
        requested
    }

    /// Waits until the saved state reports that the model is ready or has failed, and returns that word. `None` when
    /// `limit` passes first, or when the plug-in reports nothing.
    pub fn wait_for_model(&mut self, limit: Duration) -> Option<String> {
        let start = Instant::now();
        loop {
            self.serve_requests();
            let word = self
                .save_state()
                .ok()
                .and_then(|state| state.report())
                .and_then(|report| report.model_state());
            match word {
                Some(word) if word != "loading" && word != "idle" => return Some(word),
                _ if start.elapsed() > limit => return None,
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// How often the plug-in asked to be restarted, and told of a new latency, so far.
    #[must_use]
    pub fn restart_requests_and_latency_changes(&self) -> (u32, u32) {
        (
            self.callbacks.restart_requests.load(Ordering::Acquire),
            self.callbacks.latency_changes.load(Ordering::Acquire),
        )
    }

    /// What the plug-in logged to the host, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.callbacks.messages()
    }
}
