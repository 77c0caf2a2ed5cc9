//! The live normalizer: all four stems' chains, block by block. Audio is gathered into hops of fixed stream position, so
//! results do not depend on how the caller cuts its blocks; offline work runs the same chain hop by hop.

use std::sync::Arc;

use crate::amounts::{Amounts, Following, Share};
use crate::block::StemsBlock;
use crate::chain::Chain;
use crate::context::Context;
use crate::effect::{Effect, Source};
use crate::effects::loudness::estimator::LoudnessEstimator;
use crate::filters::delay::HopDelay;
use crate::hop::{Hop, sanitize};
use crate::portrait::TonePortrait;
use crate::profile::{CorrectionSource, ProfileError};
use crate::reading::StemReading;
use crate::recipe::{Recipe, RecipeError};
use crate::rules::RecipeKind;
use crate::session::Session;
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

/// For whom and by whose rules the effects of one stem work.
pub(crate) fn context(stem: Stem, recipe: &Recipe, targets: &Targets, sample_rate_hz: f64) -> Context {
    let target = Arc::new(targets.stem(stem).clone());
    Context { stem, kind: recipe.kind, target, tolerance: recipe.tolerance, sample_rate_hz }
}

/// The corrections of all four stems, ready to take over in a running normalizer
/// ([`FxNormalizer::glide_to`]). Building them allocates and designs filters, which takes milliseconds: it can be done
/// on another thread than the one that processes.
///
/// ```
/// use tributary_dsp::{CorrectionSource, Corrections, FxNormalizer, Recipe, SongProfile, Targets};
///
/// let (recipe, targets) = (Recipe::default(), Targets::default());
/// let mut normalizer = FxNormalizer::new(&recipe, &targets, CorrectionSource::Adaptive, 44_100.0, 256)?;
/// let learned = CorrectionSource::Fixed(SongProfile::default());
/// normalizer.glide_to(Corrections::new(&recipe, &targets, &learned, 44_100.0)?);
/// assert!(normalizer.is_gliding());
/// # Ok::<(), tributary_dsp::NormalizerError>(())
/// ```
#[derive(Debug)]
pub struct Corrections([Box<Chain>; Stem::COUNT]);

impl Corrections {
    /// Builds them. `recipe`, `targets` and `sample_rate_hz` must be those of the normalizer they are meant for.
    ///
    /// # Errors
    /// A rate, recipe, targets or profile out of range.
    pub fn new(
        recipe: &Recipe,
        targets: &Targets,
        source: &CorrectionSource,
        sample_rate_hz: f64,
    ) -> Result<Self, NormalizerError> {
        check(recipe, targets, sample_rate_hz)?;
        if let CorrectionSource::Fixed(profile) = source {
            profile.validate()?;
        }
        Ok(Self(Stem::ALL.map(|stem| {
            let source = match source {
                CorrectionSource::Adaptive => Source::Adaptive,
                CorrectionSource::Fixed(profile) => Source::Fixed(profile.stem(stem)),
            };
            let context = context(stem, recipe, targets, sample_rate_hz);
            Box::new(Chain::corrected(&context, recipe, source))
        })))
    }

