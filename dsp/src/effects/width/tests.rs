//! What width does to middle and side: the similarity of the average, a middle that stays, a low end that stays in it.

use super::*;
use crate::analysis::similarity::measure_phi;
use crate::block::StereoBuffer;
use crate::effects::width::bands::{band_weight, center_hz};
use crate::effects::width::correction::correction;
use crate::effects::width::meter::{WidthTarget, side_ratio_of, similarity_of};
use crate::filters::noise::uniform;
use crate::rules::RecipeKind;
use crate::store::for_each_hop;
use crate::targets::{FULL_BIN_HZ, Targets};
use crate::whole_file::stream;

const RATE_HZ: f64 = 44_100.0;

/// Noise, the side of which has this level (linear) against the middle.
fn noise(frames: usize, side: f32) -> StereoBuffer {
    let mut state = 1;
    let mut white = || (uniform(&mut state) - 0.5) as f32;
    let (left, right) = (0..frames)
        .map(|_| {
            let (mid, side) = (white(), side * white());
            (mid + side, mid - side)
        })
        .unzip();
    StereoBuffer { left, right }
}

fn widened(stem: Stem, audio: &StereoBuffer) -> (StereoBuffer, WidthCorrection) {
    widened_by(RecipeKind::Paper, stem, audio)
}

fn widened_by(kind: RecipeKind, stem: Stem, audio: &StereoBuffer) -> (StereoBuffer, WidthCorrection) {
    let target = Targets::default();
    let mut audio = audio.clone();
    let wanted = WidthTarget::of(kind, stem, target.stem(stem));
    let (found, _) = correction(&mut audio, &wanted, RATE_HZ).expect("memory");
    let mut matcher = WidthMatcher::fixed(Some(&found), 1.0, stem, RATE_HZ);
    stream(&mut audio, 0, |hop| matcher.process(hop)).expect("memory");
    (audio, found)
}

fn mean_phi(audio: &StereoBuffer, band: usize) -> f64 {
    let phi = measure_phi(&mut audio.clone(), RecipeKind::Paper).expect("memory");
    let bin = |factor: f64| (center_hz(band) * factor / FULL_BIN_HZ) as usize;
    let bins = &phi[bin(0.8)..bin(1.25)];
    bins.iter().sum::<f64>() / bins.len() as f64
}

#[test]
fn a_mono_stem_gets_the_similarity_of_the_average() {
    let audio = noise(30 * 44_100, 0.0);
    for stem in Stem::ALL {
        let (wide, _) = widened(stem, &audio);
        let targets = Targets::default();
        let target = targets.stem(stem);
        // In an octave the filter takes only some of all phases; over the octaves that evens out.
        let error = |band| mean_phi(&wide, band) - target.phi.at_hz(center_hz(band));
        let errors: Vec<f64> = (4..BANDS).map(error).collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        assert!(mean.abs() < 0.02 && errors.iter().all(|error| error.abs() < 0.05), "{stem}: {errors:?}");
    }
}

#[test]
fn the_middle_stays_and_the_low_end_stays_in_it() {
    let audio = noise(5 * 44_100, 0.0);
    let (wide, _) = widened(Stem::Other, &audio);
    let middles = audio.left.iter().zip(wide.left.iter().zip(&wide.right));
    assert!(middles.into_iter().all(|(mid, (left, right))| (0.5 * (left + right) - mid).abs() < 1e-6));
    let mut meter = WidthMeter::new(RATE_HZ);
    for_each_hop(&mut wide.clone(), |hop, _| meter.add(hop, Some(1.0))).expect("memory");
    let side_db = meter.powers().map(|[mid, side]| 10.0 * (side / mid).log10());
    assert!(side_db[0] < -18.0 && side_db[1] < -17.0, "{side_db:?}");
    assert!(side_db[4..].iter().all(|level| (-11.0..-5.0).contains(level)), "{side_db:?}");
}

#[test]
fn neither_side_becomes_louder() {
    let audio = noise(10 * 44_100, 0.0);
    for stem in Stem::ALL {
        let (wide, _) = widened(stem, &audio);
        let mut meter = WidthMeter::new(RATE_HZ);
        // Left and right in the places of middle and side.
        let swapped = StereoBuffer {
            left: wide.left.iter().zip(&wide.right).map(|(left, right)| left + right).collect(),
            right: wide.left.iter().zip(&wide.right).map(|(left, right)| left - right).collect(),
        };
        for_each_hop(&mut swapped.clone(), |hop, _| meter.add(hop, Some(1.0))).expect("memory");
        let lean_db = meter.powers().map(|[left, right]| 10.0 * (left / right).log10());
        assert!(lean_db.iter().all(|lean| lean.abs() < 1.5), "{stem}: {lean_db:?}");
    }
}

