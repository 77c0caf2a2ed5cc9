//! An active instance, seen from the audio thread.
//!
//! Hands blocks over: copies the caller's buses into port buffers, sends parameter changes at their frame, returns the
//! main output. Stands apart from the instance because it may be moved to a thread of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use clack_host::events::EventFlags;
use clack_host::events::event_types::{ParamValueEvent, TransportEvent, TransportFlags};
use clack_host::prelude::*;
use clack_host::utils::{BeatTime, ClapId, SecondsTime};

use crate::callbacks::{Callbacks, Host, current_thread_mark};
use crate::ports::{Bus, Ports};

/// A parameter that takes a value at a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParameterChange {
    /// When, in frames: from the start of the block for [`Processor::process`], from the start of the pass for a play.
    pub frame: usize,
    /// Which parameter.
    pub parameter_id: u32,
    /// Its new value, in the parameter's own range.
    pub value: f64,
}

/// The audio side of an active instance. Drop it or give it back to `Instance::deactivate` before the instance goes.
pub struct Processor {
    inner: PluginAudioProcessor<Host>,
    callbacks: Arc<Callbacks>,
    /// The port of each bus in the order of [`Bus::ALL`]; `None` where the plug-in has no such input.
    port_of_bus: [Option<usize>; 5],
    inputs: Vec<Vec<Vec<f32>>>,
    outputs: Vec<Vec<Vec<f32>>>,
    input_ports: AudioPorts,
    output_ports: AudioPorts,
    events: EventBuffer,
    max_block_frames: usize,
    rate_hz: f64,
    steady_frame: u64,
    /// Where the transport is in the song while it moves.
    song_frame: Option<i64>,
}

impl Processor {
    pub(crate) fn new(
        stopped: StoppedPluginAudioProcessor<Host>,
        ports: &Ports,
        (rate_hz, max_block_frames): (f64, usize),
        callbacks: Arc<Callbacks>,
    ) -> Result<Self> {
        let buffers = |side: &[crate::ports::Port]| -> Vec<Vec<Vec<f32>>> {
            side.iter().map(|port| vec![vec![0.0; max_block_frames]; port.channels]).collect()
        };
        let channels = |side: &[crate::ports::Port]| side.iter().map(|port| port.channels).sum();
        ensure!(
            ports.outputs.first().is_some_and(|port| port.channels == 2),
            "the main output is not stereo"
        );
        Ok(Self {
            inner: stopped.into(),
            callbacks,
            port_of_bus: Bus::ALL.map(|bus| ports.input_of(bus).ok()),
            inputs: buffers(&ports.inputs),
            outputs: buffers(&ports.outputs),
            input_ports: AudioPorts::with_capacity(channels(&ports.inputs), ports.inputs.len()),
            output_ports: AudioPorts::with_capacity(channels(&ports.outputs), ports.outputs.len()),
            events: EventBuffer::with_capacity(64),
            max_block_frames,
            rate_hz,
            steady_frame: 0,
            song_frame: None,
        })
    }

    /// The longest block it takes, in frames.
    #[must_use]
    pub fn max_block_frames(&self) -> usize {
        self.max_block_frames
    }

