//! The layouts people's data sets come in, made up small: found, mapped to the four stems, and worked through – also when
//! the job is killed, resumed, or split over machines.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{Run, Wav, flac, folder, read, signal, tree, tributary, write, write_with};

const SHORT: Wav = Wav { seconds: 1.0, ..Wav::CD };
const UNTOUCHED: [&str; 2] = ["--amounts", "equalization=0,dynamics=0,panning=0,loudness=0"];

fn normalize(set: &Path, out: &Path, more: &[&str]) -> Run {
    let mut arguments = vec!["normalize", set.to_str().expect("plain"), "-o", out.to_str().expect("plain")];
    arguments.extend(more);
    tributary(&arguments)
}

/// Largest difference of a written stem from a sum of test signals on the left side.
fn difference(path: &Path, signals: &[usize]) -> f64 {
    let (_, left, _) = read(path);
    assert!(left.len() >= 40_000, "{}", path.display());
    let expected = |n: usize| signals.iter().map(|s| signal(*s, n as f64 / 44_100.0, 0)).sum::<f64>();
    left.iter().enumerate().map(|(n, x)| (f64::from(*x) - expected(n)).abs()).fold(0.0, f64::max)
}

fn report(out: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(out.join("report.json")).expect("there")).expect("JSON")
}

/// A MoisesDB-like song: two singers, a bass, a kit, claps, a guitar, a click.
fn moises_song(song: &Path, wav: Wav) {
    let tracks = [
        ("vocals", "lead female singer", "v1", 0),
        ("vocals", "background vocals", "v2", 3),
        ("bass", "bass guitar", "b1", 1),
        ("drums", "full acoustic drumkit", "d1", 2),
        ("percussion", "a-tonal percussion (claps, shakers, congas, cowbell etc)", "p1", 0),
        ("guitar", "acoustic guitar", "g1", 3),
        ("other", "click track", "c1", 2),
    ];
    let mut stems = Vec::new();
    for (stem, kind, id, index) in tracks {
        write(&song.join(stem).join(format!("{id}.wav")), index, wav);
        let track =
            serde_json::json!({ "id": id, "trackType": kind, "extension": "wav", "has_bleed": false });
        stems.push(serde_json::json!({ "stemName": stem, "tracks": [track] }));
    }
    let data = serde_json::json!({ "song": "Song", "artist": "Nobody", "genre": "pop", "stems": stems });
    fs::write(song.join("data.json"), data.to_string()).expect("written");
}

#[test]
fn musdb18_hq_has_subsets() {
    let root = folder("datasets-hq");
    let set = root.join("set");
    for (subset, name) in [("train", "A - One"), ("train", "B - Two"), ("test", "C - Three")] {
        support::song(&set.join(subset).join(name), SHORT);
        write(&set.join(subset).join(name).join("mixture.wav"), 0, SHORT);
    }
    fs::write(set.join("LICENSE.txt"), "\nFor education only\nmore").expect("written");
    normalize(&set, &root.join("out"), &UNTOUCHED).succeeds();
    assert!(difference(&root.join("out/C - Three/drums.wav"), &[2]) < 1e-4);
    assert!(root.join("out/A - One/mixture.wav").is_file());
    let report = report(&root.join("out"));
    assert_eq!(report["songs"][2]["subset"], "test");
    assert_eq!(report["songs"][0]["licence"], "For education only");
    let mut only = UNTOUCHED.to_vec();
    only.extend(["--subset", "test"]);
    normalize(&set, &root.join("test"), &only).succeeds();
    assert!(root.join("test/C - Three").is_dir() && !root.join("test/A - One").exists());
    only[3] = "nowhere";
    normalize(&set, &root.join("none"), &only).fails_with("has no subset \"nowhere\"");
}

