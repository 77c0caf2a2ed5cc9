//! A learned profile in a project: the built plug-in, given a saved state with one, plays what the offline chain makes of
//! the same song, keeps it when it is saved again, and adapts when it belongs to something else.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use clap_host::bundled::{StagedModel, model_folder};
use clap_host::play::play_aligned;
use clap_host::state::SavedState;
use clap_host::{Bus, BusAudio, Instance, Partition, Stereo};
use common::{MODEL_RATE_HZ, OVERRIDES, Plugin, activate, ran_without_environment, song};
use serde_json::{Value, json};
use tributary_dsp::{Recipe, Stem, StereoBuffer, Targets, normalize_stem, profile_song};
use tributary_engine::{LearnedSong, Normalization};

/// Largest difference of the live output and the offline chain.
const TOLERANCE: f32 = 1e-4;

fn stem_of(audio: &BusAudio, stem: Stem) -> StereoBuffer {
    let Stereo { left, right } = audio.bus(Bus::Stem(stem)).clone();
    StereoBuffer { left, right }
}

/// The plain-sum model with every effect at full amount, and its targets.
fn full_sum_model() -> Option<(Plugin, Targets)> {
    let mut targets = None;
    let plugin = Plugin::altered(&StagedModel::CopyOf(model_folder("sum")), false, |staged| {
        let path = staged.model_folder().join("contract.json");
        let mut contract: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        contract["recipe"] = serde_json::to_value(Recipe::default()).unwrap();
        std::fs::write(&path, contract.to_string()).unwrap();
        let json = std::fs::read_to_string(staged.model_folder().join("targets.json")).unwrap();
        targets = Some(Targets::from_json(&json).unwrap());
    })?;
    Some((plugin, targets?))
}

/// The state of a plug-in that has learned `audio`.
fn with_learned(state: &SavedState, audio: &BusAudio, targets: &Targets) -> SavedState {
    let (recipe, stems) = (Recipe::default(), Stem::ALL.map(|stem| stem_of(audio, stem)));
    let profile =
        profile_song(stems.each_ref().map(Some), &recipe, targets, MODEL_RATE_HZ, &mut |_| {}).unwrap();
    let normalization =
        Normalization { recipe, targets: targets.clone(), sample_rate_hz: MODEL_RATE_HZ as u32 };
    let learned = LearnedSong {
        normalization_sha256: normalization.sha256(),
        learned_unix_s: 1_780_000_000,
        length_s: audio.frames() as f64 / MODEL_RATE_HZ,
        profile,
        statistics: None,
    };
    let mut json = state.json().unwrap();
    // As the plug-in writes it: as text, in which 32-bit numbers keep their short form.
    let learned = serde_json::to_string(&learned).unwrap();
    json["fields"]["learned"] = Value::String(format!("{{\"format\":1,\"learned\":{learned}}}"));
    SavedState::from_json(&json)
}

fn learned_of(state: &SavedState) -> Value {
    serde_json::from_str(state.json().unwrap()["fields"]["learned"].as_str().unwrap()).unwrap()
}

/// The sum of the stems, each normalized as a whole file.
fn offline(audio: &BusAudio, targets: &Targets) -> Stereo {
    let mut sum = Stereo::silence(audio.frames());
    for stem in Stem::ALL {
        let (StereoBuffer { left, right }, _) =
            normalize_stem(stem, &stem_of(audio, stem), &Recipe::default(), targets, MODEL_RATE_HZ).unwrap();
        sum.add(&Stereo { left, right });
    }
    sum
}

fn distance(a: &Stereo, b: &Stereo) -> f32 {
    let pairs = a.left.iter().chain(&a.right).zip(b.left.iter().chain(&b.right));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn bounce(instance: &mut Instance, audio: &BusAudio, partition: &Partition) -> Stereo {
    let mut processor =
        activate(instance, clap_host::AudioSetup::offline(MODEL_RATE_HZ, partition.max_frames()));
    let latency = instance.latency_frames();
    let output = play_aligned(&mut processor, audio, partition, latency).unwrap();
    instance.deactivate(processor);
    output
}

#[test]
fn a_restored_profile_plays_what_the_offline_chain_makes() {
    if ran_without_environment("a_restored_profile_plays_what_the_offline_chain_makes", &OVERRIDES) {
        return;
    }
    let Some((mut plugin, targets)) = full_sum_model() else { return };
    let audio = song(6 * 44_100, MODEL_RATE_HZ, 4);
    let wanted = offline(&audio, &targets);
    let empty = plugin.instance.save_state().unwrap();
    assert_eq!(learned_of(&empty), Value::Null);
    let saved = with_learned(&empty, &audio, &targets);
    assert!(saved.bytes().len() < 256 * 1024, "{} bytes", saved.bytes().len());

    let adaptive = bounce(&mut plugin.instance, &audio, &Partition::Fixed(512));
    assert!(distance(&adaptive, &wanted) > 100.0 * TOLERANCE, "adapting is something else");
    for partition in [Partition::Fixed(512), Partition::Cycle(vec![1, 777, 64, 2048]), Partition::Fixed(4096)]
    {
        let mut instance = plugin.another();
        instance.load_state(&saved).unwrap();
        let output = bounce(&mut instance, &audio, &partition);
        let worst = distance(&output, &wanted);
        println!("{partition:?}: {worst:e} from the offline chain");
        assert!(worst <= TOLERANCE, "{partition:?}: {worst}");
        // Saved after playing, it is the same, and plays the same.
        let again = instance.save_state().unwrap();
        assert!(learned_of(&again) == learned_of(&saved));
        let mut other = plugin.another();
        other.load_state(&again).unwrap();
        assert!(bounce(&mut other, &audio, &partition) == output);
    }
}

#[test]
fn a_profile_of_another_model_is_kept_and_not_used() {
    if ran_without_environment("a_profile_of_another_model_is_kept_and_not_used", &OVERRIDES) {
        return;
    }
    let Some((mut plugin, targets)) = full_sum_model() else { return };
    let audio = song(3 * 44_100, MODEL_RATE_HZ, 5);
    let adaptive = bounce(&mut plugin.instance, &audio, &Partition::Fixed(512));
    let mut json = with_learned(&plugin.instance.save_state().unwrap(), &audio, &targets).json().unwrap();
    let mut learned = learned_of(&SavedState::from_json(&json));
    learned["learned"]["normalization_sha256"] = json!("0".repeat(64));
    json["fields"]["learned"] = Value::String(learned.to_string());
    let mut instance = plugin.another();
    instance.load_state(&SavedState::from_json(&json)).unwrap();
    assert!(bounce(&mut instance, &audio, &Partition::Fixed(512)) == adaptive);
    assert!(learned_of(&instance.save_state().unwrap()) == learned);
}
