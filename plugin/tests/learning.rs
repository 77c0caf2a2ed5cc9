//! Learning as a user does it, through the shell: learn, save, restore in another instance, forget. In a process of its
//! own, because the model is chosen by an environment variable.

#![allow(unsafe_code)] // The framework's buffers can only be filled through its unsafe setter, variables set likewise.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::path::Path;
use std::time::{Duration, Instant};

use nice_plug::context::PluginApi;
use nice_plug::context::process::SendEventError;
use nice_plug::prelude::*;
use serde_json::Value;
use tributary::Tributary;
use tributary::editor::Copies;
use tributary::editor::learning::{LearningAction, LearningCopy};
use tributary_dsp::{Recipe, Stem, StereoBuffer, Targets, normalize_stem};

const RATE_HZ: f32 = 44_100.0;
const BLOCK: usize = 512;

struct Host;

impl ActivateContext<Tributary> for Host {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }

    fn execute(&self, (): ()) {}

    fn set_latency_samples(&self, _samples: u32) {}

    fn set_current_voice_capacity(&self, _capacity: u32) {}
}

impl ProcessContext<Tributary> for Host {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }

    fn execute_background(&self, (): ()) {}

    fn execute_gui(&self, (): ()) {}

    fn transport(&self) -> &Transport {
        unreachable!("the plug-in does not follow the transport")
    }

    fn next_event(&mut self) -> Option<PluginNoteEvent<Tributary>> {
        None
    }

    fn try_send_event(
        &mut self,
        event: PluginNoteEvent<Tributary>,
    ) -> Result<(), (PluginNoteEvent<Tributary>, SendEventError)> {
        Err((event, SendEventError::NoOutputBuffer))
    }

    fn set_latency_samples(&self, _samples: u32) {}

    fn request_restart(&self) {}

    fn set_current_voice_capacity(&self, _capacity: u32) {}
}

/// The sum model with every effect at full amount.
fn stage_model(folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/sum");
    std::fs::create_dir_all(folder).unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let mut contract: Value =
        serde_json::from_slice(&std::fs::read(folder.join("contract.json")).unwrap()).unwrap();
    contract["recipe"] = serde_json::to_value(Recipe::default()).unwrap();
    std::fs::write(folder.join("contract.json"), contract.to_string()).unwrap();
}

fn activate(plugin: &mut Tributary) {
    let config = BufferConfig {
        sample_rate: RATE_HZ,
        min_buffer_size: None,
        max_buffer_size: BLOCK as u32,
        process_mode: ProcessMode::Offline,
    };
    assert!(plugin.activate(&Tributary::AUDIO_IO_LAYOUTS[0], &config, &mut Host));
    plugin.reset();
}

/// Plays the stems; returns the left output.
fn play(plugin: &mut Tributary, song: &[StereoBuffer; 4]) -> Vec<f32> {
    let frames = song[0].frames();
    let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
    for from in (0..frames).step_by(BLOCK) {
        let to = (from + BLOCK).min(frames);
        let mut sides: Vec<[Vec<f32>; 2]> =
            song.iter().map(|stem| [stem.left[from..to].to_vec(), stem.right[from..to].to_vec()]).collect();
        // SAFETY: every slice outlives the buffers made here.
        unsafe {
            let mut main = Buffer::default();
            main.set_slices(to - from, |slices| *slices = vec![&mut left[from..to], &mut right[from..to]]);
            let mut inputs: Vec<Buffer<'_>> = (0..4).map(|_| Buffer::default()).collect();
            for (bus, stem) in inputs.iter_mut().zip(&mut sides) {
                bus.set_slices(to - from, |slices| slices.extend(stem.iter_mut().map(Vec::as_mut_slice)));
            }
            let mut aux = AuxiliaryBuffers { inputs: &mut inputs, outputs: &mut [] };
            plugin.process(&mut main, &mut aux, &mut Host);
        }
    }
    left
}

fn song() -> [StereoBuffer; 4] {
    std::array::from_fn(|stem| {
        let mut state = 77 + stem as u32;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 - 0.5
        };
        let mut side = |strength: f32| -> Vec<f32> {
            let decay = |n: usize| (-((n % 12_000) as f32) / 4_000.0).exp();
            (0..5 * 44_100)
                .map(|n| strength * decay(n) * ((n as f32 * 0.05).sin() + 0.3 * random()))
                .collect()
        };
        StereoBuffer { left: side(0.3), right: side(0.2) }
    })
}

fn copies(plugin: &Tributary) -> Copies {
    plugin.monitor().copies(plugin.parameters())
}

fn press(plugin: &Tributary, action: LearningAction) {
    plugin.monitor().learning(action, &plugin.parameters().learned);
}

