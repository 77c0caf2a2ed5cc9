//! Latency modes: which windows they mean for which networks, that every one is aligned to the sample at every rate and
//! block length and keeps its bound, and what the monitor path plays.

use serde_json::{Value, json};
use tributary_dsp::{CHANNELS, CorrectionSource};
use tributary_engine::{
    AudioSide, Contract, Engine, EngineConfig, EngineHandle, LatencyMode, LatencyReport, ModelBundle,
    ModelSource, Pipeline, SumModel, WindowGeometry,
};

use crate::common::{Noise, TemporaryFolder, difference, noise_stems, repository, run_pipeline};
use crate::realtime::{OFFLINE, render, wait_until_ready};

fn bundle(name: &str) -> ModelBundle {
    ModelBundle::open(repository("assets/models").join(name)).unwrap()
}

fn source(bundle: &ModelBundle, mode: LatencyMode) -> ModelSource {
    ModelSource::Bundle { bundle: Box::new(bundle.clone()), library: None }.in_mode(mode)
}

fn engine(
    bundle: &ModelBundle,
    mode: LatencyMode,
    host_rate_hz: f64,
    max_block: usize,
) -> (AudioSide, EngineHandle) {
    let (model, corrections) = (source(bundle, mode), CorrectionSource::Adaptive);
    Engine::start(EngineConfig { model, corrections, host_rate_hz, max_block })
}

fn latency(bundle: &ModelBundle, mode: LatencyMode, host_rate_hz: f64, max_block: usize) -> LatencyReport {
    source(bundle, mode).latency(&CorrectionSource::Adaptive, host_rate_hz, max_block).unwrap()
}

