//! Sets of songs in every command that takes a song: a result per song, resumed, shared out, and counted; and the outputs that
//! a mix can have.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Run, Wav, folder, read, rms, signal, song, tree, tributary, write, write_with};
use tributary_audio_io::reader;

const SHORT: Wav = Wav { seconds: 1.0, ..Wav::FLOAT };

fn run(command: &str, input: &Path, output: &Path, more: &[&str]) -> Run {
    let mut arguments = vec![command, input.to_str().expect("plain"), "-o", output.to_str().expect("plain")];
    arguments.extend(more);
    tributary(&arguments)
}

/// Mixes to the plain sum.
fn mix(input: &Path, output: &Path, more: &[&str]) -> Run {
    run("mix", input, output, &[&["--model", "sum"], more].concat())
}

/// A separator's output: two songs, one of them with a file that goes nowhere, and a demo beside them.
fn separated(root: &Path) {
    for name in ["Song A", "Song B"] {
        song(&root.join("htdemucs").join(name), SHORT);
    }
    write(&root.join("htdemucs/Song B/take 3.wav"), 1, SHORT);
    write(&root.join("demo.wav"), 1, SHORT);
}

fn report(output: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(output.join("report.json")).expect("there")).expect("JSON")
}

#[test]
fn a_set_is_mixed_song_by_song_resumed_and_shared_out() {
    let root = folder("sets-mix");
    let set = root.join("set");
    separated(&set);
    let said = mix(&set, &root.join("out"), &[]).succeeds();
    assert!(
        said.out.contains("2 songs written, 0 already there") && said.out.contains("Song A"),
        "{}",
        said.out
    );
    said.notes("Song B: take 3.wav is not used");
    for name in ["Song A", "Song B"] {
        let (rate_hz, left, _) = read(&root.join("out").join(name).join("mix.wav"));
        assert_eq!((rate_hz, left.len()), (44_100, 44_100));
        let expected = |n: usize| (0..4).map(|stem| signal(stem, n as f64 / 44_100.0, 0)).sum::<f64>();
        let worst = (500..43_000).map(|n| (f64::from(left[n]) - expected(n)).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-4, "{name}: {worst}");
    }
    let record = &report(&root.join("out"))["songs"][1];
    assert_eq!((&record["song"], &record["mix"]["unused"][0]), (&"Song B".into(), &"take 3.wav".into()));
    assert!(record["mix"]["mix_lufs"].as_f64().is_some_and(|lufs| lufs < 0.0));

    let again = mix(&set, &root.join("out"), &[]).succeeds();
    assert!(again.out.contains("0 songs written, 2 already there"), "{}", again.out);
    let other = mix(&set, &root.join("out"), &["--bits", "24"]).succeeds();
    assert!(other.out.contains("2 songs written"), "other settings, other mixes: {}", other.out);
    mix(&set, &root.join("out"), &[]).succeeds();
    for shard in ["2/2", "1/2"] {
        mix(&set, &root.join("shards"), &["--shard", shard, "--jobs", "2"]).succeeds();
    }
    let mixes = |out: &str| -> Vec<_> {
        let files = tree(&root.join(out));
        files.into_iter().filter(|(path, _)| path.ends_with("mix.wav")).collect()
    };
    assert!(mixes("out").len() == 2 && mixes("out") == mixes("shards"));

    let strict = mix(&set, &root.join("strict"), &["--strict"]).leaves_songs_out();
    assert!(strict.out.contains("1 songs written, 0 already there, 1 skipped"), "{}", strict.out);
}

