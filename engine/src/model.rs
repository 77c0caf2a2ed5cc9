//! What a mix model is to the engine: something that looks at a window of normalized stems and writes one hop of the
//! stereo mix. The ONNX networks implement it, and so does [`SumModel`], the plain sum of the stems: fallback, test
//! double and the model of bundles of kind "sum". Kept apart from `onnx.rs` so that everything except inference can
//! be built and tested without ONNX Runtime.

use tributary_dsp::CHANNELS;

use crate::contract::WindowGeometry;
use crate::error::ModelError;
use crate::statistics::Statistics;
use crate::window::StemWindow;

/// Where a model writes its result: planar stereo, `geometry.mix_frames()` = hop + crossfade frames each, the first of
/// which lies at index `context_frames` of the window.
pub struct MixHop<'a> {
    /// Left channel, linear samples.
    pub left: &'a mut [f32],
    /// Right channel, linear samples.
    pub right: &'a mut [f32],
}

/// A network (or double) that makes the mix hop by hop. Runs on the worker thread: it may allocate, lock and take
/// time, and it is never called from the audio thread.
pub trait MixModel: Send {
    /// The window lengths and the sample rate the model works at. Constant for the life of the model.
    fn geometry(&self) -> WindowGeometry;

    /// What the user should know about how the model runs; `None` when it runs as asked.
    fn remark(&self) -> Option<&str> {
        None
    }

    /// Forgets everything that came before, as if the stream had always been silent.
    fn reset(&mut self);

    /// All stems have been silent for the whole window and the next run may be far away: forgets what the silence has
    /// made meaningless. What was averaged over the song is kept.
    fn rest(&mut self) {
        self.reset();
    }

    /// What the model averaged over the stream since its start: running one over a whole song learns that song's
    /// statistics. `None` for models that average nothing, and before the first run.
    fn statistics(&self) -> Option<Statistics> {
        None
    }

    /// Holds statistics instead of following the stream's (`Some`), or follows it again (`None`), from the next run on;
    /// the stream goes on. Models that average nothing take `None` only.
    ///
    /// # Errors
    /// [`ModelError::Statistics`] when they are not this model's; nothing has then changed.
    fn freeze_statistics(&mut self, statistics: Option<Statistics>) -> Result<(), ModelError> {
        statistics.map_or(Ok(()), |_| Err(ModelError::Statistics))
    }

    /// From now on the model may use a second thread, for what the next hops need and [`StemWindow::shows`]. What it makes
    /// stays the same to the bit. Returns whether it can make use of one.
    fn look_ahead(&mut self) -> bool {
        false
    }

    /// Hears one hop as [`Self::run`] does, for what it averages, and makes nothing of it.
    ///
    /// # Errors
    /// As [`Self::run`].
    fn listen(&mut self, window: &StemWindow) -> Result<(), ModelError> {
        let frames = self.geometry().mix_frames();
        let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
        self.run(window, &mut MixHop { left: &mut left, right: &mut right })
    }

    /// Makes one hop. `window` holds context + hop + lookahead frames of all eight channels, and says by
    /// [`StemWindow::advanced_frames`] how many of its newest frames are new since the last run.
    ///
    /// # Errors
    /// [`ModelError::Run`] when inference fails; the contents of `mix` are then undefined.
    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError>;
}

/// The plain sum of the four normalized stems. Linear and memoryless, so every timing property of the engine can be
/// proved with it to the sample.
pub struct SumModel {
    geometry: WindowGeometry,
}

impl SumModel {
    /// A sum model that works on windows of the given lengths.
    pub fn new(geometry: WindowGeometry) -> Self {
        Self { geometry }
    }
}

impl MixModel for SumModel {
    fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    fn reset(&mut self) {}

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        let from = self.geometry.context_frames;
        let range = from..from + self.geometry.mix_frames();
        mix.left.fill(0.0);
        mix.right.fill(0.0);
        for channel in 0..CHANNELS {
            let side = if channel % 2 == 0 { &mut *mix.left } else { &mut *mix.right };
            for (sum, sample) in side.iter_mut().zip(&window.channel(channel)[range.clone()]) {
                *sum += sample;
            }
        }
        Ok(())
    }
}
