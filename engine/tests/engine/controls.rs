//! What an engineer asks of the mix: heard with the sound it was asked at, without a step, and the same in the plug-in's
//! engine as in the synchronous pipeline.

use std::f64::consts::TAU;

use tributary_dsp::{CHANNELS, CorrectionSource, Recipe, Targets};
use tributary_engine::test_support::{SMALL_GEOMETRY, custom_source};
use tributary_engine::{
    AudioSide, Controls, DrySource, Engine, EngineConfig, EngineHandle, MixHop, MixModel, ModelBundle,
    ModelError, Pipeline, Settings, SongLearner, StemWindow, SumModel, WindowGeometry,
};

use crate::common::{
    Noise, TemporaryFolder, difference, neutral_pipeline, noise_stems, part, pull, repository,
};
use crate::networks::library;
use crate::realtime::OFFLINE;

const RATE_HZ: f64 = 44_100.0;
/// Of all that an automation may do to a sine, how much a step may be of its amplitude: −70 dB.
const STEP_LIMIT: f64 = 3.2e-4;
/// How low the sine is: far below everything that a step sounds like.
const SINE_HZ: f64 = 100.0;

fn sum_engine(rate_hz: f64) -> (AudioSide, EngineHandle) {
    let model = custom_source(SMALL_GEOMETRY, || Box::new(SumModel::new(SMALL_GEOMETRY)));
    let corrections = CorrectionSource::Adaptive;
    Engine::start(EngineConfig { model, corrections, host_rate_hz: rate_hz, max_block: 2048 })
}

fn sum_pipeline(rate_hz: f64) -> Pipeline {
    neutral_pipeline(Box::new(SumModel::new(SMALL_GEOMETRY)), rate_hz)
}

/// Controls that something was done to.
fn controls(change: impl FnOnce(&mut Controls)) -> Controls {
    let mut controls = Controls::NEUTRAL;
    change(&mut controls);
    controls
}

/// Pushes everything in pieces of these lengths, each steered anew, and returns the mix and the sum.
fn steered(
    pipeline: &mut Pipeline,
    stems: &[Vec<f32>; CHANNELS],
    mut pieces: impl FnMut() -> usize,
    mut steer: impl FnMut(usize) -> Controls,
) -> [[Vec<f32>; 2]; 2] {
    let (frames, mut at) = (stems[0].len(), 0);
    while at < frames {
        let to = frames.min(at + pieces());
        pipeline.set_controls(&steer(at));
        pipeline.push(part(stems, at..to)).unwrap();
        at = to;
    }
    pipeline.finish().unwrap();
    [pull(frames, |out| pipeline.pull_mix(out)), pull(frames, |out| pipeline.pull_sum(out))]
}

/// The same through the audio side and its worker; the output begins at the latency.
fn played(
    audio: &mut AudioSide,
    stems: &[Vec<f32>; CHANNELS],
    mut pieces: impl FnMut() -> usize,
    mut steer: impl FnMut(usize) -> Settings,
) -> [Vec<f32>; 2] {
    let (frames, mut at) = (stems[0].len(), 0);
    let mut out = [vec![0.0; frames], vec![0.0; frames]];
    while at < frames {
        let to = frames.min(at + pieces());
        let [left, right] = out.each_mut().map(|side| &mut side[at..to]);
        audio.process([left, right], part(stems, at..to), &steer(at));
        at = to;
    }
    out
}

fn sine_stems(frames: usize) -> [Vec<f32>; CHANNELS] {
    let sine = |n: usize| (0.5 * (TAU * SINE_HZ * n as f64 / RATE_HZ).sin()) as f32;
    let silence = || vec![0.0; frames];
    let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| silence());
    stems[0] = (0..frames).map(sine).collect();
    stems[1] = stems[0].clone();
    stems
}

/// The largest part of a sample that a sine's two samples before it do not foretell, against the sine's amplitude: a step of
/// the gain is seen whole, a glide hardly.
fn largest_step(signal: &[f32]) -> f64 {
    let turn = 2.0 * (TAU * SINE_HZ / RATE_HZ).cos();
    let foretold = |w: &[f32]| turn * f64::from(w[1]) - f64::from(w[0]);
    signal.windows(3).map(|w| (f64::from(w[2]) - foretold(w)).abs() / 0.5).fold(0.0, f64::max)
}

