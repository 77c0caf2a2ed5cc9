//! `tributary explain` on mixes whose recipe is known: how near the estimate comes, where it is harder, and what it says.

#[path = "support/known_mix.rs"]
mod known_mix;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use known_mix::{Treatment, Truth, loudness_power, sum, treated, truths};
use support::{STEMS, folder, tributary};
use tributary_audio_io::reader;
use tributary_dsp::explain::{Explanation, Observer, Watch, center_hz};
use tributary_dsp::{CHANNELS, Stem, StereoBuffer};

const RATE_HZ: f64 = 44_100.0;
/// Of real songs this much is enough, in seconds.
const LONGEST_S: f64 = 30.0;
/// A stem this far below the mix in a third octave is not audible there, in dB.
const AUDIBLE_DB: f64 = -15.0;

/// The stems of a song; silence for one that is missing.
fn stems(folder: &Path) -> [StereoBuffer; Stem::COUNT] {
    let read = |name: &str| {
        let paths = ["flac", "wav"].map(|ending| folder.join(format!("{name}.{ending}")));
        let path = paths.iter().find(|path| path.is_file())?;
        let file = reader::read(path).expect("readable");
        assert_eq!(f64::from(file.sample_rate_hz), RATE_HZ);
        Some(file.audio)
    };
    let mut stems = STEMS.map(|name| read(name).unwrap_or_default());
    let longest = stems.iter().map(StereoBuffer::frames).max().unwrap_or(0);
    let frames = longest.min((LONGEST_S * RATE_HZ) as usize);
    for side in stems.iter_mut().flat_map(|stem| [&mut stem.left, &mut stem.right]) {
        side.resize(frames, 0.0);
    }
    stems
}

/// The demo's song, and real ones where they are.
fn songs() -> Vec<(String, [StereoBuffer; Stem::COUNT])> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = root.join("../shared/real");
    let mut folders = vec![root.join("assets/demo")];
    if shared.is_dir() {
        let names = ["Dance", "Disco", "Lithium", "Kira", "Hydrogen", "Mallory"];
        folders.extend(names.map(|name| shared.join(name)));
    } else {
        eprintln!("SKIPPED: ../shared/real is absent");
    }
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    folders.iter().map(|path| (name(path), stems(path))).collect()
}

/// What the estimator says of a whole song.
fn explained(stems: &[StereoBuffer; Stem::COUNT], mix: &StereoBuffer) -> Explanation {
    let mut observer = Observer::new(Watch::song(RATE_HZ));
    let channels: [&[f32]; CHANNELS] =
        std::array::from_fn(|n| [&stems[n / 2].left, &stems[n / 2].right][n % 2].as_slice());
    observer.push(channels, [&mix.left, &mix.right]);
    observer.explain().expect("there is sound")
}

const fn treatment(gain_db: f64, balance_db: f64, low_shelf_db: f64, high_shelf_db: f64) -> Treatment {
    Treatment { gain_db, balance_db, low_shelf_db, high_shelf_db }
}

const RECIPES: [[Treatment; Stem::COUNT]; 3] = [
    [
        treatment(2.0, 0.0, 0.0, 0.0),
        treatment(-4.0, 0.0, 0.0, 0.0),
        treatment(0.0, 0.0, 0.0, 0.0),
        treatment(-6.0, 0.0, 0.0, 0.0),
    ],
    [
        treatment(-3.0, 2.0, -4.0, 3.0),
        treatment(-6.0, 0.0, 3.0, -6.0),
        treatment(-8.0, -4.0, 2.0, 4.0),
        treatment(-5.0, 6.0, -6.0, 2.0),
    ],
    [
        treatment(-9.0, -6.0, -8.0, 6.0),
        treatment(1.0, 1.0, -3.0, 4.0),
        treatment(-2.0, 3.0, 4.0, -6.0),
        treatment(-10.0, -8.0, 5.0, -4.0),
    ],
];

/// Largest errors of an estimate, and how much of what is audible it gave.
#[derive(Debug, Default, Clone, Copy)]
struct Errors {
    gain_db: f64,
    band_db: f64,
    /// Of third octaves in which a stem is audible.
    audible: usize,
    given: usize,
    /// Sum of their squares.
    squares: f64,
}

impl Errors {
    fn rms_db(&self) -> f64 {
        (self.squares / self.given.max(1) as f64).sqrt()
    }

