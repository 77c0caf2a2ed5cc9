//! `tributary mix` as a user meets it: every kind of song folder, and everything that can be wrong with one.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Run, STEMS, Wav, flac, folder, read, rms, signal, song, tributary, write, write_with};

fn mix(song: &Path, output: &Path, more: &[&str]) -> Run {
    let mut arguments = vec!["mix", song.to_str().expect("plain"), "-o", output.to_str().expect("plain")];
    arguments.extend(more);
    tributary(&arguments)
}

/// The plain sum of the test signals.
fn sum(n: usize, rate_hz: u32, channel: u16, stems: &[usize]) -> f64 {
    stems.iter().map(|stem| signal(*stem, n as f64 / f64::from(rate_hz), channel)).sum()
}

/// Largest difference of a result from the plain sum, away from the ends.
fn difference(result: &[f32], rate_hz: u32, channel: u16, stems: &[usize]) -> f64 {
    let inner = 500..result.len() - 500;
    inner.map(|n| (f64::from(result[n]) - sum(n, rate_hz, channel, stems)).abs()).fold(0.0, f64::max)
}

/// The default model of this working tree, and whether ONNX Runtime is there to run it.
fn default_model_runs() -> bool {
    let song_folder = song(&folder("mix-probe").join("Song"), Wav { seconds: 0.5, ..Wav::CD });
    let run = mix(&song_folder, &song_folder.join("mix.wav"), &[]);
    let missing = run.err.contains("ONNX Runtime was not found");
    if missing {
        eprintln!("SKIPPED: ONNX Runtime is absent; set ORT_DYLIB_PATH or run cargo xtask setup");
    }
    !missing
}

#[test]
fn the_plain_sum_is_the_plain_sum_at_every_rate() {
    for (rate_hz, tolerance) in [(44_100, 1e-4), (48_000, 1e-3), (96_000, 1e-3), (22_050, 1e-3)] {
        let root = folder(&format!("mix-sum-{rate_hz}"));
        let files = song(&root.join("Song"), Wav { rate_hz, ..Wav::CD });
        let out = root.join("mix.wav");
        let run = mix(&files, &out, &["--model", "sum"]).succeeds();
        assert!(run.out.contains("real-time factor"), "{}", run.out);
        assert!(!run.err.contains('\u{1b}') && !run.err.contains("left"), "no progress bar: {}", run.err);
        let (result_rate_hz, left, right) = read(&out);
        assert_eq!((result_rate_hz, left.len()), (rate_hz, 3 * rate_hz as usize));
        let worst =
            difference(&left, rate_hz, 0, &[0, 1, 2, 3]).max(difference(&right, rate_hz, 1, &[0, 1, 2, 3]));
        assert!(worst < tolerance, "{rate_hz} Hz: {worst}");
    }
}

#[test]
fn mono_flac_other_rates_and_other_lengths_go_together() {
    let root = folder("mix-variety");
    let files = root.join("Song");
    write(&files.join("Vocals.WAV"), 0, Wav { channels: 1, seconds: 2.0, ..Wav::FLOAT });
    write(&files.join("bass.wav"), 1, Wav { rate_hz: 48_000, bits: 24, seconds: 3.5, ..Wav::CD });
    let drums =
        |c| (0..88_200).map(|n| (signal(2, n as f64 / 44_100.0, c) * 32_768.0).round() as i16).collect();
    flac::write(&files.join("drums.flac"), &[drums(0), drums(1)], 44_100);
    let out = root.join("mix.wav");
    mix(&files, &out, &["--model", "sum"])
        .succeeds()
        .notes("the other stem is missing; the song goes on without it")
        .notes("different sample rates; all are brought to 48000 Hz")
        .notes("the vocals stem is 1.500 s shorter than the longest")
        .notes("the drums stem is 1.500 s shorter");
    let (rate_hz, left, right) = read(&out);
    assert_eq!((rate_hz, left.len(), right.len()), (48_000, 168_000, 168_000));
    assert!(difference(&left[..90_000], 48_000, 0, &[0, 1, 2]) < 2e-3);
    let tail = 100_000..160_000;
    let worst = tail.map(|n| (f64::from(left[n]) - sum(n, 48_000, 0, &[1])).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-4, "only the bass goes on: {worst}");
    // The mono vocals reach both sides alike.
    let center = (0..90_000).map(|n| {
        (f64::from(right[n]) - sum(n, 48_000, 1, &[1, 2]) - signal(0, n as f64 / 48_000.0, 0)).abs()
    });
    assert!(center.skip(500).fold(0.0, f64::max) < 2e-3);
}

