//! The shell without a host: activation, processing, deactivation, and what the editor is told meanwhile.
//!
//! The test binary has no model beside it, so the engine must pass the main input at exactly the reported latency and say
//! what is missing. Real hosts, real bundles and models are the business of the workspace's `tests` crate.

#![allow(unsafe_code)] // The framework's buffers can only be filled through its unsafe setter.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use nice_plug::prelude::*;
use support::Host;
use tributary::Tributary;
use tributary_engine::LatencyMode;

const RATE_HZ: f32 = 48_000.0;
const MAX_BLOCK: usize = 256;

fn activate(plugin: &mut Tributary) -> usize {
    support::activate(plugin, RATE_HZ, MAX_BLOCK, ProcessMode::Realtime)
}

/// Processes one block in place; the sidechains have `aux_frames`, as the framework delivers absent ones.
fn process(plugin: &mut Tributary, left: &mut [f32], right: &mut [f32], aux_frames: usize) -> ProcessStatus {
    process_in(&mut Host::default(), plugin, left, right, aux_frames)
}

fn process_in(
    host: &mut Host,
    plugin: &mut Tributary,
    left: &mut [f32],
    right: &mut [f32],
    aux_frames: usize,
) -> ProcessStatus {
    let frames = left.len();
    let mut sidechains = vec![vec![0.5; aux_frames]; 8];
    // SAFETY: every slice outlives the buffers made here.
    unsafe {
        let mut main = Buffer::default();
        main.set_slices(frames, |slices| *slices = vec![left, right]);
        let mut inputs: Vec<Buffer<'_>> = (0..4).map(|_| Buffer::default()).collect();
        for (bus, pair) in inputs.iter_mut().zip(sidechains.chunks_mut(2)) {
            bus.set_slices(frames, |slices| slices.extend(pair.iter_mut().map(Vec::as_mut_slice)));
        }
        let mut aux = AuxiliaryBuffers { inputs: &mut inputs, outputs: &mut [] };
        plugin.process(&mut main, &mut aux, host)
    }
}

#[test]
fn without_a_model_the_main_input_passes_at_the_reported_latency() {
    let mut plugin = Tributary::default();
    let latency = activate(&mut plugin);
    assert!(latency > 0);
    let (at, total) = (1000, 1000 + latency + 500);
    let mut left: Vec<f32> = (0..total).map(|frame| if frame == at { 1.0 } else { 0.0 }).collect();
    let mut right: Vec<f32> = left.iter().map(|sample| -0.5 * sample).collect();
    let (mut from, mut block) = (0, 1);
    while from < total {
        let to = (from + block).min(total);
        // Sidechains arrive in the right length, stale, or empty.
        let aux_frames = [to - from, MAX_BLOCK, 0][block % 3];
        let status = process(&mut plugin, &mut left[from..to], &mut right[from..to], aux_frames);
        assert_eq!(status, ProcessStatus::Tail(latency as u32));
        from = to;
        block = block * 7 % MAX_BLOCK + 1;
    }
    let loudest = (0..total).max_by(|a, b| left[*a].abs().total_cmp(&left[*b].abs()));
    assert_eq!(loudest, Some(at + latency));
    assert!((left[at + latency] - 1.0).abs() < 1e-5 && (right[at + latency] + 0.5).abs() < 1e-5);
    let others = left.iter().enumerate().filter(|(frame, _)| *frame != at + latency);
    assert!(others.map(|(_, sample)| sample.abs()).fold(0.0, f32::max) < 1e-6);
}

