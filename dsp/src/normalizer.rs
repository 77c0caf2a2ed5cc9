//! The live normalizer: all four stems' chains, block by block. Audio is gathered into hops of fixed stream position, so
//! results do not depend on how the caller cuts its blocks; offline work runs the same chain hop by hop.

use std::sync::Arc;

use crate::amounts::Amounts;
use crate::block::StemsBlock;
use crate::chain::Chain;
use crate::context::Context;
use crate::effect::{Effect, Source};
use crate::hop::Hop;
use crate::portrait::TonePortrait;
use crate::profile::{CorrectionSource, ProfileError, SongProfile};
use crate::reading::StemReading;
use crate::recipe::{Recipe, RecipeError};
use crate::rules::RecipeKind;
use crate::session::Session;
use crate::stem::{CHANNELS, Stem};
use crate::stem_chain::StemChain;
use crate::store::StoreError;
use crate::targets::{Targets, TargetsError};
use crate::transition::Transition;

pub use crate::hop::{HOP_FRAMES, TURNS_HOPS};
pub use crate::stem_chain::{LOCK_SECONDS, REST_SECONDS};
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

/// Where the corrections of one stem come from.
fn of_stem(source: &CorrectionSource, stem: Stem) -> Source<'_> {
    match source {
        CorrectionSource::Adaptive => Source::Adaptive,
        CorrectionSource::Fixed(profile) => Source::Fixed(profile.stem(stem)),
    }
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
            let context = context(stem, recipe, targets, sample_rate_hz);
            Box::new(Chain::corrected(&context, recipe, of_stem(source, stem)))
        })))
    }

    /// Adds an effect at the end of every stem's chain.
    pub fn push(&mut self, mut effect: impl FnMut(Stem) -> Box<dyn Effect>) {
        for (chain, stem) in self.0.iter_mut().zip(Stem::ALL) {
            chain.push(effect(stem));
        }
    }
}

/// The part of a normalizer's latency that is the gathering of a hop: [`HOP_FRAMES`] in place.
pub const GATHERING: &str = "normalizer hop";

/// Corrections that were kept when a stem was locked, ready to take over in a normalizer ([`FxNormalizer::lock_at`]) and to
/// stay. Building them takes as long as building [`Corrections`].
#[derive(Debug)]
pub struct LockedCorrections([Option<KeptChain>; Stem::COUNT]);

#[derive(Debug)]
struct KeptChain {
    kept: Box<Chain>,
    /// What takes over once the stem is let go.
    after: Box<Chain>,
}

