//! `tributary normalize` as a user meets it: folders in, folders out, and what is said on the way.

mod support;

use std::fs;
use std::path::Path;

use support::{Wav, folder, read, rms, song, tree, tributary, write, write_with};

/// A data set of songs that differ in length and rate.
fn data_set(root: &Path, songs: usize) {
    for index in 0..songs {
        let rate_hz = if index % 2 == 0 { 44_100 } else { 48_000 };
        let wav = Wav { rate_hz, seconds: 4.0 + index as f64 * 0.25, ..Wav::CD };
        let name = format!("Song {index}");
        song(&root.join(&name), wav);
        write_with(&root.join(&name).join("mixture.wav"), wav, |t, c| {
            (0..4).map(|stem| support::signal(stem, t, c)).sum::<f64>() * 0.5
        });
    }
}

fn normalize(input: &Path, output: &Path, more: &[&str]) -> support::Run {
    let mut arguments =
        vec!["normalize", input.to_str().expect("plain"), "-o", output.to_str().expect("plain")];
    arguments.extend(more);
    tributary(&arguments)
}

fn report(output: &Path) -> serde_json::Value {
    let text = fs::read_to_string(output.join("report.json")).expect("there is a report");
    serde_json::from_str(&text).expect("the report is JSON")
}

#[test]
fn every_stem_becomes_a_float_file_at_the_training_rate() {
    let root = folder("normalize-plain");
    data_set(&root.join("set"), 2);
    let out = root.join("out");
    normalize(&root.join("set"), &out, &[]).succeeds();
    for (name, frames) in [("Song 0", 4.0 * 44_100.0), ("Song 1", 4.25 * 44_100.0)] {
        for file in support::STEMS {
            let (rate_hz, left, right) = read(&out.join(name).join(format!("{file}.wav")));
            assert_eq!((rate_hz, left.len(), right.len()), (44_100, frames as usize, frames as usize));
            assert!(rms(&left) > 1e-3 && rms(&right) > 1e-3, "{name} {file}");
        }
    }
    // The mixture is taken as it is where it fits, else converted.
    assert_eq!(
        fs::read(out.join("Song 0/mixture.wav")).expect("there"),
        fs::read(root.join("set/Song 0/mixture.wav")).expect("there")
    );
    assert_eq!(read(&out.join("Song 1/mixture.wav")).1.len(), (4.25 * 44_100.0) as usize);
    let report = report(&out);
    let lufs = report["songs"][0]["stems"]["vocals"]["after"]["integrated_lufs"].as_f64().expect("audible");
    assert!((lufs - -30.7).abs() < 1.0, "the vocals meet their target of −30.7 LUFS: {lufs}");
}

#[test]
fn a_single_song_folder_is_a_data_set_of_one() {
    let root = folder("normalize-single");
    song(&root.join("Only"), Wav::CD);
    normalize(&root.join("Only"), &root.join("out"), &[]).succeeds().notes("there is no mixture");
    assert!(root.join("out/Only/vocals.wav").is_file());
}

#[test]
fn a_finished_song_is_not_redone_and_a_half_written_one_never_counts() {
    let root = folder("normalize-resume");
    let (set, out) = (root.join("set"), root.join("out"));
    data_set(&set, 3);
    normalize(&set, &out, &[]).succeeds();
    let whole = tree(&out);
    let second = normalize(&set, &out, &[]).succeeds();
    assert!(second.out.contains("0 songs written, 3 already there"), "{}", second.out);
    assert!(whole == tree(&out), "the bytes differ");

    // As after a kill: a partial folder, a song without its record, a song whose record is cut short.
    fs::create_dir_all(out.join(".tributary/partial/Song 0")).expect("made");
    fs::write(out.join(".tributary/partial/Song 0/vocals.wav"), b"half").expect("written");
    let record = out.join(".tributary/songs/Song 1.json");
    let text = fs::read_to_string(&record).expect("there");
    let claim = text.replace(report(&out)["job"]["settings"].as_str().expect("a hash"), "");
    fs::write(&record, claim).expect("written");
    fs::write(out.join("Song 1/vocals.wav"), b"half").expect("written");
    let third = normalize(&set, &out, &[]).succeeds();
    assert!(third.out.contains("1 songs written, 2 already there"), "{}", third.out);
    fs::remove_dir_all(out.join(".tributary/partial")).expect("removed");
    let files: Vec<_> =
        whole.into_iter().filter(|(path, _)| !path.starts_with(".tributary/partial")).collect();
    assert!(files == tree(&out), "the bytes differ");
}

