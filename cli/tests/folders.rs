//! Folders as people have them: whatever their files are called, every one of them is used as it should be, or named with
//! the way to use it.

mod support;

use std::fs;
use std::path::Path;

use support::{Run, Wav, folder, read, signal, song, tributary, write, write_with};

const SHORT: Wav = Wav { seconds: 1.0, ..Wav::FLOAT };

/// Mixes to the plain sum.
fn mix(song: &Path, more: &[&str]) -> Run {
    let out = song.with_extension("wav");
    let mut arguments =
        vec!["mix", song.to_str().expect("plain"), "--model", "sum", "-o", out.to_str().expect("plain")];
    arguments.extend(more);
    tributary(&arguments)
}

/// Largest difference of the mix from a sum of test signals on one side.
fn difference(song: &Path, channel: u16, signals: &[usize]) -> f64 {
    let (_, left, right) = read(&song.with_extension("wav"));
    let side = [left, right][usize::from(channel)].clone();
    let expected = |n: usize| signals.iter().map(|s| signal(*s, n as f64 / 44_100.0, channel)).sum::<f64>();
    (500..side.len() - 500).map(|n| (f64::from(side[n]) - expected(n)).abs()).fold(0.0, f64::max)
}

/// What a folder of stereo files mixes to: each file's name with its test signal, the signals that are heard in the mix, and
/// what is said.
type Case = (&'static str, &'static [(&'static str, usize)], &'static [usize], &'static [&'static str]);

const MIXED: [Case; 13] = [
    (
        "six-stems",
        &[("vocals", 0), ("bass", 1), ("drums", 2), ("other", 3), ("guitar", 3), ("piano", 0)],
        &[0, 1, 2, 3, 3, 0],
        &["guitar.wav goes into the other stem", "piano.wav goes into the other stem"],
    ),
    (
        "two-stems",
        &[("vocals", 0), ("no_vocals", 3)],
        &[0, 3],
        &["no_vocals.wav is everything but the vocals"],
    ),
    ("accompaniment", &[("vocals", 0), ("accompaniment", 3)], &[0, 3], &["it goes into the other stem"]),
    (
        "daw-export",
        &[("MySong - Vocals (Stereo)", 0), ("MySong - Bass (Stereo)", 1), ("MySong - Drums (Stereo)", 2)],
        &[0, 1, 2],
        &["the other stem is missing"],
    ),
    (
        "numbered-tracks",
        &[
            ("01_Lead Vox", 0),
            ("02_Bass DI", 1),
            ("03_Kick", 2),
            ("04_Snare", 2),
            ("05_Gtr L", 3),
            ("06_Gtr R", 3),
        ],
        &[0, 1, 2, 2, 3, 3],
        &[],
    ),
    (
        "separator-names",
        &[("1_song_(Vocals)_htdemucs", 0), ("1_song_(Drums)_htdemucs", 2), ("1_song_(Other)_htdemucs", 3)],
        &[0, 2, 3],
        &[],
    ),
    (
        "parts-and-whole",
        &[("vocals", 0), ("drums", 2), ("kick", 2)],
        &[0, 2],
        &[
            "kick.wav is not used: drums.wav is the whole drums stem; --assign \"kick.wav=STEM\" or stems.toml",
        ],
    ),
    ("unknown", &[("vocals", 0), ("take 3", 1)], &[0], &["take 3.wav is not used: its name says no stem"]),
    (
        "rest-of-many",
        &[("vocals", 0), ("drums", 2), ("instrumental", 1)],
        &[0, 2],
        &["instrumental.wav is not used: it holds several stems at once"],
    ),
    (
        "both-are-there",
        &[("bass", 1), ("drums", 2), ("drums and bass", 0)],
        &[1, 2],
        &["drums and bass.wav is not used"],
    ),
    ("human-mix", &[("vocals", 0), ("bass", 1), ("Full Mix", 3)], &[0, 1], &[]),
    ("one-part", &[("lead vox", 0)], &[0], &["the bass stem is missing"]),
    ("stem-in-the-name", &[("song.vocals.stem", 0), ("song.bass.stem", 1)], &[0, 1], &[]),
];

#[test]
fn files_go_where_their_names_say_and_none_is_lost_in_silence() {
    let root = folder("folders-names");
    for (name, files, heard, said) in MIXED {
        let song = root.join(name);
        for (file, stem) in files {
            write(&song.join(format!("{file}.wav")), *stem, SHORT);
        }
        let run = said.iter().fold(mix(&song, &[]).succeeds(), |run, sentence| run.notes(sentence));
        let worst = difference(&song, 0, heard).max(difference(&song, 1, heard));
        assert!(worst < 1e-4, "{name}: {worst}\n{}", run.err);
        let lost = said.iter().any(|sentence| sentence.contains("is not used"));
        let strict = mix(&song, &["--strict"]);
        if lost { drop(strict.fails_with("is not used")) } else { drop(strict.succeeds()) }
    }
}

#[test]
fn what_cannot_be_decided_is_an_error_that_says_how_to() {
    let root = folder("folders-undecided");
    for (name, files, sentence) in [
        ("two-in-one", &["vocals", "drums and bass"][..], "drums and bass.wav speaks of drums and of bass"),
        (
            "nothing-known",
            &["take 1", "take 2"],
            "say where they go with --assign \"take 1.wav=vocals\" or in stems.toml",
        ),
        ("two-rests", &["vocals", "karaoke", "instrumental"], "both hold several stems at once; keep one"),
        ("all-but-other", &["other", "no_other"], "no_other.wav holds vocals, bass and drums at once"),
    ] {
        let song = root.join(name);
        files.iter().for_each(|file| write(&song.join(format!("{file}.wav")), 0, SHORT));
        mix(&song, &[]).fails_with(sentence);
    }
    let twice = root.join("twice");
    write(&twice.join("vocals.wav"), 0, SHORT);
    write(&twice.join("Vocals.wave"), 0, SHORT);
    mix(&twice, &[]).fails_with("are both the vocals stem; keep one");
    let set = root.join("set");
    song(&set.join("Song A"), SHORT);
    song(&set.join("Song B"), SHORT);
    mix(&set, &[]).fails_with("is no song but holds 2 (Song A, Song B)");
}

#[test]
fn what_lies_beside_a_song_and_holds_audio_is_said() {
    let song = song(&folder("folders-beside").join("song"), SHORT);
    write(&song.join("Stems/guitar.wav"), 3, SHORT);
    fs::write(song.join("song.stem.mp4"), b"whatever").expect("written");
    mix(&song, &[])
        .succeeds()
        .notes("the folder Stems holds audio that is not read; name it to use it")
        .notes("song.stem.mp4 is a song of its own and is not read");
    assert!(difference(&song, 0, &[0, 1, 2, 3]) < 1e-4);
}

#[test]
fn two_mono_files_are_the_sides_of_one() {
    let song = folder("folders-pair").join("song");
    for (side, channel) in [("L", 0), ("R", 1)] {
        write_with(&song.join(format!("vocals_{side}.wav")), Wav { channels: 1, ..SHORT }, |t, _| {
            signal(0, t, channel)
        });
        write_with(&song.join(format!("0{channel}_Gtr {side}.wav")), Wav { channels: 1, ..SHORT }, |t, _| {
            signal(3, t, channel)
        });
    }
    mix(&song, &["--strict"]).succeeds();
    assert!(difference(&song, 0, &[0, 3]).max(difference(&song, 1, &[0, 3])) < 1e-4);
}

#[test]
fn a_file_that_was_named_and_cannot_be_read_is_an_error() {
    let root = folder("folders-named");
    song(&root.join("song"), SHORT);
    fs::write(root.join("broken.wav"), b"not audio").expect("written");
    let run = |file: &str| mix(&root.join("song"), &["--vocals", root.join(file).to_str().expect("plain")]);
    run("absent.wav").fails_with("absent.wav cannot be read");
    run("song").fails_with("song cannot be read: it is no file");
    run("broken.wav").fails_with("broken.wav is not a readable");
    fs::copy(root.join("broken.wav"), root.join("song/bass.wav")).expect("copied");
    mix(&root.join("song"), &[]).succeeds().notes("bass.wav is not a readable");
    mix(&root.join("song"), &["--strict"]).fails_with("bass.wav is not a readable");
}

#[test]
fn a_session_is_assigned_by_options_by_a_file_and_by_names() {
    let root = folder("folders-session");
    let session = root.join("session");
    for (file, stem) in [("take 1", 0), ("take 2", 1), ("Kick", 2), ("Lead Gtr", 3), ("Click", 1)] {
        write(&session.join(format!("{file}.wav")), stem, SHORT);
    }
    let path = session.to_str().expect("plain");
    let shown = tributary(&["stems", path]).succeeds();
    assert!(shown.out.contains("Click.wav") && shown.out.contains("its name says no stem"), "{}", shown.out);
    let written = fs::read_to_string(session.join("stems.toml")).expect("written");
    assert!(
        written.contains("\"Kick.wav\" = \"drums\"") && written.contains("\"take 1.wav\" = \"unused\""),
        "{written}"
    );
    let edited = written
        .replace("\"take 1.wav\" = \"unused\"", "\"TAKE 1*\" = \"vocals\"")
        .replace("\"take 2.wav\" = \"unused\"", "\"take 2\" = \"bass\"");
    fs::write(session.join("stems.toml"), &edited).expect("written");
    mix(&session, &["--strict"]).succeeds();
    assert!(difference(&session, 0, &[0, 1, 2, 3]) < 1e-4);
    // Options come first; what is there is never overwritten.
    mix(&session, &["--assign", "*gtr=unused", "--assign", "click=drums"]).succeeds();
    assert!(difference(&session, 0, &[0, 1, 2, 1]) < 1e-4);
    tributary(&["stems", path]).succeeds();
    assert_eq!(fs::read_to_string(session.join("stems.toml")).expect("there"), edited);

    mix(&session, &["--assign", "Tuba*=bass"]).fails_with("\"Tuba*\" fits no audio file");
    assert_eq!(mix(&session, &["--assign", "Kick=tuba"]).code, Some(2));
    fs::write(session.join("stems.toml"), "[files]\n\"Kick.wav\" = \"tuba\"\n").expect("written");
    mix(&session, &[]).fails_with("\"tuba\" is no stem");
    fs::write(session.join("stems.toml"), "[file]\n").expect("written");
    mix(&session, &[]).fails_with("stems.toml cannot be used");
}

#[test]
fn a_set_says_what_it_leaves_out_and_ends_with_a_code_of_its_own() {
    let root = folder("folders-set");
    song(&root.join("set/Whole"), SHORT);
    write(&root.join("set/Session/Kick.wav"), 2, SHORT);
    write(&root.join("set/Session/Vox.wav"), 0, SHORT);
    write(&root.join("set/Session/noodling.wav"), 3, SHORT);
    write(&root.join("set/Samples/Kick 1.wav"), 2, SHORT);
    let set = root.join("set");
    let normalize = |out: &str, more: &[&str]| {
        let out = root.join(out);
        let mut arguments =
            vec!["normalize", set.to_str().expect("plain"), "-o", out.to_str().expect("plain")];
        arguments.extend(more);
        tributary(&arguments)
    };
    normalize("out", &[]).succeeds().notes("Session: noodling.wav is not used");
    assert!(root.join("out/Session/drums.wav").is_file() && !root.join("out/Samples").exists());
    normalize("strict", &["--strict"]).leaves_songs_out().notes("incomplete: 1 of 2 songs were skipped");
    assert!(root.join("strict/Whole").is_dir() && !root.join("strict/Session").exists());
}