fn default_contract() -> Value {
    let path = repository("assets/models/default/contract.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn windows_follow_from_the_standard_one() {
    let contract = |json: &Value| Contract::from_json(&json.to_string()).unwrap();
    let mut json = default_contract();
    json["window"] = json!({
        "context_frames": 22_016, "hop_frames": 11_008, "lookahead_frames": 10_240, "crossfade_frames": 1_024,
        "computing_share": 0.25,
    });
    json["network"]["delay_frames"] = json!(8_064);
    let standard = contract(&json).geometry();
    assert_eq!(contract(&json).window_in(LatencyMode::Standard), standard);
    let low = contract(&json).window_in(LatencyMode::Low);
    assert_eq!((low.hop_frames, low.lookahead_frames, low.crossfade_frames), (1_024, 3_072, 512));
    let high = contract(&json).window_in(LatencyMode::High);
    assert_eq!((high.hop_frames, high.lookahead_frames), (22_080, 128 + 8_064 + 44_096));
    let monitor = contract(&json).window_in(LatencyMode::Monitor);
    assert_eq!((monitor.window_frames(), monitor.hop_frames), (256, 256));
    // A quarter of a hop, and 12 ms for the machine; the monitor's is a hop.
    let computing = LatencyMode::ALL.map(|mode| contract(&json).window_in(mode).computing_frames);
    assert_eq!(computing, [256 + 530, 2_752 + 530, 5_520 + 530, 256]);
    for mode in LatencyMode::ALL {
        assert!(contract(&json).offers(mode));
        assert!(contract(&json).window_in(mode).check().is_ok());
    }

    // Where nothing is stated, computing takes a hop, and Low's are twice as long.
    json["window"].as_object_mut().unwrap().remove("computing_share").unwrap();
    for mode in LatencyMode::ALL {
        let window = contract(&json).window_in(mode);
        assert_eq!(window.computing_frames, window.hop_frames, "{mode:?}");
    }
    assert_eq!(contract(&json).window_in(LatencyMode::Low).hop_frames, 2_048);

    // Never longer than the standard window in the low mode, never shorter in the high one.
    json["window"] = json!({
        "context_frames": 256, "hop_frames": 512, "lookahead_frames": 512, "crossfade_frames": 64,
    });
    assert_eq!(contract(&json).window_in(LatencyMode::Low), contract(&json).geometry());
    assert!(!contract(&json).offers(LatencyMode::Low));
    json["window"] = json!({
        "context_frames": 256, "hop_frames": 64_000, "lookahead_frames": 128_000, "crossfade_frames": 64,
    });
    assert_eq!(contract(&json).window_in(LatencyMode::High), contract(&json).geometry());
    // No room for more: the standard window remains.
    json["window"]["context_frames"] = json!(2_880_000 - 192_000);
    json["window"]["hop_frames"] = json!(6_400);
    json["window"]["lookahead_frames"] = json!(185_600);
    json["network"]["delay_frames"] = json!(131_072);
    assert_eq!(contract(&json).window_in(LatencyMode::High), contract(&json).geometry());

    // A network that was trained for its window has no other, but can be monitored around.
    json = default_contract();
    let graph = json["network"]["front"].clone();
    json["network"] = json!({ "kind": "whole", "graph": graph, "input": "stems", "output": "mix" });
    for (mode, offered) in LatencyMode::ALL.into_iter().zip([false, true, false, true]) {
        assert_eq!(contract(&json).offers(mode), offered, "{mode:?}");
    }
    assert_eq!(LatencyMode::ALL.map(LatencyMode::name), ["low", "standard", "high", "monitor"]);
}

#[test]
fn every_mode_keeps_its_bound_and_is_the_sum_of_its_parts() {
    let bundle = bundle("default");
    for rate_hz in [44_100.0, 48_000.0] {
        let of = |mode| latency(&bundle, mode, rate_hz, 512);
        let [low, standard, high, monitor] = LatencyMode::ALL.map(of);
        assert!(low.total_ms() <= 150.0, "{low:?}");
        assert!(standard.total_ms() <= 600.0, "{standard:?}");
        assert!(monitor.total_ms() <= 65.0, "{monitor:?}");
        assert!(high.total_ms() > standard.total_ms() && standard.total_ms() > low.total_ms());
        for report in [low, standard, high, monitor] {
            let total: usize = report.parts.iter().map(|part| part.frames).sum();
            assert_eq!(report.total_frames(), total);
            assert!(report.parts.iter().all(|part| part.frames > 0 && !part.name.is_empty()));
        }
    }
}

#[test]
fn an_impulse_arrives_at_the_latency_in_every_mode() {
    let bundle = bundle("sum");
    for mode in LatencyMode::ALL {
        for (rate_hz, block) in [(44_100.0, 64), (44_100.0, 8192), (48_000.0, 512), (192_000.0, 1024)] {
            let (mut audio, handle) = engine(&bundle, mode, rate_hz, block);
            assert_eq!(handle.latency(), &latency(&bundle, mode, rate_hz, block));
            let frames = audio.latency_frames() + (rate_hz * 0.1) as usize;
            let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
            stems[4][333] = 1.0;
            let mut noise = Noise(block as u64);
            let out = render(&mut audio, &stems, &OFFLINE, || 1 + noise.below(block));
            let peak = out[0].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
            assert_eq!(peak.0, audio.latency_frames() + 333, "{mode:?}, {rate_hz} Hz, blocks to {block}");
            assert_eq!(handle.report().underruns, 0, "{mode:?}, {rate_hz} Hz, blocks to {block}");
        }
    }
}

/// The bundle without its graphs: whoever still mixes needs none.
#[test]
fn the_monitor_plays_the_sum_of_the_normalized_stems_without_a_network() {
    let folder = TemporaryFolder::new("monitor");
    for name in ["contract.json", "targets.json"] {
        std::fs::copy(repository("assets/models/default").join(name), folder.0.join(name)).unwrap();
    }
    let bundle = ModelBundle::open(&folder.0).unwrap();
    for rate_hz in [44_100.0, 48_000.0] {
        let stems = noise_stems(3 * rate_hz as usize, 90);
        // The sum as it leaves the normalizer, in a pipeline of another window.
        let geometry = WindowGeometry { hop_frames: 4096, margin_frames: 0, ..bundle.geometry() };
        let (recipe, targets) = (bundle.recipe(), bundle.targets());
        let corrections = CorrectionSource::Adaptive;
        let mut pipeline =
            Pipeline::new(Box::new(SumModel::new(geometry)), recipe, targets, corrections, None, rate_hz)
                .unwrap();
        let (_, wanted) = run_pipeline(&mut pipeline, &stems, &[1000]);
        assert!(wanted[0].iter().all(|x| x.abs() < 0.8), "the limiter would take part");

        let (mut audio, handle) = engine(&bundle, LatencyMode::Monitor, rate_hz, 512);
        wait_until_ready(&handle);
        let mut noise = Noise(91);
        let out = render(&mut audio, &stems, &OFFLINE, || 1 + noise.below(700));
        let latency = audio.latency_frames();
        for side in 0..2 {
            let worst = difference(&out[side][latency..], &wanted[side][..stems[0].len() - latency]);
            assert!(worst <= 1e-6, "{rate_hz} Hz: {worst}");
        }
    }
    for mode in [LatencyMode::Low, LatencyMode::Standard, LatencyMode::High] {
        assert!(bundle.clone().in_mode(mode).find_library_and_load(None).is_err(), "these need the graphs");
    }
}
