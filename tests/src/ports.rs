//! The buses of a plug-in as the host sees them, found by name.
//!
//! Stands apart so that no test counts channels: a stem is reached by its bus, wherever the plug-in puts it.

use anyhow::{Context, Result, ensure};
use clack_extensions::audio_ports::{AudioPortFlags, AudioPortInfoBuffer, PluginAudioPorts};
use clack_host::prelude::*;
use tributary_dsp::Stem;

/// One stereo input of the plug-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// The main input: the bus the plug-in sits on.
    Main,
    /// The sidechain of one stem.
    Stem(Stem),
}

impl Bus {
    /// All five, main input first, then the stems in their order.
    pub const ALL: [Bus; 5] = [
        Bus::Main,
        Bus::Stem(Stem::Vocals),
        Bus::Stem(Stem::Bass),
        Bus::Stem(Stem::Drums),
        Bus::Stem(Stem::Other),
    ];

    /// The place of this bus in [`Bus::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Bus::Main => 0,
            Bus::Stem(stem) => 1 + stem.index(),
        }
    }
}

/// One audio port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name shown to the user.
    pub name: String,
    /// How many channels the port has.
    pub channels: usize,
    /// Whether it is the main port of its direction.
    pub is_main: bool,
}

/// All audio ports of a plug-in, in the plug-in's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// What goes in.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
}

impl Ports {
    pub(crate) fn read(plugin: &PluginMainThreadHandle) -> Result<Self> {
        let ports = plugin.get_extension::<PluginAudioPorts>().context("the plug-in has no audio ports")?;
        let read_side = |is_input| -> Result<Vec<Port>> {
            (0..ports.count(plugin, is_input))
                .map(|index| {
                    let mut buffer = AudioPortInfoBuffer::new();
                    let info = ports.get(plugin, index, is_input, &mut buffer);
                    let info =
                        info.with_context(|| format!("audio port {index} does not describe itself"))?;
                    Ok(Port {
                        name: String::from_utf8_lossy(info.name).into_owned(),
                        channels: usize::try_from(info.channel_count)?,
                        is_main: info.flags.contains(AudioPortFlags::IS_MAIN),
                    })
                })
                .collect()
        };
        Ok(Self { inputs: read_side(true)?, outputs: read_side(false)? })
    }

    /// Which input port carries `bus`: the main one, or the stereo port named like the stem.
    ///
    /// # Errors
    /// When there is no such port or it is not stereo.
    pub fn input_of(&self, bus: Bus) -> Result<usize> {
        let found = match bus {
            Bus::Main => self.inputs.iter().position(|port| port.is_main),
            Bus::Stem(stem) => self
                .inputs
                .iter()
                .position(|port| !port.is_main && port.name.eq_ignore_ascii_case(stem.name())),
        };
        let index = found.with_context(|| format!("no input for {bus:?} among {:?}", self.inputs))?;
        ensure!(self.inputs[index].channels == 2, "{:?} is not stereo", self.inputs[index]);
        Ok(index)
    }
}
