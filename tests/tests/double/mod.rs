//! A CLAP plug-in with Tributary's buses and none of its insides: it adds the four sidechains, each with a gain it is told
//! at compile time, and delays the sum. Tests host it to prove that the host measures what is there – and, with a gain of
//! zero, that a lost sidechain is noticed.

#![allow(clippy::unwrap_used)] // Part of tests, which fail by panicking.

use std::collections::VecDeque;

use clack_extensions::audio_ports::{
    AudioPortFlags, AudioPortInfo, AudioPortInfoWriter, AudioPortType, PluginAudioPorts, PluginAudioPortsImpl,
};
use clack_extensions::latency::{PluginLatency, PluginLatencyImpl};
use clack_host::prelude::PluginEntry;
use clack_plugin::prelude::*;
use clap_host::Library;

/// The identifier of the double.
pub const ID: &str = "audio.tributary.double";
/// How far it delays, in frames.
pub const LATENCY_FRAMES: usize = 77;

/// The double; `LOST` is the sidechain (0 … 3) it does not pass on, 4 for none.
pub struct Double<const LOST: usize>;

/// Loads the double as a library.
pub fn library<const LOST: usize>() -> Library {
    Library::from_entry(PluginEntry::load_from_clack::<SinglePluginEntry<Double<LOST>>>(c"double").unwrap())
}

impl<const LOST: usize> Plugin for Double<LOST> {
    type AudioProcessor<'a> = Delay<LOST>;
    type Shared<'a> = ();
    type MainThread<'a> = Main;

    fn declare_extensions(builder: &mut PluginExtensions<Self>, _shared: Option<&()>) {
        builder.register::<PluginAudioPorts>().register::<PluginLatency>();
    }
}

impl<const LOST: usize> DefaultPluginFactory for Double<LOST> {
    fn get_descriptor() -> PluginDescriptor {
        PluginDescriptor::new(ID, "Double")
    }
    fn new_shared(_host: HostSharedHandle<'_>) -> Result<(), PluginError> {
        Ok(())
    }
    fn new_main_thread<'a>(_host: HostMainThreadHandle<'a>, _shared: &'a ()) -> Result<Main, PluginError> {
        Ok(Main)
    }
}

/// What the double answers on the main thread.
pub struct Main;

impl PluginMainThread<'_, ()> for Main {}

impl PluginLatencyImpl for Main {
    fn get(&self) -> u32 {
        LATENCY_FRAMES as u32
    }
}

impl PluginAudioPortsImpl for Main {
    fn count(&self, is_input: bool) -> u32 {
        if is_input { 5 } else { 1 }
    }

    fn get(&self, index: u32, is_input: bool, writer: &mut AudioPortInfoWriter) {
        let names: [&[u8]; 5] = [b"Main", b"Vocals", b"Bass", b"Drums", b"Other"];
        if index < self.count(is_input) {
            writer.set(&AudioPortInfo {
                id: ClapId::new(index),
                name: names[index as usize],
                channel_count: 2,
                flags: if index == 0 { AudioPortFlags::IS_MAIN } else { AudioPortFlags::empty() },
                port_type: Some(AudioPortType::STEREO),
                in_place_pair: None,
            });
        }
    }
}

/// The audio side: two delay lines.
pub struct Delay<const LOST: usize> {
    lines: [VecDeque<f32>; 2],
}

impl<'a, const LOST: usize> PluginAudioProcessor<'a, (), Main> for Delay<LOST> {
    fn activate(
        _host: HostAudioProcessorHandle<'a>,
        _main: &Main,
        _shared: &'a (),
        _config: PluginAudioConfiguration,
    ) -> Result<Self, PluginError> {
        Ok(Self { lines: std::array::from_fn(|_| VecDeque::from(vec![0.0; LATENCY_FRAMES])) })
    }

    fn process(&mut self, _: Process, mut audio: Audio, _: Events) -> Result<ProcessStatus, PluginError> {
        let frames = audio.frames_count() as usize;
        let mut sums = [vec![0.0f32; frames], vec![0.0f32; frames]];
        for stem in (0..4).filter(|&stem| stem != LOST) {
            let port = audio.input_port(1 + stem).ok_or(PluginError::Message("a sidechain is missing"))?;
            let channels = port.channels()?.into_f32().ok_or(PluginError::Message("not 32-bit float"))?;
            for (sum, channel) in sums.iter_mut().zip(channels.iter()) {
                for (sum, sample) in sum.iter_mut().zip(channel.iter()) {
                    *sum += sample;
                }
            }
        }
        let mut port = audio.output_port(0).ok_or(PluginError::Message("no output"))?;
        let mut channels = port.channels()?.into_f32().ok_or(PluginError::Message("not 32-bit float"))?;
        for ((channel, sum), line) in channels.iter_mut().zip(&sums).zip(&mut self.lines) {
            for (out, &sample) in channel.iter_mut().zip(sum) {
                line.push_back(sample);
                *out = line.pop_front().unwrap_or_default();
            }
        }
        Ok(ProcessStatus::Continue)
    }
}