#[test]
fn what_makes_no_sense_for_a_set_or_for_a_song_is_refused() {
    let root = folder("sets-refused");
    let set = root.join("set");
    separated(&set);
    let before = tree(&set);
    let holds_two = "is no song but holds 2 (Song A, Song B): name one of them, or a folder for their mixes";
    mix(&set, &root.join("mix.wav"), &[]).fails_with(holds_two);
    mix(&set, Path::new("-"), &[]).fails_with(holds_two);
    mix(&set, &root.join("out"), &["--json", "x.json"]).fails_with("--json is for one song");
    mix(&set, &root.join("out"), &["--vocals", "v.wav"]).fails_with("are for one song, not for a set");
    mix(&set, &set.join("mixes"), &[]).fails_with("must lie outside of");
    mix(&set.join("htdemucs/Song A"), &root.join("a.wav"), &["--shard", "1/2"]).fails_with("is one song");
    run("profile", &set, &root.join("p.json"), &[]).fails_with("is no song but holds 2");
    assert!(tree(&set) == before && !root.join("out").exists());
    // A folder with one song in it is that song.
    fs::remove_dir_all(set.join("htdemucs/Song B")).expect("removed");
    mix(&set, &root.join("one.wav"), &[]).succeeds().notes("is in Song A");
    assert!(root.join("one.wav").is_file());
}

#[test]
fn every_song_of_a_set_gets_a_profile() {
    let root = folder("sets-profile");
    separated(&root.join("set"));
    let said = run("profile", &root.join("set"), &root.join("out"), &[]).succeeds();
    assert!(said.out.contains("2 songs written"), "{}", said.out);
    for name in ["Song A", "Song B"] {
        let text = fs::read_to_string(root.join("out").join(name).join("profile.json")).expect("there");
        let profile: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&profile["song"], profile["stems"].as_object().map(|s| s.len())),
            (&name.into(), Some(4))
        );
    }
    let level = report(&root.join("out"))["songs"][0]["stems"]["bass"]["loudness_lufs"].as_f64();
    assert!(level.is_some_and(|lufs| lufs < 0.0), "{level:?}");
}

#[test]
fn a_data_set_with_human_mixes_can_be_evaluated() {
    let root = folder("sets-evaluate");
    let track = root.join("set/train/Track00001");
    fs::create_dir_all(track.join("stems")).expect("made");
    let mut yaml = String::from("stems:\n");
    for (number, (class, index)) in [("Guitar", 3), ("Bass", 1), ("Drums", 2)].into_iter().enumerate() {
        write(&track.join(format!("stems/S0{number}.wav")), index, Wav { seconds: 3.0, ..SHORT });
        let is_drum = class == "Drums";
        yaml += &format!(
            "  S0{number}:\n    audio_rendered: true\n    inst_class: {class}\n    is_drum: {is_drum}\n"
        );
    }
    fs::write(track.join("metadata.yaml"), yaml).expect("written");
    write_with(&track.join("mix.wav"), Wav { seconds: 3.0, ..SHORT }, |t, c| {
        (1..4).map(|stem| signal(stem, t, c)).sum()
    });
    let set = root.join("set");
    let run = tributary(&["evaluate", set.to_str().expect("plain"), "--baselines", "raw,equal"]).succeeds();
    assert!(run.out.contains("Track00001") && run.out.contains("raw"), "{}", run.out);
}

#[test]
fn the_ending_of_a_mix_says_how_it_is_packed() {
    let root = folder("sets-flac");
    let folder = song(&root.join("song"), Wav { seconds: 2.0, ..SHORT });
    mix(&folder, &root.join("mix.wav"), &["--bits", "24"]).succeeds();
    mix(&folder, &root.join("mix.flac"), &[]).succeeds();
    mix(&folder, &root.join("wide.FLAC"), &["--bits", "24"]).succeeds();
    mix(&folder, &root.join("narrow.flac"), &["--bits", "16"]).succeeds();
    mix(&folder, &root.join("narrow.wav"), &["--bits", "16"]).succeeds();
    let read = |name: &str| reader::read(&root.join(name)).expect(name);
    for (flac, wav) in [("mix.flac", "mix.wav"), ("wide.FLAC", "mix.wav"), ("narrow.flac", "narrow.wav")] {
        let (flac, wav) = (read(flac), read(wav));
        assert!(flac.audio == wav.audio && flac.notes.is_empty(), "the same samples, dither and all");
        assert!(rms(&flac.audio.left) > 0.01);
    }
    let bytes = |name: &str| fs::metadata(root.join(name)).expect("there").len();
    assert!(bytes("narrow.flac") < bytes("narrow.wav"));
    mix(&folder, &root.join("float.flac"), &["--bits", "32f"]).fails_with("FLAC holds whole numbers");
    mix(&folder, &root.join("mix.mp3"), &[]).fails_with("its name has to end in .wav or .flac");
    assert!(!root.join("float.flac").exists());
}

