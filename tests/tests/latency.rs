//! The reported latency is the true one, to the sample, at every rate and block length; and whatever is not the mix –
//! the dry signal, the bypassed signal – is delayed by it as well.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use clap_host::play::{play, play_aligned, play_with};
use clap_host::signals::{impulse, noise, peak_frame, residual_db, rms, sine};
use clap_host::{AudioSetup, Bus, BusAudio, Instance, ParameterChange, Partition, Stereo};
use common::{MODEL_RATE_HZ, NULL_DB, Plugin, choose, song};
use tributary_dsp::Stem;
use tributary_engine::LatencyMode;

/// Where the impulse stands in the input, in frames: not a multiple of anything in the chain.
const IMPULSE_FRAME: usize = 1234;

fn set(instance: &mut Instance, name: &str, position: f64) -> ParameterChange {
    let parameter = instance.parameter(name).unwrap();
    ParameterChange { frame: 0, parameter_id: parameter.id, value: parameter.value_at(position) }
}

/// Plays one impulse on one stem and returns the output from the impulse's due frame minus `reach` on.
fn impulse_response(
    plugin: &mut Plugin,
    setup: AudioSetup,
    partition: &Partition,
    stem: Stem,
) -> (Vec<f32>, usize) {
    let mut processor = plugin.activate(setup);
    let latency = plugin.instance.latency_frames();
    let frames = IMPULSE_FRAME + latency + 2000;
    let audio = BusAudio::silence(frames)
        .with(Bus::Stem(stem), Stereo::centered(impulse(frames, IMPULSE_FRAME, 1.0)));
    let output = play(&mut processor, &audio, partition).unwrap();
    assert_eq!(plugin.instance.latency_frames(), latency, "the latency changes while active");
    plugin.instance.deactivate(processor);
    assert_eq!(output.left, output.right);
    (output.left, latency)
}

fn check_impulse(plugin: &mut Plugin, rate_hz: f64, partition: &Partition, stem: Stem) {
    let setup = AudioSetup::offline(rate_hz, partition.max_frames());
    let (output, latency) = impulse_response(plugin, setup, partition, stem);
    let due = IMPULSE_FRAME + latency;
    let what = format!("{rate_hz} Hz, {partition:?}, {}", stem.name());
    assert_eq!(peak_frame(&output), due, "{what}");
    if rate_hz == MODEL_RATE_HZ {
        assert!((output[due] - 1.0).abs() < 1e-6, "{what}: {}", output[due]);
        let rest = output.iter().enumerate().filter(|(frame, _)| *frame != due);
        let loudest = rest.fold(0.0_f32, |loudest, (_, sample)| loudest.max(sample.abs()));
        assert!(loudest < 1e-6, "{what}: {loudest} beside the impulse");
    } else {
        // Resampled there and back, an impulse on the frame is symmetric about it.
        for reach in 1..20 {
            let (before, after) = (output[due - reach], output[due + reach]);
            assert!(
                (before - after).abs() < 2e-3 * output[due],
                "{what}: {before} and {after}, {reach} frames off"
            );
        }
    }
}

#[test]
fn impulse_arrives_at_the_reported_latency_at_the_models_rate() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    for (count, frames) in [1, 7, 64, 480, 512, 1024, 4096, 8192].into_iter().enumerate() {
        check_impulse(&mut plugin, MODEL_RATE_HZ, &Partition::Fixed(frames), Stem::ALL[count % 4]);
    }
    for seed in 0..3 {
        let partition = Partition::Random { max_frames: 8192, seed };
        check_impulse(&mut plugin, MODEL_RATE_HZ, &partition, Stem::Vocals);
    }
}

#[test]
fn impulse_arrives_at_the_reported_latency_at_other_rates() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    for (count, rate_hz) in [48_000.0, 88_200.0, 96_000.0, 192_000.0].into_iter().enumerate() {
        for partition in [
            Partition::Fixed(1),
            Partition::Fixed(64),
            Partition::Fixed(441),
            Partition::Fixed(8192),
            Partition::Random { max_frames: 8192, seed: count as u64 },
        ] {
            check_impulse(&mut plugin, rate_hz, &partition, Stem::ALL[count % 4]);
        }
    }
}

#[test]
fn impulse_arrives_at_the_reported_latency_in_every_mode() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    for (count, mode) in LatencyMode::ALL.into_iter().enumerate() {
        choose(&mut plugin.instance, mode);
        for (rate_hz, partition) in [
            (MODEL_RATE_HZ, Partition::Fixed(64)),
            (MODEL_RATE_HZ, Partition::Random { max_frames: 8192, seed: count as u64 }),
            (48_000.0, Partition::Fixed(512)),
            (96_000.0, Partition::Random { max_frames: 1024, seed: count as u64 }),
        ] {
            check_impulse(&mut plugin, rate_hz, &partition, Stem::ALL[count]);
        }
    }
}

