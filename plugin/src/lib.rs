//! Tributary: the vocals, bass, drums and other stems of a song on four sidechains, a finished mix on the main bus.
//!
//! This crate is the shell and holds no signal processing: [`params`] and [`ports`] face the host, [`instance`] starts an
//! engine per activation with one of the [`models`], [`session`], [`learned`] and [`setting`] are saved with the project,
//! [`monitor`] is the window through which the [`editor`] and the saved state see the engine, [`host`] is what the plug-in
//! tells its host, and [`clap`] and [`vst3`] are the two formats' factories with the framework's faults mended.

mod change;
pub mod clap;
pub mod editor;
pub mod host;
pub mod instance;
pub mod learned;
pub mod models;
pub mod monitor;
pub mod params;
pub mod ports;
pub mod session;
pub mod setting;
mod text;
pub mod vst3;

use editor::size::EditorSize;
use editor::window::WindowEditor;
use host::{Parts, Shelf};
use instance::{Activation, Instance};
use models::{ModelField, Models};
use monitor::Monitor;
use nice_plug::prelude::*;
use params::TributaryParams;
use setting::SettingField;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tributary_engine::{EnginePlayer, LatencyMode, Settings};

/// The plug-in.
pub struct Tributary {
    params: Arc<TributaryParams>,
    monitor: Arc<Monitor>,
    /// Present while the host keeps the plug-in active.
    deck: Option<EnginePlayer>,
    /// What the format's factory keeps here.
    _shelf: Arc<Shelf>,
}

/// Work that is sent to the host's main thread.
pub enum Task {
    /// Tell the host what there is to tell; see [`host`].
    Tell,
}

impl Default for Tributary {
    fn default() -> Self {
        let params = Arc::new(TributaryParams::default());
        let monitor = Arc::new(Monitor::new(Models::installed(), params.model.clone()));
        params.session.attach(monitor.clone());
        params.learned.attach(monitor.clone());
        let shelf = Arc::new(Shelf::default());
        Parts::note(&params, &monitor, &shelf);
        Self { params, monitor, deck: None, _shelf: shelf }
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

/// Where in the song a block begins. A transport that stands still says nothing about the frames that pass meanwhile.
fn song_frame(transport: &Transport) -> Option<i64> {
    transport.playing.then(|| transport.pos_samples()).flatten()
}

/// A host that destroys an active plug-in must not be left with its threads.
impl Drop for Tributary {
    fn drop(&mut self) {
        self.deactivate();
    }
}

impl Plugin for Tributary {
    const NAME: &'static str = "Tributary";
    const VENDOR: &'static str = "Tributary";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = ports::LAYOUTS;

    type Editor = WindowEditor;
    type SysExMessage = ();
    type BackgroundTask = Task;

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    fn task_executor(&mut self) -> TaskExecutor<Self> {
        let host = Arc::clone(self.monitor.host());
        Box::new(move |Task::Tell| host.tell())
    }

    fn editor(&mut self, executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        self.monitor.host().set_wake(Box::new(move || executor.execute_gui(Task::Tell)));
        Some(WindowEditor::new(self.params.clone(), self.monitor.clone()))
    }

    fn filter_state(state: &mut PluginState) {
        params::mend(state);
        session::mend(state);
        learned::mend(state);
        SettingField::<LatencyMode>::mend(state);
        ModelField::mend(state);
        SettingField::<EditorSize>::mend(state);
    }

    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        config: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.deactivate();
        let activation = Activation::new(config, self.params.latency.activate());
        let choice = self.params.model.activate();
        self.monitor.host().says_offline(config.process_mode == ProcessMode::Offline);
        // A panic must not reach the host; without an engine the main input passes.
        let models = self.monitor.models();
        if let Ok(instance) = catch_unwind(|| Instance::start(&activation, models, &choice)) {
            let latency = instance.audio.latency_frames() as u32;
            self.monitor.host().latency_is(latency);
            context.set_latency_samples(latency);
            self.deck = Some(self.monitor.activated(activation, instance, &self.params.learned));
        }
        true
    }

    fn reset(&mut self) {
        if let Some(deck) = &mut self.deck {
            deck.reset();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer,
        aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        // A project with another setting was loaded, and no editor is open to pass that on: one call, once.
        if self.monitor.take_restart(&self.params) {
            context.request_restart();
        }
        let Some(deck) = &mut self.deck else { return ProcessStatus::Normal };
        let song_frame = song_frame(context.transport());
        let settings = Settings { song_frame, ..self.params.settings(self.monitor.host().is_offline()) };
        let stems = ports::stem_channels(aux.inputs, buffer.samples());
        let Some(main) = ports::main_channels(buffer) else { return ProcessStatus::Normal };
        match catch_unwind(AssertUnwindSafe(|| deck.process(main, stems, &settings))) {
            Ok(()) => ProcessStatus::Tail(deck.latency_frames() as u32),
            Err(_) => ProcessStatus::Error("the engine stopped because of an internal error"),
        }
    }

    fn deactivate(&mut self) {
        self.params.latency.deactivate();
        self.params.model.deactivate();
        self.deck = None;
        self.monitor.deactivated();
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
