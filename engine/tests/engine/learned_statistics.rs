//! Learned statistics: what a network averages over a song is learned with the profile, saved with it, held while it is in
//! force, and makes the live output that of the offline chain; another network never gets them.

use tributary_dsp::{
    CHANNELS, CorrectionSource, Recipe, SongProfile, Stem, StemStore, StereoBuffer, normalize_stem,
};
use tributary_engine::{
    AudioSide, Engine, EngineConfig, EngineHandle, LatencyMode, LearnedSong, LearningPhase, ModelBundle,
    ModelSource, Pipeline, Statistics,
};

use crate::common::{Noise, TemporaryFolder, difference, run_pipeline};
use crate::incremental::{LOOKAHEAD_FRAMES, incremental};
use crate::learning::{learn, limits, song, stem_of, wait_for};
use crate::networks::library;
use crate::realtime::{OFFLINE, render};

const RATE_HZ: f64 = 44_100.0;

/// The tiny incremental network behind every effect at full amount.
fn bundle(name: &str) -> (TemporaryFolder, ModelBundle) {
    let folder = incremental(name, 1024, LOOKAHEAD_FRAMES);
    let path = folder.0.join("contract.json");
    let mut contract: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    contract["recipe"] = serde_json::to_value(Recipe::default()).unwrap();
    std::fs::write(&path, contract.to_string()).unwrap();
    let bundle = ModelBundle::open(&folder.0).unwrap();
    (folder, bundle)
}

fn engine(bundle: &ModelBundle) -> (AudioSide, EngineHandle) {
    let model = ModelSource::Bundle { bundle: Box::new(bundle.clone()), library: None };
    let corrections = CorrectionSource::Adaptive;
    Engine::start(EngineConfig { model, corrections, host_rate_hz: RATE_HZ, max_block: 2048 })
}

/// Profile and statistics as from files: every stem normalized as a whole, the network run over the result.
fn offline(bundle: &ModelBundle, stems: &[Vec<f32>; CHANNELS]) -> (SongProfile, Statistics) {
    let mut profile = SongProfile::default();
    let mut normalized: [StereoBuffer; 4] = Stem::ALL.map(|stem| {
        let audio = stem_of(stems, stem);
        let (audio, made) = normalize_stem(stem, &audio, bundle.recipe(), bundle.targets(), RATE_HZ).unwrap();
        profile.0[stem.index()] = Some(made);
        audio
    });
    let [statistics, on_two_cores] = [false, true].map(|looks_ahead| {
        let stores = normalized.each_mut().map(|stem| Some(stem as &mut dyn StemStore));
        bundle.song_statistics(None, stores, looks_ahead, &mut |_| Ok(())).unwrap().unwrap()
    });
    assert_eq!(statistics, on_two_cores);
    (profile, statistics)
}

fn pipeline(bundle: &ModelBundle, profile: &SongProfile, statistics: Option<&Statistics>) -> Pipeline {
    let (model, source) =
        (bundle.find_library_and_load(None).unwrap().model, CorrectionSource::Fixed(profile.clone()));
    let (recipe, targets) = (bundle.recipe(), bundle.targets());
    let mut pipeline = Pipeline::new(model, recipe, targets, source, None, RATE_HZ).unwrap();
    pipeline.freeze_statistics(statistics.cloned()).unwrap();
    pipeline
}

fn distance(live: &[Vec<f32>; 2], wanted: &[Vec<f32>; 2], latency: usize) -> f32 {
    let frames = live[0].len() - latency;
    let side = |side: usize| difference(&live[side][latency..], &wanted[side][..frames]);
    side(0).max(side(1))
}

#[test]
fn live_with_learned_statistics_is_the_offline_chain_for_any_partition_and_after_restoring() {
    if library("live_with_learned_statistics_is_the_offline_chain").is_none() {
        return;
    }
    let (_folder, bundle) = bundle("learned-statistics");
    let stems = song(6 * 44_100);
    let (profile, statistics) = offline(&bundle, &stems);
    let (wanted, _) = run_pipeline(&mut pipeline(&bundle, &profile, Some(&statistics)), &stems, &[4096]);
    let (running, _) = run_pipeline(&mut pipeline(&bundle, &profile, None), &stems, &[4096]);

    let (mut audio, handle) = engine(&bundle);
    let adaptive = render(&mut audio, &stems, &OFFLINE, || 700);
    audio.reset();
    let learned = learn(&mut audio, &handle, &stems);
    let status = handle.learning().status();
    assert!(status.holds_statistics && status.message.is_none(), "{status:?}");
    assert_eq!(learned.profile, profile);
    let saved_statistics = learned.statistics.as_ref().unwrap();
    assert_eq!(saved_statistics.statistics, statistics, "the same numbers as from files");
    assert_eq!(saved_statistics.model_sha256, bundle.sha256());
    audio.reset();
    let latency = audio.latency_frames();
    let again = render(&mut audio, &stems, &OFFLINE, || 512);
    eprintln!("learned and started anew: {:e}", distance(&again, &wanted, latency));
    assert_eq!(distance(&again, &wanted, latency), 0.0);
    let without = distance(&again, &running, latency);
    assert!(without > 1e-4, "statistics make a difference: {without}");

    let saved = serde_json::to_string(&learned).unwrap();
    for (seed, most) in [(1, 100), (2, 5000)] {
        let restored: LearnedSong = serde_json::from_str(&saved).unwrap();
        assert_eq!(restored.statistics, learned.statistics, "every bit comes back");
        let (mut audio, handle) = engine(&bundle);
        handle.learning().restore(restored).unwrap();
        assert!(handle.learning().status().holds_statistics);
        let mut noise = Noise(seed);
        let out = render(&mut audio, &stems, &OFFLINE, || 1 + noise.below(most));
        assert_eq!(distance(&out, &wanted, latency), 0.0, "blocks up to {most}");
    }

    handle.learning().forget();
    assert!(!handle.learning().status().holds_statistics);
    audio.reset();
    assert!(adaptive == render(&mut audio, &stems, &OFFLINE, || 512), "forgotten is as never learned");
}

