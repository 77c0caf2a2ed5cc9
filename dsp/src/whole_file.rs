//! Whole-file normalization, as published: measure a feature on the complete stem as the earlier effects left it, apply
//! the correction through the streaming matchers, go on with the next effect. Every step is a pass over a [`StemStore`],
//! which is measured and overwritten piece by piece: what is kept of a song beside it are its onset peaks and the power
//! of its 100 ms blocks.

use crate::analysis::loudness::measure as measure_loudness;
use crate::block::StereoBuffer;
use crate::chain::{Chain, latency_hops};
use crate::effect::{Effect, Feature, Source};
use crate::findings::Findings;
use crate::hop::{HOP_FRAMES, Hop, sanitize};
use crate::normalizer::{NormalizerError, check, context};
use crate::padded::PaddedStem;
use crate::profile::{SongProfile, StemProfile};
use crate::recipe::{EffectName, Recipe};
use crate::rules::RecipeKind;
use crate::session::{Session, Standing};
use crate::stem::Stem;
use crate::store::{Sides, StemStore, StoreError, peak, read_hop, too_quiet};
use crate::targets::Targets;

/// Measures the feature of one effect on a stem in memory; see [`measure_feature_of`].
///
/// ```
/// use tributary_dsp::{Recipe, StereoBuffer};
/// use tributary_dsp::{EffectName, Feature, measure_feature};
///
/// let tone: Vec<f32> = (0..88_200).map(|n| 0.5 * (n as f32 * 0.05).sin()).collect();
/// let measured = measure_feature(EffectName::Loudness, &StereoBuffer::mono(tone), &Recipe::default(), 44_100.0)?;
/// assert!(matches!(measured, Some(Feature::Loudness(lufs)) if (-12.0..-3.0).contains(&lufs)));
/// # Ok::<(), tributary_dsp::NormalizerError>(())
/// ```
///
/// # Errors
/// A recipe or sample rate out of range.
pub fn measure_feature(
    effect: EffectName,
    audio: &StereoBuffer,
    recipe: &Recipe,
    sample_rate_hz: f64,
) -> Result<Option<Feature>, NormalizerError> {
    measure_feature_of(effect, &mut audio.clone(), recipe, sample_rate_hz)
}

/// Measures the feature of one effect on a stem, as the data-set averages are made; `None` when the stem is silent, too
/// quiet (peak at or below −50 dBFS) or, for dynamics, has no onset. Features are meant to be measured on the stem as
/// the earlier effects left it. What is no number in the store becomes silence; nothing else is changed.
///
/// # Errors
/// A recipe or sample rate out of range, or the store's reason.
pub fn measure_feature_of(
    effect: EffectName,
    store: &mut dyn StemStore,
    recipe: &Recipe,
    sample_rate_hz: f64,
) -> Result<Option<Feature>, NormalizerError> {
    let targets = Targets::default();
    check(recipe, &targets, sample_rate_hz)?;
    stream(store, 0, sanitize)?;
    if too_quiet(peak(store, Sides::Both)?) {
        return Ok(None);
    }
    // A feature does not depend on which stem it is measured on.
    let context = context(Stem::ALL[0], recipe, &targets, sample_rate_hz);
    let chain = Chain::corrected(&context, recipe, Source::Fixed(None));
    let effect = chain.effects().iter().find(|one| one.name() == effect.name());
    effect.map_or(Ok(None), |effect| Ok(effect.measure(store)?))
}

/// Measures one song in memory: the corrections that bring each stem to its targets. `progress` hears values from 0 to
/// 1. Silent and very quiet stems get no profile and pass untouched.
///
/// # Errors
/// A recipe, targets or sample rate out of range.
pub fn profile_song(
    stems: [Option<&StereoBuffer>; Stem::COUNT],
    recipe: &Recipe,
    targets: &Targets,
    sample_rate_hz: f64,
    progress: &mut dyn FnMut(f64),
) -> Result<SongProfile, NormalizerError> {
    check(recipe, targets, sample_rate_hz)?;
    let mut copies = stems.map(|audio| audio.cloned());
    let stores = copies.each_mut().map(|audio| audio.as_mut().map(|audio| audio as &mut dyn StemStore));
    let session = Session::measure(stores, recipe.kind, sample_rate_hz)?;
    let mut song = SongProfile::default();
    for (stem, audio) in Stem::ALL.into_iter().zip(&mut copies) {
        if let Some(audio) = audio {
            let mut report = |share: f64| progress((stem.index() as f64 + share) / Stem::COUNT as f64);
            let mut effects = WholeFile::new(stem, recipe, targets, sample_rate_hz)?.in_session(&session);
            song.0[stem.index()] = effects.profile(audio, &mut report)?;
        }
        progress((stem.index() + 1) as f64 / Stem::COUNT as f64);
    }
    Ok(song)
}