#[test]
fn other_settings_or_other_sources_are_done_again() {
    let root = folder("normalize-again");
    let (set, out) = (root.join("set"), root.join("out"));
    data_set(&set, 1);
    normalize(&set, &out, &[]).succeeds();
    let first = read(&out.join("Song 0/vocals.wav")).1;
    normalize(&set, &out, &["--amounts", "equalization=0,dynamics=0,panning=0,loudness=0"]).succeeds();
    let untouched = read(&out.join("Song 0/vocals.wav")).1;
    assert!(first != untouched, "the recipe makes no difference");
    let worst = untouched
        .iter()
        .enumerate()
        .map(|(n, x)| (f64::from(*x) - support::signal(0, n as f64 / 44_100.0, 0)).abs());
    assert!(worst.fold(0.0, f64::max) < 1e-4, "amounts of zero leave a stem as it is");
    write(&set.join("Song 0/vocals.wav"), 1, Wav { seconds: 5.0, ..Wav::CD });
    let run = normalize(&set, &out, &[]).succeeds();
    assert!(run.out.contains("1 songs written"), "{}", run.out);
    assert_eq!(read(&out.join("Song 0/vocals.wav")).1.len(), 5 * 44_100);
}

#[test]
fn shards_merge_to_the_same_bytes() {
    let root = folder("normalize-shards");
    let (set, whole, parts) = (root.join("set"), root.join("whole"), root.join("parts"));
    data_set(&set, 5);
    normalize(&set, &whole, &["--jobs", "2"]).succeeds();
    normalize(&set, &parts, &["--shard", "2/3", "--jobs", "1"]).succeeds();
    assert_eq!(report(&parts)["pending"].as_array().map(Vec::len), Some(3));
    normalize(&set, &parts, &["--shard", "1/3"]).succeeds();
    normalize(&set, &parts, &["--shard", "3/3"]).succeeds();
    assert!(tree(&whole) == tree(&parts), "the bytes differ");
}

