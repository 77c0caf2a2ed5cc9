//! The loudness meter of `tributary evaluate` against the test signals of EBU Tech 3341 (loudness, true peak) and 3342
//! (loudness range), made from their definitions and judged with the standards' tolerances.
//!
//! Left out: 3341 cases 7 and 8 and 3342 cases 5 and 6, which are recorded programmes, and case 6 of 3341 (five channels),
//! which a stereo meter cannot be asked. Cases 10 and 13 (files) measure every segment as a file of its own.

use std::f64::consts::{PI, TAU};

use tributary_cli::evaluation::levels::Levels;
use tributary_dsp::StereoBuffer;

const RATE_HZ: u32 = 48_000;
const TOLERANCE_LU: f64 = 0.1;
const TONE_HZ: f64 = 1_000.0;

/// A tone in both channels, part after part of (seconds, dBFS); silence is −∞ dBFS. The phase runs on.
fn tones(parts: &[(f64, f64)]) -> Levels {
    let mut samples = Vec::new();
    for &(seconds, dbfs) in parts {
        let (amplitude, start) = (10f64.powf(dbfs / 20.0), samples.len());
        let frames = (seconds * f64::from(RATE_HZ)).round() as usize;
        let sine = |n: usize| (amplitude * (TAU * TONE_HZ * n as f64 / f64::from(RATE_HZ)).sin()) as f32;
        samples.extend((start..start + frames).map(sine));
    }
    Levels::of(&StereoBuffer::mono(samples), RATE_HZ).expect("measures")
}

const SILENT: f64 = f64::NEG_INFINITY;

#[track_caller]
fn near(case: &str, found: Option<f64>, expected: f64, tolerance: f64) {
    let found = found.unwrap_or_else(|| panic!("case {case}: nothing measured"));
    assert!((found - expected).abs() <= tolerance, "case {case}: {found}, not {expected}");
}

#[test]
fn integrated_loudness_of_cases_1_to_5() {
    let steady = |dbfs: f64| tones(&[(20.0, dbfs)]);
    for (case, dbfs) in [("1", -23.0), ("2", -33.0)] {
        let levels = steady(dbfs);
        near(case, levels.integrated_lufs, dbfs, TOLERANCE_LU);
        near(case, levels.short_term_max_lufs, dbfs, TOLERANCE_LU);
        near(case, levels.momentary_max_lufs, dbfs, TOLERANCE_LU);
    }
    let case_3 = [(10.0, -36.0), (60.0, -23.0), (10.0, -36.0)];
    near("3", tones(&case_3).integrated_lufs, -23.0, TOLERANCE_LU);
    let case_4 = [(10.0, -72.0), (10.0, -36.0), (60.0, -23.0), (10.0, -36.0), (10.0, -72.0)];
    near("4", tones(&case_4).integrated_lufs, -23.0, TOLERANCE_LU);
    let case_5 = [(20.0, -26.0), (20.1, -20.0), (20.0, -26.0)];
    near("5", tones(&case_5).integrated_lufs, -23.0, TOLERANCE_LU);
}

#[test]
fn short_term_loudness_of_cases_9_to_11() {
    let case_9: Vec<(f64, f64)> = [(1.34, -20.0), (1.66, -30.0)].repeat(5);
    for lufs in tones(&case_9).short_term_lufs {
        near("9", Some(lufs), -23.0, TOLERANCE_LU);
    }
    for segment in 0..20 {
        let silence_s = 0.15 * f64::from(segment);
        let file = tones(&[(silence_s, SILENT), (3.0, -23.0), (1.0, SILENT)]);
        near("10", file.short_term_max_lufs, -23.0, TOLERANCE_LU);
        let dbfs = -38.0 + f64::from(segment);
        let live = tones(&[(silence_s, SILENT), (3.0, dbfs), (3.0 - silence_s, SILENT)]);
        near("11", live.short_term_max_lufs, dbfs, TOLERANCE_LU);
    }
}

#[test]
fn momentary_loudness_of_cases_12_to_14() {
    // Constant after 1 s: the highest and, over any 3 s, the mean are the same.
    let case_12: Vec<(f64, f64)> = [(0.18, -20.0), (0.22, -30.0)].repeat(25);
    let levels = tones(&case_12);
    near("12", levels.momentary_max_lufs, -23.0, TOLERANCE_LU);
    for segment in 0..20 {
        let silence_s = 0.02 * f64::from(segment);
        let file = tones(&[(silence_s, SILENT), (0.4, -23.0), (1.0, SILENT)]);
        near("13", file.momentary_max_lufs, -23.0, TOLERANCE_LU);
        let dbfs = -38.0 + f64::from(segment);
        let live = tones(&[(silence_s, SILENT), (0.4, dbfs), (0.4 - silence_s, SILENT)]);
        near("14", live.momentary_max_lufs, dbfs, TOLERANCE_LU);
    }
}