#[test]
fn stems_can_be_named_one_by_one() {
    let root = folder("mix-named");
    write(&root.join("a.wav"), 0, Wav::CD);
    write(&root.join("b.wav"), 1, Wav::CD);
    let path = |name: &str| root.join(name).to_str().expect("plain").to_owned();
    let out = path("mix.wav");
    tributary(&["mix", "--vocals", &path("a.wav"), "--bass", &path("b.wav"), "-o", &out, "--model", "sum"])
        .succeeds()
        .notes("the drums stem is missing");
    assert!(difference(&read(Path::new(&out)).1, 44_100, 0, &[0, 1]) < 1e-4);
    assert_eq!(tributary(&["mix", "-o", &out]).code, Some(2));
}

#[test]
fn a_stem_that_cannot_be_read_is_left_out_and_none_at_all_is_an_error() {
    let root = folder("mix-broken");
    let files = song(&root.join("Song"), Wav::CD);
    fs::write(files.join("vocals.wav"), b"not audio").expect("written");
    let out = root.join("mix.wav");
    mix(&files, &out, &["--model", "sum"])
        .succeeds()
        .notes("vocals.wav is not a readable audio file")
        .notes("the song goes on without it");
    assert!(difference(&read(&out).1, 44_100, 0, &[1, 2, 3]) < 1e-4);

    fs::remove_file(&out).expect("removed");
    for stem in STEMS {
        fs::write(files.join(format!("{stem}.wav")), b"").expect("written");
    }
    mix(&files, &out, &["--model", "sum"]).fails_with("no stem can be used");
    let empty = root.join("Empty");
    fs::create_dir_all(&empty).expect("made");
    mix(&empty, &out, &["--model", "sum"]).fails_with("holds no stem");
    mix(&root.join("absent"), &out, &["--model", "sum"]).fails_with("cannot list the folder");
    assert!(!out.exists());
}

#[test]
fn all_silence_mixes_to_silence() {
    let root = folder("mix-silence");
    for stem in STEMS {
        write_with(&root.join(format!("Song/{stem}.wav")), Wav::CD, |_, _| 0.0);
    }
    for profile in ["file", "adaptive"] {
        let out = root.join("mix.wav");
        mix(&root.join("Song"), &out, &["--model", "sum", "--recipe", "paper", "--profile", profile])
            .succeeds();
        assert!(read(&out).1.iter().all(|sample| sample.abs() < 1e-6), "{profile}");
    }
}

#[test]
fn the_report_holds_what_was_measured() {
    let root = folder("mix-json");
    let files = song(&root.join("Song"), Wav::CD);
    let json = root.join("mix.json");
    let arguments = ["--model", "sum", "--json", json.to_str().expect("plain")];
    mix(&files, &root.join("mix.wav"), &arguments).succeeds();
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&json).expect("there")).expect("JSON");
    assert_eq!(report["frames"], 3 * 44_100);
    assert_eq!(report["profile"], "file");
    assert_eq!(report["stems"][1]["name"], "bass");
    for number in ["mix_lufs", "mix_true_peak_dbtp", "real_time_factor"] {
        assert!(report[number].is_f64(), "{number}: {}", report[number]);
    }
    let before = report["stems"][0]["before_lufs"].as_f64().expect("audible");
    let after = report["stems"][0]["after_lufs"].as_f64().expect("audible");
    assert!((before - after).abs() < 0.2, "the plain sum does not normalize: {before} → {after}");
}

