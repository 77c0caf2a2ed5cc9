//! `tributary analyze`: a folder of songs in, targets out, and the targets are usable.

mod support;

use std::fs;
use std::path::Path;

use support::{Wav, folder, song, tributary, write_with};

fn analyze(input: &Path, output: &Path, more: &[&str]) -> support::Run {
    let mut arguments =
        vec!["analyze", input.to_str().expect("plain"), "-o", output.to_str().expect("plain")];
    arguments.extend(more);
    tributary(&arguments)
}

fn targets(path: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).expect("there are targets")).expect("they are JSON")
}

#[test]
fn averages_do_not_depend_on_threads_and_can_be_normalized_to() {
    let root = folder("analyze-plain");
    for name in ["One", "Two", "Three"] {
        song(&root.join("set").join(name), Wav { seconds: 6.0, ..Wav::CD });
    }
    let (one, two) = (root.join("one.json"), root.join("two.json"));
    analyze(&root.join("set"), &one, &["--jobs", "1", "--name", "Three songs"]).succeeds();
    analyze(&root.join("set"), &two, &["--jobs", "3", "--name", "Three songs"]).succeeds();
    assert_eq!(fs::read(&one).expect("there"), fs::read(&two).expect("there"));
    let targets = targets(&one);
    assert_eq!(targets["name"], "Three songs");
    assert_eq!(targets["songs"], 3);
    assert!(
        targets["source"].as_str().is_some_and(|source| source.contains("sha256")),
        "{}",
        targets["source"]
    );

    // All songs are alike, so normalizing one to their average leaves its loudness where the average is.
    let out = root.join("out");
    tributary(&[
        "normalize",
        root.join("set/One").to_str().expect("plain"),
        "-o",
        out.to_str().expect("plain"),
        "--targets",
        one.to_str().expect("plain"),
    ])
    .succeeds();
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join("report.json")).expect("there")).expect("JSON");
    for stem in support::STEMS {
        let wanted = targets["stems"][stem]["loudness_lufs"].as_f64().expect("a number");
        let got = report["songs"][0]["stems"][stem]["after"]["integrated_lufs"].as_f64().expect("audible");
        assert!((wanted - got).abs() < 0.2, "{stem}: {wanted} wanted, {got} got");
    }
}

#[test]
fn a_silent_stem_is_left_out_of_the_average() {
    let root = folder("analyze-silent");
    song(&root.join("set/One"), Wav { seconds: 6.0, ..Wav::CD });
    song(&root.join("set/Two"), Wav { seconds: 6.0, ..Wav::CD });
    let alone = root.join("alone.json");
    analyze(&root.join("set"), &alone, &["--name", "x"]).succeeds();
    song(&root.join("set/Quiet"), Wav { seconds: 6.0, ..Wav::CD });
    for stem in support::STEMS {
        write_with(&root.join(format!("set/Quiet/{stem}.wav")), Wav::CD, |_, _| 0.0);
    }
    let with_silence = root.join("with.json");
    analyze(&root.join("set"), &with_silence, &["--name", "x"])
        .succeeds()
        .notes("Quiet: the bass stem is silent or too quiet");
    assert_eq!(targets(&alone)["stems"], targets(&with_silence)["stems"]);
}

#[test]
fn nothing_to_measure_is_an_error_and_leaves_no_file() {
    let root = folder("analyze-nothing");
    let out = root.join("targets.json");
    analyze(&root.join("absent"), &out, &[]).fails_with("cannot list the folder");
    write_with(&root.join("set/Quiet/vocals.wav"), Wav::CD, |_, _| 0.0);
    analyze(&root.join("set"), &out, &[]).fails_with("no stem of 1 songs has a measurable equalization");
    assert!(!out.exists());
    song(&root.join("set/Loud"), Wav::CD);
    analyze(&root.join("set"), &root.join("nowhere/targets.json"), &[]).fails_with("cannot be written");
}

#[test]
fn stems_are_measured_as_the_effects_before_leave_them() {
    let root = folder("analyze-before");
    song(&root.join("set/One"), Wav { seconds: 6.0, ..Wav::CD });
    let measured = |name: &str, recipe: &str| {
        let (recipe_file, output) = (root.join(format!("{name}.recipe")), root.join(format!("{name}.json")));
        fs::write(&recipe_file, recipe).expect("the recipe can be written");
        let recipe_file = recipe_file.to_str().expect("plain").to_owned();
        analyze(&root.join("set"), &output, &["--name", "x", "--recipe", &recipe_file]).succeeds();
        targets(&output)["stems"].clone()
    };
    let plain = measured("plain", "{}");
    // Width comes after all that is measured but loudness; the stems are narrow, so that it would be seen.
    let wide = measured("wide", r#"{"width": {"enabled": true}}"#);
    for stem in support::STEMS {
        for feature in ["spectrum", "peak_db", "peak_std_db", "phi"] {
            assert_eq!(plain[stem][feature], wide[stem][feature], "{stem}: {feature}");
        }
    }
    // The reverb comes before all of them.
    let reverberated = measured("reverb", r#"{"reverb": {"enabled": true}}"#);
    for (stem, sent) in support::STEMS.into_iter().zip([true, false, false, true]) {
        for feature in ["spectrum", "phi", "loudness_lufs"] {
            assert_eq!(plain[stem][feature] != reverberated[stem][feature], sent, "{stem}: {feature}");
        }
    }
}

#[test]
fn a_reference_is_one_song_and_says_so() {
    let root = folder("analyze-reference");
    for name in ["One", "Two"] {
        song(&root.join("set").join(name), Wav { seconds: 6.0, ..Wav::CD });
    }
    let output = root.join("one.json");
    analyze(&root.join("set"), &output, &["--reference"]).fails_with("--reference takes one song");
    assert!(!output.exists());
    analyze(&root.join("set/One"), &output, &["--reference"]).succeeds();
    let targets = targets(&output);
    assert_eq!((&targets["name"], &targets["songs"]), (&"One".into(), &1.into()));
    assert!(targets["source"].as_str().is_some_and(|source| source.starts_with("one reference song")));
}
