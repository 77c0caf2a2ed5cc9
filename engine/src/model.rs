//! What a mix model is to the engine: something that looks at a window of normalized stems and writes one hop of the
//! stereo mix. The ONNX networks implement it, and so does [`SumModel`], the plain sum of the stems: fallback, test
//! double and the model of bundles of kind "sum". Kept apart from the networks so that everything except inference can
//! be built and tested without ONNX Runtime.

use tributary_dsp::CHANNELS;

use crate::bundle::contract::WindowGeometry;
use crate::bundle::statistics::Statistics;
use crate::error::ModelError;
use crate::mask_meter::MaskMeter;
use crate::pipeline::window::StemWindow;

/// Where a model writes its result: planar stereo, `geometry.mix_frames()` = hop + crossfade frames each, the first of
/// which lies at index `context_frames` of the window.
pub struct MixHop<'a> {
    /// Left channel, linear samples.
    pub left: &'a mut [f32],
    /// Right channel, linear samples.
    pub right: &'a mut [f32],
}

/// What is done to a model's masks to find out what their movement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskHold {
    /// They move, and their means are kept.
    Watch,
    /// Each stays at the mean, in the logarithm, of what was watched.
    Mean,
}

/// A network (or double) that makes the mix hop by hop. Runs on the worker thread: it may allocate, lock and take
/// time, and it is never called from the audio thread.
pub trait MixModel: Send {
    /// The window lengths and the sample rate the model works at. Constant for the life of the model.
    fn geometry(&self) -> WindowGeometry;

    /// Forgets everything that came before, as if the stream had always been silent.
    fn reset(&mut self);

    /// The model as one that learns a song, if it does: what it averages over the stream can be had, held, and given to
    /// another instance. Without a default, so that a model around another cannot forget to say whose averages count.
    fn learner(&mut self) -> Option<&mut dyn SongLearner>;

    /// From now on the model may use a second thread, for what the next hops need and [`StemWindow::shows`]. What it makes
    /// stays the same to the bit. Returns whether it can make use of one.
    fn look_ahead(&mut self) -> bool {
        false
    }

    /// How far the model's masks go from where the mix is the plain sum of the stems when the network is let through wholly, by
    /// its contract: 1 unless that says less. `None` for a model without masks that it can take back.
    fn mask_share(&self) -> Option<f32> {
        None
    }

    /// In the next run, how far the masks go from there, for a model that [has some](Self::mask_share): a share from 0 to 1 for
    /// every frame of the mix, or all the way, to the bit.
    fn set_shares(&mut self, _shares: Option<&[f32]>) {}

    /// From the next run on watches the masks, or holds what was watched, across resets. Returns whether the model can. For
    /// evaluation: the watching allocates.
    fn hold_masks(&mut self, _hold: MaskHold) -> bool {
        false
    }

    /// Where the masks can be read, for a model that has some of which it is known whose they are.
    fn mask_meter(&mut self) -> Option<&mut MaskMeter> {
        None
    }

    /// Makes one hop. `window` holds context + hop + lookahead frames of all eight channels, and says by
    /// [`StemWindow::advanced_frames`] how many of its newest frames are new since the last run.
    ///
    /// # Errors
    /// [`ModelError::Run`] when inference fails; the contents of `mix` are then undefined.
    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError>;
}

/// What a model can that averages over a song what it hears: statistics that belong to the song and the network.
pub trait SongLearner {
    /// All stems have been silent for the whole window and the next run may be far away: forgets the stream as
    /// [`MixModel::reset`] does, but keeps what was averaged.
    fn rest(&mut self);

    /// Hears one hop as [`MixModel::run`] does, for what it averages, and makes nothing of it.
    ///
    /// # Errors
    /// As [`MixModel::run`].
    fn listen(&mut self, window: &StemWindow) -> Result<(), ModelError>;

    /// What was averaged over the stream since its start: hearing a whole song learns that song's statistics. `None` before
    /// the first hop.
    fn learned(&self) -> Option<Statistics>;

    /// Holds statistics instead of following the stream's (`Some`), or follows it again (`None`), from the next run on; the
    /// stream goes on.
    ///
    /// # Errors
    /// [`ModelError::Statistics`] when they are not this model's; nothing has then changed.
    fn freeze(&mut self, statistics: Option<Statistics>) -> Result<(), ModelError>;
}

/// The plain sum of the four normalized stems. Linear and memoryless, so every timing property of the engine can be
/// proved with it to the sample.
///
/// ```
/// use tributary_engine::{MixModel, SumModel, WindowGeometry};
///
/// let mut model = SumModel::new(WindowGeometry::DEFAULT);
/// assert_eq!(model.geometry().hop_frames, 11_008);
/// assert!(model.mask_share().is_none() && model.learner().is_none());
/// ```
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

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

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
