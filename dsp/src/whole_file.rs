//! Whole-file normalization, as published: measure a feature on the complete stem as the earlier effects left it, apply
//! the correction through the streaming matchers, go on with the next effect.

use crate::block::StereoBuffer;
use crate::delay::{HOP_FRAMES, Hop};
use crate::dynamics::DynamicsMatcher;
use crate::equalization::EqualizationMatcher;
use crate::loudness::LoudnessMatcher;
use crate::normalizer::{NormalizerError, StemChain, check, sanitize};
use crate::panning::{Limits, PanningMatcher};
use crate::profile::{LoudnessCorrection, PanningCorrection, SongProfile, StemProfile};
use crate::recipe::{Effect, Recipe};
use crate::reverb::ReverbSend;
use crate::stem::Stem;
use crate::targets::{Curve, FULL_BIN_HZ, FULL_BINS, Targets};
use crate::units::db_from_gain;
use crate::{dynamics, equalization, loudness, panning, similarity};

/// One feature of one stem.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// Mean magnitude of the 65,536-point transform at −30 LUFS, [`FULL_BINS`] values, linear.
    Spectrum(Vec<f64>),
    /// Onset peaks of the stem peak-normalized to −10 dBFS.
    Peaks {
        /// Mean of the loudest quarter, in dBFS.
        peak_db: f64,
        /// Their standard deviation, in dB.
        peak_std_db: f64,
    },
    /// Left/right similarity, [`FULL_BINS`] values, 0 to 1.
    Phi(Vec<f64>),
    /// Integrated loudness in LUFS.
    Loudness(f64),
}

/// Stems whose peak is at or below this are left alone.
const QUIETEST_PEAK_DB: f64 = -50.0;

/// Whether the peak of these channels lies at or below −50 dBFS.
pub(crate) fn too_quiet(channels: &[&[f32]]) -> bool {
    let peak = channels.iter().flat_map(|side| side.iter()).fold(0f32, |peak, sample| peak.max(sample.abs()));
    db_from_gain(f64::from(peak)) <= QUIETEST_PEAK_DB
}

/// Measures the feature of one effect on a stem, as the data-set averages are made; `None` when the stem is silent, too
/// quiet (peak at or below −50 dBFS) or, for dynamics, has no onset. Features are meant to be measured on the stem as
/// the earlier effects left it.
///
/// # Errors
/// A recipe or sample rate out of range.
pub fn measure_feature(
    effect: Effect,
    audio: &StereoBuffer,
    recipe: &Recipe,
    sample_rate_hz: f64,
) -> Result<Option<Feature>, NormalizerError> {
    check(recipe, &Targets::default(), sample_rate_hz)?;
    let padded = PaddedStem::new(audio);
    let sides = padded.sides();
    if too_quiet(&sides) {
        return Ok(None);
    }
    Ok(match effect {
        Effect::Equalization => {
            Some(Feature::Spectrum(equalization::measure(sides, recipe.kind, sample_rate_hz)))
        }
        Effect::Dynamics => {
            dynamics::measure(sides).map(|[peak_db, peak_std_db]| Feature::Peaks { peak_db, peak_std_db })
        }
        Effect::Panning => Some(Feature::Phi(similarity::measure_phi(sides, recipe.kind))),
        Effect::Loudness => loudness::measure(&sides, recipe.kind, sample_rate_hz).map(Feature::Loudness),
    })
}

/// Measures one song: the corrections that bring each stem to its targets. `progress` hears values from 0 to 1. Silent
/// and very quiet stems get no profile and pass untouched.
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
            let pass = WholeFile { stem, recipe, targets, sample_rate_hz };
            let mut audio = PaddedStem::new(audio);
            let mut report = |share: f64| progress((stem.index() as f64 + share) / Stem::COUNT as f64);
            song.0[stem.index()] = pass.run(&mut audio, Last::Measured, &mut report);
        }
        progress((stem.index() + 1) as f64 / Stem::COUNT as f64);
    }
    Ok(song)
}

/// Normalizes one complete stem; the result has the input's length and no delay, and comes with the profile that made
/// it.
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
    check(recipe, targets, sample_rate_hz)?;
    let mut audio = PaddedStem::new(audio);
    let pass = WholeFile { stem, recipe, targets, sample_rate_hz };
    let profile = pass.run(&mut audio, Last::Applied, &mut |_| {});
    Ok((audio.cropped(), profile.unwrap_or_default()))
}

/// Hops before and after a stem that receive what the effects' filters spread beyond its ends. Later effects hear it,
/// as they do live and in the released code, which pads files with zeros and crops them last.
const LEADING_HOPS: usize = 1;
const TRAILING_HOPS: usize = StemChain::LATENCY_HOPS;

