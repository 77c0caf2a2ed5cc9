//! What normalization does to one song, for a picture: features of the stems before and after, and the compressor's gain
//! reduction over time. The stems are measured as whole files; the reduction is read off the live chain with the profile
//! found so, which is the same to the bit.

use anyhow::Result;
use tributary_dsp::normalizer::HOP_FRAMES;
use tributary_dsp::{
    CHANNELS, CorrectionSource, FxNormalizer, Session, SongProfile, Stem, StemStore, StemsBlock, WholeFile,
};

use crate::options::normalization::Normalization;
use crate::options::normalization::TRAINING_RATE_HZ;
use crate::plot::Curves;
use crate::plot::features::Features;

/// Points of a drawn gain reduction; each shows the largest of its stretch.
const REDUCTION_POINTS: usize = 400;

/// The stems of one song that are there, in stem order, at the rate of training and of one length.
pub type Stems<S> = [Option<S>; Stem::COUNT];

/// Raw stems with what was measured of them.
pub type Measured<S> = Stems<(Features, S)>;

/// Curves before and after, the latter with the gain reduction. `raw` is used up: its stems are normalized where they lie;
/// `again` holds the same stems raw.
///
/// # Errors
/// A recipe out of range, or the stems' storage.
pub fn curves<S: StemStore>(
    mut raw: Measured<S>,
    again: Stems<S>,
    normalization: &Normalization,
) -> Result<[Curves; 2]> {
    let Normalization { recipe, targets, .. } = normalization;
    let rate_hz = f64::from(TRAINING_RATE_HZ);
    let mut profile = SongProfile::default();
    let [mut before, mut after] =
        ["before", "after"].map(|name| Curves { name: name.into(), stems: Default::default() });
    let stores = raw.each_mut().map(|stem| stem.as_mut().map(|(_, store)| store as &mut dyn StemStore));
    let session = Session::measure(stores, recipe.kind, rate_hz)?;
    for (stem, measured) in Stem::ALL.into_iter().zip(raw) {
        let Some((features, mut store)) = measured else { continue };
        before.stems[stem.index()] = features.to_curves();
        profile.0[stem.index()] = WholeFile::new(stem, recipe, targets, rate_hz)?
            .in_session(&session)
            .normalize(&mut store, &mut |_| {})?;
        after.stems[stem.index()] = Features::measure(&mut store, recipe)?.to_curves();
    }
    let mut normalizer =
        FxNormalizer::new(recipe, targets, CorrectionSource::Fixed(profile), rate_hz, HOP_FRAMES)?;
    for (curves, points) in after.stems.iter_mut().zip(reductions(again, &mut normalizer)?) {
        if !curves.spectrum_db.is_empty() {
            curves.reduction_db = points;
        }
    }
    Ok([before, after])
}

/// `[s, dB]` per stem: the largest gain reduction in each of [`REDUCTION_POINTS`] stretches of the song.
fn reductions<S: StemStore>(
    mut stems: Stems<S>,
    normalizer: &mut FxNormalizer,
) -> Result<[Vec<[f64; 2]>; Stem::COUNT]> {
    let hops = stems.iter().flatten().map(StemStore::frames).min().unwrap_or(0) / HOP_FRAMES;
    let per_point = hops.div_ceil(REDUCTION_POINTS).max(1);
    let mut points: [Vec<[f64; 2]>; Stem::COUNT] = Default::default();
    let mut held = [0f32; Stem::COUNT];
    let mut channels = vec![[0f32; HOP_FRAMES]; CHANNELS];
    for hop in 0..hops {
        let start = hop * HOP_FRAMES;
        for (store, sides) in stems.iter_mut().zip(channels.chunks_exact_mut(2)) {
            let [left, right] = sides else { continue };
            match store {
                Some(store) => store.read(start, left, right)?,
                None => sides.iter_mut().for_each(|side| side.fill(0.0)),
            }
        }
        let mut views = channels.iter_mut();
        let views =
            std::array::from_fn(|_| views.next().map_or(&mut [] as &mut [f32], |channel| &mut channel[..]));
        normalizer.process(&mut StemsBlock { channels: views });
        for (held, reading) in held.iter_mut().zip(normalizer.normalize_readings()) {
            *held = held.max(reading.dynamics.map_or(0.0, |now| now.gain_reduction_db));
        }
        if (hop + 1) % per_point == 0 {
            let seconds = start as f64 / f64::from(TRAINING_RATE_HZ);
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
    use crate::options::normalization::NormalizationArgs;
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
        let features = Features::measure(&mut audio.clone(), &normalization.recipe).expect("in memory");
        let raw = [None, None, Some((features, audio.clone())), None];
        let [before, after] =
            curves(raw, [None, None, Some(audio), None], &normalization).expect("in memory");
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
