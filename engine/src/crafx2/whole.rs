//! A network in one graph that is run on the whole window for every hop. Simple and expensive: the split form gives
//! the same result for a fraction of the time. Kept for networks of other architectures, and to compare against.

use tributary_dsp::CHANNELS;

use crate::bundle::contract::WindowGeometry;
use crate::bundle::parity::ParityVectors;
use crate::error::ModelError;
use crate::model::{MixHop, MixModel, SongLearner};
use crate::onnx::graph::{Graph, Input, Port, RunOptions, unlimited};
use crate::pipeline::window::StemWindow;

/// See the module documentation.
pub(crate) struct WholeModel {
    geometry: WindowGeometry,
    graph: Graph,
    input: String,
    output: String,
    gathered: Vec<f32>,
}

impl WholeModel {
    pub(crate) fn new(
        geometry: WindowGeometry,
        graph: Graph,
        input: &str,
        output: &str,
    ) -> Result<Self, ModelError> {
        graph.check(&[Port::any_length(input, CHANNELS)], &[Port::any_length(output, 2)])?;
        Ok(Self { geometry, graph, input: input.into(), output: output.into(), gathered: Vec::new() })
    }

    /// The first run: on the parity vectors when there are some, else on a window of silence.
    pub(crate) fn warm_up(
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
        let input = Input::Samples([1, CHANNELS, frames], &self.gathered);
        let made = self.graph.run(options, &[(self.input.as_str(), input)])?;
        take(made.samples(&self.output, [1, 2, frames])?);
        Ok(())
    }
}

impl MixModel for WholeModel {
    fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    fn reset(&mut self) {}

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.gathered.clear();
        for channel in 0..CHANNELS {
            self.gathered.extend_from_slice(window.channel(channel));
        }
        let options = unlimited()?;
        let (from, frames) = (self.geometry.context_frames, self.geometry.mix_frames());
        self.infer(&options, |samples| {
            let (left, right) = samples.split_at(samples.len() / 2);
            mix.left.copy_from_slice(&left[from..from + frames]);
            mix.right.copy_from_slice(&right[from..from + frames]);
        })
    }
}