/// A complete stem between stretches of silence.
#[derive(Debug)]
struct PaddedStem {
    audio: StereoBuffer,
    frames: usize,
}

impl PaddedStem {
    /// Sides of equal length, with the treatment of bad samples that the live chain gives.
    fn new(audio: &StereoBuffer) -> Self {
        let frames = audio.frames();
        let total = (LEADING_HOPS + frames.div_ceil(HOP_FRAMES) + TRAILING_HOPS) * HOP_FRAMES;
        let side = |samples: &[f32]| {
            let mut padded = Vec::with_capacity(total);
            padded.resize(LEADING_HOPS * HOP_FRAMES, 0.0);
            padded.extend_from_slice(&samples[..frames]);
            padded.resize(total, 0.0);
            padded
        };
        let mut audio = StereoBuffer { left: side(&audio.left), right: side(&audio.right) };
        stream(&mut audio, 0, sanitize);
        Self { audio, frames }
    }

    fn range(&self) -> std::ops::Range<usize> {
        LEADING_HOPS * HOP_FRAMES..LEADING_HOPS * HOP_FRAMES + self.frames
    }

    /// The stem itself.
    fn sides(&self) -> [&[f32]; 2] {
        [&self.audio.left[self.range()], &self.audio.right[self.range()]]
    }

    fn cropped(mut self) -> StereoBuffer {
        let range = self.range();
        for side in [&mut self.audio.left, &mut self.audio.right] {
            side.truncate(range.end);
            side.drain(..range.start);
        }
        self.audio
    }
}

/// Runs a hop processor over a complete stem and removes its delay.
pub fn stream(audio: &mut StereoBuffer, latency_hops: usize, mut process: impl FnMut(&mut Hop)) {
    let frames = audio.frames();
    let mut hop = Hop::SILENT;
    for index in 0..frames.div_ceil(HOP_FRAMES) + latency_hops {
        hop.left.fill(0.0);
        hop.right.fill(0.0);
        let input = (index * HOP_FRAMES).min(frames)..((index + 1) * HOP_FRAMES).min(frames);
        hop.left[..input.len()].copy_from_slice(&audio.left[input.clone()]);
        hop.right[..input.len()].copy_from_slice(&audio.right[input]);
        process(&mut hop);
        let Some(index) = index.checked_sub(latency_hops) else { continue };
        let output = index * HOP_FRAMES..((index + 1) * HOP_FRAMES).min(frames);
        let count = output.len();
        audio.left[output.clone()].copy_from_slice(&hop.left[..count]);
        audio.right[output].copy_from_slice(&hop.right[..count]);
    }
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
    fn run(&self, audio: &mut PaddedStem, last: Last, progress: &mut dyn FnMut(f64)) -> Option<StemProfile> {
        if too_quiet(&audio.sides()) {
            return None;
        }
        let mut profile = StemProfile::default();
        if let Some(mut reverb) = ReverbSend::of(self.stem, &self.recipe.reverb, self.sample_rate_hz) {
            stream(&mut audio.audio, 0, |hop| reverb.process(hop));
        }
        for (index, effect) in Effect::ALL.into_iter().enumerate() {
            if self.recipe.effect(effect).effective_amount() > 0.0 {
                self.measure(effect, audio.sides(), &mut profile);
                if effect != Effect::Loudness || last == Last::Applied {
                    self.apply(effect, &mut audio.audio, &profile);
                }
            }
            progress((index + 1) as f64 / Effect::ALL.len() as f64);
        }
        Some(profile)
    }

    fn measure(&self, effect: Effect, sides: [&[f32]; 2], profile: &mut StemProfile) {
        let (kind, rate_hz, target) = (self.recipe.kind, self.sample_rate_hz, self.targets.stem(self.stem));
        match effect {
            Effect::Equalization => {
                profile.equalization = Some(equalization::correction(sides, kind, target, rate_hz));
            }
            Effect::Dynamics => {
                profile.dynamics = Some(dynamics::correction(sides, kind, self.stem, target, rate_hz));
            }
            Effect::Panning => {
                profile.panning = Some(PanningCorrection { side: panning::measure_side(sides) });
            }
            Effect::Loudness => {
                let gain_db = loudness::gain_to_lufs_db(&sides, target.loudness_lufs, kind, rate_hz);
                profile.loudness = Some(LoudnessCorrection { gain_db });
            }
        }
    }

    /// Applies one effect through the matcher that the live chain uses, at the same hop positions: the result is the
    /// live one, bit for bit.
    fn apply(&self, effect: Effect, audio: &mut StereoBuffer, profile: &StemProfile) {
        let (kind, rate_hz, target) = (self.recipe.kind, self.sample_rate_hz, self.targets.stem(self.stem));
        let amount = self.recipe.effect(effect).effective_amount();
        match effect {
            Effect::Equalization => {
                let mut matcher = EqualizationMatcher::fixed(profile.equalization.as_ref(), amount);
                stream(audio, 1, |hop| matcher.process(hop));
            }
            Effect::Dynamics => {
                let correction = profile.dynamics.as_ref();
                let mut matcher = DynamicsMatcher::fixed(correction, amount, kind, self.stem, rate_hz);
                stream(audio, 0, |hop| matcher.process(hop));
            }
            Effect::Panning => {
                let limits = Limits::of(kind, self.stem, rate_hz);
                let mut matcher =
                    PanningMatcher::fixed(profile.panning.as_ref(), target, amount, limits, rate_hz)
                        .after_hops(LEADING_HOPS as u64);
                stream(audio, 1, |hop| matcher.process(hop));
            }
            Effect::Loudness => {
                let gain_db = profile.loudness.map(|loudness| loudness.gain_db);
                let mut matcher = LoudnessMatcher::fixed(gain_db, amount);
                stream(audio, 0, |hop| matcher.process(hop));
            }
        }
    }
}

