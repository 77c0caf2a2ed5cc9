//! Whole-file normalization, as published: measure a feature on the complete stem as the earlier effects left it, apply
//! the correction through the streaming matchers, go on with the next effect. Every step is a pass over a [`StemStore`],
//! which is measured and overwritten piece by piece: what is kept of a song beside it are its onset peaks and the power
//! of its 100 ms blocks.

use crate::analysis::loudness::{self, gain_to_lufs_db};
use crate::analysis::similarity::measure_phi;
use crate::block::StereoBuffer;
use crate::effects::dynamics::matcher::DynamicsMatcher;
use crate::effects::equalization::matcher::EqualizationMatcher;
use crate::effects::loudness::matcher::LoudnessMatcher;
use crate::effects::panning::matcher::{Limits, PanningMatcher};
use crate::effects::reverb::send::ReverbSend;
use crate::effects::width::matcher::WidthMatcher;
use crate::effects::{dynamics, equalization, panning, width};
use crate::hop::{HOP_FRAMES, Hop, sanitize};
use crate::normalizer::{NormalizerError, StemChain, check};
use crate::profile::{LoudnessCorrection, PanningCorrection, SongProfile, StemProfile};
use crate::recipe::{Effect, Recipe};
use crate::stem::Stem;
use crate::store::{Sides, StemStore, StoreError, peak, read_hop, too_quiet};
use crate::targets::Targets;

/// One feature of one stem.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// Mean magnitude of the 65,536-point transform at −30 LUFS, [`crate::targets::FULL_BINS`] values, linear.
    Spectrum(Vec<f64>),
    /// Onset peaks of the stem peak-normalized to −10 dBFS.
    Peaks {
        /// Mean of the loudest quarter, in dBFS.
        peak_db: f64,
        /// Their standard deviation, in dB.
        peak_std_db: f64,
    },
    /// Left/right similarity, [`crate::targets::FULL_BINS`] values, 0 to 1.
    Phi(Vec<f64>),
    /// Integrated loudness in LUFS.
    Loudness(f64),
}

/// Measures the feature of one effect on a stem in memory; see [`measure_feature_of`].
///
/// # Errors
/// A recipe or sample rate out of range.
pub fn measure_feature(
    effect: Effect,
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
    effect: Effect,
    store: &mut dyn StemStore,
    recipe: &Recipe,
    sample_rate_hz: f64,
) -> Result<Option<Feature>, NormalizerError> {
    check(recipe, &Targets::default(), sample_rate_hz)?;
    stream(store, 0, sanitize)?;
    if too_quiet(peak(store, Sides::Both)?) {
        return Ok(None);
    }
    Ok(match effect {
        Effect::Equalization => {
            Some(Feature::Spectrum(equalization::measure(store, recipe.kind, sample_rate_hz)?))
        }
        Effect::Dynamics => {
            dynamics::measure(store)?.map(|[peak_db, peak_std_db]| Feature::Peaks { peak_db, peak_std_db })
        }
        Effect::Panning => Some(Feature::Phi(measure_phi(store, recipe.kind)?)),
        Effect::Loudness => {
            loudness::measure(store, Sides::Both, recipe.kind, sample_rate_hz)?.map(Feature::Loudness)
        }
    })
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
    let mut song = SongProfile::default();
    for stem in Stem::ALL {
        if let Some(audio) = stems[stem.index()] {
            let mut report = |share: f64| progress((stem.index() as f64 + share) / Stem::COUNT as f64);
            song.0[stem.index()] =
                profile_stem(stem, &mut audio.clone(), recipe, targets, sample_rate_hz, &mut report)?;
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
    let pass = WholeFile { stem, recipe, targets, sample_rate_hz };
    Ok(pass.run(&mut PaddedStem::new(store), Last::Measured, progress)?)
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
    check(recipe, targets, sample_rate_hz)?;
    let pass = WholeFile { stem, recipe, targets, sample_rate_hz };
    Ok(pass.run(&mut PaddedStem::new(store), Last::Applied, progress)?)
}

/// Hops before and after a stem that receive what the effects' filters spread beyond its ends. Later effects hear it,
/// as they do live and in the released code, which pads files with zeros and crops them last.
const LEADING_HOPS: usize = 1;
const TRAILING_HOPS: usize = StemChain::LATENCY_HOPS;

/// A stem between stretches of silence, which live in memory; itself a store, longer by those.
struct PaddedStem<'a> {
    stem: &'a mut dyn StemStore,
    before: StereoBuffer,
    after: StereoBuffer,
}

impl<'a> PaddedStem<'a> {
    fn new(stem: &'a mut dyn StemStore) -> Self {
        let frames = stem.frames();
        let after = frames.next_multiple_of(HOP_FRAMES) - frames + TRAILING_HOPS * HOP_FRAMES;
        Self {
            stem,
            before: StereoBuffer::silence(LEADING_HOPS * HOP_FRAMES),
            after: StereoBuffer::silence(after),
        }
    }

    /// Calls `visit` with each of the three parts that the range touches, the place in that part, and the place in the
    /// range.
    fn parts(
        &mut self,
        range: std::ops::Range<usize>,
        mut visit: impl FnMut(&mut dyn StemStore, usize, std::ops::Range<usize>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut offset = 0;
        let parts: [&mut dyn StemStore; 3] = [&mut self.before, &mut *self.stem, &mut self.after];
        for part in parts {
            let end = offset + part.frames();
            let (from, to) = (range.start.max(offset), range.end.min(end));
            if from < to {
                visit(part, from - offset, from - range.start..to - range.start)?;
            }
            offset = end;
        }
        Ok(())
    }
}

impl StemStore for PaddedStem<'_> {
    fn frames(&self) -> usize {
        self.before.frames() + self.stem.frames() + self.after.frames()
    }

    fn read(&mut self, start: usize, left: &mut [f32], right: &mut [f32]) -> Result<(), StoreError> {
        self.parts(start..start + left.len(), |part, at, range| {
            part.read(at, &mut left[range.clone()], &mut right[range])
        })
    }

    fn write(&mut self, start: usize, left: &[f32], right: &[f32]) -> Result<(), StoreError> {
        self.parts(start..start + left.len(), |part, at, range| {
            part.write(at, &left[range.clone()], &right[range])
        })
    }
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

/// Whether the last effect that is measured must also be applied.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Last {
    Measured,
    Applied,
}

/// One stem on its way through the effects.
struct WholeFile<'a> {
    stem: Stem,
    recipe: &'a Recipe,
    targets: &'a Targets,
    sample_rate_hz: f64,
}

