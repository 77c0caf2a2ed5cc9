//! Alignment, quality and partition independence of the resampler.

use tributary_dsp::StereoBuffer;

use super::*;
use crate::resample::{convert, lookahead_frames};

/// Rates hosts use, and some nobody should.
const RATES_HZ: [f64; 14] = [
    8_000.0, 11_025.0, 16_000.0, 22_050.0, 32_000.0, 44_100.0, 44_056.0, 47_999.0, 48_000.0, 88_200.0,
    96_000.0, 176_400.0, 192_000.0, 768_000.0,
];

fn run(from_hz: f64, to_hz: f64, input: &[f32], piece: usize) -> Vec<f32> {
    let mut resampler = Resampler::<2>::new(from_hz, to_hz).unwrap();
    let mut output = Vec::new();
    for part in input.chunks(piece) {
        resampler.process([part, part], |made| {
            assert_eq!(made[0], made[1]);
            output.extend_from_slice(made[0]);
        });
    }
    output
}

/// A band-limited pulse (Gaussian, well below both Nyquist rates) centered on a time in seconds.
fn pulse(rate_hz: f64, center_s: f64, width_s: f64, seconds: f64) -> Vec<f32> {
    let frames = (rate_hz * seconds) as usize;
    let value = |n: usize| (-0.5 * ((n as f64 / rate_hz - center_s) / width_s).powi(2)).exp();
    (0..frames).map(|n| value(n) as f32).collect()
}

#[test]
fn output_times_are_exact_at_every_rate() {
    for rate_hz in RATES_HZ {
        for (from_hz, to_hz) in [(rate_hz, 44_100.0), (44_100.0, rate_hz)] {
            let output = run(from_hz, to_hz, &pulse(from_hz, 0.1, 1e-3, 0.25), 1000);
            let expected = pulse(to_hz, 0.1, 1e-3, 0.25);
            let worst = output.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
            // The steepest slope of the pulse is 0.6 / 1 ms: an error of 0.02 frames at the lower rate would show as
            // 0.012 / (1 ms · rate).
            let limit = 0.02 * 0.6 / (1e-3 * from_hz.min(to_hz)) as f32;
            assert!(worst < limit, "{from_hz} → {to_hz}: worst {worst}, limit {limit}");
            assert!(output.len() as f64 > 0.2 * to_hz, "{from_hz} → {to_hz}: {} frames", output.len());
        }
    }
}

#[test]
fn a_sine_comes_through_clean() {
    for (from_hz, to_hz) in
        [(48_000.0, 44_100.0), (44_100.0, 48_000.0), (44_100.0, 96_000.0), (47_999.0, 44_100.0)]
    {
        let sine = |rate_hz: f64| {
            move |n: usize| ((n as f64 / rate_hz * 10_000.0 * std::f64::consts::TAU).sin() * 0.5) as f32
        };
        let input: Vec<f32> = (0..48_000).map(sine(from_hz)).collect();
        let output = run(from_hz, to_hz, &input, 480);
        let (mut error, mut power) = (0.0_f64, 0.0_f64);
        for (n, &x) in output.iter().enumerate().skip(2000) {
            let wanted = f64::from(sine(to_hz)(n));
            error += (f64::from(x) - wanted).powi(2);
            power += wanted.powi(2);
        }
        let sdr_db = 10.0 * (power / error).log10();
        // At 47,999 Hz no output phase meets an input frame: what remains is an offset of 0.0001 frames, not noise.
        let limit_db = if from_hz == 47_999.0 { 75.0 } else { 85.0 };
        assert!(sdr_db > limit_db, "{from_hz} → {to_hz}: {sdr_db:.1} dB");
    }
}

/// Level of a sine after going to the model's rate and back, in dB.
fn there_and_back_db(rate_hz: f64, frequency_hz: f64) -> f64 {
    let sine = |n: usize| (n as f64 / rate_hz * frequency_hz * std::f64::consts::TAU).sin() as f32;
    let input: Vec<f32> = (0..rate_hz as usize / 2).map(sine).collect();
    let back = run(44_100.0, rate_hz, &run(rate_hz, 44_100.0, &input, 1000), 1000);
    let power = |x: &[f32]| x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64;
    let middle = back.len() / 4..back.len() * 3 / 4;
    10.0 * (power(&back[middle.clone()]) / power(&input[middle])).log10()
}