#[test]
fn moisesdb_tracks_are_summed_by_instrument() {
    let root = folder("datasets-moises");
    let set = root.join("set");
    moises_song(&set.join("moisesdb_v0.1/0001-aa"), SHORT);
    normalize(&set, &root.join("out"), &UNTOUCHED).succeeds().notes("0001-aa: there is no mixture");
    let song = root.join("out/0001-aa");
    assert!(difference(&song.join("vocals.wav"), &[0, 3]) < 1e-4);
    assert!(difference(&song.join("bass.wav"), &[1]) < 1e-4);
    assert!(difference(&song.join("drums.wav"), &[2, 0]) < 1e-4, "claps are percussion");
    assert!(difference(&song.join("other.wav"), &[3]) < 1e-4, "the click track is left out");

    // Another table: everything the singer does is "other".
    fs::write(root.join("table.json"), r#"{"bass": ["bass guitar"], "drums": ["drums"]}"#).expect("written");
    let table = root.join("table.json");
    let mut arguments = UNTOUCHED.to_vec();
    arguments.extend(["--instruments", table.to_str().expect("plain")]);
    normalize(&set, &root.join("out2"), &arguments).succeeds();
    assert!(difference(&root.join("out2/0001-aa/other.wav"), &[0, 3, 0, 3, 2]) < 2e-4);
    assert!(!root.join("out2/0001-aa/vocals.wav").exists());
}

#[test]
fn a_broken_song_of_a_data_set_is_skipped_with_a_reason() {
    let root = folder("datasets-broken");
    let set = root.join("set");
    moises_song(&set.join("good"), SHORT);
    moises_song(&set.join("bad"), SHORT);
    moises_song(&set.join("evil"), SHORT);
    fs::write(set.join("bad/data.json"), "{").expect("written");
    let data =
        fs::read_to_string(set.join("evil/data.json")).expect("there").replace("\"b1\"", "\"../../b1\"");
    fs::write(set.join("evil/data.json"), data).expect("written");
    normalize(&set, &root.join("out"), &UNTOUCHED)
        .leaves_songs_out()
        .notes("bad: skipped: data.json cannot be understood")
        .notes("evil: skipped: data.json names a file that cannot exist");
    assert!(root.join("out/good").is_dir() && !root.join("out/bad").exists());
}

#[test]
fn medleydb_names_instruments_in_its_metadata() {
    let root = folder("datasets-medley");
    let track = root.join("set/Audio/Band_Tune");
    let stems = ["drum set", "electric bass", "female singer", "clean electric guitar", "Main System"];
    let mut yaml =
        String::from("album: ''\nartist: Band\nhas_bleed: 'no'\nlicense: CC BY-NC-SA 4.0\nstems:\n");
    for (index, instrument) in stems.iter().enumerate() {
        let number = format!("{:02}", index + 1);
        write(&track.join(format!("Band_Tune_STEMS/Band_Tune_STEM_{number}.wav")), index % 4, SHORT);
        yaml += &format!("  S{number}:\n    component: ''\n    filename: Band_Tune_STEM_{number}.wav\n");
        yaml += &match index {
            0 => format!("    instrument:\n    - {instrument}\n    - claps\n"),
            _ => format!("    instrument: {instrument}\n"),
        };
        yaml += "    raw:\n      R01:\n        filename: x.wav\n        instrument: piano\n";
    }
    write(&track.join("Band_Tune_MIX.wav"), 0, SHORT);
    fs::write(track.join("Band_Tune_METADATA.yaml"), &yaml).expect("written");
    normalize(&root.join("set"), &root.join("out"), &UNTOUCHED).succeeds();
    let song = root.join("out/Band_Tune");
    for (stem, index) in [("drums", 0), ("bass", 1), ("vocals", 2), ("other", 3)] {
        assert!(difference(&song.join(format!("{stem}.wav")), &[index]) < 1e-4, "{stem}");
    }
    assert!(song.join("mixture.wav").is_file());
    assert_eq!(report(&root.join("out"))["songs"][0]["licence"], "CC BY-NC-SA 4.0");

    // Version 2 keeps the metadata apart; without it the song cannot be used.
    fs::create_dir_all(root.join("set/Metadata")).expect("made");
    fs::rename(track.join("Band_Tune_METADATA.yaml"), root.join("set/Metadata/Band_Tune_METADATA.yaml"))
        .expect("moved");
    normalize(&root.join("set"), &root.join("out2"), &UNTOUCHED).succeeds();
    assert!(root.join("out2/Band_Tune/bass.wav").is_file());
    fs::remove_dir_all(root.join("set/Metadata")).expect("removed");
    normalize(&root.join("set"), &root.join("out3"), &UNTOUCHED)
        .fails_with("no song could be normalized")
        .notes("Band_Tune_METADATA.yaml is missing, so the instruments are unknown");
}

#[test]
fn slakh_is_mono_flac_by_instrument_class() {
    let root = folder("datasets-slakh");
    let track = root.join("set/train/Track00001");
    fs::create_dir_all(track.join("stems")).expect("made");
    let stems = [
        ("S00", "Guitar", "Acoustic Guitar (steel)", false, true, 3),
        ("S01", "Bass", "Electric Bass (finger)", false, true, 1),
        ("S02", "Drums", "Drums", true, true, 2),
        ("S03", "Piano", "Bright Acoustic Piano", false, false, 0),
    ];
    let mut yaml =
        String::from("UUID: 1a81\naudio_dir: stems\nnormalization_factor: -13.0\nnormalized: true\nstems:\n");
    for (name, class, program, is_drum, rendered, index) in stems {
        let audio: Vec<i16> = (0..44_100)
            .map(|n| (signal(index, f64::from(n) / 44_100.0, 0) * 32_768.0).round() as i16)
            .collect();
        if rendered {
            flac::write(&track.join(format!("stems/{name}.flac")), &[audio], 44_100);
        }
        yaml += &format!("  {name}:\n    audio_rendered: {rendered}\n    inst_class: {class}\n");
        yaml += &format!("    integrated_loudness: -12.8\n    is_drum: {is_drum}\n");
        yaml += &format!(
            "    midi_program_name: {program}\n    plugin_name: some_patch.nkm\n    program_num: 30\n"
        );
    }
    fs::write(track.join("metadata.yaml"), yaml + "target_peak: -1.0\n").expect("written");
    let run = normalize(&root.join("set"), &root.join("out"), &UNTOUCHED).succeeds();
    run.notes("Track00001: the vocals stem is missing");
    for (stem, index) in [("other", 3), ("bass", 1), ("drums", 2)] {
        assert!(difference(&root.join(format!("out/Track00001/{stem}.wav")), &[index]) < 1e-4, "{stem}");
    }
    assert_eq!(report(&root.join("out"))["songs"][0]["subset"], "train");
}

#[test]
fn a_layout_can_be_demanded() {
    let root = folder("datasets-layout");
    moises_song(&root.join("set/one"), SHORT);
    support::song(&root.join("set/two"), SHORT);
    let mut arguments = UNTOUCHED.to_vec();
    arguments.extend(["--layout", "moisesdb"]);
    normalize(&root.join("set"), &root.join("out"), &arguments).succeeds();
    assert!(root.join("out/one").is_dir() && !root.join("out/two").exists());
    arguments[3] = "slakh";
    normalize(&root.join("set"), &root.join("out2"), &arguments).fails_with("holds no songs");
}

/// Writes a stem file of five streams with ffmpeg; false when there is none.
fn stem_mp4(path: &Path, sources: &[PathBuf]) -> bool {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]);
    for source in sources {
        command.arg("-i").arg(source);
    }
    for index in 0..sources.len() {
        command.args(["-map", &index.to_string()]);
    }
    command.args(["-c:a", "aac", "-b:a", "256k"]).arg(path);
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn musdb18_stem_files_are_read() {
    let root = folder("datasets-mp4");
    let wavs = root.join("wavs");
    // Streams: mixture, drums, bass, other, vocals; the numbers are the test signals' of those stems.
    let sources: Vec<PathBuf> = [0, 2, 1, 3, 0]
        .into_iter()
        .enumerate()
        .map(|(stream, index)| {
            let path = wavs.join(format!("{stream}.wav"));
            write(&path, index, SHORT);
            path
        })
        .collect();
    fs::create_dir_all(root.join("set/train")).expect("made");
    if !stem_mp4(&root.join("set/train/Band - Tune.stem.mp4"), &sources) {
        eprintln!("SKIPPED: ffmpeg is absent, so no .stem.mp4 file can be made");
        return;
    }
    normalize(&root.join("set"), &root.join("out"), &UNTOUCHED).succeeds();
    let song = root.join("out/Band - Tune");
    for (stem, index) in [("drums", 2), ("bass", 1), ("other", 3), ("vocals", 0)] {
        let (_, left, _) = read(&song.join(format!("{stem}.wav")));
        // AAC is lossy, but nothing else than this stem correlates.
        let correlation = |of: usize| {
            let pairs = left.iter().take(44_100).enumerate();
            pairs.map(|(n, x)| f64::from(*x) * signal(of, n as f64 / 44_100.0, 0)).sum::<f64>()
        };
        let energy: f64 = (0..44_100).map(|n| signal(index, f64::from(n) / 44_100.0, 0).powi(2)).sum();
        let share = correlation(index) / energy;
        assert!((share - 1.0).abs() < 0.05, "{stem}: {share}");
    }
    assert_eq!(report(&root.join("out"))["songs"][0]["subset"], "train");
    assert!(song.join("mixture.wav").is_file());
}

