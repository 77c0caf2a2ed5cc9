//! A network in one graph that is run on the whole window for every hop. Simple and expensive: the split form gives
//! the same result for a fraction of the time. Kept for networks of other architectures, and to compare against.

use ort::session::RunOptions;
use tributary_dsp::CHANNELS;

use super::ends::{samples, view};
use super::{Graph, Port, run_error};
use crate::bundle::ParityVectors;
use crate::contract::WindowGeometry;
use crate::error::ModelError;
use crate::model::{MixHop, MixModel};
use crate::window::StemWindow;

/// See the module documentation.
pub(super) struct WholeModel {
    geometry: WindowGeometry,
    graph: Graph,
    input: String,
    output: String,
    gathered: Vec<f32>,
}

impl WholeModel {
    pub(super) fn new(
        geometry: WindowGeometry,
        graph: Graph,
        input: &str,
        output: &str,
    ) -> Result<Self, ModelError> {
        graph.check(
            &[Port { name: input, shape: [Some(1), Some(CHANNELS), None] }],
            &[Port { name: output, shape: [Some(1), Some(2), None] }],
        )?;
        Ok(Self { geometry, graph, input: input.into(), output: output.into(), gathered: Vec::new() })
    }

    /// The first run: on the parity vectors when there are some, else on a window of silence.
    pub(super) fn warm_up(
        &mut self,
        options: &RunOptions,
        parity: Option<&ParityVectors>,
    ) -> Result<(), ModelError> {
        self.gathered.clear();
        match parity {
            Some(parity) => self.gathered.extend_from_slice(&parity.input),
            None => self.gathered.resize(CHANNELS * self.geometry.window_frames(), 0.0),
        }
        let mut mix = Vec::new();
        self.infer(options, |samples| mix.extend_from_slice(samples))?;
        parity.map_or(Ok(()), |parity| parity.compare(&mix))
    }

    /// Runs the graph on what was gathered and hands out its output, planar.
    fn infer(&mut self, options: &RunOptions, take: impl FnOnce(&[f32])) -> Result<(), ModelError> {
        let frames = self.gathered.len() / CHANNELS;
        let input = view([1, CHANNELS, frames], &self.gathered)?;
        let outputs = self
            .graph
            .session()
            .run_with_options(ort::inputs![self.input.as_str() => input], options)
            .map_err(run_error)?;
        take(samples("the mix", &outputs[self.output.as_str()], [1, 2, frames])?);
        Ok(())
    }
}

impl MixModel for WholeModel {
    fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    fn reset(&mut self) {}

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.gathered.clear();
        for channel in 0..CHANNELS {
            self.gathered.extend_from_slice(window.channel(channel));
        }
        let options = RunOptions::new().map_err(run_error)?;
        let (from, frames) = (self.geometry.context_frames, self.geometry.mix_frames());
        self.infer(&options, |samples| {
            let (left, right) = samples.split_at(samples.len() / 2);
            mix.left.copy_from_slice(&left[from..from + frames]);
            mix.right.copy_from_slice(&right[from..from + frames]);
        })
    }
}
