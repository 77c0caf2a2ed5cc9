//! A lock: the corrections of a stem stay as they are, whatever is heard and whatever would take over, through a reset and
//! through a project that is saved; let go, they follow again, and nothing of that makes a step.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::f64::consts::TAU;

use tributary_dsp::normalizer::{FADE_SECONDS, LISTEN_SECONDS, LOCK_SECONDS};
use tributary_dsp::profile::LoudnessCorrection;
use tributary_dsp::{
    Amounts, CHANNELS, CorrectionSource, Corrections, FxNormalizer, LockedCorrections, Recipe, RecipeKind,
    SongProfile, Stem, StemProfile, StemReading, StemsBlock, Targets,
};

const RATE_HZ: f64 = 44_100.0;
/// Of a sine's amplitude: −70 dB.
const STEP_LIMIT: f64 = 3.2e-4;
const SINE_HZ: f64 = 1_000.0;

type Stems = Vec<Vec<f32>>;

/// Everything at full strength, the room included.
fn recipe(kind: RecipeKind) -> Recipe {
    let mut recipe = Recipe::default().with_width(1.0);
    recipe.kind = kind;
    recipe.reverb.enabled = true;
    recipe
}

fn loudness_only() -> Recipe {
    Recipe::default().with_amounts([0.0, 0.0, 0.0, 1.0])
}

fn normalizer(recipe: &Recipe) -> FxNormalizer {
    FxNormalizer::new(recipe, &Targets::default(), CorrectionSource::Adaptive, RATE_HZ, 512).unwrap()
}

fn frames(seconds: f64) -> usize {
    (seconds * RATE_HZ) as usize
}

/// The same stems on every channel pair, louder on the left.
fn stems(seconds: f64, signal: impl Fn(usize) -> f64) -> Stems {
    let side = |gain: f64| (0..frames(seconds)).map(|n| (gain * signal(n)) as f32).collect();
    (0..CHANNELS).map(|channel| side(if channel % 2 == 0 { 0.5 } else { 0.2 })).collect()
}

/// Notes with an offset, so that there is something for every effect to do.
fn note(n: usize) -> f64 {
    let decay = (-((n % 11_000) as f64) / 6_000.0).exp();
    0.02 + decay * ((n as f64 * 0.031).sin() + 0.3 * (n as f64 * 0.17).sin())
}

/// Another song: brighter, denser, softer.
fn other_song(n: usize) -> f64 {
    let decay = (-((n % 5_000) as f64) / 3_000.0).exp();
    0.1 * decay * ((n as f64 * 0.3).sin() + (n as f64 * 0.9).sin())
}

/// Runs on; `steer` is asked for the lock before each block of 300 frames.
fn run(normalizer: &mut FxNormalizer, dry: &Stems, mut steer: impl FnMut(usize) -> bool) -> Stems {
    let mut channels = dry.clone();
    let length = channels[0].len();
    for start in (0..length).step_by(300) {
        let lock = steer(start);
        Stem::ALL.into_iter().for_each(|stem| normalizer.lock(stem, lock));
        let end = length.min(start + 300);
        let mut views = channels.iter_mut();
        let views = std::array::from_fn(|_| &mut views.next().unwrap()[start..end]);
        normalizer.process(&mut StemsBlock { channels: views });
    }
    channels
}

/// A normalizer that has heard this for twelve seconds and is locked then.
fn locked(recipe: &Recipe, signal: impl Fn(usize) -> f64) -> FxNormalizer {
    let mut normalizer = normalizer(recipe);
    run(&mut normalizer, &stems(12.0, signal), |_| false);
    Stem::ALL.into_iter().for_each(|stem| normalizer.lock(stem, true));
    normalizer
}

fn gain_db(reading: &StemReading) -> f32 {
    reading.loudness.unwrap().gain_db
}

#[test]
fn a_locked_gain_is_the_same_to_the_bit_whatever_comes() {
    let mut normalizer = locked(&loudness_only(), note);
    let before = normalizer.normalize_readings();
    let latency = normalizer.latency_samples();
    // As loud as before, then 18 dB softer, then 12 dB louder; powers of two, so that a constant gain shows in every bit.
    let dry = stems(9.0, note);
    let level = |at: usize| [1.0, 0.125, 4.0][at / frames(3.0)];
    let moved: Stems = dry
        .iter()
        .map(|side| side.iter().enumerate().map(|(n, x)| x * level(n.min(frames(9.0) - 1))).collect())
        .collect();
    let out = run(&mut normalizer, &moved, |_| true);
    let mut followed = self::normalizer(&loudness_only());
    run(&mut followed, &stems(12.0, note), |_| false);
    let follows = run(&mut followed, &moved, |_| false);
    for (channel, (out, moved)) in out.iter().zip(&moved).enumerate() {
        let kept: Vec<f32> = moved[..moved.len() - latency].to_vec();
        let ratios = out[latency..].iter().zip(&kept).filter(|(_, x)| x.abs() > 0.01);
        let (mut least, mut most) = (f32::MAX, 0f32);
        for (y, x) in ratios {
            (least, most) = (least.min(y / x), most.max(y / x));
        }
        assert!(most - least <= 4.0 * f32::EPSILON * most, "{least} to {most}: rounding alone");
        let gain = gain_from_db(gain_db(&before[channel / 2]));
        assert!((most / gain - 1.0).abs() < 1e-4, "{most} is {gain}");
        assert!(follows[channel] != *out, "an open one follows");
    }
    assert_eq!(normalizer.normalize_readings(), before);
}