#[test]
fn a_broken_stem_file_is_left_out_with_its_reason() {
    let root = folder("datasets-broken-mp4");
    fs::create_dir_all(root.join("set/train")).expect("made");
    fs::write(root.join("set/train/Band - Tune.stem.mp4"), b"").expect("written");
    normalize(&root.join("set"), &root.join("out"), &[])
        .fails_with("no song could be normalized")
        .notes("Band - Tune.stem.mp4: it is no MP4 file");
}

/// Eight songs of a plain (MUSDB18-HQ-like) or MoisesDB-like set, all different.
fn eight_songs(set: &Path, moises: bool) {
    for index in 0..8 {
        let wav = Wav { seconds: 1.5 + f64::from(index) * 0.1, ..Wav::CD };
        if moises {
            moises_song(&set.join(format!("moisesdb_v0.1/song{index}")), wav);
        } else {
            let song = set.join("train").join(format!("Band - Song {index}"));
            support::song(&song, wav);
            write_with(&song.join("mixture.wav"), wav, |t, c| (0..4).map(|s| 0.4 * signal(s, t, c)).sum());
        }
    }
}

#[test]
fn analyze_then_normalize_killed_resumed_and_sharded_gives_equal_bytes() {
    for moises in [false, true] {
        let root = folder(&format!("datasets-train-ready-{moises}"));
        let set = root.join("set");
        eight_songs(&set, moises);
        let targets = root.join("targets.json");
        let path = |path: &Path| path.to_str().expect("plain").to_owned();
        tributary(&["analyze", &path(&set), "-o", &path(&targets), "--name", "eight"]).succeeds();
        let with_targets = ["--targets", &path(&targets)];
        normalize(&set, &root.join("whole"), &with_targets).succeeds();

        let mut kills = 0;
        for wait_ms in [150, 400, 800] {
            let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
                .args(["normalize", &path(&set), "-o", &path(&root.join("killed"))])
                .args(with_targets)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the built program can be run");
            std::thread::sleep(Duration::from_millis(wait_ms));
            kills += usize::from(child.try_wait().expect("it can be asked").is_none());
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
        assert!(kills > 0, "the job ended before it could be killed; the test needs longer songs");
        normalize(&set, &root.join("killed"), &with_targets).succeeds();
        for shard in ["2/3", "3/3", "1/3"] {
            let mut arguments = with_targets.to_vec();
            arguments.extend(["--shard", shard]);
            normalize(&set, &root.join("sharded"), &arguments).succeeds();
        }
        let whole = tree(&root.join("whole"));
        assert!(whole.len() > 8 * 4);
        assert!(whole == tree(&root.join("killed")), "killed and resumed, {moises}");
        assert!(whole == tree(&root.join("sharded")), "sharded, {moises}");
    }
}
