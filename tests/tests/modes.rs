//! Latency modes in a host: a change asks for a restart and nothing changes before it, each mode is its own latency, wet
//! and dry stay aligned in it, and what a project says of it comes back – garbage included.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use clap_host::bundled::{StagedClap, StagedModel, model_folder};
use clap_host::play::{play, play_aligned, play_with};
use clap_host::{AudioSetup, Bus, ParameterChange, Partition};
use common::{
    MODEL_RATE_HZ, NULL_DB, OVERRIDES, Plugin, choose, ran_without_environment, song, with_latency_field,
};
use serde_json::{Value, json};
use tributary_engine::LatencyMode;

fn latency_field(plugin: &mut Plugin) -> Value {
    let json = plugin.instance.save_state().unwrap().json().unwrap();
    serde_json::from_str(json["fields"]["latency"].as_str().unwrap()).unwrap()
}

#[test]
fn a_change_asks_for_a_restart_and_takes_effect_with_it() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let audio = song(44_100, MODEL_RATE_HZ, 1);
    let mut processor = plugin.bounce(512);
    let standard = plugin.instance.latency_frames();
    play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
    let before = plugin.instance.restart_requests_and_latency_changes().0;
    choose(&mut plugin.instance, LatencyMode::Monitor);
    let mix = play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
    assert!(mix.is_finite());
    let asked = plugin.instance.restart_requests_and_latency_changes().0 - before;
    assert_eq!(asked, 1, "the host is asked once");
    assert_eq!(plugin.instance.latency_frames(), standard, "constant while active");
    processor.reset();
    let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(512), standard).unwrap();
    assert!(mix.residual_db(&audio.sum_of_stems()) <= NULL_DB, "and so is the alignment");
    plugin.instance.deactivate(processor);

    let mut processor = plugin.bounce(512);
    let monitor = plugin.instance.latency_frames();
    assert!(monitor < standard / 2, "{monitor} against {standard}");
    let told = plugin.instance.restart_requests_and_latency_changes();
    assert!(told.0 > before, "the framework tells the host of the new latency: {told:?}");
    let mix = play_aligned(&mut processor, &audio, &Partition::Fixed(512), monitor).unwrap();
    assert!(mix.residual_db(&audio.sum_of_stems()) <= NULL_DB);
    plugin.instance.deactivate(processor);
    // The host does what it was asked for: activated again, nothing is asked for any more.
    let before = plugin.instance.restart_requests_and_latency_changes().0;
    let mut processor = plugin.bounce(512);
    play(&mut processor, &audio, &Partition::Fixed(512)).unwrap();
    assert_eq!(plugin.instance.restart_requests_and_latency_changes().0, before);
    assert_eq!(plugin.instance.latency_frames(), monitor);
    plugin.instance.deactivate(processor);
}

#[test]
fn wet_and_dry_are_aligned_in_every_mode() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let mix_parameter = plugin.instance.parameter("Mix").unwrap();
    let mut latencies = Vec::new();
    for mode in LatencyMode::ALL {
        choose(&mut plugin.instance, mode);
        for rate_hz in [MODEL_RATE_HZ, 48_000.0] {
            let audio = song(rate_hz as usize, rate_hz, 2);
            // Resampled noise lacks its highest band and cannot null; the impulses of `latency.rs` stand for it.
            let positions = if rate_hz == MODEL_RATE_HZ { &[0.0, 1.0][..] } else { &[0.0] };
            for &position in positions {
                let mut processor = plugin.activate(AudioSetup::offline(rate_hz, 512));
                let latency = plugin.instance.latency_frames();
                let value = mix_parameter.value_at(position);
                let change = [ParameterChange { frame: 0, parameter_id: mix_parameter.id, value }];
                let mut padded = audio.clone();
                padded.resize(audio.frames() + latency);
                let partition = Partition::Random { max_frames: 512, seed: 7 };
                let out = play_with(&mut processor, &padded, &partition, &change, &mut |_| {}).unwrap();
                plugin.instance.deactivate(processor);
                // The main input is the sum of the stems, and so is the mix.
                let residual_db = out.cut(latency..padded.frames()).residual_db(audio.bus(Bus::Main));
                assert!(
                    residual_db <= NULL_DB,
                    "{mode:?}, {rate_hz} Hz, Mix {position}: {residual_db:.1} dB"
                );
                latencies.push(latency);
            }
        }
    }
    latencies.sort_unstable();
    latencies.dedup();
    assert_eq!(latencies.len(), 8, "every mode has its own latency at either rate: {latencies:?}");
}