impl LockedCorrections {
    /// Builds them for the stems of which `kept` has a profile; `source` is what takes over once they are let go. The rest as
    /// in [`Corrections::new`].
    ///
    /// # Errors
    /// A rate, recipe, targets or profile out of range.
    pub fn new(
        recipe: &Recipe,
        targets: &Targets,
        source: &CorrectionSource,
        kept: &SongProfile,
        sample_rate_hz: f64,
    ) -> Result<Self, NormalizerError> {
        check(recipe, targets, sample_rate_hz)?;
        kept.validate()?;
        if let CorrectionSource::Fixed(profile) = source {
            profile.validate()?;
        }
        Ok(Self(Stem::ALL.map(|stem| {
            let profile = kept.stem(stem)?;
            let context = context(stem, recipe, targets, sample_rate_hz);
            let chain = |source| Box::new(Chain::corrected(&context, recipe, source));
            Some(KeptChain { kept: chain(Source::Fixed(Some(profile))), after: chain(of_stem(source, stem)) })
        })))
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
            let corrections = Transition::new(chain, sample_rate_hz);
            StemChain::new(ahead, corrections, recipe.kind == RecipeKind::Tributary, sample_rate_hz)
        });
        let ahead = chains[0].ahead().latency_parts();
        let latency_parts = [(GATHERING, HOP_FRAMES)].into_iter().chain(ahead).chain(corrected).collect();
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
            done += count;
            self.advance(count);
        }
    }

    /// As [`FxNormalizer::process`], for a caller that needs no frame back for each it gives: every hop of 1,024 frames
    /// is handed to `sink` as soon as it is made, eight planar slices. That is [`HOP_FRAMES`] sooner than in place, so the hop
    /// that ends with frame n of the input lies [`FxNormalizer::latency_samples`] − [`HOP_FRAMES`] frames before it. Use the
    /// one or the other between two resets. Never allocates, never fails.
    pub fn pass(&mut self, stems: [&[f32]; CHANNELS], mut sink: impl FnMut([&mut [f32]; CHANNELS])) {
        let frames = stems[0].len();
        let mut done = 0;
        while done < frames {
            let count = (frames - done).min(HOP_FRAMES - self.position);
            let held = self.hops.iter_mut().flat_map(Hop::sides_mut);
            for (held, channel) in held.zip(stems) {
                held[self.position..self.position + count].copy_from_slice(&channel[done..done + count]);
            }
            done += count;
            if self.advance(count) {
                let mut sides = self.hops.iter_mut().flat_map(Hop::sides_mut);
                sink(std::array::from_fn(|_| sides.next().map(|side| &mut side[..]).unwrap_or_default()));
            }
        }
    }

    /// Frames that have been gathered of the next hop.
    pub fn gathered_frames(&self) -> usize {
        self.position
    }

    /// So many frames have been gathered; makes the hop if that completes it, and says so.
    fn advance(&mut self, count: usize) -> bool {
        self.position += count;
        let is_complete = self.position == HOP_FRAMES;
        if is_complete {
            self.position = 0;
            for (chain, hop) in self.chains.iter_mut().zip(self.hops.iter_mut()) {
                chain.process(hop);
            }
            self.compare_stems();
        }
        is_complete
    }

    /// Tells every stem how it stands to the others, as far as they have been heard: what the next hop goes by.
    fn compare_stems(&mut self) {
        let session = self.session();
        for (chain, stem) in self.chains.iter_mut().zip(Stem::ALL) {
            chain.stand(session.standing(stem));
        }
    }

    /// How loud the stems came in so far, by running estimates; nothing by rules that do not compare them.
    pub fn session(&self) -> Session {
        Session { loudness_lufs: self.chains.each_ref().map(StemChain::loudness_lufs) }
    }

    /// How much of each effect is let through of a stem's chain, on top of what the recipe says, or whether the stem is left
    /// alone altogether: then it is what came in, to the bit, and only delayed. Glides there in a third of a second from
    /// the hop on that is being gathered; a [reset](Self::reset) arrives at once. Real-time safe.
    pub fn steer(&mut self, stem: Stem, amounts: &Amounts, leave_alone: bool) {
        self.chains[stem.index()].steer(amounts, leave_alone);
    }

    /// Whether a stem's corrections are kept as they are, from the hop on that is being gathered: running estimates go on
    /// listening, and other corrections that are to take over ([`Self::glide_to`]) wait. A stem of which less than
    /// [`LOCK_SECONDS`] have been heard is followed until then, because nothing worth keeping is known of it. A correction that
    /// is kept outlives a [reset](Self::reset). Let go, it glides back. Real-time safe.
    pub fn lock(&mut self, stem: Stem, lock: bool) {
        self.chains[stem.index()].lock(lock);
    }

    /// Lets corrections that were kept before take over for the stems that have some, as [`Self::glide_to`] does, and keeps
    /// them until the stem is [let go](Self::lock).
    pub fn lock_at(&mut self, kept: LockedCorrections) {
        for (chain, kept) in self.chains.iter_mut().zip(kept.0) {
            if let Some(KeptChain { kept, after }) = kept {
                chain.lock_at(kept, after);
            }
        }
    }

    /// The corrections that are kept; none of a stem that is not locked. Allocates.
    pub fn locked(&self) -> SongProfile {
        SongProfile(self.chains.each_ref().map(StemChain::locked))
    }

    /// How often corrections have begun to be kept, or have been let go: whether [`Self::locked`] may have changed.
    pub fn lock_changes(&self) -> u64 {
        self.chains.iter().map(StemChain::lock_changes).sum()
    }

    /// What was asked of [`Self::steer`] last is in force at once.
    pub fn arrive(&mut self) {
        self.chains.iter_mut().for_each(StemChain::arrive);
    }

    /// Lets other corrections take over in [`LISTEN_SECONDS`] + [`FADE_SECONDS`], without a click, or at once when the
    /// stream restarts; after that the output is what a normalizer built with them makes of the same stream. Call it on
    /// the processing thread between blocks: it moves pointers and may release what was replaced earlier.
    pub fn glide_to(&mut self, next: Corrections) {
        for (chain, next) in self.chains.iter_mut().zip(next.0) {
            chain.glide_to(next);
        }
    }

    /// Whether corrections are being replaced.
    pub fn is_gliding(&self) -> bool {
        self.chains.iter().any(StemChain::is_gliding)
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
        self.chains.each_ref().map(StemChain::reading)
    }

    /// What is known of the tone of each stem. Takes longer than the readings: for somebody who looks.
    pub fn tone_portraits(&self) -> [TonePortrait; Stem::COUNT] {
        self.chains.each_ref().map(StemChain::portrait)
    }
}