#[test]
fn a_step_would_be_seen() {
    let mut stems = sine_stems(4_000);
    assert!(largest_step(&stems[0]) < STEP_LIMIT / 10.0);
    stems[0][2_315..].iter_mut().for_each(|x| *x *= 0.999);
    assert!(largest_step(&stems[0]) > STEP_LIMIT);
}

/// Jumps to and fro every 50 ms, and sweeps in steps of a block.
#[test]
fn no_control_of_a_stem_makes_a_step() {
    let stems = sine_stems(66_150);
    type Steer = fn(&mut Controls, f64);
    let cases: [(&str, Steer); 4] = [
        ("trim", |controls, way| controls.stems[0].trim_db = (24.0 * way - 12.0) as f32),
        ("mute", |controls, way| controls.stems[0].mute = way > 0.5),
        ("solo", |controls, way| controls.stems[0].solo = way > 0.5),
        ("solo of another", |controls, way| controls.stems[1].solo = way > 0.5),
    ];
    for (name, steer) in cases {
        let jumps = |at: usize| ((at / 2_205) % 2) as f64;
        let sweeps = |at: usize| 0.5 - 0.5 * (TAU * at as f64 / 22_050.0).cos();
        for (kind, way) in [("jumps", &jumps as &dyn Fn(usize) -> f64), ("sweeps", &sweeps)] {
            let mut pipeline = sum_pipeline(RATE_HZ);
            let made = steered(&mut pipeline, &stems, || 63, |at| controls(|c| steer(c, way(at))));
            for (what, made) in ["mix", "sum"].iter().zip(&made) {
                let step = largest_step(&made[0]);
                assert!(
                    step < STEP_LIMIT,
                    "{name} that {kind}, in the {what}: {:.1} dB",
                    20.0 * step.log10()
                );
            }
        }
    }
}