#[test]
fn the_saved_state_says_what_is_missing() {
    let mut plugin = Tributary::default();
    let latency = activate(&mut plugin);
    let session = || -> serde_json::Value {
        let fields = plugin.params().serialize_fields();
        serde_json::from_str(&fields["session"]).expect("JSON")
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while session()["report"]["state"] != "failed" {
        assert!(std::time::Instant::now() < deadline, "{}", session());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let report = session()["report"].clone();
    assert!(report["reason"].as_str().expect("a sentence").contains("No model was found"), "{report}");
    assert_eq!(report["latency_frames"], latency);
    plugin.deactivate();
    let fields = plugin.params().serialize_fields();
    assert!(fields["session"].contains("No model was found"), "the report outlives the run");
}

#[test]
fn inactive_and_reactivated_it_stays_calm() {
    let mut plugin = Tributary::default();
    let (mut left, mut right) = (vec![0.25; 64], vec![-0.25; 64]);
    assert_eq!(process(&mut plugin, &mut left, &mut right, 64), ProcessStatus::Normal);
    assert_eq!((left[63], right[63]), (0.25, -0.25), "not active: the input passes");
    let latency = activate(&mut plugin);
    for _ in 0..3 {
        assert_eq!(activate(&mut plugin), latency, "activated again without deactivation");
        plugin.deactivate();
        plugin.deactivate();
    }
    plugin.reset();
    assert_eq!(process(&mut plugin, &mut left, &mut right, 0), ProcessStatus::Normal);
}

/// Nobody but the audio thread can pass the wish on when no editor is open; and what is in force stays until then.
#[test]
fn another_latency_mode_asks_for_one_restart_and_changes_nothing_before() {
    let mut plugin = Tributary::default();
    let latency = activate(&mut plugin);
    let (mut left, mut right) = (vec![0.25; 64], vec![-0.25; 64]);
    let mut host = Host::default();
    let mut block = |plugin: &mut Tributary| {
        let status = process_in(&mut host, plugin, &mut left, &mut right, 64);
        assert_eq!(status, ProcessStatus::Tail(latency as u32));
        host.restarts.get()
    };
    assert_eq!(block(&mut plugin), 0);
    let params = plugin.parameters().clone();
    params.latency.choose(LatencyMode::Monitor);
    assert!(plugin.copies().latency.pending);
    assert_eq!([block(&mut plugin), block(&mut plugin)], [1, 1]);
    // The same through a loaded state; a state without a mode is one from before there were modes.
    let fields = [("latency".to_owned(), "{\"format\":1,\"mode\":\"low\"}".to_owned())].into();
    params.deserialize_fields(&fields);
    assert_eq!([block(&mut plugin), block(&mut plugin)], [2, 2]);
    let mut state: PluginState = serde_json::from_str("{\"params\": {}, \"fields\": {}}").expect("a state");
    Tributary::filter_state(&mut state);
    params.deserialize_fields(&state.fields);
    assert_eq!(params.latency.chosen(), LatencyMode::Standard);
    assert_eq!(block(&mut plugin), 2, "what is in force already needs no restart");
    params.latency.choose(LatencyMode::High);
    plugin.deactivate();
    activate(&mut plugin);
    assert!(!plugin.copies().latency.pending);
    assert_eq!(plugin.copies().latency.mode, LatencyMode::High);
}

/// A rewind to a silent beginning does not undo that a stem has played.
#[test]
fn a_stem_that_was_heard_stays_heard_through_a_reset_and_silence() {
    let mut plugin = Tributary::default();
    activate(&mut plugin);
    let seen = |plugin: &Tributary| plugin.copies().stems.map(|stem| (stem.signal, stem.seen));
    let (mut left, mut right) = (vec![0.0; MAX_BLOCK], vec![0.0; MAX_BLOCK]);
    process(&mut plugin, &mut left, &mut right, 0);
    assert_eq!(seen(&plugin), [(false, false); 4], "nothing yet");
    process(&mut plugin, &mut left, &mut right, MAX_BLOCK);
    assert_eq!(seen(&plugin), [(true, true); 4]);
    plugin.reset();
    for _ in 0..4 * RATE_HZ as usize / MAX_BLOCK {
        process(&mut plugin, &mut left, &mut right, 0);
    }
    assert_eq!(seen(&plugin), [(false, true); 4]);
    plugin.deactivate();
    activate(&mut plugin);
    assert_eq!(seen(&plugin), [(false, false); 4], "another activation, other cables");
}
