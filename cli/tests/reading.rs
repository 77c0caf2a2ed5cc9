//! What happens to every kind of audio file on its way in, seen through `tributary normalize` with all amounts at zero
//! (which changes rate and format only).

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Run, Wav, flac, folder, read, signal, tributary, write, write_with};

/// Normalizes a song folder without changing it; returns the run and the folder of results.
fn pass_through(song: &Path) -> (Run, PathBuf) {
    let out = song.with_file_name("out");
    let run = tributary(&[
        "normalize",
        song.to_str().expect("plain"),
        "-o",
        out.to_str().expect("plain"),
        "--amounts",
        "equalization=0,dynamics=0,panning=0,loudness=0",
    ]);
    (run, out.join(song.file_name().expect("a name")))
}

/// Largest difference of a result from the signal of a stem, away from the ends.
fn difference(result: &[f32], stem: usize, channel: u16) -> f64 {
    let inner = 2000..result.len() - 2000;
    inner
        .map(|n| (f64::from(result[n]) - signal(stem, n as f64 / 44_100.0, channel)).abs())
        .fold(0.0, f64::max)
}

#[test]
fn every_wav_format_and_rate_arrives_unchanged() {
    let formats = [
        (Wav::CD, 4e-5),
        (Wav { bits: 24, ..Wav::CD }, 1e-6),
        (Wav { bits: 32, ..Wav::CD }, 1e-6),
        (Wav::FLOAT, 1e-6),
        (Wav { rate_hz: 48_000, ..Wav::FLOAT }, 1e-3),
        (Wav { rate_hz: 96_000, ..Wav::FLOAT }, 1e-3),
        (Wav { rate_hz: 192_000, seconds: 1.0, ..Wav::FLOAT }, 1e-3),
        (Wav { rate_hz: 22_050, ..Wav::FLOAT }, 1e-3),
    ];
    for (index, (wav, tolerance)) in formats.into_iter().enumerate() {
        let song = folder(&format!("reading-wav-{index}")).join("Song");
        write(&song.join("VOCALS.WAV"), 0, wav);
        let (run, out) = pass_through(&song);
        run.succeeds().notes("the bass stem is missing");
        let (_, left, right) = read(&out.join("vocals.wav"));
        assert_eq!(left.len(), (wav.seconds * 44_100.0) as usize);
        let worst = difference(&left, 0, 0).max(difference(&right, 0, 1));
        assert!(worst < tolerance, "{} Hz {} bit: {worst}", wav.rate_hz, wav.bits);
        assert!(!out.join("bass.wav").exists());
    }
}

#[test]
fn mono_fills_both_sides_and_loud_floats_are_not_clipped() {
    let song = folder("reading-mono").join("Song");
    write_with(&song.join("vocals.wav"), Wav { channels: 1, ..Wav::FLOAT }, |t, _| 4.0 * signal(0, t, 0));
    let (run, out) = pass_through(&song);
    run.succeeds();
    let (_, left, right) = read(&out.join("vocals.wav"));
    assert!(left == right, "the sides differ");
    assert!(left.iter().any(|sample| sample.abs() > 1.2));
    assert!(
        left.iter()
            .enumerate()
            .all(|(n, x)| (f64::from(*x) - 4.0 * signal(0, n as f64 / 44_100.0, 0)).abs() < 1e-5)
    );
}

fn pcm(stem: usize, channel: u16, frames: usize) -> Vec<i16> {
    (0..frames).map(|n| (signal(stem, n as f64 / 44_100.0, channel) * 32_768.0).round() as i16).collect()
}

#[test]
fn flac_is_read_and_a_damaged_one_is_missing_instead_of_shifted() {
    let song = folder("reading-flac").join("Song");
    fs::create_dir_all(&song).expect("made");
    let path = song.join("drums.flac");
    flac::write(&path, &[pcm(2, 0, 50_000), pcm(2, 1, 50_000)], 44_100);
    flac::write(&song.join("vocals.flac"), &[pcm(0, 0, 50_000)], 44_100);
    let (run, out) = pass_through(&song);
    run.succeeds();
    let (_, left, right) = read(&out.join("drums.wav"));
    assert_eq!(left.len(), 50_000);
    assert!(difference(&left, 2, 0).max(difference(&right, 2, 1)) < 4e-5);

    let mut bytes = fs::read(&path).expect("there");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0x55);
    fs::write(&path, bytes).expect("written");
    let (run, out) = pass_through(&song);
    run.succeeds().notes("drums.flac is damaged");
    assert!(!out.join("drums.wav").exists() && out.join("vocals.wav").exists());
}

