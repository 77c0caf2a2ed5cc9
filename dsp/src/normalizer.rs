//! The only definition of the chain and its order: reverb, equalization, dynamics, panning, width, loudness, per stem. Audio is
//! gathered into hops of fixed stream position, so results do not depend on how the caller cuts its blocks; offline
//! work runs the same chain hop by hop.

use crate::block::StemsBlock;
use crate::effects::dynamics::matcher::DynamicsMatcher;
use crate::effects::equalization::matcher::EqualizationMatcher;
use crate::effects::loudness::matcher::LoudnessMatcher;
use crate::effects::panning::matcher::{Limits, PanningMatcher};
use crate::effects::reverb::send::ReverbSend;
use crate::effects::width::matcher::WidthMatcher;
use crate::hop::{Hop, sanitize};
use crate::profile::{ProfileError, ProfileSource, StemProfile};
use crate::recipe::{Effect, Recipe, RecipeError};
use crate::stem::Stem;
use crate::store::StoreError;
use crate::targets::{Targets, TargetsError};
use crate::transition::Transition;

pub use crate::hop::{HOP_FRAMES, TURNS_HOPS};
pub use crate::transition::{FADE_SECONDS, LISTEN_SECONDS};

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
    /// The stem's storage failed while a whole file was measured.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks what every entry point of this crate is given.
pub(crate) fn check(recipe: &Recipe, targets: &Targets, sample_rate_hz: f64) -> Result<(), NormalizerError> {
    recipe.validate()?;
    targets.validate()?;
    let reverb = &recipe.reverb;
    if let (true, Some(name), None) = (reverb.enabled, &reverb.impulse_response, &reverb.room) {
        return Err(RecipeError::RoomMissing(name.file.clone()).into());
    }
    if !(8_000.0..=384_000.0).contains(&sample_rate_hz) {
        return Err(NormalizerError::SampleRate(sample_rate_hz));
    }
    Ok(())
}

/// What the normalizer does to one stem at this moment, for display.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StemReading {
    /// The equalizer's correction is in force (live: material has been heard).
    pub settled: bool,
    /// Gain of the equalizer ahead of its filter, in dB, after the amount.
    pub equalization_gain_db: f32,
    /// Largest gain reduction of the compressor within the last hop, in dB, positive.
    pub gain_reduction_db: f32,
    /// Compressor threshold, in dBFS of the peak-normalized stem; 0 when it does not compress.
    pub threshold_db: f32,
    /// Compressor ratio, before the amount; 1 when it does not compress.
    pub ratio: f32,
    /// Position of the stem's panning offset: −1 left, 0 none, +1 right.
    pub pan_side: f32,
    /// Added side against the middle, linear, after the amount; 0 where none is added.
    pub added_side: f32,
    /// Gain of the loudness matcher, in dB, after the amount.
    pub loudness_gain_db: f32,
}

/// One stem's matchers in the order of the chain, for one source of corrections.
#[derive(Debug)]
pub(crate) struct Matchers {
    equalization: EqualizationMatcher,
    dynamics: DynamicsMatcher,
    panning: PanningMatcher,
    width: WidthMatcher,
    loudness: LoudnessMatcher,
}

impl Matchers {
    /// Applies a profile for good. Effects without a correction, switched off or at amount 0 only delay.
    fn fixed(
        stem: Stem,
        recipe: &Recipe,
        targets: &Targets,
        profile: Option<&StemProfile>,
        sample_rate_hz: f64,
    ) -> Self {
        let (target, amount) = (targets.stem(stem), |effect| recipe.effect(effect).effective_amount());
        let equalization = profile.and_then(|profile| profile.equalization.as_ref());
        let dynamics = profile.and_then(|profile| profile.dynamics.as_ref());
        let panning = profile.and_then(|profile| profile.panning.as_ref());
        let width = profile.and_then(|profile| profile.width.as_ref());
        let loudness = profile.and_then(|profile| profile.loudness).map(|loudness| loudness.gain_db);
        let limits = Limits::of(recipe.kind, stem, sample_rate_hz);
        Self {
            equalization: EqualizationMatcher::fixed(equalization, amount(Effect::Equalization)),
            dynamics: DynamicsMatcher::fixed(
                dynamics,
                amount(Effect::Dynamics),
                recipe.kind,
                stem,
                sample_rate_hz,
            ),
            panning: PanningMatcher::fixed(panning, target, amount(Effect::Panning), limits, sample_rate_hz)
                .after_hops(1),
            width: WidthMatcher::fixed(width, recipe.width.effective_amount(), stem, sample_rate_hz),
            loudness: LoudnessMatcher::fixed(loudness, amount(Effect::Loudness)),
        }
    }