#[test]
fn a_failed_mix_leaves_the_previous_one_untouched() {
    let root = folder("mix-atomic");
    let files = song(&root.join("Song"), Wav::CD);
    let out = root.join("mix.wav");
    fs::write(&out, b"the previous mix").expect("written");
    let untouched = || fs::read(&out).expect("there") == b"the previous mix";
    mix(&files, &out, &["--model", root.join("absent").to_str().expect("plain")]).fails_with("contract.json");
    assert!(untouched());
    mix(&files, &root.join("nowhere/mix.wav"), &["--model", "sum"]).fails_with("there is no folder");
    mix(&files, &root.join("Song"), &["--model", "sum"]).fails_with("it is a folder");

    // A disk that fills up: no file may grow beyond 200 KiB.
    let script = format!(
        "ulimit -f 200; exec '{}' mix '{}' -o '{}' --model sum",
        env!("CARGO_BIN_EXE_tributary"),
        files.display(),
        out.display()
    );
    let full: Run = Command::new("bash").args(["-c", &script]).output().expect("bash runs").into();
    full.fails_with("cannot be written");
    assert!(untouched());
    let left_over: Vec<PathBuf> = fs::read_dir(&root)
        .expect("listed")
        .map(|entry| entry.expect("listed").path())
        .filter(|path| path.is_file())
        .collect();
    assert_eq!(left_over, [out]);
}

#[test]
fn the_default_model_mixes_alike_twice_and_every_stem_counts() {
    if !default_model_runs() {
        return;
    }
    let root = folder("mix-default");
    let files = song(&root.join("Song"), Wav { seconds: 6.0, ..Wav::CD });
    for profile in ["file", "adaptive"] {
        let (one, two) = (root.join("one.wav"), root.join("two.wav"));
        mix(&files, &one, &["--profile", profile]).succeeds();
        mix(&files, &two, &["--profile", profile]).succeeds();
        assert!(fs::read(&one).expect("there") == fs::read(&two).expect("there"), "{profile}");
        let (_, whole, _) = read(&one);
        assert_eq!(whole.len(), 6 * 44_100);
        for stem in STEMS {
            let without = root.join("Without");
            let _ = fs::remove_dir_all(&without);
            song(&without, Wav { seconds: 6.0, ..Wav::CD });
            fs::remove_file(without.join(format!("{stem}.wav"))).expect("removed");
            mix(&without, &two, &["--profile", profile]).succeeds();
            let (_, rest, _) = read(&two);
            let contribution: Vec<f32> = whole.iter().zip(&rest).map(|(a, b)| a - b).collect();
            let share = rms(&contribution) / rms(&whole);
            assert!(share > 0.03, "{profile}: {stem} contributes {share}");
        }
    }
}

#[test]
fn latency_modes_and_statistics_can_be_chosen_and_are_reported() {
    if !default_model_runs() {
        return;
    }
    let root = folder("mix-modes");
    let files = song(&root.join("Song"), Wav { seconds: 4.0, ..Wav::CD });
    let json = root.join("mix.json");
    let mix_with = |more: &[&str]| {
        let out = root.join("mix.wav");
        let arguments = [&["--json", json.to_str().expect("plain")], more].concat();
        mix(&files, &out, &arguments).succeeds();
        let report: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&json).expect("there")).expect("JSON");
        let word = |key: &str| report[key].as_str().expect("a word").to_owned();
        let (_, left, _) = read(&out);
        assert_eq!(left.len(), 4 * 44_100);
        (left, word("latency_mode"), word("statistics"), report["latency_frames"].as_u64().expect("a number"))
    };
    let standard = mix_with(&[]);
    assert_eq!((&*standard.1, &*standard.2), ("standard", "learned"));
    for (mode, statistics) in [("low", "learned"), ("high", "learned"), ("monitor", "running")] {
        let other = mix_with(&["--latency-mode", mode]);
        assert_eq!((&*other.1, &*other.2), (mode, statistics));
        assert!(other.3 != standard.3 && other.0 != standard.0, "{mode} is another window");
    }
    let running = mix_with(&["--running-statistics"]);
    assert_eq!(running.2, "running");
    assert!(running.0 != standard.0, "the network averages otherwise");
    assert_eq!(mix_with(&["--profile", "adaptive"]).2, "running");
    assert_eq!(mix(&files, &root.join("mix.wav"), &["--latency-mode", "warp"]).code, Some(2));
    assert_eq!(mix(&files, &root.join("mix.wav"), &["--provider", "abacus"]).code, Some(2));
    // Without a GPU the CPU makes the same mix, and a note says why.
    let cuda = mix_with(&["--provider", "cuda"]);
    let run = mix(&files, &root.join("mix.wav"), &["--provider", "cuda"]).succeeds();
    assert!(!run.err.contains("on the CPU, because CUDA was asked for and failed") || cuda.0 == standard.0);
    assert!(run.err.contains("because CUDA") || Path::new("/dev/nvidia0").exists(), "{}", run.err);
}