#[test]
fn bad_samples_are_counted_and_silenced() {
    let song = folder("reading-nan").join("Song");
    write(&song.join("vocals.wav"), 0, Wav::FLOAT);
    let mut bytes = fs::read(song.join("vocals.wav")).expect("there");
    for (n, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().enumerate() {
        let at = bytes.len() - 8 * (10_000 + n);
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    fs::write(song.join("vocals.wav"), bytes).expect("written");
    let (run, out) = pass_through(&song);
    run.succeeds().notes("vocals.wav: 3 samples were NaN or infinite and are now zero");
    assert!(read(&out.join("vocals.wav")).1.iter().all(|sample| sample.is_finite()));
}

#[test]
fn a_file_cut_short_is_used_as_far_as_it_goes() {
    let song = folder("reading-short").join("Song");
    write(&song.join("vocals.wav"), 0, Wav::CD);
    write(&song.join("bass.wav"), 1, Wav::CD);
    let bytes = fs::read(song.join("vocals.wav")).expect("there");
    fs::write(song.join("vocals.wav"), &bytes[..bytes.len() / 2]).expect("written");
    let (run, out) = pass_through(&song);
    run.succeeds().notes("vocals.wav: the file ends early").notes("the vocals stem is");
    let (_, left, _) = read(&out.join("vocals.wav"));
    assert_eq!(left.len(), 3 * 44_100);
    assert!(difference(&left[..44_100], 0, 0) < 4e-5);
    assert!(left[3 * 22_050 + 10..].iter().all(|sample| *sample == 0.0));
}

/// A file that cannot be used: its name, the sentence about it, and how it is made.
type Case = (&'static str, &'static str, Box<dyn Fn(&Path)>);

#[test]
fn what_cannot_be_used_gets_a_plain_sentence() {
    let base = folder("reading-refused");
    let cases: [Case; 8] = [
        ("empty-file", "is not a readable audio file", Box::new(|p| fs::write(p, b"").expect("written"))),
        ("text", "is not a readable audio file", Box::new(|p| fs::write(p, b"hello").expect("written"))),
        ("no-frames", "holds no audio", Box::new(|p| write(p, 0, Wav { seconds: 0.0, ..Wav::CD }))),
        (
            "surround",
            "has 6 channels",
            Box::new(|p| write_with(p, Wav { channels: 6, ..Wav::CD }, |_, _| 0.1)),
        ),
        (
            "slow",
            "has a sample rate of 4000 Hz",
            Box::new(|p| write(p, 0, Wav { rate_hz: 4_000, ..Wav::CD })),
        ),
        (
            "fast",
            "has a sample rate of 1000000 Hz",
            Box::new(|p| write(p, 0, Wav { rate_hz: 1_000_000, seconds: 0.1, ..Wav::CD })),
        ),
        (
            "header-only",
            "is not a readable audio file",
            Box::new(|p| {
                write(p, 0, Wav::CD);
                let bytes = fs::read(p).expect("there");
                fs::write(p, &bytes[..30]).expect("written");
            }),
        ),
        (
            "noise",
            "is not a readable audio file",
            Box::new(|p| {
                let noise: Vec<u8> =
                    (0..9999_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
                fs::write(p, noise).expect("written");
            }),
        ),
    ];
    for (name, sentence, make) in cases {
        let song = base.join(name).join("Song");
        fs::create_dir_all(&song).expect("made");
        make(&song.join("vocals.wav"));
        let (run, _) = pass_through(&song);
        run.fails_with("no song could be normalized").notes(sentence);
        // Beside a good stem it is only a note.
        write(&song.join("bass.wav"), 1, Wav::CD);
        let (run, out) = pass_through(&song);
        run.succeeds().notes(sentence);
        assert!(out.join("bass.wav").is_file() && !out.join("vocals.wav").exists());
    }
}

#[test]
fn two_files_for_one_stem_are_refused() {
    let song = folder("reading-twice").join("Song");
    write(&song.join("vocals.wav"), 0, Wav::CD);
    pass_through(&song).0.succeeds();
    flac::write(&song.join("Vocals.flac"), &[pcm(0, 0, 100)], 44_100);
    let (run, _) = pass_through(&song);
    run.fails_with("no song could be normalized").notes("are both the vocals stem; keep one");
}