#[test]
fn the_shipped_model_keeps_every_bound_and_the_monitor_needs_no_network() {
    let test = "the_shipped_model_keeps_every_bound_and_the_monitor_needs_no_network";
    if ran_without_environment(test, &OVERRIDES) {
        return;
    }
    // Without a graph only the monitor path gets ready.
    let model = StagedModel::CopyOf(model_folder("default"));
    let without_graph = |staged: &StagedClap| {
        std::fs::remove_file(staged.model_folder().join("front.onnx")).unwrap();
    };
    let Some(mut plugin) = Plugin::altered(&model, false, without_graph) else { return };
    for (mode, limit_ms) in LatencyMode::ALL.into_iter().zip([150.0, 600.0, 10_000.0, 65.0]) {
        choose(&mut plugin.instance, mode);
        for rate_hz in [44_100.0, 48_000.0] {
            let processor = plugin.instance.activate(AudioSetup::offline(rate_hz, 512)).unwrap();
            let latency_ms = 1000.0 * plugin.instance.latency_frames() as f64 / rate_hz;
            assert!(latency_ms <= limit_ms, "{mode:?}: {latency_ms:.1} ms at {rate_hz} Hz");
            let word = plugin.instance.wait_for_model(common::MODEL_LIMIT);
            let expected = if mode == LatencyMode::Monitor { "ready" } else { "failed" };
            assert_eq!(word.as_deref(), Some(expected), "{mode:?}");
            plugin.instance.deactivate(processor);
        }
    }
}

#[test]
fn what_a_project_says_of_the_mode_comes_back_and_garbage_means_standard() {
    let Some(mut plugin) = Plugin::with_sum_model() else { return };
    let processor = plugin.bounce(512);
    let standard = plugin.instance.latency_frames();
    let saved = plugin.instance.save_state().unwrap();
    plugin.instance.deactivate(processor);
    for mode in LatencyMode::ALL {
        choose(&mut plugin.instance, mode);
        let saved = plugin.instance.save_state().unwrap();
        choose(&mut plugin.instance, LatencyMode::Standard);
        plugin.instance.load_state(&saved).unwrap();
        assert_eq!(latency_field(&mut plugin), json!({ "format": 1, "mode": mode.name() }));
    }
    let nested = "[".repeat(2000);
    for garbage in
        ["", "low", "null", "7", "{\"format\":1,\"mode\":\"warp\"}", "{\"format\":9}", nested.as_str()]
    {
        choose(&mut plugin.instance, LatencyMode::Low);
        plugin.instance.load_state(&with_latency_field(&saved, garbage)).unwrap();
        let processor = plugin.bounce(512);
        assert_eq!(plugin.instance.latency_frames(), standard, "{garbage:.40}");
        plugin.instance.deactivate(processor);
    }
    // A project from before there were modes.
    choose(&mut plugin.instance, LatencyMode::Low);
    let mut old = saved.json().unwrap();
    old["fields"].as_object_mut().unwrap().remove("latency").unwrap();
    plugin.instance.load_state(&clap_host::state::SavedState::from_json(&old)).unwrap();
    assert_eq!(latency_field(&mut plugin), json!({ "format": 1, "mode": "standard" }));
}