    fn add(&mut self, found: &Explanation, truths: &[Option<Truth>; Stem::COUNT]) {
        for (stem, truth) in found.stems.iter().zip(truths) {
            let Some(truth) = truth else { continue };
            let Some(stem) = stem.audible() else {
                assert!(
                    truth.level_lu < AUDIBLE_DB,
                    "a stem {:.1} LU below the mix is not found",
                    truth.level_lu
                );
                continue;
            };
            self.gain_db = self.gain_db.max((f64::from(stem.gain_db) - truth.gain_db).abs());
            for (band, gain) in stem.curve.iter().enumerate() {
                let audible = heard(truth, band);
                self.audible += usize::from(audible);
                let Some(gain) = gain.filter(|_| audible) else { continue };
                let error_db = (f64::from(gain.gain_db) - truth.curve_db[band]).abs();
                self.given += 1;
                self.squares += error_db * error_db;
                self.band_db = self.band_db.max(error_db);
            }
        }
    }
}

/// Whether a stem is audible in a third octave. What nobody hears: 60 dB below the mix's strongest, as the estimator has it.
fn heard(truth: &Truth, band: usize) -> bool {
    truth.share_db[band] > AUDIBLE_DB && truth.mix_db[band] > -60.0 && center_hz(band) > 22.0
}

#[test]
fn gains_balances_and_shelves_are_found() {
    let mut all = Errors::default();
    for (name, raw) in songs() {
        for recipe in &RECIPES {
            let placed: [StereoBuffer; Stem::COUNT] = std::array::from_fn(|n| treated(&raw[n], recipe[n]));
            let mix = sum(&placed);
            let (found, truths) = (explained(&raw, &mix), truths(&raw, &placed, &mix));
            let mut errors = Errors::default();
            errors.add(&found, &truths);
            all.add(&found, &truths);
            println!("{name}: explained {:.4}, {errors:.2?}", found.explained_share);
            assert!(found.explained_share > 0.99, "{name}");
            assert!(errors.gain_db < 0.5, "{name}: {errors:?}");
            assert!(errors.band_db < 1.0, "{name}: {errors:?}");
            assert!(errors.given * 10 >= errors.audible * 9, "{name}: {errors:?}");
        }
    }
    println!("all: {all:.3?}, rms {:.3} dB", all.rms_db());
}

/// What one gain per band cannot be: compressors on every stem, and on top of them a bus that is driven 6 dB into a curve.
#[test]
fn compression_and_a_driven_bus_cost_accuracy_but_not_the_balance() {
    let (mut compressed, mut driven) = (Errors::default(), Errors::default());
    for (name, raw) in songs() {
        let mut placed: [StereoBuffer; Stem::COUNT] =
            std::array::from_fn(|n| treated(&raw[n], RECIPES[1][n]));
        placed.iter_mut().for_each(compress);
        let mix = sum(&placed);
        let mut truths = truths(&raw, &placed, &mix);
        let found = explained(&raw, &mix);
        let mut errors = Errors::default();
        errors.add(&found, &truths);
        compressed.add(&found, &truths);
        println!("{name}, compressed: explained {:.3}, {errors:.2?}", found.explained_share);
        assert!(errors.gain_db < 1.0, "{name}: {errors:?}");
        let limited = driven_bus(&mix);
        let lost_db = 10.0 * (loudness_power(&limited) / loudness_power(&mix)).log10();
        for truth in truths.iter_mut().flatten() {
            truth.gain_db += lost_db;
            truth.curve_db.iter_mut().for_each(|gain_db| *gain_db += lost_db);
        }
        let found = explained(&raw, &limited);
        let mut errors = Errors::default();
        errors.add(&found, &truths);
        driven.add(&found, &truths);
        println!("{name}, compressed and driven: explained {:.3}, {errors:.2?}", found.explained_share);
        assert!(errors.gain_db < 2.0, "{name}: {errors:?}");
    }
    println!("all, compressed: {compressed:.2?}, rms {:.2} dB", compressed.rms_db());
    println!("all, driven: {driven:.2?}, rms {:.2} dB", driven.rms_db());
}

