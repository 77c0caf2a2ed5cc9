//! The bank against the sums that define it, for every kind of vector that this processor has.

use super::*;
use crate::test_support::Noise;

const FRAMES: usize = 64 * 30;

fn archs() -> Vec<Arch> {
    let mut all = vec![Arch::Scalar, Arch::new()];
    #[cfg(target_arch = "x86_64")]
    all.extend(pulp::x86::V3::try_new().map(Arch::V3));
    all
}

fn noise(seed: u64, count: usize, peak: f32) -> Vec<f32> {
    let mut noise = Noise(seed);
    (0..count).map(|_| peak * noise.sample()).collect()
}

/// Filters that hear all channels, or – every third – only two of them.
fn weights(filters: usize, taps: usize) -> EndWeights {
    let mut analysis = noise(7, filters * CHANNELS * taps, 0.1);
    for filter in analysis.chunks_exact_mut(CHANNELS * taps).step_by(3) {
        filter[2 * taps..].fill(0.0);
    }
    EndWeights {
        filters,
        analysis,
        taps,
        smoothing: noise(8, filters * SMOOTHING_TAPS, 0.05),
        smoothing_taps: SMOOTHING_TAPS,
    }
}

fn largest_difference(found: &[f32], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(wanted).map(|(&found, wanted)| (f64::from(found) - wanted).abs()).fold(0.0, f64::max)
}

/// Bands (filters, frames + 128), by the definition.
fn bands_of(weights: &EndWeights, stems: &[f32]) -> Vec<f64> {
    let (length, taps) = (stems.len() / CHANNELS, weights.taps);
    let frames = length - 2 * MARGIN + 2 * FRAME_RATIO;
    let first = MARGIN - FRAME_RATIO - (taps - 1) / 2;
    let mut bands = vec![0.0; weights.filters * frames];
    for (band, filter) in bands.chunks_exact_mut(frames).zip(weights.analysis.chunks_exact(CHANNELS * taps)) {
        for (frame, sum) in band.iter_mut().enumerate() {
            for (channel, filter) in filter.chunks_exact(taps).enumerate() {
                let heard = &stems[channel * length + first + frame..];
                *sum += filter.iter().zip(heard).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
            }
        }
    }
    bands
}

/// Latents and levels (filters, frames / 64) of such bands.
fn latents_of(weights: &EndWeights, bands: &[f64]) -> [Vec<f64>; 2] {
    let (mut latent, mut level) = (Vec::new(), Vec::new());
    let rows = bands.chunks_exact(bands.len() / weights.filters);
    for (band, filter) in rows.zip(weights.smoothing.chunks_exact(SMOOTHING_TAPS)) {
        for column in 0..band.len() / FRAME_RATIO - 2 {
            let smooth = |frame: usize| -> f64 {
                filter.iter().zip(&band[frame..]).map(|(&tap, band)| f64::from(tap) * band.abs()).sum()
            };
            let frames = column * FRAME_RATIO..(column + 1) * FRAME_RATIO;
            let largest = frames.clone().map(smooth).fold(f64::NEG_INFINITY, f64::max);
            latent.push(largest.exp().ln_1p());
            let own = &band[frames.start + FRAME_RATIO..frames.end + FRAME_RATIO];
            level.push(own.iter().map(|band| band.abs()).sum::<f64>() / FRAME_RATIO as f64);
        }
    }
    [latent, level]
}

/// The mix (2, frames) of bands (filters, frames + 128) and a mask (filters, frames / 64 + 2).
fn mix_of(weights: &EndWeights, bands: &[f64], mask: &[f32]) -> Vec<f64> {
    let (length, taps) = (bands.len() / weights.filters, weights.taps);
    let (frames, columns) = (length - 2 * FRAME_RATIO, length / FRAME_RATIO);
    let before = (taps - 1) / 2;
    let mut mix = vec![0.0; 2 * frames];
    for (filter, band) in bands.chunks_exact(length).enumerate() {
        for (side, mix) in mix.chunks_exact_mut(frames).enumerate() {
            for tap in 0..taps {
                let weight: f64 = (0..CHANNELS / 2)
                    .map(|stem| {
                        f64::from(weights.analysis[(filter * CHANNELS + 2 * stem + side) * taps + tap])
                    })
                    .sum();
                for (n, sum) in mix.iter_mut().enumerate() {
                    let at = n + FRAME_RATIO + before - tap;
                    *sum += weight * band[at] * f64::from(mask[filter * columns + at / FRAME_RATIO]);
                }
            }
        }
    }
    mix.iter().map(|sum: &f64| sum.tanh()).collect()
}

#[test]
fn the_bank_makes_what_the_sums_say() {
    // More filters than any vector has lanes, and no whole number of packs; taps of even and odd number.
    for (filters, taps) in [(6, 5), (40, 64)] {
        let weights = weights(filters, taps);
        let stems = noise(9, CHANNELS * (FRAMES + 2 * MARGIN), 0.5);
        let bands = bands_of(&weights, &stems);
        let [latent, level] = latents_of(&weights, &bands);
        let mask: Vec<f32> =
            noise(10, filters * (FRAMES / FRAME_RATIO + 2), 0.2).iter().map(|m| m + 0.3).collect();
        let mix = mix_of(&weights, &bands, &mask);
        for arch in archs() {
            let bank = Arc::new(Bank::on(arch, &weights).expect("short filters"));
            let made = BankFront::new(Arc::clone(&bank)).run(&stems);
            let frames = FRAMES + 2 * FRAME_RATIO;
            let found: Vec<f32> = (0..filters).flat_map(|filter| made.bands.band(filter)).collect();
            assert_eq!(found.len(), filters * frames);
            let lanes = bank.lanes;
            for (what, found, wanted) in
                [("bands", &found, &bands), ("latent", &made.latent, &latent), ("level", &made.level, &level)]
            {
                let worst = largest_difference(found, wanted);
                assert!(worst < 2e-6, "{what}, {filters} filters, {lanes} lanes: {worst}");
            }
            let stretch = Stretch { runs: vec![(Some(&made.bands), 0..frames)] };
            let mut found = vec![0.0; 2 * FRAMES];
            let (left, right) = found.split_at_mut(FRAMES);
            BankBack::new(bank).run(&stretch, &mask, [left, right]);
            let worst = largest_difference(&found, &mix);
            assert!(worst < 2e-6, "mix, {filters} filters, {lanes} lanes: {worst}");
        }
    }
}

#[test]
fn silence_stays_silence_to_the_bit() {
    let bank = Arc::new(Bank::new(&weights(40, 64)).expect("short filters"));
    let made = BankFront::new(Arc::clone(&bank)).run(&vec![0.0; CHANNELS * (FRAMES + 2 * MARGIN)]);
    assert!(made.latent.iter().all(|&latent| latent == std::f32::consts::LN_2));
    assert!(made.level.iter().all(|&level| level == 0.0));
    let mask = vec![1.0; 40 * (FRAMES / FRAME_RATIO + 2)];
    let (mut left, mut right) = (vec![1.0; FRAMES], vec![1.0; FRAMES]);
    let stretch = Stretch { runs: vec![(Some(&made.bands), 0..FRAMES + 2 * FRAME_RATIO)] };
    BankBack::new(bank).run(&stretch, &mask, [&mut left, &mut right]);
    assert!(left.iter().chain(&right).all(|&sample| sample == 0.0));
}

#[test]
fn filters_that_reach_too_far_are_no_bank() {
    assert!(Bank::new(&weights(6, 129)).is_none());
    let short = EndWeights { smoothing_taps: 5, ..weights(6, 5) };
    assert!(Bank::new(&short).is_none());
}
