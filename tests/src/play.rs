//! Playing a whole pass through an active plug-in.
//!
//! Holds the audio of the five buses, cuts it into blocks, collects the output and, when asked, trims the latency so that
//! output and input stand side by side. Stands apart from the processor, which knows one block only.

use anyhow::{Result, ensure};
use tributary_dsp::Stem;

use crate::partition::Partition;
use crate::ports::Bus;
use crate::processor::{ParameterChange, Processor};

/// Left and right, of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stereo {
    /// Left channel, linear samples.
    pub left: Vec<f32>,
    /// Right channel, linear samples.
    pub right: Vec<f32>,
}

impl Stereo {
    /// Silence.
    #[must_use]
    pub fn silence(frames: usize) -> Self {
        Self { left: vec![0.0; frames], right: vec![0.0; frames] }
    }

    /// The same signal on both sides.
    #[must_use]
    pub fn centered(signal: Vec<f32>) -> Self {
        Self { left: signal.clone(), right: signal }
    }

    /// Length, in frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.left.len()
    }

    /// Both channels.
    #[must_use]
    pub fn channels(&self) -> [&[f32]; 2] {
        [&self.left, &self.right]
    }

    /// Cuts or lengthens with silence to `frames`.
    pub fn resize(&mut self, frames: usize) {
        self.left.resize(frames, 0.0);
        self.right.resize(frames, 0.0);
    }

    /// Adds `other` in place; both have the same length.
    pub fn add(&mut self, other: &Stereo) {
        for (to, from) in [(&mut self.left, &other.left), (&mut self.right, &other.right)] {
            for (to, from) in to.iter_mut().zip(from) {
                *to += from;
            }
        }
    }

    /// A stretch of it.
    #[must_use]
    pub fn cut(&self, range: std::ops::Range<usize>) -> Self {
        Self { left: self.left[range.clone()].to_vec(), right: self.right[range].to_vec() }
    }

    /// The larger of the two channels' residuals, in dB; see [`crate::signals::residual_db`].
    #[must_use]
    pub fn residual_db(&self, expected: &Stereo) -> f64 {
        let left = crate::signals::residual_db(&self.left, &expected.left);
        let right = crate::signals::residual_db(&self.right, &expected.right);
        left.max(right)
    }

    /// The larger peak of the two channels; not a number if any sample is not.
    #[must_use]
    pub fn peak(&self) -> f32 {
        let (left, right) = (crate::signals::peak(&self.left), crate::signals::peak(&self.right));
        if left.is_nan() || right.is_nan() { f32::NAN } else { left.max(right) }
    }

    /// Whether every sample is a finite number.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.left.iter().chain(&self.right).all(|sample| sample.is_finite())
    }
}

/// The audio of all five input buses, of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct BusAudio {
    buses: [Stereo; 5],
}

impl BusAudio {
    /// Silence on every bus.
    #[must_use]
    pub fn silence(frames: usize) -> Self {
        Self { buses: std::array::from_fn(|_| Stereo::silence(frames)) }
    }

    /// Puts `audio` on `bus`; what is shorter ends in silence, what is longer is cut.
    #[must_use]
    pub fn with(mut self, bus: Bus, mut audio: Stereo) -> Self {
        audio.resize(self.frames());
        self.buses[bus.index()] = audio;
        self
    }

    /// Puts the plain sum of the stems on the main input: what the bus of a session with faders at unity carries.
    #[must_use]
    pub fn with_sum_on_main(mut self) -> Self {
        self.buses[Bus::Main.index()] = self.sum_of_stems();
        self
    }

    /// The plain sum of the four stems.
    #[must_use]
    pub fn sum_of_stems(&self) -> Stereo {
        let mut sum = Stereo::silence(self.frames());
        for stem in Stem::ALL {
            sum.add(self.bus(Bus::Stem(stem)));
        }
        sum
    }

    /// What plays on `bus`.
    #[must_use]
    pub fn bus(&self, bus: Bus) -> &Stereo {
        &self.buses[bus.index()]
    }

    /// Length, in frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.buses[0].frames()
    }

    /// The same audio after silence.
    #[must_use]
    pub fn after_silence(mut self, frames: usize) -> Self {
        for bus in &mut self.buses {
            bus.left.splice(..0, std::iter::repeat_n(0.0, frames));
            bus.right.splice(..0, std::iter::repeat_n(0.0, frames));
        }
        self
    }

    /// Cuts every bus or lengthens it with silence to `frames`.
    pub fn resize(&mut self, frames: usize) {
        self.buses.iter_mut().for_each(|bus| bus.resize(frames));
    }
}

/// Plays `audio` block by block and returns as many frames of output, latency included. `changes` stand in order of
/// their frame. `after_block` is told after each block how many frames are done (progress, pacing, main-thread work).
///
/// # Errors
/// When the plug-in fails.
pub fn play_with(
    processor: &mut Processor,
    audio: &BusAudio,
    partition: &Partition,
    changes: &[ParameterChange],
    after_block: &mut dyn FnMut(usize),
) -> Result<Stereo> {
    ensure!(
        partition.max_frames() <= processor.max_block_frames(),
        "the partition's blocks of {} frames exceed the activated maximum",
        partition.max_frames()
    );
    let mut output = Stereo::silence(audio.frames());
    let mut pending = changes.iter().peekable();
    for block in partition.blocks(audio.frames()) {
        let mut due = Vec::new();
        while let Some(change) = pending.next_if(|change| change.frame < block.end) {
            due.push(ParameterChange { frame: change.frame.saturating_sub(block.start), ..*change });
        }
        let buses = std::array::from_fn(|bus| {
            let channels = audio.buses[bus].channels();
            [&channels[0][block.clone()], &channels[1][block.clone()]]
        });
        let sides = [&mut output.left[block.clone()], &mut output.right[block.clone()]];
        processor.process(&buses, sides, &due)?;
        after_block(block.end);
    }
    Ok(output)
}

/// Plays `audio`, latency included in the output; see [`play_with`].
///
/// # Errors
/// When the plug-in fails.
pub fn play(processor: &mut Processor, audio: &BusAudio, partition: &Partition) -> Result<Stereo> {
    play_with(processor, audio, partition, &[], &mut |_| {})
}

/// Plays `audio` and then silence for `latency_frames`, and returns the output aligned with the input, as long as it.
///
/// # Errors
/// When the plug-in fails.
pub fn play_aligned(
    processor: &mut Processor,
    audio: &BusAudio,
    partition: &Partition,
    latency_frames: usize,
) -> Result<Stereo> {
    let mut padded = audio.clone();
    padded.resize(audio.frames() + latency_frames);
    let output = play(processor, &padded, partition)?;
    Ok(output.cut(latency_frames..padded.frames()))
}
