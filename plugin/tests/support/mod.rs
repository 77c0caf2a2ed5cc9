//! What a host does to the shell, for tests without one.

#![allow(dead_code)] // Every test file uses a part.

use nice_plug::context::PluginApi;
use nice_plug::context::process::SendEventError;
use nice_plug::prelude::*;
use std::cell::Cell;
use std::path::Path;
use tributary::Tributary;
use tributary::editor::Copies;
use tributary_dsp::StereoBuffer;

const BLOCK: usize = 512;

/// What a host's wrapper gives a plug-in.
pub struct Host {
    /// It does not say where in the song it is.
    transport: Transport,
    /// The latency that was reported.
    pub latency_samples: Cell<Option<u32>>,
    /// How often a restart was asked for.
    pub restarts: Cell<u32>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            transport: Transport::new(44_100.0),
            latency_samples: Cell::default(),
            restarts: Cell::default(),
        }
    }
}

impl ActivateContext<Tributary> for Host {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }

    fn execute(&self, _: tributary::Task) {}

    fn set_latency_samples(&self, samples: u32) {
        assert_eq!(self.latency_samples.replace(Some(samples)), None, "reported more than once");
    }

    fn set_current_voice_capacity(&self, _capacity: u32) {}
}

impl ProcessContext<Tributary> for Host {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }

    fn execute_background(&self, _: tributary::Task) {}

    fn execute_gui(&self, _: tributary::Task) {}

    fn transport(&self) -> &Transport {
        &self.transport
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

    fn set_latency_samples(&self, _samples: u32) {
        panic!("the latency must stay constant while active");
    }

    fn request_restart(&self) {
        self.restarts.set(self.restarts.get() + 1);
    }

    fn set_current_voice_capacity(&self, _capacity: u32) {}
}

/// Activates the plug-in and starts its stream; returns the reported latency.
pub fn activate(
    plugin: &mut Tributary,
    sample_rate: f32,
    max_block: usize,
    process_mode: ProcessMode,
) -> usize {
    let mut host = Host::default();
    let config =
        BufferConfig { sample_rate, min_buffer_size: None, max_buffer_size: max_block as u32, process_mode };
    assert!(plugin.activate(&Tributary::AUDIO_IO_LAYOUTS[0], &config, &mut host));
    plugin.reset();
    host.latency_samples.get().expect("a latency is reported") as usize
}

/// Activates it for a bounce at 44.1 kHz.
pub fn activate_offline(plugin: &mut Tributary) -> usize {
    activate(plugin, 44_100.0, BLOCK, ProcessMode::Offline)
}

/// Plays the stems; returns the left output.
pub fn play(plugin: &mut Tributary, song: &[StereoBuffer; 4]) -> Vec<f32> {
    play_in(&mut Host::default(), plugin, song)
}

/// Plays the stems; returns the left output.
pub fn play_in(host: &mut Host, plugin: &mut Tributary, song: &[StereoBuffer; 4]) -> Vec<f32> {
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
            plugin.process(&mut main, &mut aux, host);
        }
    }
    left
}

/// Five seconds of four decaying chords.
pub fn song() -> [StereoBuffer; 4] {
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

/// What the editor shows.
pub fn copies(plugin: &Tributary) -> Copies {
    plugin.copies()
}

/// Saves and loads as the framework does.
pub fn transfer(from: &Tributary, to: &Tributary, without: &str) {
    let mut fields = from.params().serialize_fields();
    fields.remove(without);
    let text = serde_json::json!({"version": "0.1.0", "params": {}, "fields": fields}).to_string();
    assert!(text.len() < 256 * 1024, "{} bytes", text.len());
    let mut state: PluginState = serde_json::from_str(&text).unwrap();
    Tributary::filter_state(&mut state);
    to.params().deserialize_fields(&state.fields);
}

/// The sum model with another contract.
pub fn stage_sum(folder: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/sum");
    std::fs::create_dir_all(folder).unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let contract = folder.join("contract.json");
    let mut value = serde_json::from_slice(&std::fs::read(&contract).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(contract, value.to_string()).unwrap();
}
