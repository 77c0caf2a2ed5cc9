//! The incremental form of CRAFx2 against the same network as one graph over a whole song, and against itself: hops of
//! other lengths, skipped hops, a mask that comes late, rests. The tiny network comes from
//! `tests/data/make_incremental.py`.

use serde_json::{Value, json};
use tributary_dsp::CHANNELS;
use tributary_engine::{MixModel, ModelError, SongLearner, Statistics, StemWindow};

use crate::common::{TemporaryFolder, difference, noise_stems, part};
use crate::networks::{bundle, library, load, run};

const SONG_FRAMES: usize = 64 * 1200;
/// Enough for margin, delay (14 latent frames), joint and 60 latent frames for the backward LSTMs.
pub const LOOKAHEAD_FRAMES: usize = 64 * (2 + 14 + 60);

pub fn incremental(name: &str, hop_frames: usize, lookahead_frames: usize) -> TemporaryFolder {
    let network = |file: &dyn Fn(&str) -> Value| {
        let graph = |name: &str| file(&format!("incremental/{name}"));
        json!({
            "kind": "incremental", "frame_ratio": 64, "filters": 8, "margin_frames": 128,
            "delay_frames": 896, "memory_rows": 20, "norms": 13, "lstm_layers": 2, "lstm_units": 4,
            "statistics": graph("statistics.f32"), "front": graph("front.onnx"),
            "temporal": graph("temporal.onnx"), "recurrent": graph("recurrent.onnx"), "back": graph("back.onnx"),
        })
    };
    let window = json!({
        "context_frames": 8192, "hop_frames": hop_frames,
        "lookahead_frames": lookahead_frames, "crossfade_frames": 256,
    });
    bundle(name, network, window)
}

/// The network over the whole song at once.
fn whole_song(library: &tributary_engine::OnnxLibrary, stems: &[Vec<f32>; CHANNELS]) -> [Vec<f32>; 2] {
    let network = |file: &dyn Fn(&str) -> Value| json!({ "kind": "whole", "graph": file("incremental/whole.onnx"), "input": "stems", "output": "mix" });
    let lengths = json!({
        "context_frames": 0, "hop_frames": SONG_FRAMES - 64, "lookahead_frames": 64, "crossfade_frames": 64,
    });
    let mut model = load(&bundle("whole-song", network, lengths), library).unwrap();
    let mut window = StemWindow::new(model.geometry());
    window.append(part(stems, 0..SONG_FRAMES));
    run(&mut *model, &window)
}

fn song(seed: u64) -> [Vec<f32>; CHANNELS] {
    let mut stems = noise_stems(SONG_FRAMES, seed);
    for (channel, samples) in stems.iter_mut().enumerate() {
        for (n, sample) in samples.iter_mut().enumerate() {
            *sample *= 0.5 + 0.5 * (n as f32 * (3 + channel) as f32 * 1e-4).sin();
        }
    }
    stems
}

/// Streams the song from a fresh start; hops for which `skip` says so are not made and come out as zeros.
fn stream(
    model: &mut dyn MixModel,
    stems: &[Vec<f32>; CHANNELS],
    skip: impl Fn(usize) -> bool,
) -> [Vec<f32>; 2] {
    model.reset();
    let mut window = StemWindow::new(model.geometry());
    window.append(part(stems, 0..SONG_FRAMES));
    let hop = model.geometry().hop_frames;
    let mut mix = [Vec::new(), Vec::new()];
    let mut hops = 0;
    while window.is_complete() {
        let skipped = skip(hops);
        let made = if skipped { [vec![0.0; hop], vec![0.0; hop]] } else { run(model, &window) };
        for (side, made) in mix.iter_mut().zip(made) {
            side.extend_from_slice(&made[..hop]);
        }
        window.advance(!skipped);
        hops += 1;
    }
    mix
}

/// Signal to distortion in dB over the frames both have.
pub fn sdr_db(found: &[Vec<f32>; 2], wanted: &[Vec<f32>; 2]) -> f64 {
    let (mut signal, mut error) = (0.0, 0.0);
    for (found, wanted) in found.iter().zip(wanted) {
        for (&found, &wanted) in found.iter().zip(wanted) {
            signal += f64::from(wanted).powi(2);
            error += f64::from(found - wanted).powi(2);
        }
    }
    10.0 * (signal / error.max(1e-30)).log10()
}