/// Of what acts on the output: between a sine and silence, to and fro every 50 ms and in sweeps.
#[test]
fn no_control_of_the_output_makes_a_step() {
    let stems = sine_stems(88_200);
    let dry = Settings { mix: 0.0, ..OFFLINE };
    let source = |way: f64| if way > 0.5 { DrySource::SumOfStems } else { DrySource::Bus };
    type Steer<'a> = &'a dyn Fn(f64) -> Settings;
    let cases: [(&str, Steer<'_>); 5] = [
        ("mix", &|way| Settings { mix: way as f32, ..OFFLINE }),
        ("output gain", &|way| Settings { output_gain: way as f32, ..OFFLINE }),
        ("bypass", &|way| Settings { bypass: way > 0.5, ..OFFLINE }),
        ("dry source", &|way| Settings { dry_source: source(way), ..dry }),
        ("delta", &|way| Settings { delta: way > 0.5, dry_source: DrySource::SumOfStems, ..OFFLINE }),
    ];
    let jumps = |at: usize| ((at / 2_205) % 2) as f64;
    let sweeps = |at: usize| 0.5 - 0.5 * (TAU * at as f64 / 22_050.0).cos();
    for (name, steer) in cases {
        for (kind, way) in [("jumps", &jumps as &dyn Fn(usize) -> f64), ("sweeps", &sweeps)] {
            let (mut audio, _handle) = sum_engine(RATE_HZ);
            let out = played(&mut audio, &stems, || 63, |at| steer(way(at)));
            let heard = &out[0][audio.latency_frames() + 441..];
            assert!(
                heard.iter().any(|x| x.abs() > 0.4)
                    && heard.windows(99).any(|w| w.iter().all(|x| x.abs() < 0.01))
            );
            let step = largest_step(heard);
            assert!(step < STEP_LIMIT, "{name} that {kind}: {:.1} dB", 20.0 * step.log10());
        }
    }
}

#[test]
fn what_is_asked_is_heard_with_the_sound_it_was_asked_at() {
    for rate_hz in [44_100.0, 48_000.0] {
        let stems = noise_stems(60_000, 50);
        let plain = played(&mut sum_engine(rate_hz).0, &stems, || 480, |_| OFFLINE);
        let louder = controls(|c| c.stems.iter_mut().for_each(|stem| stem.trim_db = 6.0));
        let (mut audio, _handle) = sum_engine(rate_hz);
        let at = 24_000;
        let steer = |now: usize| match now >= at {
            true => Settings { controls: louder, ..OFFLINE },
            false => OFFLINE,
        };
        let out = played(&mut audio, &stems, || 480, steer);
        let begins = at + audio.latency_frames();
        let first = plain[0].iter().zip(&out[0]).position(|(plain, out)| plain != out).unwrap();
        // A resampler's filter rings ahead.
        let ahead = if rate_hz == 44_100.0 { 0 } else { 150 };
        assert!((begins - ahead..begins + 8).contains(&first), "{rate_hz} Hz: {first}, not {begins}");
        let settled = begins + (0.1 * rate_hz) as usize;
        let wanted: Vec<f32> = plain[0][settled..].iter().map(|x| x * 10f32.powf(0.3)).collect();
        assert!(difference(&out[0][settled..], &wanted) < 1e-5);
    }
}

/// Of everything, at full strength, with an automation that never rests.
#[test]
fn the_engine_and_the_pipeline_make_the_same_bits() {
    let restless = |seed: u64| {
        let mut noise = Noise(seed);
        move |_at: usize| {
            controls(|controls| {
                for stem in &mut controls.stems {
                    stem.trim_db = 12.0 * noise.sample();
                    (stem.mute, stem.solo) = (noise.below(9) == 0, noise.below(9) == 0);
                    stem.lock = noise.below(2) == 0;
                }
            })
        }
    };
    let pieces = |seed: u64| {
        let mut noise = Noise(seed);
        move || 1 + noise.below(2_500)
    };
    for rate_hz in [44_100.0, 48_000.0] {
        let stems = noise_stems(60_000, 51);
        let model = Box::new(SumModel::new(SMALL_GEOMETRY));
        let (recipe, targets) = (Recipe::default(), Targets::default());
        let source = CorrectionSource::Adaptive;
        let mut pipeline = Pipeline::new(model, &recipe, &targets, source, None, rate_hz).unwrap();
        let [wanted, _] = steered(&mut pipeline, &stems, pieces(7), restless(8));
        let mut model = custom_source(SMALL_GEOMETRY, || Box::new(SumModel::new(SMALL_GEOMETRY)));
        if let tributary_engine::ModelSource::Custom { recipe, .. } = &mut model {
            *recipe = Recipe::default();
        }
        let corrections = CorrectionSource::Adaptive;
        let (mut audio, handle) =
            Engine::start(EngineConfig { model, corrections, host_rate_hz: rate_hz, max_block: 2_500 });
        let latency = handle.latency().total_frames();
        for life in 0..2 {
            let mut steer = restless(8);
            let out = played(&mut audio, &stems, pieces(7), |at| Settings { controls: steer(at), ..OFFLINE });
            for side in 0..2 {
                let same = out[side][latency..] == wanted[side][..60_000 - latency];
                assert!(same, "{rate_hz} Hz, stream {life}");
            }
            audio.reset();
        }
    }
}

#[test]
fn a_stream_begins_with_what_was_asked_last() {
    let stems = noise_stems(20_000, 52);
    let quieter = controls(|c| c.stems[2].trim_db = -5.0);
    let mut pipeline = sum_pipeline(48_000.0);
    let fresh = steered(&mut pipeline, &stems, || 999, |_| quieter);
    pipeline.reset();
    assert!(fresh == steered(&mut pipeline, &stems, || 4_321, |_| quieter), "no glide from 0 dB");
    pipeline.set_controls(&Controls::NEUTRAL);
    pipeline.reset();
    let neutral = steered(&mut pipeline, &stems, || 999, |_| Controls::NEUTRAL);
    assert!(neutral == steered(&mut sum_pipeline(48_000.0), &stems, || 20_000, |_| Controls::NEUTRAL));
}

#[test]
fn a_strip_shows_what_goes_into_the_mix() {
    let stems = noise_stems(88_200, 53);
    let mut pipeline = sum_pipeline(RATE_HZ).with_meters();
    let steer = controls(|c| {
        c.stems[0].mute = true;
        c.stems[1].trim_db = 6.0;
    });
    steered(&mut pipeline, &stems, || 1_000, |_| steer);
    let meters = pipeline.meters().unwrap();
    let (before, after) = (meters.before(), meters.after());
    assert_eq!(after[0].integrated_lufs, -120.0);
    let change = |stem: usize| after[stem].integrated_lufs - before[stem].integrated_lufs;
    assert!((change(1) - 6.0).abs() < 0.01 && change(2).abs() < 0.01, "{before:?} {after:?}");
}

/// Half of the sum, at every hop: a network without masks.
struct Halving(SumModel);

impl MixModel for Halving {
    fn geometry(&self) -> WindowGeometry {
        self.0.geometry()
    }

    fn reset(&mut self) {}

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.0.run(window, mix)?;
        for side in [&mut *mix.left, &mut *mix.right] {
            side.iter_mut().for_each(|sample| *sample *= 0.5);
        }
        Ok(())
    }
}

