//! The real-time side: alignment through the whole engine, dry path, underrun and recovery, offline rendering, stream
//! restarts, bad hosts, zero allocation, many lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tributary_dsp::{CHANNELS, CorrectionSource};
use tributary_engine::test_support::{SMALL_GEOMETRY, SlowModel, Slowness, custom_source};
use tributary_engine::{
    AudioSide, Controls, DrySource, Engine, EngineConfig, EngineHandle, EngineState, MixHop, MixModel,
    ModelError, ModelSource, Settings, SongLearner, StemWindow, SumModel, WindowGeometry,
};

use crate::alloc::allocations;
use crate::common::{Noise, difference, neutral_pipeline, noise_stems, part, plain_sum, run_pipeline};

pub const OFFLINE: Settings = Settings {
    mix: 1.0,
    output_gain: 1.0,
    match_loudness: false,
    delta: false,
    bypass: false,
    dry_source: DrySource::Bus,
    offline: true,
    song_frame: None,
    controls: Controls::NEUTRAL,
};

fn start(model: ModelSource, host_rate_hz: f64, max_block: usize) -> (AudioSide, EngineHandle) {
    Engine::start(EngineConfig { model, corrections: CorrectionSource::Adaptive, host_rate_hz, max_block })
}

fn sum_engine(host_rate_hz: f64, max_block: usize) -> (AudioSide, EngineHandle) {
    start(custom_source(SMALL_GEOMETRY, || Box::new(SumModel::new(SMALL_GEOMETRY))), host_rate_hz, max_block)
}

/// A hop of 100 ms, so that real time can be kept on a busy machine.
pub const CALM_GEOMETRY: WindowGeometry = WindowGeometry {
    sample_rate_hz: 44_100,
    context_frames: 4416,
    hop_frames: 4416,
    lookahead_frames: 2048,
    crossfade_frames: 512,
    margin_frames: 0,
    computing_frames: 4416,
};

fn slow_engine(slowness: &Slowness, max_block: usize) -> (AudioSide, EngineHandle) {
    let slowness = Arc::clone(slowness);
    let model = custom_source(CALM_GEOMETRY, move || Box::new(SlowModel::new(CALM_GEOMETRY, slowness)));
    start(model, 44_100.0, max_block)
}

/// Runs blocks of the lengths `blocks` yields through the engine; the main input is silent.
pub fn render(
    audio: &mut AudioSide,
    stems: &[Vec<f32>; CHANNELS],
    settings: &Settings,
    mut blocks: impl FnMut() -> usize,
) -> [Vec<f32>; 2] {
    let frames = stems[0].len();
    let mut out = [vec![0.0; frames], vec![0.0; frames]];
    let mut at = 0;
    while at < frames {
        let to = frames.min(at + blocks().max(1));
        let [left, right] = &mut out;
        audio.process([&mut left[at..to], &mut right[at..to]], part(stems, at..to), settings);
        at = to;
    }
    out
}