#[test]
fn impulse_arrives_when_the_host_never_says_it_renders_offline() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    for max_block_frames in [64, 512, 2048] {
        let setup = AudioSetup::live(MODEL_RATE_HZ, max_block_frames);
        let partition = Partition::Fixed(max_block_frames);
        let (output, latency) = impulse_response(&mut plugin, setup, &partition, Stem::Drums);
        assert_eq!(peak_frame(&output), IMPULSE_FRAME + latency, "{max_block_frames}");
    }
}

#[test]
fn what_the_host_says_of_rendering_counts_at_once() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let audio = song(44_100, MODEL_RATE_HZ, 8);
    let mut processor = plugin.activate(AudioSetup::live(MODEL_RATE_HZ, 512));
    let latency = plugin.instance.latency_frames();
    let asked = plugin.instance.restart_requests_and_latency_changes().0;
    plugin.instance.say_offline(true).unwrap();
    let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(512), latency).unwrap();
    assert!(mix.residual_db(&audio.sum_of_stems()) <= NULL_DB);
    let report = plugin.instance.save_state().unwrap().report().unwrap().0;
    assert_eq!(report["render"], serde_json::json!({ "announced": true, "lost_s": [] }));
    assert_eq!(plugin.instance.restart_requests_and_latency_changes().0, asked, "nothing is loaded again");
    plugin.instance.deactivate(processor);
}

#[test]
fn mix_at_zero_is_the_main_input_delayed() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    for rate_hz in [44_100.0, 48_000.0] {
        let audio = song(rate_hz as usize, rate_hz, 1).with(
            Bus::Main,
            Stereo { left: noise(rate_hz as usize, 0.5, 77), right: noise(rate_hz as usize, 0.5, 78) },
        );
        let mut processor = plugin.activate(AudioSetup::offline(rate_hz, 512));
        let latency = plugin.instance.latency_frames();
        let dry = [set(&mut plugin.instance, "Mix", 0.0)];
        let mut padded = audio.clone();
        padded.resize(audio.frames() + latency);
        let partition = Partition::Fixed(512);
        let output = play_with(&mut processor, &padded, &partition, &dry, &mut |_| {}).unwrap();
        plugin.instance.deactivate(processor);
        let aligned = output.cut(latency..padded.frames());
        let residual_db = aligned.residual_db(audio.bus(Bus::Main));
        assert!(residual_db <= NULL_DB, "{rate_hz} Hz: {residual_db:.1} dB");
    }
}

#[test]
fn dry_source_sum_is_the_sum_of_the_stems_delayed() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let audio = song(44_100, MODEL_RATE_HZ, 2).with(Bus::Main, Stereo::silence(44_100));
    let mut processor = plugin.bounce(512);
    let latency = plugin.instance.latency_frames();
    let changes = [set(&mut plugin.instance, "Mix", 0.0), set(&mut plugin.instance, "Dry source", 1.0)];
    let mut padded = audio.clone();
    padded.resize(audio.frames() + latency);
    let output = play_with(&mut processor, &padded, &Partition::Fixed(512), &changes, &mut |_| {}).unwrap();
    plugin.instance.deactivate(processor);
    assert!(output.cut(latency..padded.frames()).residual_db(&audio.sum_of_stems()) <= NULL_DB);
}

#[test]
fn any_mix_of_equal_signals_is_the_signal_and_the_gain_applies_to_it() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let audio = song(44_100, MODEL_RATE_HZ, 3);
    let gain = plugin.instance.parameter("Output gain").unwrap();
    for (mix, gain_position, expected_gain) in
        [(0.25, 0.5, 1.0), (0.5, 0.75, 3.981_071_7), (1.0, 0.25, 0.251_188_64)]
    {
        let mut processor = plugin.bounce(512);
        let latency = plugin.instance.latency_frames();
        let changes = [
            set(&mut plugin.instance, "Mix", mix),
            ParameterChange { frame: 0, parameter_id: gain.id, value: gain.value_at(gain_position) },
        ];
        let mut padded = audio.clone();
        padded.resize(audio.frames() + latency);
        let output =
            play_with(&mut processor, &padded, &Partition::Fixed(512), &changes, &mut |_| {}).unwrap();
        plugin.instance.deactivate(processor);
        let mut expected = audio.sum_of_stems();
        expected.left.iter_mut().chain(&mut expected.right).for_each(|sample| *sample *= expected_gain);
        let residual_db = output.cut(latency..padded.frames()).residual_db(&expected);
        assert!(residual_db < -100.0, "mix {mix}, gain {expected_gain}: {residual_db:.1} dB");
    }
}