#[test]
fn reverbs_are_drawn_by_song_whatever_the_order_and_shards() {
    let root = folder("normalize-reverb");
    let (set, whole, parts) = (root.join("set"), root.join("whole"), root.join("parts"));
    data_set(&set, 3);
    let options = ["--reverb", "0.5", "--reverb-seed", "7", "--reverb-levels", "drums=-6,other=off"];
    let with = |more: &[&'static str]| [&options[..], more].concat();
    normalize(&set, &whole, &with(&[])).succeeds();
    normalize(&set, &parts, &with(&["--shard", "2/2", "--jobs", "1"])).succeeds();
    normalize(&set, &parts, &with(&["--shard", "1/2"])).succeeds();
    assert!(tree(&whole) == tree(&parts), "the bytes differ");
    let alone = root.join("alone");
    normalize(&set.join("Song 1"), &alone, &options).succeeds();
    let (one, of_many) = (alone.join("Song 1/vocals.wav"), whole.join("Song 1/vocals.wav"));
    assert!(fs::read(one).expect("there") == fs::read(of_many).expect("there"), "the draw hangs on the set");

    let draws: Vec<_> =
        (0..3).map(|song| report(&whole)["songs"][song]["reverb"]["low_shelf_hz"].as_f64()).collect();
    assert!(draws[0].is_some() && draws[0] != draws[1] && draws[1] != draws[2], "{draws:?}");
    let dry = root.join("dry");
    normalize(&set, &dry, &[]).succeeds();
    let same = |stem: &str| {
        let file = format!("Song 0/{stem}.wav");
        fs::read(whole.join(&file)).expect("there") == fs::read(dry.join(&file)).expect("there")
    };
    assert_eq!(["vocals", "bass", "drums", "other"].map(same), [false, true, false, true]);
}

#[test]
fn impulse_responses_are_read_drawn_and_part_of_the_settings() {
    let root = folder("normalize-rooms");
    let (set, out, rooms) = (root.join("set"), root.join("out"), root.join("rooms"));
    data_set(&set, 1);
    let pulse = |level: f64| move |time_s: f64, _: u16| level * (-time_s * 20.0).exp();
    write_with(&rooms.join("b.wav"), Wav { channels: 1, rate_hz: 48_000, ..Wav::FLOAT }, pulse(0.01));
    write_with(&rooms.join("a.wav"), Wav { seconds: 0.5, ..Wav::CD }, pulse(0.02));
    write_with(&rooms.join("long.wav"), Wav { seconds: 11.0, channels: 1, ..Wav::CD }, pulse(0.02));
    let path = |name: &str| rooms.join(name).to_str().expect("plain").to_owned();
    let (a, b, long, all) = (path("a.wav"), path("b.wav"), path("long.wav"), path(""));
    let run = |more: &[&str]| normalize(&set, &out, &[&["--reverb", "1"], more].concat());
    run(&["--reverb-rooms", &a]).succeeds();
    let first = read(&out.join("Song 0/vocals.wav")).1;
    let second = run(&["--reverb-rooms", &b]).succeeds();
    assert!(second.out.contains("1 songs written"), "another room is another setting: {}", second.out);
    assert!(first != read(&out.join("Song 0/vocals.wav")).1);
    run(&["--reverb-rooms", &long]).fails_with("10 s");
    run(&["--reverb-rooms", &all, "--reverb-seed", "1"]).fails_with("10 s");
    fs::remove_file(rooms.join("long.wav")).expect("removed");
    run(&["--reverb-rooms", &all]).fails_with("draw among them with --reverb-seed");
    run(&["--reverb-rooms", &all, "--reverb-seed", "1"]).succeeds();
    let drawn = &report(&out)["songs"][0]["reverb"]["impulse_response"]["file"];
    assert!(drawn == "a.wav" || drawn == "b.wav", "{drawn}");

    // A recipe names its response beside itself, with its checksum.
    let recipe = rooms.join("recipe.json");
    let named = serde_json::json!({ "reverb": { "enabled": true,
        "impulse_response": &report(&out)["songs"][0]["reverb"]["impulse_response"] } });
    fs::write(&recipe, named.to_string()).expect("written");
    let recipe = recipe.to_str().expect("plain");
    normalize(&set, &out, &["--recipe", recipe]).succeeds();
    write_with(&rooms.join(drawn.as_str().expect("a name")), Wav::CD, pulse(0.03));
    normalize(&set, &out, &["--recipe", recipe]).fails_with("checksum");
}

#[test]
fn broken_songs_are_skipped_with_a_reason_and_the_others_are_done() {
    let root = folder("normalize-broken");
    let (set, out) = (root.join("set"), root.join("out"));
    data_set(&set, 2);
    fs::create_dir_all(set.join("Broken")).expect("made");
    fs::write(set.join("Broken/vocals.wav"), b"this is not audio").expect("written");
    normalize(&set, &out, &[]).leaves_songs_out().notes("Broken: skipped: no stem can be used");
    let report = report(&out);
    assert_eq!(report["songs"].as_array().map(Vec::len), Some(3));
    let reason = report["songs"][0]["skipped"].as_str().expect("a reason");
    assert!(reason.contains("is not a readable audio file"), "{reason}");
    assert!(!out.join("Broken").exists());

    let only = root.join("only");
    fs::create_dir_all(only.join("Broken")).expect("made");
    fs::write(only.join("Broken/vocals.wav"), b"this is not audio").expect("written");
    normalize(&only, &root.join("out2"), &[]).fails_with("no song could be normalized");
}

#[test]
fn a_silent_stem_stays_silent() {
    let root = folder("normalize-silent");
    let set = song(&root.join("Quiet"), Wav::CD);
    write_with(&set.join("bass.wav"), Wav::CD, |_, _| 0.0);
    normalize(&set, &root.join("out"), &[]).succeeds();
    let (_, left, right) = read(&root.join("out/Quiet/bass.wav"));
    assert!(left.iter().chain(&right).all(|sample| *sample == 0.0));
}

#[test]
fn wrong_arguments_get_a_plain_sentence() {
    let root = folder("normalize-wrong");
    let set = root.join("set");
    data_set(&set, 1);
    let out = root.join("out");
    normalize(&root.join("absent"), &out, &[]).fails_with("cannot list the folder");
    normalize(&set, &set.join("out"), &[]).fails_with("must lie outside of");
    normalize(&set, &out, &["--recipe", "soup"]).fails_with("soup");
    normalize(&set, &out, &["--amounts", "panning=2"]).fails_with("between 0 and 1");
    normalize(&set, &out, &["--amounts", "flanger=0.5"]).fails_with("flanger");
    normalize(&set, &out, &["--effects", "flanger"]).fails_with("flanger");
    normalize(&set, &out, &["--targets", "absent.json"]).fails_with("absent.json");
    normalize(&set, &out, &["--reverb", "2"]).fails_with("between 0 and 1");
    normalize(&set, &out, &["--reverb-seed", "2"]).fails_with("--reverb");
    normalize(&set, &out, &["--reverb-rooms", "hall"]).fails_with("sends nothing to a reverb");
    normalize(&set, &out, &["--reverb", "1", "--reverb-rooms", "cellar.wav"]).fails_with("cellar.wav");
    normalize(&set, &out, &["--reverb", "1", "--reverb-levels", "drums=99"]).fails_with("-60 and 12 dB");
    normalize(&set, &out, &["--reverb", "1", "--reverb-levels", "piano=0"]).fails_with("not a stem");
    fs::write(root.join("bad.json"), "{}").expect("written");
    normalize(&set, &out, &["--targets", root.join("bad.json").to_str().expect("plain")])
        .fails_with("bad.json");
    assert_eq!(normalize(&set, &out, &["--shard", "3/2"]).code, Some(2));
    let empty = root.join("empty");
    fs::create_dir_all(&empty).expect("made");
    normalize(&empty, &out, &[]).fails_with("holds no songs");
}

#[test]
fn a_folder_of_someone_else_is_never_replaced() {
    let root = folder("normalize-foreign");
    let (set, out) = (root.join("set"), root.join("out"));
    data_set(&set, 1);
    fs::create_dir_all(out.join("Song 0")).expect("made");
    fs::write(out.join("Song 0/vocals.wav"), b"precious").expect("written");
    normalize(&set, &out, &[]).fails_with("1 of 1 songs failed").notes("was not made by this command");
    assert_eq!(fs::read(out.join("Song 0/vocals.wav")).expect("there"), b"precious");
}