fn wait_for(plugin: &Tributary, wanted: impl Fn(&LearningCopy) -> bool) -> LearningCopy {
    let started = Instant::now();
    loop {
        let copy = copies(plugin).learning;
        if wanted(&copy) {
            return copy;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{copy:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Saves and loads as the framework does.
fn transfer(from: &Tributary, to: &Tributary, without: &str) {
    let mut fields = from.params().serialize_fields();
    fields.remove(without);
    let text = serde_json::json!({"version": "0.1.0", "params": {}, "fields": fields}).to_string();
    assert!(text.len() < 256 * 1024, "{} bytes", text.len());
    let mut state: PluginState = serde_json::from_str(&text).unwrap();
    Tributary::filter_state(&mut state);
    to.params().deserialize_fields(&state.fields);
}

fn learned_text(plugin: &Tributary) -> String {
    plugin.params().serialize_fields()["learned"].clone()
}

fn is_adaptive(copy: &LearningCopy) -> bool {
    matches!(copy, LearningCopy::Adaptive { message: None })
}

#[test]
fn learn_save_restore_forget() {
    let folder = std::env::temp_dir().join(format!("tributary-shell-learning-{}", std::process::id()));
    stage_model(&folder);
    // SAFETY: this process has one test, and no other thread reads the environment yet.
    unsafe { std::env::set_var("TRIBUTARY_MODEL", &folder) };
    let targets = Targets::from_json(&std::fs::read_to_string(folder.join("targets.json")).unwrap()).unwrap();
    let song = song();
    let mut wanted = vec![0.0; song[0].frames()];
    for stem in Stem::ALL {
        let (normalized, _) =
            normalize_stem(stem, &song[stem.index()], &Recipe::default(), &targets, f64::from(RATE_HZ))
                .unwrap();
        wanted.iter_mut().zip(normalized.left).for_each(|(sum, sample)| *sum += sample);
    }
    let distance = |live: &[f32], plugin: &Tributary| {
        let latency = copies(plugin).latency.total_samples;
        live[latency..].iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };

    let mut plugin = Tributary::default();
    press(&plugin, LearningAction::Learn);
    assert_eq!(copies(&plugin).learning, LearningCopy::Unavailable, "not active yet");
    activate(&mut plugin);
    press(&plugin, LearningAction::Learn);
    let adaptive = play(&mut plugin, &song);
    assert!(distance(&adaptive, &plugin) > 1e-2, "adapting is something else");
    wait_for(&plugin, |copy| matches!(copy, LearningCopy::Listening { heard: [true, true, true, true], .. }));
    press(&plugin, LearningAction::Analyze);
    wait_for(&plugin, |copy| matches!(copy, LearningCopy::Learned { stems: [true, true, true, true], .. }));
    plugin.reset();
    let learned = play(&mut plugin, &song);
    assert!(distance(&learned, &plugin) <= 1e-4, "{}", distance(&learned, &plugin));

    let saved = learned_text(&plugin);

    // Deactivated and activated again; in another instance before and after activation.
    plugin.deactivate();
    activate(&mut plugin);
    assert!(learned == play(&mut plugin, &song));
    let mut other = Tributary::default();
    transfer(&plugin, &other, "");
    activate(&mut other);
    assert!(distance(&play(&mut other, &song), &other) <= 1e-4);
    let mut third = Tributary::default();
    activate(&mut third);
    transfer(&other, &third, "");
    third.reset();
    assert!(distance(&play(&mut third, &song), &third) <= 1e-4);

    // Forgotten, or replaced by a project that has learned nothing or is older than learning.
    press(&plugin, LearningAction::Forget);
    assert!(is_adaptive(&copies(&plugin).learning));
    assert_eq!(learned_text(&plugin), "null");
    plugin.reset();
    assert!(adaptive == play(&mut plugin, &song));
    transfer(&plugin, &other, "");
    assert!(is_adaptive(&copies(&other).learning));
    transfer(&plugin, &third, "learned");
    assert!(is_adaptive(&copies(&third).learning));

    // A profile of another model waits for it, and is said.
    let mut foreign: Value = serde_json::from_str(&saved).unwrap();
    foreign["learned"]["normalization_sha256"] = Value::String("0".repeat(64));
    let mut fields = plugin.params().serialize_fields();
    fields.insert("learned".into(), foreign.to_string());
    plugin.params().deserialize_fields(&fields);
    assert!(is_adaptive(&copies(&plugin).learning));
    assert!(copies(&plugin).notices.iter().any(|notice| notice.contains("normalizes otherwise")));
    assert_eq!(learned_text(&plugin), foreign.to_string());
    std::fs::remove_dir_all(folder).unwrap();
}