fn learner(model: &mut dyn MixModel) -> &mut dyn SongLearner {
    model.learner().expect("an incremental network averages over a song")
}

/// Runs over the song until the statistics stay: deeper norms depend on those before them.
fn learn(model: &mut dyn MixModel, stems: &[Vec<f32>; CHANNELS]) -> Statistics {
    learner(model).freeze(None).unwrap();
    for _ in 0..4 {
        stream(model, stems, |_| false);
        let learned = learner(&mut *model).learned().unwrap();
        learner(&mut *model).freeze(Some(learned)).unwrap();
    }
    stream(model, stems, |_| false);
    learner(&mut *model).learned().unwrap()
}

#[test]
fn with_learned_statistics_it_is_the_whole_song_network() {
    let Some(library) = library("incremental::with_learned_statistics_it_is_the_whole_song_network") else {
        return;
    };
    let stems = song(70);
    let wanted = whole_song(&library, &stems);
    let mut model = load(&incremental("learned", 1024, LOOKAHEAD_FRAMES), &library).unwrap();
    let running = sdr_db(&stream(&mut *model, &stems, |_| false), &wanted);
    learn(&mut *model, &stems);
    let learned = sdr_db(&stream(&mut *model, &stems, |_| false), &wanted);
    println!("SDR against the whole song: running {running:.1} dB, learned {learned:.1} dB");
    // The song's last tenth has no complete window, so what is learned is not quite the whole song's.
    assert!(running > 30.0 && learned > 40.0 && learned > running + 2.0, "{running} {learned}");

    // Frozen statistics are not moved by the stream, and another song's are not this one's.
    let other = learn(&mut *model, &song(71));
    assert!(other != learn(&mut *model, &stems));
}

#[test]
fn the_length_of_hops_does_not_matter() {
    let Some(library) = library("incremental::the_length_of_hops_does_not_matter") else { return };
    let stems = song(72);
    let mut short = load(&incremental("short", 1024, LOOKAHEAD_FRAMES), &library).unwrap();
    let mut long = load(&incremental("long", 4096, LOOKAHEAD_FRAMES), &library).unwrap();
    let learned = learn(&mut *short, &stems);
    learner(&mut *short).freeze(Some(learned.clone())).unwrap();
    learner(&mut *long).freeze(Some(learned)).unwrap();
    let (first, second) = (stream(&mut *short, &stems, |_| false), stream(&mut *long, &stems, |_| false));
    let sdr = sdr_db(&first, &second);
    assert!(sdr > 60.0, "{sdr}");
}

#[test]
fn skipped_hops_are_caught_up_and_long_gaps_start_anew() {
    let Some(library) = library("incremental::skipped_hops_are_caught_up_and_long_gaps_start_anew") else {
        return;
    };
    let stems = song(73);
    let mut model = load(&incremental("skips", 1024, LOOKAHEAD_FRAMES), &library).unwrap();
    let learned = learn(&mut *model, &stems);
    learner(&mut *model).freeze(Some(learned)).unwrap();
    let steady = stream(&mut *model, &stems, |_| false);
    let skipping = stream(&mut *model, &stems, |hop| [3, 4, 9].contains(&hop));
    let after =
        |mix: &[Vec<f32>; 2], hop: usize| [mix[0][hop * 1024..].to_vec(), mix[1][hop * 1024..].to_vec()];
    assert!(sdr_db(&after(&skipping, 10), &after(&steady, 10)) > 80.0);
    // More than the window holds: what was carried is dropped, and the stream is itself again after a while.
    let gap = stream(&mut *model, &stems, |hop| (10..30).contains(&hop));
    assert!(gap.iter().flatten().all(|x| x.is_finite()));
    assert!(sdr_db(&after(&gap, 40), &after(&steady, 40)) > 40.0);
}

#[test]
fn a_short_lookahead_uses_the_mask_late() {
    let Some(library) = library("incremental::a_short_lookahead_uses_the_mask_late") else { return };
    let stems = song(74);
    let mut full = load(&incremental("full", 1024, LOOKAHEAD_FRAMES), &library).unwrap();
    // Margin, joint and one frame: the delay of 14 frames is not covered at all.
    let mut late = load(&incremental("late", 512, 128 + 256 + 64), &library).unwrap();
    let wanted = stream(&mut *full, &stems, |_| false);
    let sdr = sdr_db(&stream(&mut *late, &stems, |_| false), &wanted);
    println!("SDR with a late mask: {sdr:.1} dB");
    assert!((10.0..60.0).contains(&sdr), "{sdr}");
}

