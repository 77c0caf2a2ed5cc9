//! Bad input: stems that are missing, silent, not numbers or absurdly loud. The output stays finite, and what follows the
//! trouble is right again.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use clap_host::play::{play, play_aligned};
use clap_host::signals::Random;
use clap_host::{AudioSetup, Bus, BusAudio, Partition, Stereo};
use common::{MODEL_RATE_HZ, NULL_DB, Plugin, song};
use tributary_dsp::Stem;

fn without(audio: &BusAudio, stem: Stem) -> BusAudio {
    audio.clone().with(Bus::Stem(stem), Stereo::silence(audio.frames())).with_sum_on_main()
}

#[test]
fn any_stem_may_be_missing() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let full = song(44_100, MODEL_RATE_HZ, 1);
    for stem in Stem::ALL {
        let audio = without(&full, stem);
        let mut processor = plugin.bounce(512);
        let latency = plugin.instance.latency_frames();
        let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(512), latency).unwrap();
        plugin.instance.deactivate(processor);
        assert!(mix.residual_db(&audio.sum_of_stems()) <= NULL_DB, "without {}", stem.name());
    }
}

#[test]
fn silence_gives_silence() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let mut processor = plugin.bounce(512);
    let silence = BusAudio::silence(3 * 44_100);
    let output = play(&mut processor, &silence, &Partition::Fixed(512)).unwrap();
    plugin.instance.deactivate(processor);
    assert!(output.peak() < 1e-4, "{} out of silence", output.peak());
}

#[test]
fn one_sounding_stem_is_enough_for_the_shipped_model() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let full = song(2 * 44_100, MODEL_RATE_HZ, 2);
    for stem in Stem::ALL {
        let audio = BusAudio::silence(full.frames()).with(Bus::Stem(stem), full.bus(Bus::Stem(stem)).clone());
        let mut processor = plugin.bounce(1024);
        let latency = plugin.instance.latency_frames();
        let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(1024), latency).unwrap();
        plugin.instance.deactivate(processor);
        assert!(mix.is_finite() && mix.peak() > 1e-3, "{}: peak {}", stem.name(), mix.peak());
    }
}

/// Samples no converter ever made.
fn trouble(random: &mut Random) -> f32 {
    match random.below(8) {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2 => f32::NEG_INFINITY,
        3 => f32::from_bits(1 + random.below(0x007F_FFFF) as u32),
        4 => 1e10 * (random.unit() as f32 - 0.5),
        5 => f32::MAX,
        6 => 1e-10,
        _ => random.unit() as f32 - 0.5,
    }
}

/// Puts a burst of trouble on every bus.
fn with_burst(audio: &BusAudio, burst: std::ops::Range<usize>, seed: u64) -> BusAudio {
    let mut random = Random::new(seed);
    Bus::ALL.iter().fold(audio.clone(), |spoiled, &bus| {
        let mut stereo = audio.bus(bus).clone();
        for channel in [&mut stereo.left, &mut stereo.right] {
            channel[burst.clone()].iter_mut().for_each(|sample| *sample = trouble(&mut random));
        }
        spoiled.with(bus, stereo)
    })
}

#[test]
fn trouble_in_never_gives_trouble_out_and_the_mix_recovers() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    for (rate_hz, seed) in [(44_100.0, 1), (48_000.0, 2)] {
        let second = rate_hz as usize;
        let audio = song(5 * second, rate_hz, seed);
        let spoiled = with_burst(&audio, second..second + second / 2, seed);
        let mut processor = plugin.activate(AudioSetup::offline(rate_hz, 512));
        let latency = plugin.instance.latency_frames();
        let mix = play_aligned(&mut processor, &spoiled, &Partition::Fixed(512), latency).unwrap();
        plugin.instance.deactivate(processor);
        assert!(mix.is_finite(), "{rate_hz} Hz");
        let after = 7 * second / 2..5 * second - second / 4;
        let residual_db = mix.cut(after.clone()).residual_db(&audio.sum_of_stems().cut(after));
        // At another rate the noise loses what lies above some 19 kHz, a fifth of its energy.
        let limit_db = if rate_hz == MODEL_RATE_HZ { -80.0 } else { -6.0 };
        assert!(residual_db < limit_db, "{rate_hz} Hz: {residual_db:.1} dB two seconds after the burst");
    }
}

#[test]
fn the_shipped_model_recovers_from_trouble() {
    let Some(mut plugin) = Plugin::with_default_model() else { return };
    let audio = song(6 * 44_100, MODEL_RATE_HZ, 3);
    let spoiled = with_burst(&audio, 22_050..44_100, 3);
    let mut mixes = Vec::new();
    for audio in [&audio, &spoiled] {
        let mut processor = plugin.bounce(512);
        let latency = plugin.instance.latency_frames();
        mixes.push(play_aligned(&mut processor, audio, &Partition::Fixed(512), latency).unwrap());
        plugin.instance.deactivate(processor);
    }
    assert!(mixes[1].is_finite());
    let loudness = |mix: &Stereo| clap_host::signals::rms(&mix.left[4 * 44_100..]);
    let change_db = 20.0 * (loudness(&mixes[1]) / loudness(&mixes[0])).log10();
    assert!(change_db.abs() < 6.0, "three seconds after the burst the mix is {change_db:.1} dB off");
}

#[test]
fn bypassed_trouble_is_finite_as_well() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let audio = with_burst(&song(44_100, MODEL_RATE_HZ, 4), 4410..22_050, 4);
    let bypass = plugin.instance.parameter("Bypass").unwrap();
    let change = clap_host::ParameterChange { frame: 0, parameter_id: bypass.id, value: bypass.max };
    let mut processor = plugin.bounce(512);
    let mut padded = audio.clone();
    padded.resize(audio.frames() + plugin.instance.latency_frames());
    let output =
        clap_host::play::play_with(&mut processor, &padded, &Partition::Fixed(512), &[change], &mut |_| {})
            .unwrap();
    plugin.instance.deactivate(processor);
    assert!(output.is_finite());
}