fn halving_pipeline() -> Pipeline {
    neutral_pipeline(Box::new(Halving(SumModel::new(SMALL_GEOMETRY))), RATE_HZ)
}

#[test]
fn a_network_without_masks_is_faded_to_the_sum() {
    let stems = noise_stems(40_000, 54);
    for (network, gain) in [(1.0, 0.5), (0.5, 0.75), (0.02, 0.99), (0.0, 1.0)] {
        let steer = controls(|c| c.network = network);
        let [mix, sum] = steered(&mut halving_pipeline(), &stems, || 1_500, |_| steer);
        let wanted: Vec<f32> = sum[0].iter().map(|x| x * gain).collect();
        assert!(difference(&mix[0], &wanted) < 1e-6, "{network}");
    }
    let jumps = |at: usize| controls(|c| c.network = ((at / 4_410) % 2) as f32);
    let [mix, _] = steered(&mut halving_pipeline(), &sine_stems(66_150), || 63, jumps);
    assert!(largest_step(&mix[0]) < STEP_LIMIT, "{:.1} dB", 20.0 * largest_step(&mix[0]).log10());
    // It moves with the sound: half a second in, at a frame that no hop begins with.
    let plain = steered(&mut halving_pipeline(), &stems, || 64, |_| Controls::NEUTRAL);
    let turned = |at: usize| controls(|c| c.network = f32::from(u8::from(at < 22_080)));
    let moved = steered(&mut halving_pipeline(), &stems, || 64, turned);
    let first = plain[0][0].iter().zip(&moved[0][0]).position(|(plain, moved)| plain != moved).unwrap();
    assert!((22_080..22_090).contains(&first), "{first}");
}

/// The shipped network: from the plain sum to its own mix, band by band.
#[test]
fn a_share_of_the_network_is_a_share_of_its_masks() {
    let Some(library) = library("controls::a_share_of_the_network_is_a_share_of_its_masks") else { return };
    let bundle = ModelBundle::open(repository("assets/models/default")).unwrap();
    let load = || bundle.load_model(&library).unwrap().model;
    assert!(load().mask_share().is_some(), "its ends give back the sum");
    let stems = noise_stems(88_200, 55);
    let mixed = |network: f32| {
        let steer = controls(|c| c.network = network);
        let [mix, sum] = steered(&mut neutral_pipeline(load(), RATE_HZ), &stems, || 4_000, |_| steer);
        [mix[0].clone(), sum[0].clone()]
    };
    let plain = steered(&mut neutral_pipeline(load(), RATE_HZ), &stems, || 4_000, |_| Controls::NEUTRAL);
    assert!(mixed(1.0)[0] == plain[0][0], "all of it changes no bit");
    let [none, sum] = mixed(0.0);
    assert!(none == sum, "nothing of it is the sum, to the bit");
    let energy = |signal: &[f32]| signal[44_100..].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    let db = |signal: &[f32]| 10.0 * energy(signal).log10();
    // With hardly any of it left the masks are neutral, and the bank gives back what it took in.
    let faint: Vec<f32> = mixed(0.0501)[0].iter().zip(&sum).map(|(mix, sum)| mix - sum).collect();
    let whole: Vec<f32> = plain[0][0].iter().zip(&sum).map(|(mix, sum)| mix - sum).collect();
    assert!(db(&faint) < db(&whole) - 15.0, "{} against {}", db(&faint), db(&whole));
    let levels = [0.0, 0.5, 1.0].map(|network| db(&mixed(network)[0]));
    let between = levels[0].min(levels[2]) - 0.5..levels[0].max(levels[2]) + 0.5;
    assert!(between.contains(&levels[1]), "{levels:?}");
}

