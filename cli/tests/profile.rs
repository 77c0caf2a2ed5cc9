//! `tributary profile` and `tributary targets show`: what is measured of a song, and the picture of it.

mod support;

use std::fs;
use std::path::Path;

use support::{Wav, folder, tributary, write_with};

fn plain(path: &Path) -> &str {
    path.to_str().expect("plain")
}

#[test]
fn a_profile_holds_what_a_stem_is_and_can_be_drawn() {
    let root = folder("profile");
    let song = root.join("Song");
    // A sine of 1 kHz on the left only, and silence.
    write_with(&song.join("vocals.wav"), Wav { seconds: 6.0, ..Wav::FLOAT }, |t, c| {
        if c == 0 { 0.1 * (std::f64::consts::TAU * 1000.0 * t).sin() } else { 0.0 }
    });
    write_with(&song.join("bass.wav"), Wav { seconds: 6.0, ..Wav::FLOAT }, |_, _| 0.0);
    support::write(&song.join("drums.wav"), 2, Wav { seconds: 6.0, ..Wav::FLOAT });
    let json = root.join("profile.json");
    tributary(&["profile", plain(&song), "-o", plain(&json)]).succeeds().notes("the other stem is missing");
    let profile: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&json).expect("there")).expect("JSON");
    let vocals = &profile["stems"]["vocals"];
    let spectrum = vocals["spectrum"].as_array().expect("a curve");
    assert_eq!(spectrum.len(), 32_769);
    let loudest = spectrum
        .iter()
        .max_by(|a, b| a[1].as_f64().partial_cmp(&b[1].as_f64()).expect("numbers"))
        .expect("not empty");
    assert!((loudest[0].as_f64().expect("Hz") - 1000.0).abs() < 0.7, "{loudest}");
    let phi = vocals["phi"].as_array().expect("a curve");
    let at_tone = phi.iter().find(|pair| pair[0].as_f64().expect("Hz") > 999.5).expect("a bin");
    assert!(at_tone[1].as_f64().expect("a similarity") < 0.5, "one side only: {at_tone}");
    // −20 dBFS on one side: 3 dB less than on both, and −3.01 + 0.69 − 0.69 of the standard's sine.
    let lufs = vocals["loudness_lufs"].as_f64().expect("audible");
    assert!((lufs + 23.0).abs() < 0.3, "{lufs}");
    assert!(profile["stems"]["drums"]["peak_db"].is_f64());
    assert!(profile["stems"]["bass"]["loudness_lufs"].is_null() && profile["stems"].get("other").is_none());

    let svg = root.join("picture.svg");
    let run = tributary(&["targets", "show", "default", plain(&json), "-o", plain(&svg)]).succeeds();
    assert!(run.out.contains("MUSDB18 (default)") && run.out.contains("-30.7"), "{}", run.out);
    let picture = fs::read_to_string(&svg).expect("there");
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    // Two curves of the targets for each of four stems, two of the profile for its two audible ones.
    assert_eq!(picture.matches("<polyline").count(), 8 + 4);
    assert!(!picture.contains("NaN"));
}

#[test]
fn a_song_is_learned_into_a_file_that_the_plug_in_takes() {
    use tributary_engine::{Engine, EngineConfig, LearnedSong, LearningPhase, ModelBundle, ModelSource};
    let root = folder("profile-learned");
    let song = support::song(&root.join("Song"), Wav::FLOAT);
    let path = root.join("song.profile.json");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/sum");
    let learn = ["profile", plain(&song), "--learned", "--model", plain(&model), "-o", plain(&path)];
    let run = tributary(&learn).succeeds();
    assert!(run.out.contains("vocals") && run.out.contains("song.profile.json"), "{}", run.out);
    let learned = LearnedSong::read_file(&path).expect("its own format");
    assert!((learned.length_s - 3.0).abs() < 0.01 && learned.profile.0.iter().all(Option::is_some));
    // An engine of that model has it in force at once; one with other rules refuses it in a sentence.
    let bundle = Box::new(ModelBundle::open(&model).expect("it ships"));
    let config = EngineConfig {
        model: ModelSource::Bundle { bundle, library: None },
        corrections: tributary_dsp::CorrectionSource::Adaptive,
        host_rate_hz: 48_000.0,
        max_block: 512,
    };
    let (_audio, handle) = Engine::start(config);
    handle.learning().restore(learned.clone()).expect("learned for this model");
    assert_eq!(handle.learning().status().phase, LearningPhase::Learned);
    let foreign = LearnedSong { normalization_sha256: "0".repeat(64), ..learned.clone() };
    assert!(handle.learning().restore(foreign).is_err());
    // Learned again it is the same, whenever that was.
    tributary(&learn).succeeds();
    let again = LearnedSong::read_file(&path).expect("its own format");
    assert_eq!(again.profile, learned.profile);
}

#[test]
fn what_is_neither_targets_nor_a_profile_is_refused() {
    let root = folder("targets-show");
    fs::write(root.join("x.json"), "{\"a\": 1}").expect("written");
    tributary(&["targets", "show", plain(&root.join("x.json"))]).fails_with("x.json cannot be shown");
    tributary(&["targets", "show", plain(&root.join("absent.json"))]).fails_with("cannot be shown");
    tributary(&["profile", plain(&root), "-o", plain(&root.join("p.json"))])
        .fails_with("no stem can be used");
}
