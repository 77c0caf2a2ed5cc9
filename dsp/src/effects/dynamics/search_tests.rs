//! The quick search ends where trying every setting does.

use super::*;
use crate::block::StereoBuffer;
use crate::stem::Stem;
use crate::store::peak;
use crate::units::db_from_gain;

/// Bursts of decaying noise and tone, different for every seed.
fn bursts(seed: u32, frames: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32
    };
    let mut samples = vec![0.0f32; frames];
    let mut start = 3_000;
    while start < frames {
        let (level, decay, pitch) =
            (0.2 + 0.8 * random(), 2_000.0 + 12_000.0 * random(), 0.01 + 0.2 * random());
        for n in 0..(5.0 * decay) as usize {
            let Some(sample) = samples.get_mut(start + n) else { break };
            let tone = (n as f32 * pitch).sin() + 0.3 * (2.0 * random() - 1.0);
            *sample += 0.5 * level * tone * (-(n as f32) / decay).exp();
        }
        start += 6_000 + (16_000.0 * random()) as usize;
    }
    samples
}

/// The released code's way, for comparison.
fn walk(candidates: &mut Candidates<'_>, limit_db: f64) -> CompressorSetting {
    for ratio in candidates.first_ratio..=LAST_RATIO {
        for step in 0..STEPS {
            let peaks_db = candidates.trial(f64::from(ratio), threshold_db(step)).expect("in memory");
            if peaks_db < limit_db {
                return CompressorSetting { ratio: f64::from(ratio), threshold_db: threshold_db(step) };
            }
        }
    }
    CompressorSetting { ratio: f64::from(LAST_RATIO), threshold_db: threshold_db(STEPS - 1) }
}

fn prepare(audio: &mut StereoBuffer, sides: Sides, stem: Stem) -> Candidates<'_> {
    let gain_db = -10.0 - db_from_gain(f64::from(peak(audio, sides).expect("in memory")));
    Candidates::new(audio, sides, gain_db, Ballistics::of(stem), 44_100.0).expect("in memory")
}

#[test]
fn the_search_finds_what_the_blind_walk_finds() {
    let (mut searched, mut walked) = (0, 0);
    for seed in 1..=12 {
        let stem = Stem::ALL[seed as usize % 4];
        let sides = if seed % 2 == 0 { Sides::One(0) } else { Sides::Both };
        let mut audio = StereoBuffer { left: bursts(seed, 200_000), right: bursts(seed + 100, 200_000) };
        let mut same = audio.clone();
        let input_db = prepare(&mut audio, sides, stem).input_peaks.expect("bursts have onsets")[0];
        for below_db in [0.4, 1.3, 2.9, 6.0] {
            let mut fast = prepare(&mut audio, sides, stem);
            let mut blind = prepare(&mut same, sides, stem);
            let limit_db = input_db - below_db;
            assert_eq!(
                search(&mut fast, limit_db).expect("in memory"),
                walk(&mut blind, limit_db),
                "seed {seed}, {below_db} dB"
            );
            searched += fast.trials;
            walked += blind.trials;
        }
    }
    assert!(searched * 4 < walked, "{searched} trials instead of {walked}");
}

#[test]
fn peaks_that_meet_their_target_are_left_alone() {
    let mut audio = StereoBuffer::mono(bursts(7, 200_000));
    let mut found = |target_db: Option<f64>| {
        let candidates = prepare(&mut audio, Sides::Both, Stem::Drums);
        let input_db = candidates.input_peaks.expect("bursts have onsets")[0];
        find_setting(candidates, target_db.map_or(input_db, |below_db| input_db - below_db), 0.5)
    };
    assert_eq!(found(None), Ok(None));
    assert!(found(Some(3.0)).is_ok_and(|setting| setting.is_some()));
}
