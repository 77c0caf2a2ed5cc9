//! Seams: hops are made one by one, and nothing of that may be heard. A sound that repeats every 64 frames gives the
//! network the same latent frame for ever, so what its mix does at the rate of the hops is the engine's doing.

use std::f64::consts::TAU;

use tributary_dsp::{CHANNELS, CorrectionSource};
use tributary_engine::{ModelBundle, Pipeline};

use crate::common::{Noise, repository};
use crate::networks::library;

/// Frames of one period: the network's frame ratio.
const PERIOD_FRAMES: usize = 64;
/// Time for the running estimates to settle.
const SETTLING_S: usize = 60;
/// Hops that are looked at, and lines of the hop rate on either side of each partial.
const HOPS: usize = 24;
const LINES: usize = 3;
/// Loudest line allowed, below the loudest partial.
const LIMIT_DB: f64 = -80.0;

/// Harmonics of 689 Hz, falling by 6 dB per octave, at phases and levels of their own on every channel.
fn stationary(frames: usize) -> [Vec<f32>; CHANNELS] {
    std::array::from_fn(|channel| {
        let mut noise = Noise(61 + channel as u64);
        let partials: Vec<(f64, f64, f64)> = (1..=12)
            .map(|harmonic| {
                let level = f64::from(1.0 + noise.sample()) / harmonic as f64;
                (harmonic as f64, 0.05 * level, f64::from(noise.sample()) * TAU / 2.0)
            })
            .collect();
        let period: Vec<f32> = (0..PERIOD_FRAMES)
            .map(|n| {
                let at = TAU * n as f64 / PERIOD_FRAMES as f64;
                partials
                    .iter()
                    .map(|(harmonic, level, phase)| level * (harmonic * at + phase).sin())
                    .sum::<f64>() as f32
            })
            .collect();
        (0..frames).map(|n| period[n % PERIOD_FRAMES]).collect()
    })
}

/// Magnitude at `cycles` per signal under a Hann window.
fn line(signal: &[f32], cycles: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &x) in signal.iter().enumerate() {
        let at = n as f64 / signal.len() as f64;
        let weight = 0.5 - 0.5 * (TAU * at).cos();
        let (sin, cos) = (TAU * (cycles * at).fract()).sin_cos();
        re += weight * f64::from(x) * cos;
        im += weight * f64::from(x) * sin;
    }
    re.hypot(im)
}

/// The loudest line at the hop rate's multiples, by themselves or beside a partial, in dB below the loudest partial.
fn seams_db(signal: &[f32], hop_frames: usize) -> f64 {
    assert_eq!(signal.len(), HOPS * hop_frames);
    let partial = |harmonic: usize| (harmonic * signal.len() / PERIOD_FRAMES) as f64;
    let loudest = (1..=12).map(|harmonic| line(signal, partial(harmonic))).fold(0.0, f64::max);
    let mut seams = 0.0_f64;
    for offset in (1..=LINES).map(|line| (line * HOPS) as f64) {
        seams = seams.max(line(signal, offset));
        for harmonic in [1, 2, 3, 6] {
            seams = seams.max(line(signal, partial(harmonic) - offset));
            seams = seams.max(line(signal, partial(harmonic) + offset));
        }
    }
    20.0 * (seams / loudest).log10()
}

#[test]
fn a_stationary_sound_shows_no_hops() {
    let Some(library) = library("seams::a_stationary_sound_shows_no_hops") else { return };
    let bundle = ModelBundle::open(repository("assets/models/default")).unwrap();
    let model = bundle.load_model(&library).unwrap().model;
    let hop_frames = bundle.geometry().hop_frames;
    assert_eq!(hop_frames % PERIOD_FRAMES, 0);
    let (recipe, targets, limiter) = (bundle.recipe(), bundle.targets(), bundle.contract().limiter);
    let mut pipeline =
        Pipeline::new(model, recipe, targets, CorrectionSource::Adaptive, limiter, 44_100.0).unwrap();
    let settled = SETTLING_S * 44_100 / hop_frames * hop_frames;
    let frames = settled + HOPS * hop_frames;
    let stems = stationary(frames);
    pipeline.push(std::array::from_fn(|channel| &stems[channel][..])).unwrap();
    pipeline.finish().unwrap();
    let mut mix = [vec![0.0; frames], vec![0.0; frames]];
    let [left, right] = &mut mix;
    assert_eq!(pipeline.pull_mix(&mut [left, right]), frames);
    for mut side in mix {
        let signal = &mut side[settled..];
        assert!(signal.iter().any(|x| x.abs() > 0.01), "there is a mix");
        let seams_db = seams_db(signal, hop_frames);
        eprintln!("lines at the hop rate: {seams_db:.1} dB");
        assert!(seams_db < LIMIT_DB, "{seams_db} dB");
        // The control: a ripple of a thousandth once per hop is seen.
        for (n, x) in signal.iter_mut().enumerate() {
            *x *= 1.0 + 1e-3 * (TAU * n as f64 / hop_frames as f64).cos() as f32;
        }
        let ripple_db = self::seams_db(signal, hop_frames);
        assert!((ripple_db + 66.0).abs() < 1.5, "a ripple of −66 dB reads {ripple_db}");
    }
}