#[test]
fn a_wide_stem_passes_untouched() {
    let audio = noise(5 * 44_100, 1.0);
    for stem in Stem::ALL {
        let (wide, found) = widened(stem, &audio);
        assert_eq!(found.gains, [0.0; BANDS]);
        assert!(wide.left == audio.left && wide.right == audio.right);
    }
}

#[test]
fn half_the_width_is_completed() {
    let (_, from_mono) = widened(Stem::Drums, &noise(5 * 44_100, 0.0));
    let (_, from_half) = widened(Stem::Drums, &noise(5 * 44_100, 0.2));
    for band in 4..BANDS {
        let expected = (from_mono.gains[band].powi(2) - 0.04).sqrt();
        assert!((from_half.gains[band] - expected).abs() < 0.02, "band {band}");
    }
}

#[test]
fn the_running_estimate_settles_to_the_whole_files_gains() {
    let audio = noise(30 * 44_100, 0.1);
    let targets = Targets::default();
    let (_, found) = widened(Stem::Other, &audio);
    let wanted = WidthTarget::of(RecipeKind::Paper, Stem::Other, targets.stem(Stem::Other));
    let mut matcher = WidthMatcher::adaptive(wanted, 1.0, Stem::Other, RATE_HZ);
    let fresh = matcher.reading();
    stream(&mut audio.clone(), 0, |hop| matcher.process(hop)).expect("memory");
    for (band, (live, whole)) in matcher.gains.iter().zip(&found.gains).enumerate() {
        assert!((live - whole).abs() < 0.02, "band {band}: {live} {whole}");
    }
    assert!(fresh.is_none() && matcher.reading().is_some_and(|reading| reading.added_side > 0.2));
}

#[test]
fn similarity_falls_as_the_side_grows_and_is_inverted() {
    assert!((similarity_of(0.0) - 1.0).abs() < 1e-12);
    for phi in [0.99, 0.95, 0.9, 0.85, 0.8] {
        assert!((similarity_of(side_ratio_of(phi)) - phi).abs() < 1e-4, "{phi}");
    }
    assert!(side_ratio_of(1.0) < 1e-6);
}

#[test]
fn the_bands_add_up_to_one_filter() {
    for hz in [10.0, 62.5, 80.0, 123.0, 1_000.0, 7_777.0, 22_000.0] {
        let sum: f64 = (0..BANDS).map(|band| band_weight(band, hz)).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{hz}: {sum}");
    }
}

#[test]
fn what_has_been_placed_stays_as_it_is_and_what_was_mono_is_widened() {
    let side_of = |level_db: f32| 10f32.powf(level_db / 20.0);
    let by = |stem, audio: &StereoBuffer| widened_by(RecipeKind::Tributary, stem, audio);
    for stem in [Stem::Vocals, Stem::Drums, Stem::Other] {
        let mono = noise(10 * 44_100, side_of(-60.0));
        assert_eq!(by(stem, &mono).1, widened(stem, &mono).1, "{stem}: nobody has placed it");
        let placed = noise(10 * 44_100, side_of(-22.0));
        assert!(
            widened(stem, &placed).1.gains.iter().any(|gain| *gain > 0.02),
            "{stem}: the paper's rules widen it"
        );
        let (audio, found) = by(stem, &placed);
        assert_eq!((audio, found.gains), (placed, [0.0; BANDS]), "{stem}");
        let between = noise(10 * 44_100, side_of(-37.5));
        let (half, whole) = (by(stem, &between).1.gains[6], widened(stem, &between).1.gains[6]);
        assert!((half / whole - 0.5).abs() < 0.1, "{stem}: {half} of {whole}");
    }
    let mono = noise(10 * 44_100, 0.0);
    assert_eq!(by(Stem::Bass, &mono).0, mono, "the bass stays in the middle");
}

#[test]
fn live_a_placed_stem_is_left_alone_to_the_bit() {
    let target = Targets::default();
    for (side, changes) in [(0.1, false), (0.0, true)] {
        let wanted = WidthTarget::of(RecipeKind::Tributary, Stem::Other, target.stem(Stem::Other));
        let mut matcher = WidthMatcher::adaptive(wanted, 1.0, Stem::Other, RATE_HZ);
        let audio = noise(10 * 44_100, side);
        let mut played = audio.clone();
        stream(&mut played, 0, |hop| matcher.process(hop)).expect("memory");
        assert_eq!(played != audio, changes, "side {side}");
    }
}
