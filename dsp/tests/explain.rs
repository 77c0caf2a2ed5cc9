//! What a mix did to its stems, found from the outside: in mixes that are made here, so that it is known.

use std::f64::consts::TAU;

use tributary_dsp::explain::{Explanation, Found, Observer, Watch, center_hz, text};
use tributary_dsp::filter::{Coefficients, StereoBiquad};
use tributary_dsp::{CHANNELS, Stem, StereoBuffer};

const RATE_HZ: f64 = 44_100.0;
const SECONDS: usize = 8;

/// Notes of a stem's own pitch and rhythm over hiss that follows them, a little wider than mono.
fn stem(index: usize) -> StereoBuffer {
    let (pitch_hz, beat_s) = ([311.0, 65.4, 140.0, 220.0][index], [0.7, 0.5, 0.25, 1.1][index]);
    let hiss_gain = [0.05, 0.01, 0.3, 0.05][index];
    let mut state = 11 + index as u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / 8_388_608.0 - 1.0
    };
    let mut audio = StereoBuffer::default();
    for n in 0..SECONDS * RATE_HZ as usize {
        let time_s = n as f64 / RATE_HZ;
        let envelope = (-4.0 * (time_s % beat_s) / beat_s).exp();
        let note = |detune: f64| -> f64 {
            (1..9).map(|k| (TAU * pitch_hz * detune * f64::from(k) * time_s).sin() / f64::from(k)).sum()
        };
        let (middle, side) = (note(1.0) + hiss_gain * noise(), 0.2 * note(1.003) + 0.3 * hiss_gain * noise());
        audio.left.push((0.1 * envelope * (middle + side)) as f32);
        audio.right.push((0.1 * envelope * (middle - side)) as f32);
    }
    audio
}

fn stems() -> [StereoBuffer; Stem::COUNT] {
    std::array::from_fn(stem)
}

fn sum(stems: &[StereoBuffer; Stem::COUNT]) -> StereoBuffer {
    let side = |side: fn(&StereoBuffer) -> &Vec<f32>| {
        (0..stems[0].frames()).map(|n| stems.iter().map(|stem| side(stem)[n]).sum()).collect()
    };
    StereoBuffer { left: side(|stem| &stem.left), right: side(|stem| &stem.right) }
}

fn scaled(stem: &StereoBuffer, left: f32, right: f32) -> StereoBuffer {
    let by = |side: &[f32], gain: f32| side.iter().map(|sample| gain * sample).collect();
    StereoBuffer { left: by(&stem.left, left), right: by(&stem.right, right) }
}

fn push(observer: &mut Observer, stems: &[StereoBuffer; Stem::COUNT], mix: &StereoBuffer, block: usize) {
    let frames = mix.frames();
    for from in (0..frames).step_by(block) {
        let range = from..frames.min(from + block);
        let channels: [&[f32]; CHANNELS] =
            std::array::from_fn(|n| &[&stems[n / 2].left, &stems[n / 2].right][n % 2][range.clone()]);
        observer.push(channels, [&mix.left[range.clone()], &mix.right[range.clone()]]);
    }
}

fn explained(stems: &[StereoBuffer; Stem::COUNT], mix: &StereoBuffer) -> Explanation {
    let mut observer = Observer::new(Watch::song(RATE_HZ));
    push(&mut observer, stems, mix, usize::MAX >> 1);
    observer.explain().expect("there is sound")
}

#[test]
fn a_plain_sum_is_explained_wholly_and_at_no_gain() {
    let stems = stems();
    let found = explained(&stems, &sum(&stems));
    assert!(found.explained_share > 0.9999, "{}", found.explained_share);
    for stem in found.stems.iter().map(|found| found.audible().expect("all sound")) {
        assert!(stem.gain_db.abs() < 0.01 && stem.pan.abs() < 0.001 && !stem.inverted, "{stem:?}");
        assert!(stem.curve.iter().flatten().all(|gain| gain.gain_db.abs() < 0.01));
    }
}

#[test]
fn gains_sides_and_polarity_are_told_apart() {
    let stems = stems();
    let placed = [
        scaled(&stems[0], 0.5, 0.5),
        scaled(&stems[1], -1.0, -1.0),
        scaled(&stems[2], 1.0, 0.25),
        scaled(&stems[3], 0.0, 1.4),
    ];
    let found = explained(&stems, &sum(&placed));
    let stem = |n: usize| *found.stems[n].audible().expect("all sound");
    assert!((stem(0).gain_db + 6.02).abs() < 0.1 && stem(0).pan.abs() < 0.01, "{:?}", stem(0));
    assert!(stem(1).inverted && stem(1).gain_db.abs() < 0.1, "{:?}", stem(1));
    assert!(!stem(0).inverted && !stem(2).inverted);
    let [left_db, right_db] = [stem(2).left_db, stem(2).right_db].map(|db| db.expect("it has both sides"));
    assert!(left_db.abs() < 0.1 && (right_db + 12.04).abs() < 0.2, "{left_db} {right_db}");
    assert!(stem(3).pan > 0.99, "{:?}", stem(3));
}

