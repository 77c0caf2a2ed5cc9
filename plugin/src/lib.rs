//! Tributary: the vocals, bass, drums and other stems of a song on four sidechains, a finished mix on the main bus.
//!
//! This crate is the shell and holds no signal processing. No file leans on one that leans on it; from the bottom up:
//!
//! | file | what |
//! |---|---|
//! | `text.rs`, `ports.rs` | values as users type them; the buses |
//! | `values.rs`, `history.rs` | values of parameters by their identifiers; steps that can be undone |
//! | `saved/` | what a project keeps beside the parameters |
//! | `places.rs`, [`named`], [`models`], [`targets`] | where files lie that are chosen by name; the choice; which models and targets there are, and which a project has chosen |
//! | `learned_files.rs` | where learned profiles lie that belong to no project |
//! | [`params`], [`steering`] | what a host can automate; the part of it that snapshots and presets set |
//! | `remote_controls.rs` | which of them are under the knobs of a controller |
//! | `host.rs` | what the plug-in tells its host |
//! | `instance.rs`, `engines.rs` | one engine; the life of all of them, and the change from one to another |
//! | [`editor`], `view.rs` | the editor; the copies of the engine's figures that it shows |
//! | `parts.rs`, `clap.rs`, [`vst3`] | the two formats' factories, with the framework's faults mended |

#![warn(clippy::too_many_lines)]

mod clap;
pub mod editor;
mod engines;
mod history;
mod host;
mod instance;
mod learned_files;
pub mod models;
pub mod named;
pub mod params;
mod parts;
mod places;
mod ports;
mod remote_controls;
mod saved;
pub mod steering;
pub mod targets;
mod text;
mod values;
mod view;
pub mod vst3;

use editor::Copies;
use editor::window::WindowEditor;
use engines::Engines;
use instance::Files;
use nice_plug::prelude::*;
use params::TributaryParams;
use parts::{Parts, Shelf};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tributary_engine::{EnginePlayer, Settings};

/// The plug-in.
pub struct Tributary {
    params: Arc<TributaryParams>,
    engines: Arc<Engines>,
    /// Present while the host keeps the plug-in active.
    player: Option<EnginePlayer>,
    /// What the format's factory keeps here.
    _shelf: Arc<Shelf>,
}

/// Work that is sent to the host's main thread.
pub enum Task {
    /// Tell the host that the project has changed.
    Tell,
}

impl Default for Tributary {
    fn default() -> Self {
        let params = Arc::new(TributaryParams::default());
        let engines = Engines::new(Files::installed(), &params);
        let shelf = Arc::new(Shelf::default());
        Parts::note(&params, &engines, &shelf);
        Self { params, engines, player: None, _shelf: shelf }
    }
}

impl Tributary {
    /// The parameters, and what is saved beside them.
    pub fn parameters(&self) -> &Arc<TributaryParams> {
        &self.params
    }

    /// The engines, as the editor acts on them.
    pub fn engines(&self) -> &Arc<Engines> {
        &self.engines
    }

    /// What the editor shows now. Allocates.
    pub fn copies(&self) -> Copies {
        view::copies(&self.engines, &self.params, None)
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
        let host = Arc::clone(self.engines.host());
        Box::new(move |Task::Tell| host.tell())
    }

    fn editor(&mut self, executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        self.engines.host().set_wake(Box::new(move || executor.execute_gui(Task::Tell)));
        Some(WindowEditor::new(self.params.clone(), Arc::clone(&self.engines)))
    }

    fn filter_state(state: &mut PluginState) {
        params::mend(state);
    }

    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        config: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.deactivate();
        self.player = self.engines.activate(config, self.params.locks());
        if let Some(player) = &self.player {
            context.set_latency_samples(player.latency_frames() as u32);
        }
        true
    }

    fn reset(&mut self) {
        if let Some(player) = &mut self.player {
            player.reset();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer,
        aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        // A project with another setting was loaded, and no editor is open to pass that on: one call, once.
        if self.engines.take_restart() {
            context.request_restart();
        }
        let Some(player) = &mut self.player else { return ProcessStatus::Normal };
        let song_frame = song_frame(context.transport());
        let settings = Settings { song_frame, ..self.params.settings(self.engines.host().is_offline()) };
        let stems = ports::stem_channels(aux.inputs, buffer.samples());
        let Some(main) = ports::main_channels(buffer) else { return ProcessStatus::Normal };
        match catch_unwind(AssertUnwindSafe(|| player.process(main, stems, &settings))) {
            Ok(()) => ProcessStatus::Tail(player.latency_frames() as u32),
            Err(_) => ProcessStatus::Error("the engine stopped because of an internal error"),
        }
    }

    fn deactivate(&mut self) {
        self.player = None;
        self.engines.deactivate();
    }
}

impl ClapPlugin for Tributary {
    const CLAP_ID: &'static str = "audio.tributary.mix";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("Mixes four stems with a neural network");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] =
        &[ClapFeature::AudioEffect, ClapFeature::Stereo, ClapFeature::Mixing, ClapFeature::Utility];

    fn remote_controls(&self, context: &mut impl RemoteControlsContext) {
        remote_controls::add(&self.params, context);
    }
}

impl Vst3Plugin for Tributary {
    const VST3_CLASS_ID: [u8; 16] = *b"TributaryMixer01";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[Vst3SubCategory::Fx, Vst3SubCategory::Stereo];
}