/// Measures one stem: the corrections that bring it to its targets; `None` when it is silent or very quiet. The store is
/// also the working space: it is left as all effects but the last leave the stem. `progress` hears values from 0 to 1.
///
/// # Errors
/// A recipe, targets or sample rate out of range, or the store's reason.
pub fn profile_stem(
    stem: Stem,
    store: &mut dyn StemStore,
    recipe: &Recipe,
    targets: &Targets,
    sample_rate_hz: f64,
    progress: &mut dyn FnMut(f64),
) -> Result<Option<StemProfile>, NormalizerError> {
    check(recipe, targets, sample_rate_hz)?;
    WholeFile::new(stem, recipe, targets, sample_rate_hz)?.profile(store, progress)
}

/// Normalizes one complete stem in memory; the result has the input's length and no delay, and comes with the profile
/// that made it.
///
/// # Errors
/// A recipe, targets or sample rate out of range.
pub fn normalize_stem(
    stem: Stem,
    audio: &StereoBuffer,
    recipe: &Recipe,
    targets: &Targets,
    sample_rate_hz: f64,
) -> Result<(StereoBuffer, StemProfile), NormalizerError> {
    let mut audio = audio.clone();
    let profile = normalize_in_place(stem, &mut audio, recipe, targets, sample_rate_hz, &mut |_| {})?;
    Ok((audio, profile.unwrap_or_default()))
}

/// Normalizes one complete stem where it lies, without delay, and returns the profile that did it; `None` when the stem
/// is silent or very quiet and passed untouched. `progress` hears values from 0 to 1.
///
/// # Errors
/// A recipe, targets or sample rate out of range, or the store's reason.
pub fn normalize_in_place(
    stem: Stem,
    store: &mut dyn StemStore,
    recipe: &Recipe,
    targets: &Targets,
    sample_rate_hz: f64,
    progress: &mut dyn FnMut(f64),
) -> Result<Option<StemProfile>, NormalizerError> {
    WholeFile::new(stem, recipe, targets, sample_rate_hz)?.normalize(store, progress)
}

/// As [`normalize_in_place`], for whoever goes on with the normalized stem beyond its end: also returns the first
/// `tail_frames` that a normalizer with these corrections would put out behind it, hearing silence.
///
/// # Errors
/// A recipe, targets or sample rate out of range, or the store's reason.
pub fn normalize_with_tail(
    stem: Stem,
    store: &mut dyn StemStore,
    tail_frames: usize,
    recipe: &Recipe,
    targets: &Targets,
    sample_rate_hz: f64,
    progress: &mut dyn FnMut(f64),
) -> Result<(Option<StemProfile>, StereoBuffer), NormalizerError> {
    WholeFile::new(stem, recipe, targets, sample_rate_hz)?.normalize_with_tail(store, tail_frames, progress)
}

/// Runs a hop processor over a complete stem and removes its delay.
///
/// # Errors
/// The store's reason.
pub fn stream(
    store: &mut dyn StemStore,
    latency_hops: usize,
    mut process: impl FnMut(&mut Hop),
) -> Result<(), StoreError> {
    let frames = store.frames();
    let mut hop = Hop::SILENT;
    for index in 0..frames.div_ceil(HOP_FRAMES) + latency_hops {
        read_hop(store, index * HOP_FRAMES, &mut hop)?;
        process(&mut hop);
        let Some(index) = index.checked_sub(latency_hops) else { continue };
        let start = index * HOP_FRAMES;
        let count = (frames - start).min(HOP_FRAMES);
        store.write(start, &hop.left[..count], &hop.right[..count])?;
    }
    Ok(())
}

/// Whether the correction of the last effect is only found, or applied too.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Last {
    Found,
    /// And how many frames are wanted that lie behind the stem.
    Applied(usize),
}

/// One stem's effects on their way through a complete file.
///
/// ```
/// use tributary_dsp::{Recipe, RecipeKind, Session, Stem, StereoBuffer, Targets, WholeFile};
///
/// let rate_hz = 44_100.0;
/// let recipe = Recipe { kind: RecipeKind::Tributary, ..Recipe::default() };
/// let tone: Vec<f32> = (0..88_200).map(|n| 0.01 * (n as f32 * 0.05).sin()).collect();
/// let mut bass = StereoBuffer::mono(tone);
/// let session = Session::measure([None, Some(&mut bass), None, None], recipe.kind, rate_hz)?;
/// let mut effects = WholeFile::new(Stem::Bass, &recipe, &Targets::default(), rate_hz)?.in_session(&session);
/// let profile = effects.normalize(&mut bass, &mut |_| {})?.expect("it is not silent");
/// assert!(profile.loudness.is_some_and(|loudness| loudness.gain_db > 6.0));
/// # Ok::<(), tributary_dsp::NormalizerError>(())
/// ```
#[derive(Debug)]
pub struct WholeFile {
    stem: Stem,
    kind: RecipeKind,
    sample_rate_hz: f64,
    standing: Standing,
    ahead: Chain,
    corrected: Chain,
}