#[test]
fn what_is_cut_off_at_full_scale_is_said() {
    let root = folder("sets-clipping");
    for stem in ["vocals", "other"] {
        write_with(&root.join("song").join(format!("{stem}.wav")), SHORT, |t, _| (t * 3_000.0).sin());
    }
    let (song, out) = (root.join("song"), root.join("mix.wav"));
    mix(&song, &out, &["--bits", "16"])
        .succeeds()
        .notes("samples of the mix are above full scale and are cut off");
    let float = mix(&song, &out, &[]).succeeds();
    assert!(!float.err.contains("full scale"), "{}", float.err);
}

#[test]
fn tracks_of_a_stem_are_balanced_when_that_is_asked_for() {
    let root = folder("sets-balance");
    let song = root.join("song");
    let wav = Wav { seconds: 3.0, ..SHORT };
    let tone = |hz: f64, gain: f64| move |t: f64, _| gain * (std::f64::consts::TAU * hz * t).sin();
    write_with(&song.join("kick.wav"), wav, tone(400.0, 0.3));
    write_with(&song.join("snare.wav"), wav, tone(800.0, 0.003));
    write_with(&song.join("vox.wav"), wav, tone(500.0, 0.1));
    // How strong a tone is in the mix, against that of the kick.
    let share = |name: &str| {
        let (_, left, _) = read(&root.join(name));
        let strength = |hz: f64| {
            let part = |phase: f64| -> f64 {
                let wave = |n: usize| (std::f64::consts::TAU * hz * n as f64 / 44_100.0 + phase).sin();
                (0..88_200).map(|n| f64::from(left[n]) * wave(n)).sum()
            };
            part(0.0).hypot(part(std::f64::consts::FRAC_PI_2))
        };
        strength(800.0) / strength(400.0)
    };
    mix(&song, &root.join("plain.wav"), &[]).succeeds();
    mix(&song, &root.join("even.wav"), &["--balance"])
        .succeeds()
        .notes("the 2 files of the drums stem are brought to");
    assert!((share("plain.wav") - 0.01).abs() < 0.002, "{}", share("plain.wav"));
    assert!((0.7..1.4).contains(&share("even.wav")), "{}", share("even.wav"));
}

#[test]
fn nobody_reading_on_is_no_error() {
    let root = folder("sets-pipe");
    let song = song(&root.join("song"), SHORT);
    let json = root.join("song.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
        .args(["mix", song.to_str().expect("plain"), "--model", "sum", "-o"])
        .arg(root.join("mix.wav"))
        .arg("--json")
        .arg(&json)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built program can be run");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && !said.contains("panicked") && json.is_file(), "{said}");
}

#[test]
fn the_shell_and_the_manual_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = tributary(&["completions", shell]).succeeds().out;
        assert!(script.contains("--latency-mode") || script.contains("latency-mode"), "{shell}");
        assert!(script.contains("normalize"), "{shell}");
    }
    let overview = tributary(&["man"]).succeeds().out;
    assert!(overview.contains(".TH") && overview.contains("tributary\\-mix"), "{overview}");
    let page = tributary(&["man", "mix"]).succeeds().out;
    assert!(page.contains("\\-\\-bits"), "{page}");
    tributary(&["man", "nothing"]).fails_with("there is no command \"nothing\"");
    let help = tributary(&["--help"]).succeeds().out;
    for word in ["Mix:", "Prepare data sets:", "Judge:", "Examples:", "Exit codes:"] {
        assert!(help.contains(word), "{help}");
    }
    assert_eq!(help.matches("  tributary ").count(), 3, "three examples");
}