pub fn wait_until_ready(handle: &EngineHandle) {
    let started = Instant::now();
    while handle.telemetry().state() != EngineState::Ready {
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", handle.telemetry().state());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_mix_arrives_exactly_at_the_latency_for_any_blocks() {
    for (rate_hz, block) in
        [(44_100.0, 1), (44_100.0, 512), (48_000.0, 64), (96_000.0, 8192), (192_000.0, 1024)]
    {
        let (mut audio, handle) = sum_engine(rate_hz, block);
        let latency = handle.latency().total_frames();
        assert_eq!(latency, audio.latency_frames());
        let frames = latency + (rate_hz * 0.1) as usize;
        let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
        stems[4][333] = 1.0;
        let out = render(&mut audio, &stems, &OFFLINE, || block);
        let peak = out[0].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert_eq!(peak.0, latency + 333, "{rate_hz} Hz, blocks of {block}");
        assert!(out[1].iter().all(|x| *x == 0.0));
        assert_eq!(handle.report().underruns, 0, "{rate_hz} Hz, blocks of {block}");
    }
}

#[test]
fn offline_render_equals_the_pipeline_and_itself() {
    for rate_hz in [44_100.0, 48_000.0] {
        let stems = noise_stems(60_000, 20);
        let model = Box::new(SumModel::new(SMALL_GEOMETRY));
        let (wanted, _) = run_pipeline(&mut neutral_pipeline(model, rate_hz), &stems, &[1000]);
        for seed in 0..3 {
            let (mut audio, handle) = sum_engine(rate_hz, 2048);
            let mut noise = Noise(seed);
            let out = render(&mut audio, &stems, &OFFLINE, || 1 + noise.below(3000));
            let latency = handle.latency().total_frames();
            for side in 0..2 {
                assert!(out[side][..latency].iter().all(|x| *x == 0.0));
                assert!(out[side][latency..] == wanted[side][..60_000 - latency], "bit for bit");
            }
        }
    }
}

#[test]
fn a_host_that_says_nothing_but_renders_fast_gets_the_same_bounce() {
    let stems = noise_stems(200_000, 21);
    let slowness = Arc::new(AtomicU64::new(3_000));
    let (mut flagged, _one) = slow_engine(&slowness, 512);
    let (mut silent, _two) = slow_engine(&slowness, 512);
    let wanted = render(&mut flagged, &stems, &OFFLINE, || 512);
    let out = render(&mut silent, &stems, &Settings::default(), || 512);
    assert!(wanted == out);
}

#[test]
fn dry_nulls_exactly_and_bypass_is_aligned() {
    let frames = 60_000;
    let mut noise = Noise(22);
    let bus: [Vec<f32>; 2] = std::array::from_fn(|_| (0..frames).map(|_| noise.sample()).collect());
    let stems = noise_stems(frames, 23);
    let dry = Settings { mix: 0.0, offline: true, ..Settings::default() };
    let cases = [
        (dry, bus.clone()),
        (Settings { bypass: true, output_gain: 4.0, ..OFFLINE }, bus.clone()),
        (Settings { dry_source: DrySource::SumOfStems, ..dry }, plain_sum(&stems)),
    ];
    for (settings, wanted) in cases {
        let (mut audio, _handle) = sum_engine(48_000.0, 480);
        let latency = audio.latency_frames();
        let mut out = bus.clone();
        for at in (0..frames).step_by(480) {
            let [left, right] = &mut out;
            let stems = part(&stems, at..at + 480);
            audio.process([&mut left[at..at + 480], &mut right[at..at + 480]], stems, &settings);
        }
        for side in 0..2 {
            let worst = difference(&out[side][latency..], &wanted[side][..frames - latency]);
            assert!(worst <= 1e-6, "{settings:?}: {worst}");
        }
        if settings.dry_source == DrySource::Bus {
            assert!(out[0][latency..] == bus[0][..frames - latency], "the bus passes bit for bit");
        }
    }
}

/// Plays stems in real time (blocks paced by the wall clock); `during` is called with the frame before each block.
pub fn play(
    audio: &mut AudioSide,
    stems: &[Vec<f32>; CHANNELS],
    block: usize,
    mut during: impl FnMut(usize),
) -> [Vec<f32>; 2] {
    let started = Instant::now();
    let mut at = 0;
    render(audio, stems, &Settings::default(), || {
        during(at);
        let due = Duration::from_secs_f64(at as f64 / 44_100.0);
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        at += block;
        block
    })
}

/// Controls as an automation may make them, with this trim or none.
fn any_controls(noise: &mut Noise, trim_db: f32) -> Controls {
    let mut controls = Controls::NEUTRAL;
    controls.network = trim_db / 6.0 - noise.below(3) as f32;
    for stem in &mut controls.stems {
        stem.trim_db = if noise.below(2) == 0 { trim_db } else { 0.0 };
        (stem.mute, stem.solo) = (noise.below(8) == 0, noise.below(8) == 0);
    }
    controls
}

/// Largest step between neighboring samples.
pub fn largest_step(signal: &[f32]) -> f32 {
    signal.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn an_underrun_is_counted_covered_without_a_click_and_mended_to_the_sample() {
    let slowness = Arc::new(AtomicU64::new(0));
    let (mut audio, handle) = slow_engine(&slowness, 441);
    wait_until_ready(&handle);
    let frames = 44_100 * 5;
    let sine = |n: usize| 0.25 * (n as f32 * 0.02).sin();
    let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
    stems[0] = (0..frames).map(sine).collect();
    stems[1] = stems[0].clone();
    let latency = audio.latency_frames();
    let out = play(&mut audio, &stems, 441, |at| {
        // A hop lasts 100 ms; between 1.5 s and 2.2 s a run takes 400 ms.
        slowness.store(if (66_150..97_020).contains(&at) { 400_000 } else { 0 }, Relaxed);
    });
    let report = handle.report();
    assert!(report.underruns >= 1, "{report:?}");
    assert!(report.skipped_hops >= 1, "{report:?}");
    assert!(report.load_peak > 1.0, "{report:?}");
    // The model is the sum, so the fallback, at the mix's loudness, is the same signal: what is heard never changes
    // audibly and has no step larger than the sine's own.
    let allowed = largest_step(&stems[0]) * 1.3;
    assert!(
        largest_step(&out[0][latency + 1..]) < allowed,
        "a click: {}",
        largest_step(&out[0][latency + 1..])
    );
    let after = frames - 44_100;
    let worst = difference(&out[0][after..], &stems[0][after - latency..frames - latency]);
    assert!(worst < 1e-5, "after recovery in and out are aligned to the sample: {worst}");
    let quiet =
        out[0][latency + 4410..].chunks(4410).map(|part| part.iter().fold(0.0_f32, |m, x| m.max(x.abs())));
    assert!(quiet.fold(1.0_f32, f32::min) > 0.15, "it is never silent");
}

#[test]
fn a_stalled_worker_is_survived() {
    // Longer than the rings hold: latency (0.4 s) and a second of slack.
    let slowness = Arc::new(AtomicU64::new(0));
    let (mut audio, handle) = slow_engine(&slowness, 441);
    wait_until_ready(&handle);
    let frames = 44_100 * 6;
    let stems = noise_stems(frames, 24);
    let latency = audio.latency_frames();
    let out = play(&mut audio, &stems, 441, |at| {
        slowness.store(if (22_050..30_000).contains(&at) { 2_500_000 } else { 0 }, Relaxed);
    });
    assert!(out.iter().flatten().all(|x| x.is_finite()));
    assert!(handle.report().underruns >= 1);
    let wanted = plain_sum(&stems);
    let after = frames - 22_050;
    let worst = difference(&out[0][after..], &wanted[0][after - latency..frames - latency]);
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn reset_is_a_fresh_start_even_in_the_middle_of_a_run() {
    let slowness = Arc::new(AtomicU64::new(1_000));
    let (mut audio, _handle) = slow_engine(&slowness, 1024);
    let mut noise = Noise(25);
    let stems = noise_stems(60_000, 26);
    let wanted = render(&mut audio, &stems, &OFFLINE, || 700);
    for _ in 0..30 {
        // Not offline: the worker is left behind, in whatever state it is.
        let before = 1 + noise.below(30_000);
        let junk = noise_stems(before, 27);
        render(&mut audio, &junk, &Settings::default(), || 1024);
        for _ in 0..1 + noise.below(3) {
            audio.reset();
        }
        let out = render(&mut audio, &stems, &OFFLINE, || 1 + noise.below(1500));
        assert!(out == wanted);
    }
}

#[test]
fn without_a_model_the_dry_signal_is_aligned_and_the_reason_shown() {
    let (mut audio, handle) = start(ModelSource::open("/nowhere", None), 44_100.0, 512);
    let started = Instant::now();
    while !matches!(handle.telemetry().state(), EngineState::Failed { .. }) {
        assert!(started.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(1));
    }
    let latency = audio.latency_frames();
    assert!(latency > WindowGeometry::DEFAULT.hop_frames);
    let frames = latency + 5_000;
    let mut noise = Noise(28);
    let bus: Vec<f32> = (0..frames).map(|_| noise.sample()).collect();
    let (mut left, mut right) = (bus.clone(), bus.clone());
    audio.process([&mut left, &mut right], [&[]; CHANNELS], &OFFLINE);
    assert!(left[latency..] == bus[..frames - latency]);
    let report = handle.report();
    assert_eq!(report.state, "failed");
    assert!(report.reason.contains("contract.json"), "{}", report.reason);
}

#[test]
fn a_model_that_loads_late_takes_over_from_the_dry_signal() {
    // Longer than the rings hold, so that the stream starts anew as well.
    let model = ModelSource::Custom {
        geometry: CALM_GEOMETRY,
        recipe: tributary_engine::test_support::neutral_recipe(),
        targets: Box::default(),
        limiter: None,
        load: Box::new(|_| {
            std::thread::sleep(Duration::from_millis(2_200));
            Ok(Box::new(SumModel::new(CALM_GEOMETRY)))
        }),
    };
    let (mut audio, handle) = start(model, 44_100.0, 441);
    let latency = audio.latency_frames();
    let stems = [vec![0.02; 441], vec![0.0; 441]];
    let stems: [&[f32]; CHANNELS] = std::array::from_fn(|channel| &stems[channel % 2][..]);
    let (started, mut out) = (Instant::now(), Vec::new());
    for block in 0..450 {
        std::thread::sleep(Duration::from_millis(10 * block).saturating_sub(started.elapsed()));
        let (mut left, mut right) = ([0.5; 441], [0.5; 441]);
        audio.process([&mut left, &mut right], stems, &Settings::default());
        out.extend(left);
    }
    assert_eq!(handle.report().state, "ready");
    let changes = latency + out[latency..].iter().position(|x| (x - 0.5).abs() > 1e-6).unwrap();
    // Not when the model is there, but when its first mix is: a latency later.
    assert!(changes >= 44_100 * 22 / 10 + latency - 4_410, "the mix took over at {changes}");
    assert!(out[out.len() - 4_410..].iter().all(|x| (x - 0.08).abs() < 1e-5), "the end is the mix");
    assert!(largest_step(&out[latency + 1..]) < 0.01, "it takes over in a fade");
}

#[test]
fn failures_of_every_kind_end_in_a_sentence() {
    let panics = ModelSource::Custom {
        geometry: SMALL_GEOMETRY,
        recipe: tributary_engine::test_support::neutral_recipe(),
        targets: Box::default(),
        limiter: None,
        load: Box::new(|_| panic!("on purpose: the worker must survive this")),
    };
    let other = WindowGeometry { hop_frames: 8192, ..SMALL_GEOMETRY };
    let lies = custom_source(SMALL_GEOMETRY, move || Box::new(SumModel::new(other)));
    let impossible = WindowGeometry { hop_frames: 0, ..SMALL_GEOMETRY };
    let broken = custom_source(impossible, move || Box::new(SumModel::new(impossible)));
    let rate = custom_source(SMALL_GEOMETRY, || Box::new(SumModel::new(SMALL_GEOMETRY)));
    for (model, rate_hz, expected) in [
        (panics, 48_000.0, "internal error"),
        (lies, 48_000.0, "longer than its contract"),
        (broken, 48_000.0, "hop_frames is 0"),
        (rate, f64::NAN, "sample rate"),
    ] {
        let (mut audio, handle) = start(model, rate_hz, 64);
        let mut main = [[0.5; 64], [0.5; 64]];
        let started = Instant::now();
        while !audio.is_failed() && started.elapsed() < Duration::from_secs(20) {
            let [left, right] = &mut main;
            audio.process([left, right], [&[0.1; 64]; CHANNELS], &Settings::default());
            std::thread::sleep(Duration::from_micros(200));
        }
        assert!(main.iter().flatten().all(|x| x.is_finite()));
        let reason = handle.report().reason;
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn the_audio_side_allocates_nothing() {
    let slowness = Arc::new(AtomicU64::new(0));
    let (mut audio, handle) = slow_engine(&slowness, 256);
    wait_until_ready(&handle);
    let stems = noise_stems(256, 29);
    let mut main = [vec![0.1; 300], vec![0.1; 300]];
    let mut noise = Noise(30);
    let mut settings = Settings::default();
    let mut counted = 0;
    for round in 0..4_000 {
        if round == 2_000 {
            slowness.store(300_000, Relaxed);
        }
        settings.mix = noise.sample().abs();
        settings.bypass = noise.below(10) == 0;
        (settings.match_loudness, settings.delta) = (noise.below(2) == 0, noise.below(9) == 0);
        settings.offline = false;
        settings.controls = any_controls(&mut noise, 6.0);
        let frames = 1 + noise.below(300);
        let [left, right] = &mut main;
        let (left, right) = (&mut left[..frames], &mut right[..frames]);
        let stems = part(&stems, 0..frames.min(256));
        counted += allocations(|| {
            if round % 500 == 499 {
                audio.reset();
            }
            audio.process([left, right], stems, &settings);
        });
        std::thread::sleep(Duration::from_micros(300));
    }
    assert_eq!(counted, 0);
    assert!(handle.report().hops > 0, "the worker took part");
}

#[test]
fn hosts_may_hand_over_anything() {
    let (mut audio, handle) = sum_engine(48_000.0, 128);
    let mut noise = Noise(31);
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1e-42, -0.0, 0.3];
    for _ in 0..3_000 {
        let frames = noise.below(400);
        let mut signal =
            |frames: usize| -> Vec<f32> { (0..frames).map(|_| bad[noise.below(bad.len())]).collect() };
        let (mut left, mut right) = (signal(frames), signal(frames));
        let lengths: [usize; CHANNELS] = std::array::from_fn(|i| [0, frames, frames / 2, frames + 7][i % 4]);
        let stems = lengths.map(&mut signal);
        let settings = Settings {
            mix: signal(1)[0],
            output_gain: signal(1)[0],
            match_loudness: frames.is_multiple_of(2),
            delta: frames.is_multiple_of(11),
            bypass: frames.is_multiple_of(3),
            dry_source: if frames.is_multiple_of(2) { DrySource::Bus } else { DrySource::SumOfStems },
            offline: frames.is_multiple_of(5),
            song_frame: (!frames.is_multiple_of(7)).then(|| noise.next() as i64 >> noise.below(64)),
            controls: any_controls(&mut noise, bad[frames % bad.len()]),
        };
        audio.process([&mut left, &mut right], std::array::from_fn(|c| &stems[c][..]), &settings);
        assert!(left.iter().chain(&right).all(|x| x.is_finite()));
        if frames.is_multiple_of(50) {
            audio.reset();
        }
    }
    // Clean sound afterwards comes through as ever.
    audio.reset();
    let stems = noise_stems(20_000, 32);
    let out = render(&mut audio, &stems, &OFFLINE, || 128);
    let (mut fresh, _other) = sum_engine(48_000.0, 128);
    assert!(out == render(&mut fresh, &stems, &OFFLINE, || 128));
    assert_ne!(handle.report().state, "failed");
}

#[test]
fn a_thousand_lives() {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, |tasks| tasks.count());
    let before = threads();
    let mut noise = Noise(33);
    let mut main = [[0.1; 64], [0.1; 64]];
    for round in 0..1_000 {
        let (mut audio, handle) = sum_engine(48_000.0, 64);
        for _ in 0..noise.below(8) {
            let [left, right] = &mut main;
            audio.process([left, right], [&[0.1; 64]; CHANNELS], &Settings::default());
        }
        if round % 2 == 0 {
            drop(handle);
            let [left, right] = &mut main;
            audio.process([left, right], [&[0.1; 64]; CHANNELS], &Settings::default());
        } else {
            drop(audio);
        }
    }
    // Other tests run beside this one and have threads of their own.
    assert!(threads() < before + 50, "{} threads before, {} after", before, threads());
}

#[test]
fn dropping_during_a_run_waits_for_the_run_only() {
    let slowness = Arc::new(AtomicU64::new(300_000));
    let (mut audio, handle) = slow_engine(&slowness, 8192);
    wait_until_ready(&handle);
    let stems = noise_stems(16_384, 34);
    render(&mut audio, &stems, &Settings::default(), || 8192);
    std::thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    drop(handle);
    assert!(started.elapsed() < Duration::from_secs(2));
}

/// The sum, after a fixed amount of work: more than its share when eight of them run on two cores.
struct Laborious(SumModel);

impl MixModel for Laborious {
    fn geometry(&self) -> WindowGeometry {
        self.0.geometry()
    }

    fn reset(&mut self) {}

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        let mut noise = Noise(1);
        for _ in 0..30_000_000 {
            std::hint::black_box(noise.next());
        }
        self.0.run(window, mix)
    }
}

/// Counts against counts, so that a busy machine – or a fast one, where nobody is late – changes nothing.
#[test]
fn eight_instances_share_the_cores_fairly() {
    let threads: Vec<_> = (0..8)
        .map(|seed| {
            std::thread::spawn(move || {
                let laborious = || Box::new(Laborious(SumModel::new(CALM_GEOMETRY))) as Box<dyn MixModel>;
                let (mut audio, handle) = start(custom_source(CALM_GEOMETRY, laborious), 44_100.0, 512);
                wait_until_ready(&handle);
                let stems = noise_stems(44_100 * 4, 40 + seed);
                let out = play(&mut audio, &stems, 512, |_| {});
                assert!(out.iter().flatten().all(|x| x.is_finite()));
                handle.report()
            })
        })
        .collect();
    let reports: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let made: Vec<u64> = reports.iter().map(|report| report.hops).collect();
    let given_up: Vec<u64> = reports.iter().map(|report| report.skipped_hops).collect();
    eprintln!("hops made {made:?}, given up {given_up:?}");
    let mean = made.iter().sum::<u64>() / 8;
    assert!(mean > 0, "somebody gets something done");
    assert!(made.iter().all(|hops| *hops >= mean / 3), "no instance starves: {made:?}");
    // Lateness is spread: nobody carries it for all others.
    let (most, all) = (given_up.iter().max().unwrap(), given_up.iter().sum::<u64>());
    assert!(all < 16 || *most <= all / 2, "{given_up:?}");
}

#[test]
fn telemetry_tells_the_truth() {
    let (mut audio, handle) = sum_engine(44_100.0, 512);
    let frames = 44_100 * 5;
    let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
    // 997 Hz at −20 dB full scale on both sides reads −20 LUFS + 3.01 − 0.69 + 0.69 = −17 (BS.1770-4: 0 dB on one
    // channel is −3.01).
    for channel in [0, 1] {
        stems[channel] =
            (0..frames).map(|n| 0.1 * (n as f32 * 997.0 * std::f32::consts::TAU / 44_100.0).sin()).collect();
    }
    render(&mut audio, &stems, &OFFLINE, || 512);
    let report = handle.report();
    assert_eq!(report.state, "ready");
    assert!((report.stems[0].before_lufs + 20.0).abs() < 0.2, "{report:?}");
    assert!((report.stems[0].after_lufs + 20.0).abs() < 0.2, "{report:?}");
    assert!((report.output_lufs + 20.0).abs() < 0.2, "{report:?}");
    assert!((report.output_true_peak_db + 20.0).abs() < 0.1, "{report:?}");
    assert_eq!(report.stems[1].before_lufs, -120.0);
    let peak = |stem: usize| handle.telemetry().stems[stem].input_peak.get();
    assert!((peak(0) - 0.1).abs() < 0.01 && peak(1) == 0.0);
    let again: tributary_engine::Report =
        serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(again, report);
}