    /// Follows running estimates.
    fn adaptive(stem: Stem, recipe: &Recipe, targets: &Targets, sample_rate_hz: f64) -> Self {
        let (target, amount) = (targets.stem(stem), |effect| recipe.effect(effect).effective_amount());
        let limits = Limits::of(recipe.kind, stem, sample_rate_hz);
        Self {
            equalization: EqualizationMatcher::adaptive(
                target,
                amount(Effect::Equalization),
                stem,
                sample_rate_hz,
            ),
            dynamics: DynamicsMatcher::adaptive(target, amount(Effect::Dynamics), stem, sample_rate_hz),
            panning: PanningMatcher::adaptive(target, amount(Effect::Panning), limits, sample_rate_hz)
                .after_hops(1),
            width: WidthMatcher::adaptive(target, recipe.width.effective_amount(), stem, sample_rate_hz),
            loudness: LoudnessMatcher::adaptive(
                target.loudness_lufs,
                amount(Effect::Loudness),
                sample_rate_hz,
            ),
        }
    }

    /// Continues a stream of which `hops` hops have passed.
    pub(crate) fn start_after(&mut self, hops: u64) {
        self.panning.start_after(hops);
    }

    /// Corrects one hop in place.
    pub(crate) fn process(&mut self, hop: &mut Hop) {
        self.equalization.process(hop);
        self.dynamics.process(hop);
        self.panning.process(hop);
        self.width.process(hop);
        self.loudness.process(hop);
    }

    /// Whether silence leaves fixed corrections as they are: the compressor, whose release has no end of its own, has let
    /// go. Everything else that remembers sound forgets it within [`REST_SECONDS`].
    pub(crate) fn have_let_go(&self) -> bool {
        self.dynamics.has_let_go()
    }

    /// A silent hop passes while the chain rests; only what counts hops from the start of the stream goes on.
    pub(crate) fn pass_silence(&mut self) {
        self.equalization.pass_silence();
        self.panning.pass_silence();
        self.width.pass_silence();
    }

    /// What is done at this moment.
    pub(crate) fn reading(&self) -> StemReading {
        let (equalization_gain_db, settled) = self.equalization.reading();
        let [gain_reduction_db, threshold_db, ratio] = self.dynamics.reading();
        StemReading {
            settled,
            equalization_gain_db: equalization_gain_db as f32,
            gain_reduction_db: gain_reduction_db as f32,
            threshold_db: threshold_db as f32,
            ratio: if threshold_db < 0.0 { ratio as f32 } else { 1.0 },
            pan_side: self.panning.side() as f32,
            added_side: self.width.added_side(),
            loudness_gain_db: self.loudness.gain_db() as f32,
        }
    }

    /// Back to the state after construction.
    pub(crate) fn reset(&mut self) {
        self.equalization.reset();
        self.dynamics.reset();
        self.panning.reset();
        self.width.reset();
        self.loudness.reset();
    }
}

/// The corrections of all four stems, ready to take over in a running normalizer
/// ([`FxNormalizer::glide_to`]). Building them allocates and designs filters, which takes milliseconds: it can be done
/// on another thread than the one that processes.
#[derive(Debug)]
pub struct Corrections([Box<Matchers>; Stem::COUNT]);

impl Corrections {
    /// Builds them. `recipe`, `targets` and `sample_rate_hz` must be those of the normalizer they are meant for.
    ///
    /// # Errors
    /// A rate, recipe, targets or profile out of range.
    pub fn new(
        recipe: &Recipe,
        targets: &Targets,
        source: &ProfileSource,
        sample_rate_hz: f64,
    ) -> Result<Self, NormalizerError> {
        check(recipe, targets, sample_rate_hz)?;
        if let ProfileSource::Fixed(profile) = source {
            profile.validate()?;
        }
        Ok(Self(Stem::ALL.map(|stem| {
            Box::new(match source {
                ProfileSource::Adaptive => Matchers::adaptive(stem, recipe, targets, sample_rate_hz),
                ProfileSource::Fixed(profile) => {
                    Matchers::fixed(stem, recipe, targets, profile.stem(stem), sample_rate_hz)
                }
            })
        })))
    }
}

/// Silence at input and output after which a chain rests: longer than any impulse response and its blocks
/// ([`crate::effects::reverb::LONGEST_SECONDS`]), and long enough for every glide to arrive (e^−20 of its way is left).
pub const REST_SECONDS: f64 = 11.0;

/// One stem's chain, hop by hop.
///
/// A chain that has nothing to do rests: before the first sound, and after [`REST_SECONDS`] of digital silence at both
/// ends, once the compressor has let go, silent hops pass untouched until the next sound. With fixed corrections not a
/// bit depends on it. For running estimates time stands still meanwhile: they neither forget nor glide, and how many times
/// [`TURNS_HOPS`] of silence precede a song changes nothing.
#[derive(Debug)]
pub struct StemChain {
    /// Ahead of what is measured, so a change of corrections does not interrupt it.
    reverb: Option<Box<ReverbSend>>,
    corrections: Transition,
    /// A sound has come since the start of the stream.
    heard: bool,
    /// Hops for which input and output have been silent.
    silent_hops: usize,
    rest_hops: usize,
}

