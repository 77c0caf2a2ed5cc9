//! One activation: finds the model bundle beside the binary and starts an engine with it.
//!
//! Everything here runs on the host's main thread and takes milliseconds; graphs and the runtime library are loaded by the
//! engine's worker. Nothing is looked for before activation, so that scanning stays quick.

use nice_plug::prelude::{BufferConfig, ProcessMode};
use std::path::{Path, PathBuf};
use tributary_dsp::ProfileSource;
use tributary_engine::onnx::library::own_binary;
use tributary_engine::{AudioSide, Engine, EngineConfig, EngineHandle, LatencyMode, ModelSource};

/// Names a folder with a model bundle to use instead of the one that ships with the plug-in.
pub const MODEL_VARIABLE: &str = "TRIBUTARY_MODEL";

/// The bundle that ships with the plug-in, relative to the folder of runtime and models.
const DEFAULT_MODEL: &str = "models/default";

/// The engine's two sides, as long as the host keeps the plug-in active. Dropping it joins the worker.
pub struct Instance {
    /// What the audio thread calls.
    pub audio: AudioSide,
    /// What the main thread keeps.
    pub handle: EngineHandle,
    /// The host announced offline rendering.
    pub offline: bool,
    /// One sentence on the model's training data, empty without a model.
    pub trained_on: String,
    /// Latency modes that the model has, in the order of [`LatencyMode::ALL`].
    pub offered: [bool; 4],
}

impl Instance {
    /// Starts an engine for the host's configuration and a latency mode. Never fails: without a usable model the engine passes the aligned
    /// dry signal and says why.
    pub fn start(config: &BufferConfig, mode: LatencyMode) -> Self {
        let model = match model_folder(std::env::var_os(MODEL_VARIABLE).map(PathBuf::from), own_binary()) {
            Ok(folder) => ModelSource::open(folder, None).in_mode(mode),
            Err(reason) => ModelSource::Missing { reason },
        };
        let (trained_on, offered) = match &model {
            ModelSource::Bundle { bundle, .. } => {
                let contract = bundle.contract();
                (contract.trained_on.clone(), LatencyMode::ALL.map(|mode| contract.offers(mode)))
            }
            _ => (String::new(), [true; 4]),
        };
        let (audio, handle) = Engine::start(EngineConfig {
            model,
            profile: ProfileSource::Adaptive,
            host_rate_hz: f64::from(config.sample_rate),
            max_block: config.max_buffer_size as usize,
        });
        let offline = config.process_mode == ProcessMode::Offline;
        Self { audio, handle, offline, trained_on, offered }
    }
}

/// The folder of the model: the one `chosen`, else in the `Resources` of the VST3 bundle that holds `binary`, else in the
/// folder `Tributary` beside it.
///
/// # Errors
/// A sentence that names the places looked at.
fn model_folder(chosen: Option<PathBuf>, binary: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some(folder) = chosen.filter(|folder| !folder.as_os_str().is_empty()) {
        return Ok(folder);
    }
    let Some(home) = binary.as_deref().and_then(Path::parent) else {
        return Err(format!("The plug-in's own folder is unknown; set {MODEL_VARIABLE} to a model folder."));
    };
    let places = [home.join("../Resources"), home.join("Tributary")].map(|folder| folder.join(DEFAULT_MODEL));
    places.iter().find(|folder| folder.is_dir()).cloned().ok_or_else(|| {
        format!(
            "No model was found. Looked for {} and {}; reinstall Tributary or set {MODEL_VARIABLE}.",
            places[0].display(),
            places[1].display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tributary-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn the_variable_comes_first() {
        let found = model_folder(Some("/models/mine".into()), Some("/x/Tributary.clap".into()));
        assert_eq!(found, Ok("/models/mine".into()));
    }

    #[test]
    fn both_kinds_of_bundle_are_found() {
        let root = scratch("places");
        let vst3 = root.join("Tributary.vst3/Contents");
        for folder in ["x86_64-linux", "Resources/models/default"] {
            fs::create_dir_all(vst3.join(folder)).expect("a folder");
        }
        fs::create_dir_all(root.join("Tributary/models/default")).expect("a folder");
        let found = |binary: PathBuf| {
            model_folder(None, Some(binary)).expect("found").canonicalize().expect("exists")
        };
        let real = root.canonicalize().expect("exists");
        assert_eq!(
            found(vst3.join("x86_64-linux/Tributary.so")),
            real.join("Tributary.vst3/Contents/Resources/models/default")
        );
        assert_eq!(found(root.join("Tributary.clap")), real.join("Tributary/models/default"));
        fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn absence_is_said_with_the_places() {
        let reason = model_folder(None, Some("/nowhere/Tributary.clap".into())).expect_err("nothing there");
        assert!(reason.contains("/nowhere/Tributary/models/default"), "{reason}");
        assert!(reason.contains(MODEL_VARIABLE));
        assert!(model_folder(None, None).is_err());
    }
}
