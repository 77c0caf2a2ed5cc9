//! What the tests of the built plug-in share: plug-ins with a chosen model beside them, songs made of noise, and the
//! isolation from a developer's environment.

#![allow(clippy::unwrap_used, dead_code)] // A test fails by panicking; not every test uses every helper.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap_host::bundled::{CLAP_ID, StagedClap, StagedModel, built_clap, model_folder};
use clap_host::signals::bursts;
use clap_host::state::SavedState;
use clap_host::{AudioSetup, Bus, BusAudio, Instance, Library, Processor, Stereo};
use serde_json::Value;
use tributary_dsp::Stem;
use tributary_engine::LatencyMode;

/// The rate of the shipped models, at which nothing is resampled.
pub const MODEL_RATE_HZ: f64 = 44_100.0;

/// How long a model may take to load on a busy machine.
pub const MODEL_LIMIT: Duration = Duration::from_secs(60);

/// What is left of a null in 32-bit float, in dB.
pub const NULL_DB: f64 = -120.0;

/// An instance of the built plug-in and the folder it was loaded from.
pub struct Plugin {
    pub instance: Instance,
    library: Library,
    staged: StagedClap,
}

impl Plugin {
    /// The built plug-in with the plain-sum model and every effect at amount zero: what comes out is known exactly.
    pub fn with_sum_model() -> Option<Self> {
        Self::with_model(&StagedModel::CopyOf(model_folder("sum")))
    }

    /// The built plug-in with its own model.
    pub fn with_default_model() -> Option<Self> {
        Self::with_model(&StagedModel::CopyOf(model_folder("default")))
    }

    /// The built plug-in with any model.
    pub fn with_model(model: &StagedModel) -> Option<Self> {
        Self::altered(model, true, |_| {})
    }

    /// The built plug-in with any model, altered on the disk before it is loaded.
    pub fn altered(model: &StagedModel, with_runtime: bool, alter: impl FnOnce(&StagedClap)) -> Option<Self> {
        let staged = StagedClap::new(&built_clap()?, model, with_runtime).unwrap();
        alter(&staged);
        let library = Library::load(&staged.clap()).unwrap();
        let instance = library.instantiate(CLAP_ID).unwrap();
        Some(Self { instance, library, staged })
    }

    /// Another instance of the same library.
    pub fn another(&self) -> Instance {
        self.library.instantiate(CLAP_ID).unwrap()
    }

    /// The `.clap` it was loaded from.
    pub fn path(&self) -> PathBuf {
        self.staged.clap()
    }

    /// Activates and waits until the model is ready.
    pub fn activate(&mut self, setup: AudioSetup) -> Processor {
        activate(&mut self.instance, setup)
    }

    /// Activates at the model's rate, as a bounce, for blocks up to `max_block_frames`.
    pub fn bounce(&mut self, max_block_frames: usize) -> Processor {
        self.activate(AudioSetup::offline(MODEL_RATE_HZ, max_block_frames))
    }
}

/// Activates and waits until the model is ready.
pub fn activate(instance: &mut Instance, setup: AudioSetup) -> Processor {
    let processor = instance.activate(setup).unwrap();
    let word = instance.wait_for_model(MODEL_LIMIT);
    let report = instance.save_state().unwrap().report();
    assert_eq!(word.as_deref(), Some("ready"), "{report:?}");
    processor
}

/// A state that chooses a latency mode, or holds any text in its place.
pub fn with_latency_field(saved: &SavedState, text: &str) -> SavedState {
    let mut json = saved.json().unwrap();
    json["fields"]["latency"] = Value::String(text.to_owned());
    SavedState::from_json(&json)
}

/// Chooses a latency mode as a project does.
pub fn choose(instance: &mut Instance, mode: LatencyMode) {
    let saved = instance.save_state().unwrap();
    let text = format!("{{\"format\":1,\"mode\":\"{}\"}}", mode.name());
    instance.load_state(&with_latency_field(&saved, &text)).unwrap();
}

/// Four stems of noise that start and stop at different times, and their plain sum on the main input.
pub fn song(frames: usize, rate_hz: f64, seed: u64) -> BusAudio {
    let audio = Stem::ALL.iter().fold(BusAudio::silence(frames), |audio, &stem| {
        let seed = 10 * seed + 2 * stem.index() as u64;
        let level = [0.2, 0.15, 0.25, 0.1][stem.index()];
        let left = bursts(frames, level, rate_hz, seed);
        let mut right = bursts(frames, level, rate_hz, seed + 1);
        // Half of it common to both sides, as music has it.
        right.iter_mut().zip(&left).for_each(|(right, left)| *right = 0.5 * (*right + left));
        audio.with(Bus::Stem(stem), Stereo { left, right })
    });
    audio.with_sum_on_main()
}

/// Whether this test must run in a process of its own because `variables` of the environment would override what it
/// stages. If so, it has been run there – and has passed – when this returns true.
pub fn ran_without_environment(test: &str, variables: &[&str]) -> bool {
    if variables.iter().all(|variable| std::env::var_os(variable).is_none()) {
        return false;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    for variable in variables {
        command.env_remove(variable);
    }
    assert!(command.status().unwrap().success(), "{test} fails in a process without {variables:?}");
    true
}

/// The variables by which a developer points the plug-in to other parts.
pub const OVERRIDES: [&str; 2] = ["TRIBUTARY_MODEL", "ORT_DYLIB_PATH"];

/// Replaces a piece of a text file; the piece must be there.
pub fn replace_in_file(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} does not hold {from:?}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}