impl WholeFile<'_> {
    fn run(
        &self,
        audio: &mut PaddedStem<'_>,
        last: Last,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Option<StemProfile>, StoreError> {
        stream(audio.stem, 0, sanitize)?;
        if too_quiet(peak(audio.stem, Sides::Both)?) {
            return Ok(None);
        }
        let mut profile = StemProfile::default();
        if let Some(mut reverb) = ReverbSend::of(self.stem, &self.recipe.reverb, self.sample_rate_hz) {
            // Live, the stem's first hop is the reverb's first too: its blocks must fall on the same frames.
            let mut leading = LEADING_HOPS;
            stream(audio, 0, |hop| match leading {
                0 => reverb.process(hop),
                _ => leading -= 1,
            })?;
        }
        for (index, effect) in Effect::ALL.into_iter().enumerate() {
            if self.recipe.effect(effect).effective_amount() > 0.0 {
                self.measure(effect, audio.stem, &mut profile)?;
                if effect != Effect::Loudness || last == Last::Applied {
                    self.apply(effect, audio, &profile)?;
                }
            }
            if effect == Effect::Panning && self.recipe.width.effective_amount() > 0.0 {
                self.widen(audio, &mut profile)?;
            }
            progress((index + 1) as f64 / Effect::ALL.len() as f64);
        }
        Ok(Some(profile))
    }

    /// Measures the width that panning left, and applies what is missing.
    fn widen(&self, audio: &mut PaddedStem<'_>, profile: &mut StemProfile) -> Result<(), StoreError> {
        let (rate_hz, target) = (self.sample_rate_hz, self.targets.stem(self.stem));
        let correction = width::correction::correction(audio.stem, target, rate_hz)?;
        let amount = self.recipe.width.effective_amount();
        let mut matcher = WidthMatcher::fixed(Some(&correction), amount, self.stem, rate_hz);
        profile.width = Some(correction);
        stream(audio, 0, |hop| matcher.process(hop))
    }

    fn measure(
        &self,
        effect: Effect,
        audio: &mut dyn StemStore,
        profile: &mut StemProfile,
    ) -> Result<(), StoreError> {
        let (kind, rate_hz, target) = (self.recipe.kind, self.sample_rate_hz, self.targets.stem(self.stem));
        match effect {
            Effect::Equalization => {
                profile.equalization = Some(equalization::correction(audio, kind, target, rate_hz)?);
            }
            Effect::Dynamics => {
                profile.dynamics =
                    Some(dynamics::correction::correction(audio, kind, self.stem, target, rate_hz)?);
            }
            Effect::Panning => {
                profile.panning = Some(PanningCorrection { side: panning::measure_side(audio)? });
            }
            Effect::Loudness => {
                let gain_db = gain_to_lufs_db(audio, Sides::Both, target.loudness_lufs, kind, rate_hz)?;
                profile.loudness = Some(LoudnessCorrection { gain_db });
            }
        }
        Ok(())
    }

    /// Applies one effect through the matcher that the live chain uses, at the same hop positions: the result is the
    /// live one, bit for bit.
    fn apply(
        &self,
        effect: Effect,
        audio: &mut dyn StemStore,
        profile: &StemProfile,
    ) -> Result<(), StoreError> {
        let (kind, rate_hz, target) = (self.recipe.kind, self.sample_rate_hz, self.targets.stem(self.stem));
        let amount = self.recipe.effect(effect).effective_amount();
        match effect {
            Effect::Equalization => {
                let mut matcher = EqualizationMatcher::fixed(profile.equalization.as_ref(), amount);
                stream(audio, 1, |hop| matcher.process(hop))
            }
            Effect::Dynamics => {
                let correction = profile.dynamics.as_ref();
                let mut matcher = DynamicsMatcher::fixed(correction, amount, kind, self.stem, rate_hz);
                stream(audio, 0, |hop| matcher.process(hop))
            }
            Effect::Panning => {
                let limits = Limits::of(kind, self.stem, rate_hz);
                let mut matcher =
                    PanningMatcher::fixed(profile.panning.as_ref(), target, amount, limits, rate_hz)
                        .after_hops(LEADING_HOPS as u64);
                stream(audio, 1, |hop| matcher.process(hop))
            }
            Effect::Loudness => {
                let gain_db = profile.loudness.map(|loudness| loudness.gain_db);
                let mut matcher = LoudnessMatcher::fixed(gain_db, amount);
                stream(audio, 0, |hop| matcher.process(hop))
            }
        }
    }
}