#[test]
fn statistics_of_another_network_or_impossible_ones_are_not_used_but_the_profile_is() {
    if library("statistics_of_another_network").is_none() {
        return;
    }
    let (_folder, bundle) = bundle("foreign-statistics");
    let stems = song(4 * 44_100);
    let (profile, statistics) = offline(&bundle, &stems);
    let (running, _) = run_pipeline(&mut pipeline(&bundle, &profile, None), &stems, &[4096]);
    let (mut audio, handle) = engine(&bundle);
    let learned = learn(&mut audio, &handle, &stems);
    let mut foreign = learned.clone();
    foreign.statistics.as_mut().unwrap().model_sha256 = "0".repeat(64);
    let mut short = learned.clone();
    short.statistics.as_mut().unwrap().statistics.norms.pop();
    let mut impossible = learned.clone();
    impossible.statistics.as_mut().unwrap().statistics.gate[0] = f32::INFINITY;
    let absent = LearnedSong { statistics: None, ..learned };
    for other in [foreign, short, impossible, absent] {
        let (mut audio, handle) = engine(&bundle);
        handle.learning().restore(other.clone()).unwrap();
        let status = handle.learning().status();
        assert_eq!((status.phase, status.holds_statistics), (LearningPhase::Learned, false));
        assert_eq!(status.song.as_deref(), Some(&other), "and is saved again as it came");
        let out = render(&mut audio, &stems, &OFFLINE, || 1000);
        assert_eq!(distance(&out, &running, audio.latency_frames()), 0.0);
    }
    assert!(
        pipeline(&bundle, &profile, Some(&statistics))
            .freeze_statistics(Some(Statistics::default()))
            .is_err()
    );
}

/// The statistics are the song's, whatever the mode they were learned in – even the one without a network.
#[test]
fn every_latency_mode_learns_the_same() {
    if library("every_latency_mode_learns_the_same").is_none() {
        return;
    }
    let (_folder, bundle) = bundle("modes-statistics");
    let stems = song(4 * 44_100);
    let (_, statistics) = offline(&bundle, &stems);
    for mode in LatencyMode::ALL {
        let (mut audio, handle) = engine(&bundle.clone().in_mode(mode));
        let learned = learn(&mut audio, &handle, &stems);
        assert_eq!(learned.statistics.unwrap().statistics, statistics, "{mode:?}");
    }
}

#[test]
fn the_running_stream_takes_them_up_without_a_click_and_a_cancelled_run_changes_nothing() {
    if library("the_running_stream_takes_them_up").is_none() {
        return;
    }
    let (_folder, bundle) = bundle("glide-statistics");
    let stems = song(4 * 44_100);
    let (mut audio, handle) = engine(&bundle);
    learn(&mut audio, &handle, &stems);
    let largest_step = crate::realtime::largest_step;
    let twice: [Vec<f32>; CHANNELS] = std::array::from_fn(|channel| stems[channel].repeat(4));
    let out = render(&mut audio, &twice, &OFFLINE, || 512);
    let (profile, statistics) = offline(&bundle, &stems);
    let (wanted, _) = run_pipeline(&mut pipeline(&bundle, &profile, Some(&statistics)), &twice, &[4096]);
    assert!(largest_step(&out[0]) <= 1.5 * largest_step(&wanted[0]), "a click");

    let before = handle.learning().status();
    let folder = TemporaryFolder::new("cancelled-statistics");
    handle.learning().start_within(limits(&folder));
    render(&mut audio, &stems, &OFFLINE, || 512);
    handle.learning().finish();
    wait_for(&handle, |status| status.phase == LearningPhase::Analyzing);
    handle.learning().cancel();
    assert_eq!(handle.learning().status(), before);
}