/// A bus whose highest peak is driven to twice where its curve bends.
fn driven_bus(mix: &StereoBuffer) -> StereoBuffer {
    let peak = mix.left.iter().chain(&mix.right).fold(0f32, |peak, sample| peak.max(sample.abs()));
    let mut limited = mix.clone();
    for sample in limited.left.iter_mut().chain(&mut limited.right) {
        *sample = 0.5 * peak * (2.0 * *sample / peak).tanh();
    }
    limited
}

/// A compressor of 4:1 above a quarter of the stem's root mean square, 5 and 100 ms.
fn compress(stem: &mut StereoBuffer) {
    let power = loudness_power(stem) / stem.frames() as f64;
    let threshold = 0.5 * power.sqrt();
    if threshold <= 0.0 {
        return;
    }
    let mut level = 0.0f64;
    for n in 0..stem.frames() {
        let now = f64::from(stem.left[n].abs().max(stem.right[n].abs()));
        let time_s = if now > level { 0.005 } else { 0.1 };
        level += (now - level) * (1.0 - (-1.0 / (time_s * RATE_HZ)).exp());
        let gain = if level > threshold { (level / threshold).powf(1.0 / 4.0 - 1.0) } else { 1.0 } as f32;
        stem.left[n] *= gain;
        stem.right[n] *= gain;
    }
}

/// A mix that comes late and upside down, explained by the program.
#[test]
fn the_program_says_it_in_words_in_json_and_as_moves() {
    let root = folder("explain");
    let song = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/demo");
    let raw = stems(&song);
    let gains_db = [-3.0, -6.0, 0.0, -9.0];
    let placed: [StereoBuffer; Stem::COUNT] =
        std::array::from_fn(|n| treated(&raw[n], treatment(gains_db[n], 0.0, 0.0, 0.0)));
    let mix = sum(&placed);
    let path = root.join("mix.wav");
    let spec = support::Wav::FLOAT.spec();
    let mut writer = hound::WavWriter::create(&path, spec).expect("the file can be made");
    (0..2 * 977).for_each(|_| writer.write_sample(0.0f32).expect("written"));
    for (left, right) in mix.left.iter().zip(&mix.right) {
        writer.write_sample(-left).and_then(|()| writer.write_sample(-right)).expect("written");
    }
    writer.finalize().expect("the file can be finished");
    let json = root.join("explained.json");
    let plain = |path: &Path| path.to_str().expect("plain").to_owned();
    let run = tributary(&["explain", &plain(&song), &plain(&path), "--json", &plain(&json)]).succeeds();
    assert!(
        run.out.starts_with("The mix comes 22.2 ms late; that is taken out.\nAn estimate from"),
        "{}",
        run.out
    );
    assert!(run.out.contains("The stems explain 100 % of the mix."), "{}", run.out);
    assert!(run.out.contains("bass    fader -6.0 dB; pan as it is; flat"), "{}", run.out);
    let text = fs::read_to_string(&json).expect("written");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["alignment"]["lag_frames"], 977);
    for (n, gain_db) in gains_db.iter().enumerate() {
        let found = &document["estimate"]["stems"][n]["audible"];
        assert!((found["gain_db"].as_f64().expect("a number") - gain_db).abs() < 0.05, "{found}");
        assert_eq!(found["inverted"], true);
        assert!(found["curve"].as_array().expect("a list").len() > 3);
        let fader_db = document["moves"][n]["fader_db"].as_f64().expect("a number");
        assert!((fader_db - gain_db).abs() < 0.05);
    }
}

#[test]
fn what_cannot_be_explained_is_said_in_one_line() {
    let root = folder("explain-mistakes");
    let song = support::song(&root.join("song"), support::Wav::CD);
    let plain = |path: &Path| path.to_str().expect("plain").to_owned();
    tributary(&["explain", &plain(&song), &plain(&root.join("no.wav"))]).fails_with("no.wav");
    tributary(&["explain", &plain(&root.join("none")), &plain(&root.join("no.wav"))]).fails_with("none");
    let silence = root.join("silence.wav");
    support::write_with(&silence, support::Wav::CD, |_, _| 0.0);
    // There is sound in the stems, and none of it in the mix.
    let run = tributary(&["explain", &plain(&song), &plain(&silence)]).succeeds();
    assert!(run.out.contains("take the figures with care"), "{}", run.out);
    tributary(&["explain", &plain(&song), &plain(&silence), "--max-lag=-1"]).fails_with("--max-lag");
}
