//! Doubles for tests and benches of this and other crates: a model that takes its time, normalizers that change
//! nothing, chance that repeats. Not part of the product.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tributary_dsp::{Recipe, Targets};

use crate::bundle::contract::WindowGeometry;
use crate::error::ModelError;
use crate::live::model_source::ModelSource;
use crate::model::{MixHop, MixModel, SongLearner, SumModel};
use crate::pipeline::window::StemWindow;

/// A small window: 1024 frames of context, hop 512, lookahead 512, crossfade 128, at 44.1 kHz.
pub const SMALL_GEOMETRY: WindowGeometry = WindowGeometry {
    sample_rate_hz: 44_100,
    context_frames: 1024,
    hop_frames: 512,
    lookahead_frames: 512,
    crossfade_frames: 128,
    margin_frames: 0,
    computing_frames: 512,
};

/// A recipe in which every effect's amount is 0: the normalizer only delays.
pub fn neutral_recipe() -> Recipe {
    Recipe::bypass()
}

/// A seeded generator (splitmix64): tests must not depend on chance.
#[derive(Debug, Clone)]
pub struct Noise(pub u64);

impl Noise {
    /// 64 bits.
    #[allow(clippy::should_implement_trait)] // No iterator: it has no end.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in 0 to `limit` − 1.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Uniform in −1 to 1.
    pub fn sample(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// How long a [`SlowModel`] takes per run, settable from outside while it runs, in microseconds.
pub type Slowness = Arc<AtomicU64>;

/// The sum of the stems, slowly.
pub struct SlowModel {
    inner: SumModel,
    slowness: Slowness,
}

impl SlowModel {
    /// A sum model that sleeps for `slowness` microseconds in every run.
    pub fn new(geometry: WindowGeometry, slowness: Slowness) -> Self {
        Self { inner: SumModel::new(geometry), slowness }
    }
}

impl MixModel for SlowModel {
    fn geometry(&self) -> WindowGeometry {
        self.inner.geometry()
    }

    fn reset(&mut self) {
        self.inner.reset();
    }

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        std::thread::sleep(Duration::from_micros(self.slowness.load(Relaxed)));
        self.inner.run(window, mix)
    }
}

/// A model source that needs no files: neutral normalizer, any model.
pub fn custom_source(
    geometry: WindowGeometry,
    build: impl FnOnce() -> Box<dyn MixModel> + Send + 'static,
) -> ModelSource {
    ModelSource::Custom {
        geometry,
        recipe: neutral_recipe(),
        targets: Box::new(Targets::default()),
        limiter: None,
        load: Box::new(move |_| Ok(build())),
    }
}