#[test]
fn bypass_is_the_main_input_delayed_and_switches_without_a_click() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let frames = 2 * 44_100;
    let tone = sine(frames, 0.5, 100.0, MODEL_RATE_HZ);
    let turned: Vec<f32> = tone.iter().map(|sample| -sample).collect();
    let audio = BusAudio::silence(frames)
        .with(Bus::Main, Stereo::centered(tone.clone()))
        .with(Bus::Stem(Stem::Other), Stereo::centered(turned));
    let mut processor = plugin.bounce(512);
    let latency = plugin.instance.latency_frames();
    let switch_frame = latency + 33_333;
    let parameter = plugin.instance.parameter("Bypass").unwrap();
    assert!(parameter.is_bypass);
    let changes = [ParameterChange { frame: switch_frame, parameter_id: parameter.id, value: parameter.max }];
    let mut padded = audio.clone();
    padded.resize(frames + latency);
    let output = play_with(&mut processor, &padded, &Partition::Fixed(256), &changes, &mut |_| {}).unwrap();
    plugin.instance.deactivate(processor);
    let aligned = output.cut(latency..padded.frames());

    let settled = switch_frame - latency + 8820;
    let bypassed = aligned.cut(settled..frames);
    assert!(bypassed.residual_db(&Stereo::centered(tone[settled..].to_vec())) <= NULL_DB);
    // Both signals step by at most 0.0072 a frame; turning one into the other within 5 ms adds less than 0.008.
    let step = aligned.left.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(step < 0.016, "a step of {step} when switching");
}

#[test]
fn a_new_rate_gives_a_new_true_latency() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let mut latencies_ms = Vec::new();
    for rate_hz in [44_100.0, 96_000.0, 48_000.0, 44_100.0] {
        check_impulse(&mut plugin, rate_hz, &Partition::Fixed(512), Stem::Bass);
        let processor = plugin.activate(AudioSetup::offline(rate_hz, 512));
        latencies_ms.push(1000.0 * plugin.instance.latency_frames() as f64 / rate_hz);
        plugin.instance.deactivate(processor);
    }
    assert_eq!(latencies_ms[0], latencies_ms[3]);
    let spread = latencies_ms.iter().fold(0.0_f64, |spread, ms| spread.max((ms - latencies_ms[0]).abs()));
    assert!(spread < 50.0, "the latency in time hardly depends on the rate: {latencies_ms:?} ms");
    assert!(latencies_ms[0] > 10.0 && latencies_ms[0] < 1500.0, "{latencies_ms:?} ms");
}

#[test]
fn after_a_reset_the_output_starts_again_aligned() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let before = song(30_000, MODEL_RATE_HZ, 5);
    let after = song(44_100, MODEL_RATE_HZ, 6);
    let mut processor = plugin.bounce(512);
    let latency = plugin.instance.latency_frames();
    play(&mut processor, &before, &Partition::Fixed(512)).unwrap();
    processor.reset();
    let output = play_aligned(&mut processor, &after, &Partition::Fixed(512), latency).unwrap();
    plugin.instance.deactivate(processor);
    let residual_db = output.residual_db(&after.sum_of_stems());
    assert!(residual_db <= NULL_DB, "{residual_db:.1} dB: something of the time before the reset is left");
}

#[test]
fn the_audible_band_passes_at_other_rates() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    for rate_hz in [48_000.0, 96_000.0] {
        let frames = rate_hz as usize;
        for frequency_hz in [30.0, 1000.0, 10_000.0, 17_000.0, 18_000.0] {
            let tone = sine(frames, 0.5, frequency_hz, rate_hz);
            let audio =
                BusAudio::silence(frames).with(Bus::Stem(Stem::Vocals), Stereo::centered(tone.clone()));
            let mut processor = plugin.activate(AudioSetup::offline(rate_hz, 512));
            let latency = plugin.instance.latency_frames();
            let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(512), latency).unwrap();
            plugin.instance.deactivate(processor);
            let middle = frames / 4..3 * frames / 4;
            let level_db = 20.0 * (rms(&mix.left[middle.clone()]) / rms(&tone[middle.clone()])).log10();
            let residual_db = residual_db(&mix.left[middle.clone()], &tone[middle]);
            let what =
                format!("{rate_hz} Hz: {frequency_hz} Hz at {level_db:.3} dB, residual {residual_db:.1} dB");
            assert!(level_db.abs() < 0.05 && residual_db < -60.0, "{what}");
        }
    }
}