impl StemChain {
    /// Hops between an input and its output: the equalizer's filter and the panning window.
    pub const LATENCY_HOPS: usize = 2;

    /// Normalizes one hop in place; the result is that of [`StemChain::LATENCY_HOPS`] hops ago.
    pub fn process(&mut self, hop: &mut Hop) {
        // What is not silent may still become so: denormals, NaN.
        let silent = hop.is_silent() || {
            sanitize(hop);
            hop.is_silent()
        };
        self.heard |= !silent;
        if silent && self.is_resting() {
            if let Some(reverb) = &mut self.reverb {
                reverb.pass_silence();
            }
            self.corrections.pass_silence();
            return;
        }
        if let Some(reverb) = &mut self.reverb {
            reverb.process(hop);
        }
        self.corrections.process(hop);
        self.silent_hops = if silent && hop.is_silent() { self.silent_hops + 1 } else { 0 };
    }

    /// Whether silent hops pass untouched.
    pub fn is_resting(&self) -> bool {
        (self.silent_hops >= self.rest_hops || !self.heard) && self.corrections.may_rest()
    }

    /// Back to the state after construction.
    pub fn reset(&mut self) {
        if let Some(reverb) = &mut self.reverb {
            reverb.reset();
        }
        self.corrections.reset();
        self.heard = false;
        self.silent_hops = 0;
    }
}

/// All four stems' chains, streaming.
#[derive(Debug)]
pub struct FxNormalizer {
    chains: [StemChain; Stem::COUNT],
    hops: Box<[Hop; Stem::COUNT]>,
    position: usize,
}

impl FxNormalizer {
    /// Builds the chains. `max_block` is the longest block that the caller intends to pass; any length works.
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
        let _ = max_block;
        let mut stems = Stem::ALL.into_iter();
        let chains =
            Corrections::new(recipe, targets, &source, sample_rate_hz)?.0.map(|matchers| StemChain {
                reverb: stems
                    .next()
                    .and_then(|stem| ReverbSend::of(stem, &recipe.reverb, sample_rate_hz))
                    .map(Box::new),
                corrections: Transition::new(matchers, sample_rate_hz),
                heard: false,
                silent_hops: 0,
                rest_hops: (REST_SECONDS * sample_rate_hz / HOP_FRAMES as f64).ceil() as usize,
            });
        Ok(Self { chains, hops: Box::new([Hop::SILENT; Stem::COUNT]), position: 0 })
    }

    /// Normalizes a block in place; the output lags by [`FxNormalizer::latency_samples`]. Never allocates, never
    /// fails; NaN and infinities count as silence.
    pub fn process(&mut self, block: &mut StemsBlock<'_>) {
        let frames = block.frames();
        let mut done = 0;
        while done < frames {
            let count = (frames - done).min(HOP_FRAMES - self.position);
            for stem in Stem::ALL {
                let sides = block.stem(stem);
                let sides = [&mut sides.left[done..done + count], &mut sides.right[done..done + count]];
                let held = self.hops[stem.index()].sides_mut();
                for (side, held) in sides.into_iter().zip(held) {
                    side.swap_with_slice(&mut held[self.position..self.position + count]);
                }
            }
            self.position += count;
            done += count;
            if self.position == HOP_FRAMES {
                self.position = 0;
                for (chain, hop) in self.chains.iter_mut().zip(self.hops.iter_mut()) {
                    chain.process(hop);
                }
            }
        }
    }

    /// Lets other corrections take over in [`LISTEN_SECONDS`] + [`FADE_SECONDS`], without a click, or at once when the
    /// stream restarts; after that the output is what a normalizer built with them makes of the same stream. Call it on
    /// the processing thread between blocks: it moves pointers and may release what was replaced earlier.
    pub fn glide_to(&mut self, next: Corrections) {
        for (chain, matchers) in self.chains.iter_mut().zip(next.0) {
            chain.corrections.glide_to(matchers);
        }
    }

    /// Whether corrections are being replaced.
    pub fn is_gliding(&self) -> bool {
        self.chains.iter().any(|chain| chain.corrections.is_gliding())
    }

    /// Whether every stem's chain rests (see [`StemChain`]).
    pub fn is_resting(&self) -> bool {
        self.chains.iter().all(StemChain::is_resting)
    }

    /// Back to the state after construction, without allocating; corrections that were about to take over are in force.
    pub fn reset(&mut self) {
        self.chains.iter_mut().for_each(StemChain::reset);
        self.hops.iter_mut().for_each(|hop| *hop = Hop::SILENT);
        self.position = 0;
    }

    /// Frames between an input and its output, equal for all stems and recipes.
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
        std::array::from_fn(|stem| self.chains[stem].corrections.reading())
    }
}