/// What a contract says of its masks is what "all of the network" means.
#[test]
fn the_contracts_share_of_the_masks_is_all_of_the_network() {
    let name = "controls::the_contracts_share_of_the_masks_is_all_of_the_network";
    let Some(library) = library(name) else { return };
    let mixed = |share: Option<f64>, network: f32| {
        let folder = TemporaryFolder::copy_of("mask-share", &repository("assets/models/default"));
        let path = folder.0.join("contract.json");
        let mut contract: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        match share {
            Some(share) => contract["network"]["mask_share"] = share.into(),
            None => drop(contract["network"].as_object_mut().unwrap().remove("mask_share")),
        }
        std::fs::write(path, contract.to_string()).unwrap();
        let model = ModelBundle::open(&folder.0).unwrap().load_model(&library).unwrap().model;
        let steer = controls(|c| c.network = network);
        let [mix, _] =
            steered(&mut neutral_pipeline(model, RATE_HZ), &noise_stems(66_150, 58), || 4_000, |_| steer);
        mix[0].clone()
    };
    let quarter = mixed(Some(0.25), 1.0);
    assert!(quarter == mixed(None, 0.25), "a quarter of all of it");
    assert!(quarter != mixed(None, 1.0));
}

/// Automated on the shipped network, with a tone that it leaves standing.
#[test]
fn the_networks_share_makes_no_step() {
    let Some(library) = library("controls::the_networks_share_makes_no_step") else { return };
    let bundle = ModelBundle::open(repository("assets/models/default")).unwrap();
    let mut pipeline = neutral_pipeline(bundle.load_model(&library).unwrap().model, RATE_HZ);
    let jumps = |at: usize| controls(|c| c.network = ((at / 11_025) % 2) as f32);
    let [moved, _] = steered(&mut pipeline, &sine_stems(132_300), || 441, jumps);
    pipeline.reset();
    let [still, _] = steered(&mut pipeline, &sine_stems(132_300), || 441, |_| Controls::NEUTRAL);
    let [moved, still] = [moved, still].map(|mix| largest_step(&mix[0][44_100..]));
    let allowed = still.max(STEP_LIMIT);
    assert!(moved <= allowed, "{:.1} dB, {:.1} dB without", 20.0 * moved.log10(), 20.0 * still.log10());
}

#[test]
fn delta_is_the_mix_less_the_dry_signal() {
    let stems = noise_stems(60_000, 56);
    let dry = Settings { mix: 0.0, dry_source: DrySource::SumOfStems, ..OFFLINE };
    let halving = || {
        let model = custom_source(SMALL_GEOMETRY, || Box::new(Halving(SumModel::new(SMALL_GEOMETRY))));
        let corrections = CorrectionSource::Adaptive;
        Engine::start(EngineConfig { model, corrections, host_rate_hz: RATE_HZ, max_block: 512 })
    };
    let play = |settings: Settings| {
        let (mut audio, _handle) = halving();
        let out = played(&mut audio, &stems, || 512, |_| settings);
        out[0][audio.latency_frames()..].to_vec()
    };
    let (dry, wet) = (play(dry), play(OFFLINE));
    let delta = play(Settings { delta: true, dry_source: DrySource::SumOfStems, ..OFFLINE });
    let wanted: Vec<f32> = wet.iter().zip(&dry).map(|(wet, dry)| wet - dry).collect();
    assert!(difference(&delta, &wanted) < 1e-6);
    assert!(wanted.iter().any(|x| x.abs() > 0.01));
}

#[test]
fn a_matched_dry_signal_is_as_loud_as_the_mix() {
    let stems = noise_stems(6 * 44_100, 57);
    let model = custom_source(SMALL_GEOMETRY, || Box::new(Halving(SumModel::new(SMALL_GEOMETRY))));
    let corrections = CorrectionSource::Adaptive;
    let config = EngineConfig { model, corrections, host_rate_hz: RATE_HZ, max_block: 512 };
    let (mut audio, _handle) = Engine::start(config);
    let dry = Settings { mix: 0.0, dry_source: DrySource::SumOfStems, match_loudness: true, ..OFFLINE };
    let out = played(&mut audio, &stems, || 512, |_| dry);
    let latency = audio.latency_frames();
    let settled = 4 * 44_100;
    let sum: Vec<f32> = (settled..settled + 44_100)
        .map(|n| (0..4).map(|stem| stems[2 * stem][n - latency]).sum::<f32>())
        .collect();
    let wanted: Vec<f32> = sum.iter().map(|x| 0.5 * x).collect();
    let worst = difference(&out[0][settled..settled + 44_100], &wanted);
    assert!(worst < 0.01, "half as loud: {worst}");
}