#[test]
fn a_shelf_is_found_where_the_stem_is_heard() {
    let stems = stems();
    let shelf = Coefficients::high_shelf(2_000.0, 6.0, 0.707, RATE_HZ);
    let mut placed = stems.clone();
    let mut filter = StereoBiquad::new(shelf);
    for n in 0..placed[2].frames() {
        let frame = [f64::from(stems[2].left[n]), f64::from(stems[2].right[n])];
        let [left, right] = filter.tick(frame);
        (placed[2].left[n], placed[2].right[n]) = (left as f32, right as f32);
    }
    let found = explained(&stems, &sum(&placed));
    let drums = found.stems[2].audible().expect("they sound");
    assert!(drums.curve.iter().flatten().count() > 15, "hiss is heard nearly everywhere");
    for (band, gain) in drums.curve.iter().enumerate() {
        let expected_db = 10.0 * shelf.power_at(center_hz(band), RATE_HZ).log10();
        if let Some(gain) = gain {
            let error_db = f64::from(gain.gain_db) - expected_db;
            assert!(error_db.abs() < 0.5, "{:.0} Hz: {gain:?} for {expected_db:.2}", center_hz(band));
        }
    }
}

#[test]
fn however_a_stream_is_cut_the_estimate_is_the_same() {
    let stems = stems();
    let mix = sum(&stems);
    for watch in [Watch::song(RATE_HZ), Watch { density: 1.0 / 3.0, memory_s: 2.0, ..Watch::song(RATE_HZ) }] {
        let whole = {
            let mut observer = Observer::new(watch);
            push(&mut observer, &stems, &mix, mix.frames());
            observer.explain()
        };
        for block in [1_000, 8_192, 100_003] {
            let mut observer = Observer::new(watch);
            push(&mut observer, &stems, &mix, block);
            assert_eq!(observer.explain(), whole, "{watch:?}, blocks of {block}");
        }
    }
}

#[test]
fn what_is_forgotten_does_not_count() {
    let stems = stems();
    let (loud, quiet) = (sum(&stems), sum(&stems.each_ref().map(|stem| scaled(stem, 0.25, 0.25))));
    let mut observer = Observer::new(Watch { memory_s: 1.0, ..Watch::song(RATE_HZ) });
    push(&mut observer, &stems, &loud, 4_096);
    observer.interrupt();
    push(&mut observer, &stems, &quiet, 4_096);
    let gain_db = observer.explain().expect("heard").stems[0].audible().expect("it sounds").gain_db;
    assert!((gain_db + 12.04).abs() < 0.3, "{gain_db}");
    observer.reset();
    assert_eq!(observer.explain(), None);
}

#[test]
fn silent_and_drowned_stems_are_called_so() {
    let mut stems = stems();
    stems[1] = StereoBuffer::silence(stems[0].frames());
    let mut placed = stems.clone();
    placed[3] = scaled(&stems[3], 1e-3, 1e-3);
    let found = explained(&stems, &sum(&placed));
    assert_eq!((found.stems[1], found.stems[3]), (Found::Silent, Found::Unclear));
    let said = text::text(&found);
    assert!(
        said.starts_with("An estimate from 8 s of material. The stems explain 100 % of the mix."),
        "{said}"
    );
    assert!(said.contains("bass    does not sound") && said.contains("other   is not found"), "{said}");
    assert!(said.contains("vocals  fader +0.0 dB; pan as it is; flat"), "{said}");
    let mut observer = Observer::new(Watch::song(RATE_HZ));
    let silence = [&[0.0f32; 50_000][..]; CHANNELS];
    observer.push(silence, [silence[0], silence[1]]);
    assert_eq!(observer.explain(), None, "nothing was heard");
}

#[test]
fn other_music_is_not_explained() {
    let stems = stems();
    let mut mix = StereoBuffer::silence(stems[0].frames());
    for n in 0..mix.frames() {
        let time_s = n as f64 / RATE_HZ;
        mix.left[n] = (0.2 * (TAU * (500.0 + 30.0 * time_s) * time_s).sin()) as f32;
        mix.right[n] = mix.left[n];
    }
    let found = explained(&stems, &mix);
    assert!(found.explained_share < 0.1, "{}", found.explained_share);
    assert!(text::text(&found).contains("take the figures with care"));
}