/// Averages features of many songs into targets.
#[derive(Debug, Clone)]
pub struct TargetsBuilder {
    targets: Targets,
    sums: [[Option<(u32, Feature)>; Effect::ALL.len()]; Stem::COUNT],
}

impl TargetsBuilder {
    /// Starts from targets whose values stand in for features that no song has.
    pub fn new(start: Targets) -> Self {
        Self { targets: start, sums: std::array::from_fn(|_| std::array::from_fn(|_| None)) }
    }

    /// Adds one song's feature of one stem.
    pub fn add(&mut self, stem: Stem, feature: &Feature) {
        let effect = match feature {
            Feature::Spectrum(_) => Effect::Equalization,
            Feature::Peaks { .. } => Effect::Dynamics,
            Feature::Phi(_) => Effect::Panning,
            Feature::Loudness(_) => Effect::Loudness,
        };
        match &mut self.sums[stem.index()][effect as usize] {
            Some((count, sum)) => {
                *count += 1;
                accumulate(sum, feature);
            }
            empty => *empty = Some((1, feature.clone())),
        }
    }

    /// The averages so far. Features are measured in sequence, so this is asked after each effect's pass.
    pub fn targets(&self) -> Targets {
        let mut targets = self.targets.clone();
        for stem in Stem::ALL {
            let averages = targets.stem_mut(stem);
            for (count, sum) in self.sums[stem.index()].iter().flatten() {
                let count = f64::from(*count);
                match sum {
                    Feature::Spectrum(sum) => {
                        averages.spectrum =
                            sixth_octaves(sum, |mean| 20.0 * (mean / count).max(1e-9).log10());
                    }
                    Feature::Peaks { peak_db, peak_std_db } => {
                        averages.peak_db = peak_db / count;
                        averages.peak_std_db = peak_std_db / count;
                    }
                    Feature::Phi(sum) => averages.phi = sixth_octaves(sum, |mean| mean / count),
                    Feature::Loudness(sum) => averages.loudness_lufs = sum / count,
                }
            }
        }
        targets
    }
}

fn accumulate(sum: &mut Feature, feature: &Feature) {
    match (sum, feature) {
        (Feature::Spectrum(sum), Feature::Spectrum(values)) | (Feature::Phi(sum), Feature::Phi(values)) => {
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        (Feature::Peaks { peak_db, peak_std_db }, Feature::Peaks { peak_db: peak, peak_std_db: std }) => {
            *peak_db += peak;
            *peak_std_db += std;
        }
        (Feature::Loudness(sum), Feature::Loudness(value)) => *sum += value,
        _ => {}
    }
}

/// Averages full-resolution values over sixth-octave bands from 11 Hz to the Nyquist frequency.
fn sixth_octaves(values: &[f64], convert: impl Fn(f64) -> f64) -> Curve {
    let points = (-39..=26).filter_map(|band| {
        let center_hz = 1000.0 * 2f64.powf(f64::from(band) / 6.0);
        let edge = |sixths: f64| (center_hz * 2f64.powf(sixths / 12.0) / FULL_BIN_HZ).ceil() as usize;
        let (low, high) = (edge(-1.0), edge(1.0).min(FULL_BINS).min(values.len()));
        (low < high).then(|| {
            let mean = values[low..high].iter().sum::<f64>() / (high - low) as f64;
            [center_hz, convert(mean)]
        })
    });
    Curve::Points(points.collect())
}
