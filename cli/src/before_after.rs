//! What normalization does to one song, for a picture: features of the stems before and after, and the compressor's gain
//! reduction over time. The stems are measured as whole files; the reduction is read off the live chain with the profile
//! found so, which is the same to the bit.

use anyhow::Result;
use tributary_dsp::normalizer::HOP_FRAMES;
use tributary_dsp::{
    CHANNELS, Effect, Feature, FxNormalizer, ProfileSource, SongProfile, Stem, StemStore, StemsBlock,
    measure_feature_of, normalize_in_place,
};

use crate::normalization::Normalization;
use crate::plot::{self, Curves, StemCurves};

/// Points of a drawn gain reduction; each shows the largest of its stretch.
const REDUCTION_POINTS: usize = 400;

/// The stems of one song that are there, in stem order.
pub type Stems<S> = [Option<S>; Stem::COUNT];

/// Curves before and after, the latter with the gain reduction. `read` hands over the raw stems, twice.
///
/// # Errors
/// A recipe out of range, or the stems' storage.
pub fn curves<S: StemStore>(
    read: impl Fn() -> Result<Stems<S>>,
    normalization: &Normalization,
    sample_rate_hz: f64,
) -> Result<[Curves; 2]> {
    let Normalization { recipe, targets, .. } = normalization;
    let mut profile = SongProfile::default();
    let [mut before, mut after] =
        ["before", "after"].map(|name| Curves { name: name.into(), stems: Default::default() });
    for (stem, store) in Stem::ALL.into_iter().zip(read()?) {
        let Some(mut store) = store else { continue };
        before.stems[stem.index()] = features(&mut store, normalization, sample_rate_hz)?;
        let found = normalize_in_place(stem, &mut store, recipe, targets, sample_rate_hz, &mut |_| {})?;
        profile.0[stem.index()] = found;
        after.stems[stem.index()] = features(&mut store, normalization, sample_rate_hz)?;
    }
    let source = ProfileSource::Fixed(profile);
    let mut normalizer = FxNormalizer::new(recipe, targets, source, sample_rate_hz, HOP_FRAMES)?;
    for (curves, points) in after.stems.iter_mut().zip(reductions(read()?, &mut normalizer, sample_rate_hz)?)
    {
        if !curves.spectrum_db.is_empty() {
            curves.reduction_db = points;
        }
    }
    Ok([before, after])
}

fn features(
    store: &mut dyn StemStore,
    normalization: &Normalization,
    sample_rate_hz: f64,
) -> Result<StemCurves> {
    let mut curves = StemCurves::default();
    let at = |bin: usize| bin as f64 * sample_rate_hz / 65_536.0;
    for effect in Effect::ALL {
        match measure_feature_of(effect, store, &normalization.recipe, sample_rate_hz)? {
            None => {}
            Some(Feature::Spectrum(bins)) => {
                let level = |magnitude: f64| 20.0 * magnitude.max(1e-10).log10();
                let points: Vec<_> =
                    bins.iter().enumerate().map(|(bin, &magnitude)| [at(bin), level(magnitude)]).collect();
                curves.spectrum_db = plot::smooth(&points);
            }
            Some(Feature::Phi(bins)) => {
                let points: Vec<_> = bins.iter().enumerate().map(|(bin, &phi)| [at(bin), phi]).collect();
                curves.phi = plot::smooth(&points);
            }
            Some(Feature::Peaks { peak_db, peak_std_db }) => {
                (curves.peak_db, curves.peak_std_db) = (Some(peak_db), Some(peak_std_db));
            }
            Some(Feature::Loudness(lufs)) => curves.loudness_lufs = Some(lufs),
        }
    }
    Ok(curves)
}

/// `[s, dB]` per stem: the largest gain reduction in each of [`REDUCTION_POINTS`] stretches of the song.
fn reductions<S: StemStore>(
    mut stems: Stems<S>,
    normalizer: &mut FxNormalizer,
    sample_rate_hz: f64,
) -> Result<[Vec<[f64; 2]>; Stem::COUNT]> {
    let frames = stems.iter().flatten().map(StemStore::frames).max().unwrap_or(0);
    let hops = frames / HOP_FRAMES;
    let per_point = hops.div_ceil(REDUCTION_POINTS).max(1);
    let mut points: [Vec<[f64; 2]>; Stem::COUNT] = Default::default();
    let mut held = [0f32; Stem::COUNT];
    let mut channels = vec![[0f32; HOP_FRAMES]; CHANNELS];
    for hop in 0..hops {
        for (store, sides) in stems.iter_mut().zip(channels.chunks_exact_mut(2)) {
            let [left, right] = sides else { continue };
            let Some(store) = store else { continue };
            let start = hop * HOP_FRAMES;
            let count = store.frames().saturating_sub(start).min(HOP_FRAMES);
            left[count..].fill(0.0);
            right[count..].fill(0.0);
            store.read(start.min(store.frames()), &mut left[..count], &mut right[..count])?;
        }
        let mut views = channels.iter_mut();
        let views =
            std::array::from_fn(|_| views.next().map_or(&mut [] as &mut [f32], |channel| &mut channel[..]));
        normalizer.process(&mut StemsBlock { channels: views });
        for (held, reading) in held.iter_mut().zip(normalizer.normalize_readings()) {
            *held = held.max(reading.gain_reduction_db);
        }
        if (hop + 1) % per_point == 0 {
            let seconds = (hop * HOP_FRAMES) as f64 / sample_rate_hz;
            for (points, held) in points.iter_mut().zip(&mut held) {
                points.push([seconds, -f64::from(std::mem::take(held))]);
            }
        }
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalization::NormalizationArgs;
    use tributary_dsp::StereoBuffer;

    #[test]
    fn a_song_comes_nearer_to_its_targets_and_is_compressed() {
        // A drum-like stem: strong strokes over a low murmur, so that its peaks stand out too far.
        let stroke = |n: usize| {
            let since = n % 22_050;
            let level = if (n / 22_050).is_multiple_of(4) { 0.9 } else { 0.1 };
            level * (-(since as f32) / 1_500.0).exp() * (since as f32 * 0.3).sin()
        };
        let side: Vec<f32> = (0..10 * 44_100).map(stroke).collect();
        let audio = StereoBuffer { left: side.clone(), right: side };
        let normalization = NormalizationArgs::of_recipe(Some("paper".into())).resolve().expect("built in");
        let read = || Ok([None, None, Some(audio.clone()), None]);
        let [before, after] = curves(read, &normalization, 44_100.0).expect("in memory");
        let target = normalization.targets.stem(Stem::Drums);
        let (before, after) = (&before.stems[2], &after.stems[2]);
        let loudness = after.loudness_lufs.expect("audible");
        assert!((loudness - target.loudness_lufs).abs() < 0.1, "{loudness}");
        assert!(before.reduction_db.is_empty());
        let deepest = after.reduction_db.iter().fold(0f64, |deepest, point| deepest.min(point[1]));
        assert!(deepest < -1.0, "{deepest}");
        assert!(!before.spectrum_db.is_empty() && !after.phi.is_empty());
    }
}