#[test]
fn the_real_songs_mix() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real");
    if !shared.is_dir() {
        eprintln!("SKIPPED: ../shared/real absent");
        return;
    }
    let root = folder("mix-real");
    for name in ["Dance", "Disco"] {
        let out = root.join(format!("{name}.wav"));
        mix(&shared.join(name), &out, &["--model", "sum", "--recipe", "paper"]).succeeds();
        let (rate_hz, left, _) = read(&out);
        assert_eq!((rate_hz, left.len()), (44_100, 525_312));
        assert!(rms(&left) > 1e-3);
    }
}

#[test]
fn whole_numbers_are_dithered_and_close_to_the_floating_mix() {
    let root = folder("mix-bits");
    let files = song(&root.join("Song"), Wav { seconds: 1.0, ..Wav::CD });
    let out = root.join("mix.wav");
    mix(&files, &out, &["--model", "sum"]).succeeds();
    let (_, exact, _) = read(&out);
    for (bits, largest) in [(16, 2.0 / 32_768.0), (24, 2.0 / 8_388_608.0)] {
        mix(&files, &out, &["--model", "sum", "--bits", &bits.to_string()]).succeeds();
        let mut reader = hound::WavReader::open(&out).expect("a WAV file");
        assert_eq!((reader.spec().bits_per_sample, reader.spec().sample_rate), (bits, 44_100));
        let scale = f64::from(1u32 << (bits - 1));
        let samples: Vec<i32> = reader.samples().map(|sample| sample.expect("complete")).collect();
        assert_eq!(samples.len(), 2 * exact.len());
        let left = samples.iter().step_by(2).map(|sample| f64::from(*sample) / scale);
        let worst =
            left.zip(&exact).map(|(a, b)| (a - f64::from(b.clamp(-1.0, 1.0))).abs()).fold(0.0, f64::max);
        assert!(worst < largest && worst > 0.0, "{bits} bits: {worst}");
    }
    assert_eq!(mix(&files, &out, &["--bits", "20"]).code, Some(2));
}

#[test]
fn stems_are_trimmed_muted_and_soloed() {
    let root = folder("mix-steered");
    let files = song(&root.join("Song"), Wav::CD);
    let out = root.join("mix.wav");
    let json = root.join("mix.json");
    let more = ["--model", "sum", "--mute", "drums,other", "--json", json.to_str().expect("plain")];
    let run = mix(&files, &out, &more).succeeds();
    assert!(run.out.contains("asked") && run.out.contains("mute"), "{}", run.out);
    let (rate_hz, left, right) = read(&out);
    assert!(difference(&left, rate_hz, 0, &[0, 1]).max(difference(&right, rate_hz, 1, &[0, 1])) < 1e-4);
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&json).expect("a report")).expect("JSON");
    assert_eq!(report["controls"]["stems"][2]["mute"], true);
    assert_eq!(report["controls"]["stems"][0]["trim_db"], 0.0);

    mix(&files, &out, &["--model", "sum", "--solo", "bass", "--trim", "bass=-6,vocals=9"]).succeeds();
    let (_, left, _) = read(&out);
    let scaled: Vec<f32> = left.iter().map(|x| x * 10f32.powf(0.3)).collect();
    assert!(difference(&scaled, rate_hz, 0, &[1]) < 1e-4);

    let refused = mix(&files, &out, &["--model", "sum", "--trim", "bass=40"]);
    assert!(refused.err.contains("--trim takes numbers from -12 to 12"), "{}", refused.err);
}