#[test]
fn a_reset_is_a_fresh_start_and_a_rest_keeps_the_averages() {
    let Some(library) = library("incremental::a_reset_is_a_fresh_start_and_a_rest_keeps_the_averages") else {
        return;
    };
    let stems = song(75);
    let folder = incremental("rest", 1024, LOOKAHEAD_FRAMES);
    let mut model = load(&folder, &library).unwrap();
    assert_eq!(learner(&mut *model).learned(), None);
    let first = stream(&mut *model, &stems, |_| false);
    let learned = learner(&mut *model).learned().unwrap();
    assert_eq!(first, stream(&mut *model, &stems, |_| false));
    learner(&mut *model).rest();
    assert_eq!(learner(&mut *model).learned(), Some(learned.clone()));
    // What follows a rest is a stream's start with other running statistics: near, but not the same.
    let mut window = StemWindow::new(model.geometry());
    window.append(part(&stems, 0..SONG_FRAMES));
    let woken = run(&mut *model, &window);
    let worst = difference(&woken[0][..1024], &first[0][..1024]);
    assert!(worst > 0.0 && worst < 0.05, "{worst}");
    model.reset();
    assert_eq!(learner(&mut *model).learned(), None);

    let foreign = Statistics { gate: vec![0.1; 3], ..learned };
    assert_eq!(learner(&mut *model).freeze(Some(foreign)), Err(ModelError::Statistics));
    assert_eq!(stream(&mut *model, &stems, |_| false), first);
}

#[test]
fn impossible_numbers_are_refused() {
    let Some(library) = library("incremental::impossible_numbers_are_refused") else { return };
    let folder = incremental("numbers", 1024, LOOKAHEAD_FRAMES);
    let path = folder.0.join("contract.json");
    let good: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let refuse = |field: &str, value: Value, word: &str| {
        let mut contract = good.clone();
        contract["network"][field] = value;
        std::fs::write(&path, contract.to_string()).unwrap();
        let message = match tributary_engine::ModelBundle::open(&folder.0) {
            Err(error) => error.to_string(),
            Ok(bundle) => bundle.load_model(&library).err().unwrap().to_string(),
        };
        assert!(message.contains(word), "{field}: {message}");
    };
    refuse("delay_frames", json!(1_000_000_000), "delay_frames is 1000000000; expected 64 to 131072");
    refuse("delay_frames", json!(100), "multiple of 64");
    refuse("delay_frames", json!(832), "model stopped with an error");
    refuse("memory_rows", json!(0), "memory_rows is 0");
    refuse("norms", json!(12), "statistics");
    refuse("lstm_units", json!(5), "recurrent.onnx has another shape");
    refuse("extra", json!(1), "unknown field");
}

#[test]
fn looking_ahead_changes_no_bit() {
    let Some(library) = library("incremental::looking_ahead_changes_no_bit") else { return };
    let stems = song(77);
    // Hops shorter and longer than one run of the front end takes.
    for hop_frames in [1024, 20_480] {
        let folder = incremental("ahead", hop_frames, LOOKAHEAD_FRAMES);
        let mut plain = load(&folder, &library).unwrap();
        let mut ahead = load(&folder, &library).unwrap();
        assert!(ahead.look_ahead());
        let some = |hop: usize| [1, 5, 6, 20].contains(&hop);
        for skip in [&(|_: usize| false) as &dyn Fn(usize) -> bool, &some] {
            let (wanted, found) = (stream(&mut *plain, &stems, skip), stream(&mut *ahead, &stems, skip));
            assert!(wanted[0].iter().any(|x| x.abs() > 0.01));
            assert_eq!(found, wanted);
            assert_eq!(learner(&mut *ahead).learned(), learner(&mut *plain).learned());
        }
        // Given up in the middle: what was made ahead belongs to another stream.
        let mut window = StemWindow::new(ahead.geometry());
        window.append(part(&stems, 30_000..SONG_FRAMES));
        assert!(window.shows(1));
        run(&mut *ahead, &window);
        assert_eq!(stream(&mut *ahead, &stems, |_| false), stream(&mut *plain, &stems, |_| false));
        // Dropped while the other thread works.
        run(&mut *ahead, &window);
    }
}
