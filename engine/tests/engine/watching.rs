//! What is shown of the mix while it plays: what it does to the stems, and how far the network's masks go. Live it is what the
//! same estimator says of the same stretch offline, and nothing of it changes the mix.

use std::time::{Duration, Instant};

use tributary_dsp::explain::{Explanation, Observer};
use tributary_dsp::{CHANNELS, CorrectionSource, Recipe, Stem};
use tributary_engine::pipeline::watch::watch;
use tributary_engine::test_support::{SMALL_GEOMETRY, custom_source};
use tributary_engine::{Controls, Engine, EngineConfig, MaskReading, ModelBundle, Pipeline, SumModel};

use crate::common::{neutral_pipeline, noise_stems, part, repository};
use crate::networks::library;
use crate::realtime::OFFLINE;

const RATE_HZ: f64 = 44_100.0;

fn sum_pipeline() -> Pipeline {
    neutral_pipeline(Box::new(SumModel::new(SMALL_GEOMETRY)), RATE_HZ).with_watch()
}

/// Turns the bass down.
fn controls() -> Controls {
    let mut controls = Controls::NEUTRAL;
    controls.stems[Stem::Bass.index()].trim_db = -6.0;
    controls
}

/// Pushes stems in pieces and returns the mix as far as it is made.
fn push(
    pipeline: &mut Pipeline,
    stems: &[Vec<f32>; CHANNELS],
    range: std::ops::Range<usize>,
) -> [Vec<f32>; 2] {
    let mut mix = [Vec::new(), Vec::new()];
    for from in range.clone().step_by(700) {
        pipeline.push(part(stems, from..range.end.min(from + 700))).unwrap();
        let ready = pipeline.mix_ready_frames();
        let (mut left, mut right) = (vec![0.0; ready], vec![0.0; ready]);
        pipeline.pull_mix(&mut [&mut left, &mut right]);
        mix[0].extend(left);
        mix[1].extend(right);
    }
    mix
}

/// The offline estimator on the same stretch.
fn offline(stems: &[Vec<f32>; CHANNELS], from: usize, mix: &[Vec<f32>; 2]) -> Option<Explanation> {
    let mut observer = Observer::new(watch(RATE_HZ));
    observer.push(part(stems, from..from + mix[0].len()), [&mix[0], &mix[1]]);
    observer.explain()
}

#[test]
fn live_and_offline_estimates_of_a_stretch_are_one() {
    let stems = noise_stems(200_000, 70);
    let mut watched = sum_pipeline();
    watched.set_controls(&controls());
    watched.watch(true);
    let mix = push(&mut watched, &stems, 0..200_000);
    let found = watched.explain().expect("it was watched");
    assert_eq!(Some(found), offline(&stems, 0, &mix));
    let bass = found.stems[Stem::Bass.index()].audible().expect("it sounds");
    assert!((bass.gain_db + 6.0).abs() < 0.05 && found.explained_share > 0.999, "{found:?}");
    let mut unwatched = sum_pipeline();
    unwatched.set_controls(&controls());
    assert_eq!(push(&mut unwatched, &stems, 0..200_000), mix, "who watches changes nothing");
    assert_eq!(unwatched.explain(), None);
}

#[test]
fn watching_begins_in_the_middle_and_survives_hops_that_are_given_up() {
    let stems = noise_stems(300_000, 71);
    let mut pipeline = sum_pipeline();
    push(&mut pipeline, &stems, 0..50_000);
    pipeline.watch(true);
    push(&mut pipeline, &stems, 50_000..150_000);
    for from in (150_000..160_000).step_by(500) {
        pipeline.ingest(part(&stems, from..from + 500));
        while pipeline.hop_is_due() {
            pipeline.skip_hop();
        }
    }
    push(&mut pipeline, &stems, 160_000..300_000);
    let found = pipeline.explain().expect("it was watched");
    assert!(found.explained_share > 0.999, "stems and mix fell out of step: {found:?}");
    pipeline.reset();
    push(&mut pipeline, &stems, 0..100_000);
    assert!(pipeline.explain().expect("it goes on").explained_share > 0.999);
}

#[test]
fn a_worker_measures_while_somebody_looks() {
    let model = custom_source(SMALL_GEOMETRY, || Box::new(SumModel::new(SMALL_GEOMETRY)));
    let config = EngineConfig {
        model,
        corrections: CorrectionSource::Adaptive,
        host_rate_hz: RATE_HZ,
        max_block: 2048,
    };
    let (mut audio, handle) = Engine::start(config);
    let stems = noise_stems(2_048, 72);
    let play = |audio: &mut tributary_engine::AudioSide| {
        let (mut left, mut right) = (vec![0.0; 2_048], vec![0.0; 2_048]);
        audio.process([&mut left, &mut right], part(&stems, 0..2_048), &OFFLINE);
    };
    let telemetry = handle.telemetry();
    let started = Instant::now();
    let found = loop {
        telemetry.look();
        if let Some(found) = telemetry.explanation() {
            break found;
        }
        play(&mut audio);
        assert!(started.elapsed() < Duration::from_secs(60), "nothing is published");
    };
    assert!(found.stems.iter().all(|stem| stem.audible().is_some()), "{found:?}");
    assert!(telemetry.masks().readings.is_empty(), "a sum has no masks");
}

/// The default network's masks at a share of the network: readings, and the bands they are of.
fn masks(bundle: &ModelBundle, network: f32) -> (Vec<f32>, Vec<MaskReading>) {
    let loaded = bundle.find_library_and_load(None).unwrap();
    let (targets, source) = (bundle.targets(), CorrectionSource::Adaptive);
    let mut pipeline =
        Pipeline::new(loaded.model, &Recipe::bypass(), targets, source, None, RATE_HZ).unwrap();
    pipeline.set_controls(&Controls { network, ..Controls::NEUTRAL });
    pipeline.mask_meter().expect("the default network's masks are known").turn(true);
    push(&mut pipeline, &noise_stems(132_300, 73), 0..132_300);
    let meter = pipeline.mask_meter().unwrap();
    let bands_hz = meter.layout().bands_hz.clone();
    (bands_hz, meter.drain().collect())
}

#[test]
fn masks_are_read_per_stem_part_and_band_ten_times_a_second() {
    if library("masks_are_read_per_stem_part_and_band_ten_times_a_second").is_none() {
        return;
    }
    let Ok(bundle) = ModelBundle::open(repository("assets/models/default")) else {
        eprintln!("SKIPPED: watching: no default bundle");
        return;
    };
    let (bands_hz, whole) = masks(&bundle, 1.0);
    assert_eq!(bands_hz.len(), 16);
    assert!(bands_hz.windows(2).all(|pair| pair[0] < pair[1]) && bands_hz[0] < 700.0, "{bands_hz:?}");
    // Three seconds, less what the network waits for.
    assert!((18..=30).contains(&whole.len()), "{} readings", whole.len());
    let (_, half) = masks(&bundle, 0.5);
    let flat = |readings: &[MaskReading]| -> Vec<f32> {
        readings.iter().flat_map(|reading| reading.gains_db).flatten().flatten().collect()
    };
    let (whole, half) = (flat(&whole), flat(&half));
    assert!(whole.iter().any(|gain_db| gain_db.abs() > 0.3), "the network does something");
    for (whole_db, half_db) in whole.iter().zip(&half) {
        assert!((0.5 * whole_db - half_db).abs() < 0.02, "half of {whole_db} dB is not {half_db} dB");
    }
}
