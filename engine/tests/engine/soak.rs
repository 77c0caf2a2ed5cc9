//! A slice of the soak test: random host behavior, faster than real time, with a fixed seed. The full length is set by
//! `TRIBUTARY_SOAK_SECONDS` (simulated seconds; 6 hours are 21600).

use tributary_dsp::{CHANNELS, ProfileSource, Recipe, Targets};
use tributary_engine::test_support::SMALL_GEOMETRY;
use tributary_engine::{
    AudioSide, DrySource, Engine, EngineConfig, EngineHandle, ModelSource, Settings, SumModel,
};

use crate::common::Noise;

const DEFAULT_SECONDS: f64 = 120.0;
const RATES_HZ: [f64; 5] = [44_100.0, 48_000.0, 88_200.0, 96_000.0, 47_999.0];

/// A full normalizer, so that bursts and level jumps meet every stage; the network is the sum.
fn start(rate_hz: f64, max_block: usize) -> (AudioSide, EngineHandle) {
    Engine::start(EngineConfig {
        model: ModelSource::Custom {
            geometry: SMALL_GEOMETRY,
            recipe: Recipe::default(),
            targets: Box::new(Targets::default()),
            load: Box::new(|_| Ok(Box::new(SumModel::new(SMALL_GEOMETRY)))),
        },
        profile: ProfileSource::Adaptive,
        host_rate_hz: rate_hz,
        max_block,
    })
}

/// Resident memory in MiB, 0 where the system does not say.
fn resident_mib() -> f64 {
    std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<f64>().ok())
        .map_or(0.0, |pages| pages * 4096.0 / (1 << 20) as f64)
}

/// One stem's samples: silence, noise at any level from −200 to +200 dB, or what is not a number.
fn fill(noise: &mut Noise, samples: &mut [f32]) {
    match noise.below(8) {
        0 | 1 => samples.fill(0.0),
        2 => {
            let level = 10.0_f32.powf(noise.sample() * 10.0);
            samples.iter_mut().for_each(|x| *x = level * noise.sample());
        }
        3 => {
            let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, f32::MAX];
            samples.iter_mut().for_each(|x| *x = bad[noise.below(bad.len())]);
        }
        _ => samples.iter_mut().for_each(|x| *x = 0.1 * noise.sample()),
    }
}

#[test]
fn random_hosts_do_no_harm() {
    let wanted_s = std::env::var("TRIBUTARY_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let wanted_s: f64 = wanted_s.unwrap_or(DEFAULT_SECONDS);
    let mut noise = Noise(2026);
    let mut done_s = 0.0;
    let mut settled_mib = 0.0;
    let mut lives = 0;
    while done_s < wanted_s {
        let rate_hz = RATES_HZ[noise.below(RATES_HZ.len())];
        let max_block = 1 << noise.below(13);
        let (mut audio, handle) = start(rate_hz, max_block);
        let life_s = 2.0 + noise.below(8) as f64;
        let mut frames_left = (life_s * rate_hz) as usize;
        let mut settings = Settings { offline: true, ..Settings::default() };
        while frames_left > 0 {
            let frames = frames_left.min(1 + noise.below(2 * max_block).max(noise.below(512)));
            frames_left -= frames;
            let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
            for pair in stems.chunks_exact_mut(2) {
                pair.iter_mut().for_each(|channel| fill(&mut noise, channel));
            }
            let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
            fill(&mut noise, &mut left);
            if noise.below(20) == 0 {
                settings = Settings {
                    mix: noise.sample().abs(),
                    output_gain: noise.sample().abs() * 4.0,
                    bypass: noise.below(4) == 0,
                    dry_source: if noise.below(2) == 0 { DrySource::Bus } else { DrySource::SumOfStems },
                    // Mostly offline, so that simulated hours pass quickly; in between the worker may be late.
                    offline: noise.below(4) != 0,
                };
            }
            if noise.below(100) == 0 {
                audio.reset();
            }
            let stems: [&[f32]; CHANNELS] = std::array::from_fn(|c| &stems[c][..]);
            audio.process([&mut left, &mut right], stems, &settings);
            assert!(left.iter().chain(&right).all(|x| x.is_finite()), "after {done_s} s");
        }
        recovers(&mut audio, rate_hz);
        assert_eq!(handle.report().state, "ready");
        done_s += life_s;
        lives += 1;
        if lives == 10 {
            settled_mib = resident_mib();
        }
    }
    if lives > 20 {
        // Other tests share the process; a leak of one engine's rings per life would be far more.
        assert!(resident_mib() < settled_mib + 200.0, "{settled_mib} MiB grew to {} MiB", resident_mib());
    }
}

/// After whatever happened, a reset and clean sound: the mix is there within a latency and half a second.
fn recovers(audio: &mut AudioSide, rate_hz: f64) {
    audio.reset();
    let settings = Settings { offline: true, ..Settings::default() };
    let frames = audio.latency_frames() + (0.5 * rate_hz) as usize;
    let tone: Vec<f32> = (0..frames).map(|n| 0.1 * (n as f32 * 0.05).sin()).collect();
    let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
    audio.process([&mut left, &mut right], [&tone; CHANNELS], &settings);
    // The gains are ramped to their new values by now.
    let end = &left[frames - (0.1 * rate_hz) as usize..];
    let peak = end.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    assert!(peak > 1e-3 && peak < 100.0, "{peak}");
}