#[test]
fn what_is_heard_passes_there_and_back() {
    for rate_hz in [48_000.0, 88_200.0, 96_000.0] {
        let levels = [1_000.0, 15_000.0, 19_000.0, 20_000.0, 21_000.0]
            .map(|frequency_hz| there_and_back_db(rate_hz, frequency_hz));
        println!("{rate_hz} Hz: {levels:.2?} dB at 1, 15, 19, 20, 21 kHz");
        assert!(levels[..4].iter().all(|level| level.abs() < 0.1), "{rate_hz}: {levels:?}");
    }
}

#[test]
fn pieces_do_not_matter_and_reset_is_fresh() {
    let input = pulse(48_000.0, 0.03, 1e-4, 0.1);
    let whole = run(48_000.0, 44_100.0, &input, input.len());
    for piece in [1, 7, 64, 100, 1023] {
        assert_eq!(whole, run(48_000.0, 44_100.0, &input, piece), "pieces of {piece}");
    }
    let mut resampler = Resampler::<2>::new(48_000.0, 44_100.0).unwrap();
    resampler.process([&input[..777], &input[..777]], |_| {});
    resampler.reset();
    let mut again = Vec::new();
    resampler.process([&input, &input], |made| again.extend_from_slice(made[0]));
    assert_eq!(whole, again);
}

#[test]
fn stated_lookahead_is_enough_and_not_wasteful() {
    for rate_hz in RATES_HZ {
        for (from_hz, to_hz) in [(rate_hz, 44_100.0), (44_100.0, rate_hz)] {
            let mut resampler = Resampler::<1>::new(from_hz, to_hz).unwrap();
            let stated = resampler.lookahead_frames() as f64;
            assert_eq!(stated as usize, lookahead_frames(from_hz, to_hz).unwrap());
            let (mut made, mut worst) = (0_u64, 0.0_f64);
            for pushed in 1..20_000_u64 {
                resampler.process([&[0.0]], |piece| made += piece[0].len() as u64);
                // Frame `made` is not out yet although `pushed` frames are in.
                worst = worst.max(pushed as f64 - made as f64 * from_hz / to_hz);
            }
            assert!(worst <= stated + 1.0 + from_hz / to_hz, "{from_hz} → {to_hz}: {worst} > {stated}");
            assert!(worst > stated - 8.0 - from_hz / to_hz, "{from_hz} → {to_hz}: {worst} ≪ {stated}");
        }
    }
}

#[test]
fn impossible_rates_are_refused() {
    for rate_hz in [0.0, -1.0, 7_999.0, 768_001.0, f64::NAN, f64::INFINITY] {
        assert!(Resampler::<2>::new(rate_hz, 44_100.0).is_err(), "{rate_hz}");
        assert!(lookahead_frames(44_100.0, rate_hz).is_err(), "{rate_hz}");
    }
}

#[test]
fn files_keep_their_length_and_start() {
    let left = pulse(48_000.0, 0.02, 1e-3, 0.1);
    let audio = StereoBuffer { right: left.clone(), left };
    let converted = convert(&audio, 48_000.0, 44_100.0).unwrap();
    assert_eq!(converted.left.len(), 4410);
    let peak = converted.left.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(peak, 882);
}

#[test]
fn a_rest_changes_no_bit() {
    let mut rested = 0;
    for rate_hz in RATES_HZ {
        for (from_hz, to_hz) in [(rate_hz, 44_100.0), (44_100.0, rate_hz)] {
            let (mut resting, mut awake) =
                (Resampler::<1>::new(from_hz, to_hz).unwrap(), Resampler::<1>::new(from_hz, to_hz).unwrap());
            let Some(filter) = &mut awake.filter else { continue };
            filter.rest = None;
            let mut state = 1_u32;
            for silence_frames in [100, 41_111, 70_007, 64 * 1_000] {
                let silence = vec![0.0; silence_frames];
                let sound: Vec<f32> = (0..5_003)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        state as f32 / u32::MAX as f32 - 0.5
                    })
                    .collect();
                for input in [&silence, &sound] {
                    let (mut a, mut b) = (Vec::new(), Vec::new());
                    resting.process([input], |made| a.extend_from_slice(made[0]));
                    awake.process([input], |made| b.extend_from_slice(made[0]));
                    assert!(a == b, "{from_hz} → {to_hz}: {silence_frames} frames of silence");
                    let rest = resting.filter.as_ref().and_then(|filter| filter.rest.as_ref());
                    rested += usize::from(rest.is_some_and(|rest| rest.tail.is_over()));
                }
            }
        }
    }
    assert!(rested > 50, "{rested} rests");
}
