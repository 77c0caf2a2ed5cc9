//! How much of each effect is let through: the whole of it changes no bit, nothing of it leaves the stem as it came, and what
//! lies between is reached without a step.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::f64::consts::TAU;

use tributary_dsp::{
    Amounts, CHANNELS, CorrectionSource, FxNormalizer, Recipe, Stem, StemReading, StemsBlock, Targets,
};

const RATE_HZ: f64 = 44_100.0;
/// Of a sine's amplitude: −70 dB.
const STEP_LIMIT: f64 = 3.2e-4;
const SINE_HZ: f64 = 1_000.0;

/// Everything at full strength, the room included.
fn recipe() -> Recipe {
    let mut recipe = Recipe::default().with_width(1.0);
    recipe.reverb.enabled = true;
    recipe
}

fn normalizer(recipe: &Recipe) -> FxNormalizer {
    FxNormalizer::new(recipe, &Targets::default(), CorrectionSource::Adaptive, RATE_HZ, 512).unwrap()
}

/// The same stems on every channel pair, a little louder on the left.
fn stems(frames: usize, signal: impl Fn(usize) -> f64) -> Vec<Vec<f32>> {
    let side = |gain: f64| (0..frames).map(|n| (gain * signal(n)) as f32).collect();
    (0..CHANNELS).map(|channel| side(if channel % 2 == 0 { 0.5 } else { 0.4 })).collect()
}

fn note(n: usize) -> f64 {
    let decay = (-((n % 11_000) as f64) / 6_000.0).exp();
    decay * ((n as f64 * 0.031).sin() + 0.3 * (n as f64 * 0.17).sin())
}

/// Runs in place; `steer` is asked before each block of 300 frames.
fn run(
    normalizer: &mut FxNormalizer,
    channels: &mut [Vec<f32>],
    mut steer: impl FnMut(usize) -> (Amounts, bool),
) {
    let frames = channels[0].len();
    for start in (0..frames).step_by(300) {
        let (amounts, leave_alone) = steer(start);
        Stem::ALL.into_iter().for_each(|stem| normalizer.steer(stem, &amounts, leave_alone));
        if start == 0 {
            normalizer.arrive();
        }
        let end = frames.min(start + 300);
        let mut views = channels.iter_mut();
        let views = std::array::from_fn(|_| &mut views.next().unwrap()[start..end]);
        normalizer.process(&mut StemsBlock { channels: views });
    }
}

fn steered(recipe: &Recipe, dry: &[Vec<f32>], steer: impl FnMut(usize) -> (Amounts, bool)) -> Vec<Vec<f32>> {
    let mut channels = dry.to_vec();
    run(&mut normalizer(recipe), &mut channels, steer);
    channels
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_whole_of_everything_changes_no_bit() {
    let dry = stems(200_000, note);
    let mut plain = dry.clone();
    let frames = plain[0].len();
    let mut views = plain.iter_mut();
    let views = std::array::from_fn(|_| &mut views.next().unwrap()[..frames]);
    normalizer(&recipe()).process(&mut StemsBlock { channels: views });
    assert!(plain == steered(&recipe(), &dry, |_| (Amounts::FULL, false)));
}

#[test]
fn a_stem_that_is_left_alone_is_only_delayed_to_the_bit() {
    let dry = stems(100_000, note);
    let latency = normalizer(&recipe()).latency_samples();
    let alone = steered(&recipe(), &dry, |_| (Amounts::FULL, true));
    for (alone, dry) in alone.iter().zip(&dry) {
        assert!(alone[latency..] == dry[..dry.len() - latency]);
    }
    let mut normalizer = normalizer(&recipe());
    run(&mut normalizer, &mut dry.clone(), |_| (Amounts::FULL, true));
    assert_eq!(normalizer.normalize_readings(), [StemReading::default(); 4], "nothing is done to it");
    // Also once it is left alone while it plays.
    let dry = stems(200_000, note);
    let later = steered(&recipe(), &dry, |at| (Amounts::FULL, at > 50_000));
    for (later, dry) in later.iter().zip(&dry) {
        assert!(later[40_000] != dry[40_000 - latency]);
        assert!(later[120_000..] == dry[120_000 - latency..dry.len() - latency]);
    }
}

#[test]
fn nothing_of_everything_leaves_the_stem_as_it_came() {
    let dry = stems(200_000, note);
    let latency = normalizer(&recipe()).latency_samples();
    let none = steered(&recipe(), &dry, |_| (Amounts::all(0.0), false));
    for (none, dry) in none.iter().zip(&dry) {
        let worst = difference(&none[latency..], &dry[..dry.len() - latency]);
        assert!(worst < 1e-5, "{worst}");
    }
}

#[test]
fn half_of_a_gain_is_half_of_its_decibels() {
    let loudness = Recipe::default().with_amounts([0.0, 0.0, 0.0, 1.0]);
    let dry = stems(400_000, note);
    let level = |amount: f32| {
        let amounts = Amounts { loudness: amount, ..Amounts::FULL };
        let out = steered(&loudness, &dry, |_| (amounts, false));
        10.0 * out[0][300_000..].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().log10()
    };
    let [none, half, full] = [0.0, 0.5, 1.0].map(level);
    assert!((full - none).abs() > 3.0, "there is a gain: {none} {full}");
    assert!((half - (none + full) / 2.0).abs() < 0.05, "{none} {half} {full}");
}

/// The largest part of a sample that a sine's two samples before it do not foretell, against its amplitude.
fn largest_step(signal: &[f32], amplitude: f64) -> f64 {
    let turn = 2.0 * (TAU * SINE_HZ / RATE_HZ).cos();
    let surprise = |w: &[f32]| f64::from(w[2]) - turn * f64::from(w[1]) + f64::from(w[0]);
    signal.windows(3).map(|w| surprise(w).abs()).fold(0.0, f64::max) / amplitude
}

#[test]
fn no_amount_makes_a_step() {
    let dry = stems(400_000, |n| (TAU * SINE_HZ * n as f64 / RATE_HZ).sin());
    let settled = 200_000;
    let peak = |signal: &[f32]| f64::from(signal.iter().fold(0f32, |peak, x| peak.max(x.abs())));
    for name in Amounts::NAMES.into_iter().chain(["leave alone"]) {
        let jumps = |at: usize| at > settled && (at / 22_050) % 2 == 1;
        let out = steered(&recipe(), &dry, |at| {
            let mut amounts = Amounts::FULL;
            if let (true, Some(amount)) = (jumps(at), amounts.get_mut(name)) {
                *amount = 0.0;
            }
            (amounts, name == "leave alone" && jumps(at))
        });
        let still = steered(&recipe(), &dry, |_| (Amounts::FULL, false));
        assert!(difference(&out[0][settled..], &still[0][settled..]) > 1e-4, "{name} does something");
        let step = largest_step(&out[0][settled..], peak(&out[0][settled..]));
        let own = largest_step(&still[0][settled..], peak(&out[0][settled..]));
        assert!(step < STEP_LIMIT.max(1.1 * own), "{name}: {:.1} dB", 20.0 * step.log10());
    }
}
