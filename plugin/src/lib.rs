//! Tributary: the vocals, bass, drums and other stems of a song on four sidechains, a finished mix on the main bus.
//!
//! This crate is the shell and holds no signal processing: [`params`] and [`ports`] face the host, [`instance`] starts an
//! engine per activation, [`session`], [`learned`] and [`latency`] are saved with the project, [`monitor`] is the window through which the [`editor`]
//! and the saved state see the engine, and `vst3` is the VST3 factory with the framework's bugs mended.

pub mod editor;
pub mod instance;
pub mod latency;
pub mod learned;
pub mod monitor;
pub mod params;
pub mod ports;
pub mod session;
pub mod vst3;

use editor::window::Window;
use instance::Instance;
use monitor::Monitor;
use nice_plug::prelude::*;
use nice_plug_egui::EguiEditor;
use params::TributaryParams;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The plug-in.
pub struct Tributary {
    params: Arc<TributaryParams>,
    monitor: Arc<Monitor>,
    /// Present while the host keeps the plug-in active.
    instance: Option<Instance>,
}

impl Default for Tributary {
    fn default() -> Self {
        let (params, monitor) = (Arc::new(TributaryParams::default()), Arc::new(Monitor::default()));
        params.session.attach(monitor.clone());
        params.learned.attach(monitor.clone());
        Self { params, monitor, instance: None }
    }
}

impl Tributary {
    /// The parameters, and what is saved beside them.
    pub fn parameters(&self) -> &Arc<TributaryParams> {
        &self.params
    }

    /// What the editor sees and does.
    pub fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }
}

impl Plugin for Tributary {
    const NAME: &'static str = "Tributary";
    const VENDOR: &'static str = "Tributary";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = ports::LAYOUTS;

    type Editor = EguiEditor<Window>;
    type SysExMessage = ();
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        editor::window::editor(self.params.clone(), self.monitor.clone())
    }

    fn filter_state(state: &mut PluginState) {
        params::mend(state);
        session::mend(state);
        learned::mend(state);
        latency::mend(state);
    }

    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        config: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.deactivate();
        // A panic must not reach the host; without an engine the main input passes.
        let mode = self.params.latency.activate();
        if let Ok(instance) = catch_unwind(|| Instance::start(config, mode)) {
            context.set_latency_samples(instance.audio.latency_frames() as u32);
            self.monitor.activated(&instance, &self.params.learned);
            self.instance = Some(instance);
        }
        true
    }

    fn reset(&mut self) {
        if let Some(instance) = &mut self.instance {
            instance.audio.reset();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer,
        aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        // A project with another latency mode was loaded, and no editor is open to pass that on: one call, once.
        if self.params.latency.take_restart() {
            context.request_restart();
        }
        let Some(instance) = &mut self.instance else { return ProcessStatus::Normal };
        let settings = self.params.settings(instance.offline);
        let stems = ports::stem_channels(aux.inputs, buffer.samples());
        let Some(main) = ports::main_channels(buffer) else { return ProcessStatus::Normal };
        let audio = &mut instance.audio;
        match catch_unwind(AssertUnwindSafe(|| audio.process(main, stems, &settings))) {
            Ok(()) => ProcessStatus::Tail(audio.latency_frames() as u32),
            Err(_) => ProcessStatus::Error("the engine stopped because of an internal error"),
        }
    }

    fn deactivate(&mut self) {
        self.params.latency.deactivate();
        self.monitor.deactivated();
        self.instance = None;
    }
}

impl ClapPlugin for Tributary {
    const CLAP_ID: &'static str = "audio.tributary.mix";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("Mixes four stems with a neural network");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] =
        &[ClapFeature::AudioEffect, ClapFeature::Stereo, ClapFeature::Mixing, ClapFeature::Utility];
}

impl Vst3Plugin for Tributary {
    const VST3_CLASS_ID: [u8; 16] = *b"TributaryMixer01";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[Vst3SubCategory::Fx, Vst3SubCategory::Stereo];
}

nice_export_clap!(Tributary);