impl WholeFile {
    /// The effects that the recipe has for the stem, their corrections yet to be found.
    ///
    /// # Errors
    /// A recipe, targets or sample rate out of range.
    pub fn new(
        stem: Stem,
        recipe: &Recipe,
        targets: &Targets,
        sample_rate_hz: f64,
    ) -> Result<Self, NormalizerError> {
        check(recipe, targets, sample_rate_hz)?;
        let context = context(stem, recipe, targets, sample_rate_hz);
        Ok(Self {
            stem,
            kind: recipe.kind,
            sample_rate_hz,
            standing: Standing::ALONE,
            ahead: Chain::ahead(&context, recipe),
            corrected: Chain::corrected(&context, recipe, Source::Fixed(None)),
        })
    }

    /// Adds an effect at the end.
    pub fn push(&mut self, effect: Box<dyn Effect>) {
        self.corrected.push(effect);
    }

    /// The same for a stem of a session, whose other stems decide what is bleed and how far it may be moved. Without one a
    /// stem is a session of its own.
    pub fn in_session(mut self, session: &Session) -> Self {
        self.standing = session.standing(self.stem);
        self.corrected.stand(self.standing);
        self
    }

    /// Finds every correction, as [`profile_stem`] does.
    ///
    /// # Errors
    /// The store's reason.
    pub fn profile(
        &mut self,
        store: &mut dyn StemStore,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Option<StemProfile>, NormalizerError> {
        Ok(self.run(store, Last::Found, progress)?.0)
    }

    /// Finds and applies every correction, as [`normalize_with_tail`](crate::normalize_with_tail) does.
    ///
    /// # Errors
    /// The store's reason.
    pub fn normalize_with_tail(
        &mut self,
        store: &mut dyn StemStore,
        tail_frames: usize,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Option<StemProfile>, StereoBuffer), NormalizerError> {
        Ok(self.run(store, Last::Applied(tail_frames), progress)?)
    }

    /// Finds and applies every correction, as [`normalize_in_place`] does.
    ///
    /// # Errors
    /// The store's reason.
    pub fn normalize(
        &mut self,
        store: &mut dyn StemStore,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Option<StemProfile>, NormalizerError> {
        Ok(self.run(store, Last::Applied(0), progress)?.0)
    }

    /// Effect by effect: finds the correction on the stem as the effects before left it, then applies it at the same hop
    /// positions as live. The result is the live one, bit for bit, and so is what lies behind the stem's end.
    fn run(
        &mut self,
        store: &mut dyn StemStore,
        last: Last,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Option<StemProfile>, StereoBuffer), StoreError> {
        let tail_frames = if let Last::Applied(frames) = last { frames } else { 0 };
        stream(store, 0, sanitize)?;
        if self.is_silent(store)? {
            return Ok((None, StereoBuffer::silence(tail_frames)));
        }
        let hops = self.ahead.latency_hops() + self.corrected.latency_hops();
        let mut audio = PaddedStem::new(store, hops, tail_frames);
        for effect in self.ahead.effects_mut().iter_mut().filter(|effect| effect.is_on()) {
            apply(&mut **effect, &mut audio)?;
        }
        let count = self.corrected.effects().len();
        let mut profile = StemProfile::default();
        let mut findings = Findings::default();
        for (index, effect) in self.corrected.effects_mut().iter_mut().enumerate() {
            if effect.is_on() && (effect.corrects_bleed() || !self.standing.is_bleed()) {
                effect.heed(&findings);
                effect.find(audio.stem())?;
                effect.tell(&mut findings);
                effect.keep(&mut profile);
                if index + 1 < count || last != Last::Found {
                    apply(&mut **effect, &mut audio)?;
                }
            }
            progress((index + 1) as f64 / count as f64);
        }
        let mut tail = audio.into_tail();
        tail.left.truncate(tail_frames);
        tail.right.truncate(tail_frames);
        Ok((Some(profile), tail))
    }

    /// Whether there is nothing to correct: by the paper's rules and the published ones, a peak at or below −50 dBFS; otherwise
    /// nothing that passes the gates of loudness.
    fn is_silent(&self, store: &mut dyn StemStore) -> Result<bool, StoreError> {
        if self.kind != RecipeKind::Tributary {
            return Ok(too_quiet(peak(store, Sides::Both)?));
        }
        Ok(measure_loudness(store, Sides::Both, self.kind, self.sample_rate_hz)?.is_none())
    }
}

/// Runs one effect over a stem and what surrounds it, without delay.
fn apply(effect: &mut dyn Effect, audio: &mut PaddedStem<'_>) -> Result<(), StoreError> {
    effect.start_at(-(audio.hops() as i64));
    stream(audio, latency_hops(effect), |hop| effect.process(hop))
}