    /// Adds an effect at the end of every stem's chain.
    pub fn push(&mut self, mut effect: impl FnMut(Stem) -> Box<dyn Effect>) {
        for (chain, stem) in self.0.iter_mut().zip(Stem::ALL) {
            chain.push(effect(stem));
        }
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
struct StemChain {
    /// Not corrected, so a change of corrections does not interrupt it.
    ahead: Chain,
    corrections: Transition,
    steering: Steering,
    /// How loud the stem came in, for rules that compare the stems of a session.
    level: Option<LoudnessEstimator>,
    /// A sound has come since the start of the stream.
    heard: bool,
    /// Hops for which input and output have been silent.
    silent_hops: usize,
    rest_hops: usize,
}

impl StemChain {
    /// Normalizes one hop in place; the result is that of an earlier one, by the latency of the effects.
    fn process(&mut self, hop: &mut Hop) {
        // What is not silent may still become so: denormals, NaN.
        let silent = hop.is_silent() || {
            sanitize(hop);
            hop.is_silent()
        };
        self.heard |= !silent;
        if silent && self.is_resting() {
            self.ahead.pass_silence();
            self.corrections.pass_silence();
            return;
        }
        self.level.iter_mut().for_each(|level| level.listen(hop));
        let shares = self.steering.amounts.each_mut().map(Following::advance);
        self.ahead.let_through(&shares);
        self.corrections.let_through(&shares);
        let corrected = self.steering.corrected.advance();
        self.steering.hold(hop);
        self.ahead.process(hop);
        self.corrections.process(hop);
        self.steering.leave_alone(hop, corrected);
        self.silent_hops = if silent && hop.is_silent() { self.silent_hops + 1 } else { 0 };
    }

    /// Whether silent hops pass untouched.
    fn is_resting(&self) -> bool {
        (self.silent_hops >= self.rest_hops || !self.heard) && self.corrections.may_rest()
    }

    /// Back to the state after construction.
    fn reset(&mut self) {
        self.ahead.reset();
        self.corrections.reset();
        self.steering.reset();
        self.level.iter_mut().for_each(LoudnessEstimator::reset);
        self.heard = false;
        self.silent_hops = 0;
    }
}

/// What an engineer lets through of one stem's chain.
#[derive(Debug)]
struct Steering {
    /// In the order of [`Amounts::NAMES`].
    amounts: [Following; 6],
    /// 0 where the stem is left alone.
    corrected: Following,
    /// The stem as it came in, delayed as the chain delays it.
    delays: Vec<HopDelay>,
    plain: Box<Hop>,
}

impl Steering {
    /// Everything comes through.
    fn new(latency_hops: usize) -> Self {
        Self {
            amounts: [Following::FULL; 6],
            corrected: Following::FULL,
            delays: vec![HopDelay::new(); latency_hops],
            plain: Box::new(Hop::SILENT),
        }
    }

    /// Takes a hop on its way in.
    fn hold(&mut self, hop: &Hop) {
        self.plain.left = hop.left;
        self.plain.right = hop.right;
        self.delays.iter_mut().for_each(|delay| delay.process(&mut self.plain));
    }

    /// Puts the plain stem in the place of the corrected one, as far as it is left alone.
    fn leave_alone(&self, hop: &mut Hop, corrected: Share) {
        if corrected == (Share { start: 0.0, end: 0.0 }) {
            hop.left = self.plain.left;
            hop.right = self.plain.right;
        } else if !corrected.is_full() {
            corrected.blend(hop, &self.plain);
        }
    }

    fn reset(&mut self) {
        self.amounts.iter_mut().for_each(Following::arrive);
        self.corrected.arrive();
        self.delays.iter_mut().for_each(HopDelay::reset);
    }
}

/// All four stems' chains, streaming.
///
/// ```
/// use tributary_dsp::{CHANNELS, CorrectionSource, FxNormalizer, Recipe, StemsBlock, Targets};
///
/// let (recipe, targets) = (Recipe::default(), Targets::default());
/// let mut normalizer = FxNormalizer::new(&recipe, &targets, CorrectionSource::Adaptive, 44_100.0, 256)?;
/// let mut song = vec![vec![0.1_f32; 256]; CHANNELS];
/// let mut views = song.iter_mut();
/// normalizer.process(&mut StemsBlock { channels: std::array::from_fn(|_| views.next().unwrap().as_mut_slice()) });
/// assert!(song[0].iter().all(|sample| *sample == 0.0), "the output lags by the latency");
/// assert!(normalizer.latency_samples() > 256);
/// # Ok::<(), tributary_dsp::NormalizerError>(())
/// ```
#[derive(Debug)]
pub struct FxNormalizer {
    chains: [StemChain; Stem::COUNT],
    hops: Box<[Hop; Stem::COUNT]>,
    position: usize,
    latency_parts: Vec<(&'static str, usize)>,
}

impl FxNormalizer {
    /// Builds the chains. `max_block` is the longest block that the caller intends to pass; any length works.
    ///
    /// # Errors
    /// A rate, recipe, targets or profile out of range.
    pub fn new(
        recipe: &Recipe,
        targets: &Targets,
        source: CorrectionSource,
        sample_rate_hz: f64,
        max_block: usize,
    ) -> Result<Self, NormalizerError> {
        let _ = max_block;
        let corrections = Corrections::new(recipe, targets, &source, sample_rate_hz)?;
        Self::with_corrections(corrections, recipe, targets, sample_rate_hz)
    }

    /// The same with corrections that were built before.
    ///
    /// # Errors
    /// A rate, recipe or targets out of range.
    pub fn with_corrections(
        corrections: Corrections,
        recipe: &Recipe,
        targets: &Targets,
        sample_rate_hz: f64,
    ) -> Result<Self, NormalizerError> {
        check(recipe, targets, sample_rate_hz)?;
        let mut stems = Stem::ALL.into_iter().map(|stem| context(stem, recipe, targets, sample_rate_hz));
        let corrected: Vec<_> = corrections.0[0].latency_parts().collect();
        let chains = corrections.0.map(|chain| {
            let ahead = Chain::ahead(&stems.next().expect("one for each stem"), recipe);
            let steering = Steering::new(ahead.latency_hops() + chain.latency_hops());
            StemChain {
                ahead,
                corrections: Transition::new(chain, sample_rate_hz),
                steering,
                level: (recipe.kind == RecipeKind::Tributary).then(|| LoudnessEstimator::new(sample_rate_hz)),
                heard: false,
                silent_hops: 0,
                rest_hops: (REST_SECONDS * sample_rate_hz / HOP_FRAMES as f64).ceil() as usize,
            }
        });
        let ahead = chains[0].ahead.latency_parts();
        let latency_parts =
            [("normalizer hop", HOP_FRAMES)].into_iter().chain(ahead).chain(corrected).collect();
        Ok(Self { chains, hops: Box::new([Hop::SILENT; Stem::COUNT]), position: 0, latency_parts })
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
                self.compare_stems();
            }
        }
    }

    /// Tells every stem how it stands to the others, as far as they have been heard: what the next hop goes by.
    fn compare_stems(&mut self) {
        let session = self.session();
        for (chain, stem) in self.chains.iter_mut().zip(Stem::ALL) {
            if chain.level.is_some() {
                chain.corrections.stand(session.standing(stem));
            }
        }
    }

    /// How loud the stems came in so far, by running estimates; nothing by rules that do not compare them.
    pub fn session(&self) -> Session {
        let level = |chain: &StemChain| chain.level.as_ref()?.loudness_lufs();
        Session { loudness_lufs: self.chains.each_ref().map(level) }
    }

    /// How much of each effect is let through of a stem's chain, on top of what the recipe says, or whether the stem is left
    /// alone altogether: then it is what came in, to the bit, and only delayed. Glides there in a third of a second from
    /// the hop on that is being gathered; a [reset](Self::reset) arrives at once. Real-time safe.
    pub fn steer(&mut self, stem: Stem, amounts: &Amounts, leave_alone: bool) {
        let steering = &mut self.chains[stem.index()].steering;
        steering.amounts.iter_mut().zip(amounts.each()).for_each(|(following, share)| following.set(share));
        steering.corrected.set(if leave_alone { 0.0 } else { 1.0 });
    }

    /// What was asked of [`Self::steer`] last is in force at once.
    pub fn arrive(&mut self) {
        for chain in &mut self.chains {
            chain.steering.amounts.iter_mut().for_each(Following::arrive);
            chain.steering.corrected.arrive();
        }
    }

    /// Lets other corrections take over in [`LISTEN_SECONDS`] + [`FADE_SECONDS`], without a click, or at once when the
    /// stream restarts; after that the output is what a normalizer built with them makes of the same stream. Call it on
    /// the processing thread between blocks: it moves pointers and may release what was replaced earlier.
    pub fn glide_to(&mut self, next: Corrections) {
        for (chain, next) in self.chains.iter_mut().zip(next.0) {
            chain.corrections.glide_to(next);
        }
    }

    /// Whether corrections are being replaced.
    pub fn is_gliding(&self) -> bool {
        self.chains.iter().any(|chain| chain.corrections.is_gliding())
    }

    /// Whether every stem's chain rests (after [`REST_SECONDS`] of digital silence).
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
        self.latency_parts.iter().map(|part| part.1).sum()
    }

    /// The latency as a sum of named parts, in frames.
    pub fn latency_parts(&self) -> Vec<(&'static str, usize)> {
        self.latency_parts.clone()
    }

    /// What is done to each stem at this moment: nothing to one that is left alone.
    pub fn normalize_readings(&self) -> [StemReading; Stem::COUNT] {
        self.chains.each_ref().map(|chain| match chain.steering.corrected.is_nothing() {
            true => StemReading::default(),
            false => chain.corrections.reading(),
        })
    }

    /// What is known of the tone of each stem. Takes longer than the readings: for somebody who looks.
    pub fn tone_portraits(&self) -> [TonePortrait; Stem::COUNT] {
        self.chains.each_ref().map(|chain| chain.corrections.portrait())
    }
}