    /// Plays one block. `buses` holds left and right of each bus in the order of [`Bus::ALL`]; a bus the plug-in lacks
    /// must be silent. Starts processing when it is stopped. The calling thread becomes the audio thread.
    ///
    /// # Errors
    /// When lengths disagree or exceed the maximum, audio is sent to a bus that does not exist, or the plug-in fails.
    pub fn process(
        &mut self,
        buses: &[[&[f32]; 2]; 5],
        output: [&mut [f32]; 2],
        changes: &[ParameterChange],
    ) -> Result<()> {
        let frames = output[0].len();
        ensure!(frames <= self.max_block_frames, "{frames} frames exceed {}", self.max_block_frames);
        self.fill_inputs(buses, frames)?;
        self.fill_events(changes)?;
        self.callbacks.audio_thread.store(current_thread_mark(), Ordering::Release);

        let input_audio =
            self.input_ports.with_input_buffers(self.inputs.iter_mut().map(|port| AudioPortBuffer {
                latency: 0,
                channels: AudioPortBufferType::f32_input_only(
                    port.iter_mut().map(move |channel| InputChannel::variable(&mut channel[..frames])),
                ),
            }));
        let mut output_audio =
            self.output_ports.with_output_buffers(self.outputs.iter_mut().map(|port| AudioPortBuffer {
                latency: 0,
                channels: AudioPortBufferType::f32_output_only(
                    port.iter_mut().map(move |channel| &mut channel[..frames]),
                ),
            }));
        let transport = self.song_frame.map(|frame| transport(frame, self.rate_hz));
        self.inner
            .ensure_processing_started()
            .context("the plug-in does not start processing")?
            .process(
                &input_audio,
                &mut output_audio,
                &self.events.as_input(),
                &mut OutputEvents::void(),
                Some(self.steady_frame),
                transport.as_ref(),
            )
            .context("the plug-in fails in process")?;
        self.steady_frame += frames as u64;
        self.song_frame = self.song_frame.map(|frame| frame + frames as i64);
        for (to, from) in output.into_iter().zip(&self.outputs[0]) {
            to.copy_from_slice(&from[..frames]);
        }
        Ok(())
    }

    /// From the next block on the transport moves and is at this frame of the song, or does not say where it is (at first).
    pub fn locate(&mut self, song_frame: Option<i64>) {
        self.song_frame = song_frame;
    }

    /// Stops processing; the next block starts it again.
    pub fn stop(&mut self) {
        self.inner.ensure_processing_stopped();
    }

    /// Clears the plug-in's audio state, as after a jump of the transport.
    pub fn reset(&mut self) {
        self.inner.reset();
        self.steady_frame = 0;
    }

    pub(crate) fn into_stopped(self) -> StoppedPluginAudioProcessor<Host> {
        self.callbacks.audio_thread.store(0, Ordering::Release);
        self.inner.into_stopped()
    }

    fn fill_inputs(&mut self, buses: &[[&[f32]; 2]; 5], frames: usize) -> Result<()> {
        for (bus, (channels, port)) in Bus::ALL.iter().zip(buses.iter().zip(self.port_of_bus)) {
            ensure!(
                channels.iter().all(|channel| channel.len() == frames),
                "{bus:?} is not {frames} frames long"
            );
            match port {
                Some(port) => {
                    for (to, from) in self.inputs[port].iter_mut().zip(channels) {
                        to[..frames].copy_from_slice(from);
                    }
                }
                None => {
                    let silent = channels.iter().all(|channel| channel.iter().all(|&sample| sample == 0.0));
                    ensure!(silent, "the plug-in has no input for {bus:?}");
                }
            }
        }
        // What the plug-in does not write must not look like sound of an earlier block.
        for channel in self.outputs.iter_mut().flatten() {
            channel[..frames].fill(f32::NAN);
        }
        Ok(())
    }

    fn fill_events(&mut self, changes: &[ParameterChange]) -> Result<()> {
        self.events.clear();
        for change in changes {
            let id = ClapId::from_raw(change.parameter_id).context("not a parameter number")?;
            self.events.push(&ParamValueEvent::new(
                u32::try_from(change.frame)?,
                id,
                Pckn::match_all(),
                change.value,
            ));
        }
        Ok(())
    }
}

/// A transport that moves and says its place in seconds.
fn transport(song_frame: i64, rate_hz: f64) -> TransportEvent {
    TransportEvent {
        header: EventHeader::new_core(0, EventFlags::empty()),
        flags: TransportFlags::HAS_SECONDS_TIMELINE | TransportFlags::IS_PLAYING,
        song_pos_beats: BeatTime::from_float(0.0),
        song_pos_seconds: SecondsTime::from_float(song_frame as f64 / rate_hz),
        tempo: 0.0,
        tempo_inc: 0.0,
        loop_start_beats: BeatTime::from_float(0.0),
        loop_end_beats: BeatTime::from_float(0.0),
        loop_start_seconds: SecondsTime::from_float(0.0),
        loop_end_seconds: SecondsTime::from_float(0.0),
        bar_start: BeatTime::from_float(0.0),
        bar_number: 0,
        time_signature_numerator: 0,
        time_signature_denominator: 0,
    }
}
