//! Every figure against a second computation with NumPy, SciPy, librosa and pyloudnorm: `data/evaluate_vectors.py` holds
//! the definitions written down independently and says how to make `data/evaluate_vectors.json` again.

use std::f64::consts::TAU;

use serde_json::Value;
use tributary_cli::evaluation::balance::{self, StemPowers, cells};
use tributary_cli::evaluation::catalog::Figure;
use tributary_cli::evaluation::portrait::{Matched, Portrait, judge};
use tributary_cli::evaluation::weighting::emphasize;
use tributary_cli::evaluation::{Options, RATE_HZ};
use tributary_dsp::StereoBuffer;

const VECTORS: &str = include_str!("data/evaluate_vectors.json");
/// 32-bit transforms against 64-bit ones.
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 2e-4;
/// Two implementations of BS.1770 differ by up to a hundredth of a LU; figures that depend on the level follow.
const LOUDNESS_LU: f64 = 0.01;
const LEVEL_RELATIVE: f64 = 6e-3;
const LEVEL_KEYS: [&str; 2] = ["loss_b", "stft_side_db"];

fn noise(seed: u32, frames: usize) -> Vec<f64> {
    let mut state = seed;
    (0..frames)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state) / 2_147_483_648.0 - 1.0
        })
        .collect()
}

type Signal = [Vec<f64>; 2];

/// The script's stems: a voice, a bass, noise bursts, a wide pad.
fn stems(frames: usize) -> [Signal; 4] {
    let times: Vec<f64> = (0..frames).map(|n| n as f64 / f64::from(RATE_HZ)).collect();
    let each = |f: &dyn Fn(f64) -> f64| -> Vec<f64> { times.iter().map(|&t| f(t)).collect() };
    let sine = |hz: f64, t: f64, phase: f64| (TAU * hz * t + phase).sin();
    let voice = each(&|t| {
        let vibrato = 0.3 * sine(5.0, t, 0.0);
        let partials: f64 = (1..9).map(|k| sine(311.0 * f64::from(k), t, vibrato) / f64::from(k)).sum();
        0.12 * partials * (0.55 + 0.45 * sine(0.8, t, 0.0))
    });
    let bass = each(&|t| {
        0.3 * sine(61.0, t, 0.5) * (0.6 + 0.4 * (TAU * 0.45 * t).cos()) + 0.1 * sine(122.0, t, 0.0)
    });
    let noises = [1, 2, 3, 4].map(|seed| noise(seed, frames));
    let burst = |n: usize| 0.3 * noises[0][n] * (-25.0 * (times[n] % 0.31)).exp();
    let drums = [
        (0..frames).map(burst).collect(),
        (0..frames).map(|n| 0.9 * burst(n) + 0.02 * noises[1][n]).collect(),
    ];
    let pad_left = |n: usize| {
        let t = times[n];
        0.08 * sine(440.0, t, 0.0) + 0.05 * sine(1320.5, t, 0.0) + 0.01 * noises[2][n]
    };
    let pad_right = |n: usize| {
        let t = times[n];
        0.05 * sine(440.0, t, 1.2) + 0.07 * sine(1990.0, t, 0.0) + 0.01 * noises[3][n]
    };
    let pad = [(0..frames).map(pad_left).collect(), (0..frames).map(pad_right).collect()];
    let voices = [voice.clone(), voice.iter().map(|x| 0.9 * x).collect()];
    [voices, [bass.clone(), bass], drums, pad]
}

fn mix(stems: &[Signal; 4], gain: impl Fn(usize, usize, usize) -> f64) -> StereoBuffer {
    let channel = |channel: usize| -> Vec<f32> {
        let sum = |n: usize| -> f64 { (0..4).map(|s| gain(s, channel, n) * stems[s][channel][n]).sum() };
        (0..stems[0][0].len()).map(|n| sum(n) as f32).collect()
    };
    StereoBuffer { left: channel(0), right: channel(1) }
}

#[test]
fn figures_equal_those_of_numpy_and_librosa() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let stems = stems(vectors["frames"].as_u64().expect("a number") as usize);
    let human = mix(&stems, |stem, _, _| [0.8, 0.7, 0.6, 1.0][stem]);
    let judged = mix(&stems, |stem, channel, n| {
        let moving = 1.0 + 0.4 * (TAU * 0.3 * n as f64 / f64::from(RATE_HZ)).sin();
        [0.5, 0.9, 0.7 * moving, 0.5][stem] * [1.0, 0.85][channel]
    });
    let options = Options::default();
    let [human, judged] = [human, judged].map(|audio| Matched::new(audio).expect("audible"));
    let portraits = [&human, &judged].map(|mix| Portrait::of(mix, &options).expect("measures"));
    let mut figures: Vec<Figure> = judge((&human, &portraits[0]), (&judged, &portraits[1]), &options);
    let buffers = [0, 1, 2, 3].map(|wanted| mix(&stems, |stem, _, _| if stem == wanted { 1.0 } else { 0.0 }));
    let powers = StemPowers::of(buffers.each_ref().map(Some));
    let [human_balance, balance] = [&human.audio, &judged.audio].map(|mix| powers.explain(&cells(mix)));
    figures.extend(balance::compare(&human_balance, &balance));

    let expected = vectors["figures"].as_object().expect("figures");
    let mut wrong = Vec::new();
    for (key, value) in expected {
        let value = value.as_f64().expect("a number");
        let found = figures.iter().find(|figure| figure.key == key).and_then(|figure| figure.distance);
        let found = found.unwrap_or_else(|| panic!("{key} is missing"));
        let tolerance = match key.as_str() {
            "integrated_lufs" => LOUDNESS_LU,
            key if LEVEL_KEYS.contains(&key) => LEVEL_RELATIVE * value.abs(),
            _ => RELATIVE * value.abs() + ABSOLUTE,
        };
        if (found - value).abs() > tolerance {
            wrong.push(format!("{key}: {found}, not {value}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(expected.len() > 45, "the script must cover the catalog");
}

#[test]
fn the_a_weighting_is_scipys_design() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let taps: Vec<f64> = vectors["a_weighting"]
        .as_array()
        .expect("taps")
        .iter()
        .map(|tap| tap.as_f64().expect("a number"))
        .collect();
    let mut impulse = vec![0.0; 400];
    impulse[200] = 1.0;
    let response = emphasize(&impulse);
    // The first tap stands 50 samples before the impulse; every further one carries 0.85 of the one before.
    let mut previous = 0.0;
    for (n, &tap) in taps.iter().enumerate() {
        let found = f64::from(response[150 + n]) - 0.85 * previous;
        assert!((found - tap).abs() < 1e-7, "tap {n}: {found}, not {tap}");
        previous = tap;
    }
}