/// True peaks may read 0.2 dB too high and 0.4 dB too low.
#[track_caller]
fn true_peak(case: &str, samples: &[f64], expected: f64) {
    let audio = StereoBuffer::mono(samples.iter().map(|&x| x as f32).collect());
    let found = Levels::of(&audio, RATE_HZ).expect("measures").true_peak_dbtp.expect("audible");
    assert!((-0.4..=0.2).contains(&(found - expected)), "case {case}: {found}, not {expected}");
}

/// Fades the ends in and out over 10 ms.
fn tapered(mut samples: Vec<f64>, rate_hz: f64) -> Vec<f64> {
    let (frames, fade) = (samples.len(), (0.01 * rate_hz) as usize);
    for (n, sample) in samples.iter_mut().enumerate() {
        let edge = n.min(frames - 1 - n);
        if edge < fade {
            *sample *= 0.5 - 0.5 * (PI * edge as f64 / fade as f64).cos();
        }
    }
    samples
}

#[test]
fn true_peak_of_cases_15_to_19() {
    let rate_hz = f64::from(RATE_HZ);
    let cases = [
        ("15", 4.0, 0.5, 0.0_f64, -6.0),
        ("16", 4.0, 0.5, 45.0, -6.0),
        ("17", 6.0, 0.5, 60.0, -6.0),
        ("18", 8.0, 0.5, 67.5, -6.0),
        ("19", 4.0, 1.41, 45.0, 3.0),
    ];
    for (case, divisor, amplitude, degrees, expected) in cases {
        let sine = |n: u32| amplitude * (TAU * f64::from(n) / divisor + degrees.to_radians()).sin();
        true_peak(case, &tapered((0..RATE_HZ).map(sine).collect(), rate_hz), expected);
    }
}

/// At four times the rate: a tone of fs/6 at half scale with a single full-scale period of fs/4 in its middle, joined at
/// zero crossings.
fn period_within_tone() -> Vec<f64> {
    let (slow, fast, periods) = (24, 16, 1_000);
    let tone = |n: usize| 0.5 * (TAU * n as f64 / slow as f64).sin();
    let mut samples: Vec<f64> = (0..slow * periods).map(tone).collect();
    samples.extend((0..fast).map(|n| (TAU * n as f64 / fast as f64).sin()));
    samples.extend((0..slow * periods).map(tone));
    tapered(samples, 4.0 * f64::from(RATE_HZ))
}

#[test]
fn true_peak_of_cases_20_to_23() {
    let source = period_within_tone();
    // Windowed sinc up to nearly half the low rate, 256 low-rate samples long.
    let (half, cutoff) = (512_i32, 0.24);
    let taps: Vec<f64> = (-half..=half)
        .map(|n| {
            let x = PI * cutoff * f64::from(n);
            let sinc = if n == 0 { 1.0 } else { x.sin() / x };
            let phase = PI * f64::from(n) / f64::from(half);
            cutoff * sinc * (0.42 + 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
        })
        .collect();
    for offset in 0..4 {
        let filtered = |frame: usize| -> f64 {
            let center = (4 * frame + offset) as i64;
            let at = |tap: usize| usize::try_from(center + tap as i64 - i64::from(half)).ok();
            taps.iter()
                .enumerate()
                .map(|(tap, weight)| weight * at(tap).and_then(|n| source.get(n)).unwrap_or(&0.0))
                .sum()
        };
        let samples: Vec<f64> = (0..source.len() / 4).map(filtered).collect();
        true_peak(&format!("{}", 20 + offset), &samples, 0.0);
    }
}

#[test]
fn loudness_range_of_tech_3342_cases_1_to_4() {
    let cases: [(&str, &[f64], f64); 4] = [
        ("1", &[-20.0, -30.0], 10.0),
        ("2", &[-20.0, -15.0], 5.0),
        ("3", &[-40.0, -20.0], 20.0),
        ("4", &[-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),
    ];
    for (case, levels_dbfs, expected_lu) in cases {
        let parts: Vec<(f64, f64)> = levels_dbfs.iter().map(|&dbfs| (20.0, dbfs)).collect();
        near(case, tones(&parts).range_lu, expected_lu, 1.0);
    }
}