fn gain_from_db(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// What is saved of a locked stem is all there is to it: another normalizer makes the same bits of it, and so does the same one
/// after a reset.
#[test]
fn a_lock_outlives_a_reset_and_a_project() {
    for kind in [RecipeKind::Paper, RecipeKind::Tributary] {
        let recipe = recipe(kind);
        let mut first = locked(&recipe, note);
        let (kept, readings) = (first.locked(), first.normalize_readings());
        assert!(kept.0.iter().all(Option::is_some));
        first.reset();
        assert_eq!(first.locked(), kept, "{kind:?}");
        let song = stems(8.0, other_song);
        let here = run(&mut first, &song, |_| true);
        assert_eq!(first.locked(), kept, "{kind:?}");

        let saved: SongProfile = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
        let adaptive = CorrectionSource::Adaptive;
        let corrections = LockedCorrections::new(&recipe, &Targets::default(), &adaptive, &saved, RATE_HZ);
        let mut second = normalizer(&recipe);
        second.lock_at(corrections.unwrap());
        second.reset();
        let there = run(&mut second, &song, |_| true);
        assert!(here == there, "{kind:?}");
        assert_eq!(second.locked(), kept);
        for (now, then) in second.normalize_readings().iter().zip(&readings) {
            assert_eq!(now.loudness, then.loudness);
            assert_eq!(
                (now.equalization, now.width, now.reverb),
                (then.equalization, then.width, then.reverb)
            );
        }
        assert!(run(&mut normalizer(&recipe), &song, |_| false) != there, "it does something");
    }
}

#[test]
fn what_nobody_has_heard_is_followed_until_there_is_something_to_keep() {
    let mut normalizer = normalizer(&loudness_only());
    run(&mut normalizer, &stems(2.0, |_| 0.0), |_| true);
    run(&mut normalizer, &stems(LOCK_SECONDS - 1.0, note), |_| true);
    assert_eq!((normalizer.locked(), normalizer.lock_changes()), (SongProfile::default(), 0));
    run(&mut normalizer, &stems(1.5, note), |_| true);
    assert_eq!(normalizer.lock_changes(), 4);
    let kept = normalizer.normalize_readings().map(|reading| gain_db(&reading));
    run(&mut normalizer, &stems(5.0, other_song), |_| true);
    assert_eq!(normalizer.normalize_readings().map(|reading| gain_db(&reading)), kept);
}

#[test]
fn let_go_it_follows_again() {
    let recipe = loudness_only();
    let mut normalizer = locked(&recipe, note);
    // Near enough that what was heard before is soon forgotten beside it.
    let softer = |n: usize| 0.5 * note(n);
    let song = stems(30.0, softer);
    run(&mut normalizer, &song, |_| true);
    let kept = gain_db(&normalizer.normalize_readings()[0]);
    run(&mut normalizer, &stems(0.2, softer), |_| false);
    let soon = gain_db(&normalizer.normalize_readings()[0]);
    assert_eq!(normalizer.locked(), SongProfile::default());
    run(&mut normalizer, &song, |_| false);
    let later = gain_db(&normalizer.normalize_readings()[0]);
    let mut open = self::normalizer(&recipe);
    run(&mut open, &song, |_| false);
    let wanted = gain_db(&open.normalize_readings()[0]);
    assert!((kept - wanted).abs() > 3.0 && (later - wanted).abs() < 1.0, "{kept} {later} {wanted}");
    assert!((soon - kept).abs() < 2.0, "it glides: {kept} {soon}");
}

fn learned(gain_db: f64) -> CorrectionSource {
    let loudness = Some(LoudnessCorrection { gain_db, limit: None });
    CorrectionSource::Fixed(SongProfile(
        [(); 4].map(|()| Some(StemProfile { loudness, ..StemProfile::default() })),
    ))
}

fn corrections(source: &CorrectionSource) -> Corrections {
    Corrections::new(&loudness_only(), &Targets::default(), source, RATE_HZ).unwrap()
}

/// What is learned waits behind a lock; of several the last one counts; and a learned correction is locked at once.
#[test]
fn what_would_take_over_waits_until_the_stem_is_let_go() {
    let taken_over = LISTEN_SECONDS + FADE_SECONDS + 0.1;
    let mut normalizer = locked(&loudness_only(), note);
    let kept = gain_db(&normalizer.normalize_readings()[0]);
    normalizer.glide_to(corrections(&learned(-20.0)));
    normalizer.glide_to(corrections(&learned(-3.0)));
    assert!(!normalizer.is_gliding());
    run(&mut normalizer, &stems(taken_over, note), |_| true);
    assert_eq!(gain_db(&normalizer.normalize_readings()[0]), kept);
    run(&mut normalizer, &stems(taken_over, note), |_| false);
    assert_eq!(gain_db(&normalizer.normalize_readings()[0]), -3.0);
    run(&mut normalizer, &stems(0.1, note), |_| true);
    assert_eq!(normalizer.locked().stem(Stem::Bass).unwrap().loudness.unwrap().gain_db, -3.0);
    // A reset is no way past a lock.
    normalizer.glide_to(corrections(&CorrectionSource::Adaptive));
    normalizer.reset();
    assert_eq!(gain_db(&normalizer.normalize_readings()[0]), -3.0);
    normalizer.lock(Stem::Vocals, false);
    normalizer.reset();
    assert_eq!(normalizer.normalize_readings()[0].loudness, None, "running estimates from the start");
}

/// A lock stops what only listens along, and lets a fade that is heard arrive.
#[test]
fn a_lock_within_a_change_keeps_what_is_heard() {
    for (after, wanted) in [(LISTEN_SECONDS - 1.0, -3.0), (LISTEN_SECONDS + 0.5, -20.0)] {
        let mut normalizer = normalizer(&loudness_only());
        normalizer.glide_to(corrections(&learned(-3.0)));
        normalizer.reset();
        run(&mut normalizer, &stems(1.0, note), |_| false);
        normalizer.glide_to(corrections(&learned(-20.0)));
        run(&mut normalizer, &stems(after, note), |_| false);
        run(&mut normalizer, &stems(10.0, note), |_| true);
        assert_eq!(gain_db(&normalizer.normalize_readings()[0]), wanted);
        run(&mut normalizer, &stems(10.0, note), |_| false);
        assert_eq!(gain_db(&normalizer.normalize_readings()[0]), -20.0, "in the end");
    }
}

/// The largest part of a sample that a sine's two samples before it do not foretell, against its amplitude.
fn largest_step(signal: &[f32], amplitude: f64) -> f64 {
    let turn = 2.0 * (TAU * SINE_HZ / RATE_HZ).cos();
    let surprise = |w: &[f32]| f64::from(w[2]) - turn * f64::from(w[1]) + f64::from(w[0]);
    signal.windows(3).map(|w| surprise(w).abs()).fold(0.0, f64::max) / amplitude
}

#[test]
fn no_lock_makes_a_step() {
    // Swells by 19 dB, so that there is always something to follow.
    let swell = |n: usize| 0.5 + 0.4 * (TAU * 0.2 * n as f64 / RATE_HZ).sin();
    let dry = stems(12.0, |n| swell(n) * (TAU * SINE_HZ * n as f64 / RATE_HZ).sin());
    let settled = frames(6.0);
    let recipe = recipe(RecipeKind::Tributary);
    let out = run(&mut normalizer(&recipe), &dry, |at| at > settled && (at / 22_050) % 2 == 1);
    let open = run(&mut normalizer(&recipe), &dry, |_| false);
    assert!(out[0][settled..] != open[0][settled..], "the lock does something");
    let peak = |signal: &[f32]| f64::from(signal.iter().fold(0f32, |peak, x| peak.max(x.abs())));
    let step = largest_step(&out[0][settled..], peak(&out[0][settled..]));
    let own = largest_step(&open[0][settled..], peak(&open[0][settled..]));
    assert!(
        step < STEP_LIMIT.max(1.1 * own),
        "{:.1} dB of {:.1} dB",
        20.0 * step.log10(),
        20.0 * own.log10()
    );
}

/// Amounts scale a locked correction as they scale one that follows, and find it again.
#[test]
fn amounts_act_on_a_locked_correction() {
    let mut normalizer = locked(&loudness_only(), note);
    let full = gain_db(&normalizer.normalize_readings()[0]);
    let mut read_at = |loudness: f32| {
        let amounts = Amounts { loudness, ..Amounts::FULL };
        normalizer.steer(Stem::Vocals, &amounts, false);
        run(&mut normalizer, &stems(2.0, other_song), |_| true);
        gain_db(&normalizer.normalize_readings()[0])
    };
    assert!((read_at(0.5) - 0.5 * full).abs() < 1e-3);
    assert_eq!(read_at(1.0), full);
}
