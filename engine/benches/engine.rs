//! What the engine costs, as ratios of time used to audio time (real-time factors, RTF), part by part and whole, all in
//! one run: absolute times mean little on a shared machine. CPU time of the thread is counted where the system offers it,
//! so that busy neighbors do not show.
//!
//! `cargo bench -p tributary-engine -- [--json FILE] [--model FOLDER]`; the network's figures are for the published size,
//! which `cargo xtask bench` makes and hands over.

#[path = "engine/busy.rs"]
mod busy;
#[path = "engine/idle.rs"]
mod idle;
#[path = "engine/latency_modes.rs"]
mod latency_modes;
#[path = "engine/published_size.rs"]
mod published_size;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tributary_dsp::{CHANNELS, CorrectionSource, FxNormalizer, StemsBlock};
use tributary_engine::pipeline::MeterBank;
use tributary_engine::resample::Resampler;
use tributary_engine::{
    Engine, EngineConfig, LatencyMode, LoadedModel, MixHop, MixModel, ModelBundle, ModelSource, Pipeline,
    Report, Settings, StemWindow, SumModel,
};

const HOST_RATE_HZ: f64 = 48_000.0;
const SECONDS: usize = 10;

fn main() {
    let mut results = Vec::new();
    let folder = argument("--model").map_or_else(default_bundle, PathBuf::from);
    let bundle = match ModelBundle::open(&folder) {
        Ok(bundle) => bundle,
        Err(error) => {
            eprintln!("SKIPPED: engine bench: {error}");
            return;
        }
    };
    parts(&bundle, &mut results);
    match bundle.find_library_and_load(None) {
        Ok(loaded) => default_network(&bundle, loaded.model, &mut results),
        Err(error) => eprintln!("SKIPPED: network: {error}"),
    }
    published_size::published_size(&mut results);
    latency_modes::latencies(&bundle, HOST_RATE_HZ, &mut results);
    audio_side(&bundle, &mut results);
    low_mode(&bundle, &mut results);
    idle::idle(&bundle, &mut results);
    lives(&mut results);
    for (name, value) in &results {
        println!("{name:36} {value:12.5}");
    }
    if let Some(path) = argument("--json") {
        let object: serde_json::Map<String, serde_json::Value> =
            results.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let text = serde_json::Value::Object(object).to_string();
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("{path} cannot be written: {error}");
            std::process::exit(1);
        }
    }
}

/// Tells the compiler that a result is used.
fn keep<T>(value: &T) {
    std::hint::black_box(value);
}

type Results = Vec<(&'static str, f64)>;

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

fn default_bundle() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/models/default")
}

/// Music-like enough: noise bursts, a different one on every channel.
fn stems(frames: usize) -> [Vec<f32>; CHANNELS] {
    std::array::from_fn(|channel| {
        let mut state = channel as u64 + 1;
        (0..frames)
            .map(|n| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let noise = (state >> 40) as f32 / (1 << 23) as f32 - 1.0;
                0.2 * noise * (0.2 + ((n as f32 * 1e-4).sin()).max(0.0))
            })
            .collect()
    })
}

/// CPU time of this thread; wall time where the system does not say.
fn cpu_time() -> Duration {
    // On Linux the first field of schedstat is the time on a processor, in nanoseconds.
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .map_or_else(|| START.with(Instant::elapsed), Duration::from_nanos)
}

thread_local! {
    static START: Instant = Instant::now();
}

/// RTF of `work` on `audio_s` seconds of audio: the best of three runs.
fn rtf(audio_s: f64, mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let before = cpu_time();
        work();
        best = best.min((cpu_time() - before).as_secs_f64() / audio_s);
    }
    best
}

fn parts(bundle: &ModelBundle, results: &mut Results) {
    let model_rate_hz = f64::from(bundle.geometry().sample_rate_hz);
    let frames = SECONDS * HOST_RATE_HZ as usize;
    let audio = stems(frames);
    let whole: [&[f32]; CHANNELS] = std::array::from_fn(|c| &audio[c][..]);
    let seconds = SECONDS as f64;
    if let Ok(mut resampler) = Resampler::<CHANNELS>::new(HOST_RATE_HZ, model_rate_hz) {
        let value = rtf(seconds, || resampler.process(whole, |piece| keep(&piece)));
        results.push(("resample_stems_rtf", value));
    }
    if let Ok(mut resampler) = Resampler::<2>::new(model_rate_hz, HOST_RATE_HZ) {
        let value = rtf(frames as f64 / model_rate_hz, || {
            resampler.process([whole[0], whole[1]], |piece| keep(&piece));
        });
        results.push(("resample_mix_rtf", value));
    }
    let source = CorrectionSource::Adaptive;
    match FxNormalizer::new(bundle.recipe(), bundle.targets(), source, model_rate_hz, 1024) {
        Ok(mut normalizer) => {
            let mut scratch = audio.clone();
            let value = rtf(frames as f64 / model_rate_hz, || {
                for at in (0..frames - 1024).step_by(1024) {
                    let mut channels = scratch.iter_mut();
                    let channels = std::array::from_fn(|_| {
                        channels.next().map_or(&mut [] as &mut [f32], |c| &mut c[at..at + 1024])
                    });
                    normalizer.process(&mut StemsBlock { channels });
                }
            });
            results.push(("normalize_rtf", value));
        }
        Err(error) => eprintln!("SKIPPED: normalizer: {error}"),
    }
    if MeterBank::new(44_100).is_some() {
        let with = pipeline_rtf(bundle, true);
        let without = pipeline_rtf(bundle, false);
        results.push(("pipeline_without_network_rtf", with));
        results.push(("meters_rtf", with - without));
    }
}

/// The whole pipeline with the sum in the network's place.
fn pipeline_rtf(bundle: &ModelBundle, meters: bool) -> f64 {
    run_pipeline(bundle, Box::new(SumModel::new(bundle.geometry())), meters, &stems(SECONDS * 48_000))
}

fn run_pipeline(
    bundle: &ModelBundle,
    model: Box<dyn MixModel>,
    meters: bool,
    audio: &[Vec<f32>; CHANNELS],
) -> f64 {
    let source = CorrectionSource::Adaptive;
    let Ok(mut pipeline) = Pipeline::new(
        model,
        bundle.recipe(),
        bundle.targets(),
        source,
        bundle.contract().limiter,
        HOST_RATE_HZ,
    ) else {
        return f64::NAN;
    };
    if meters {
        pipeline = pipeline.with_meters();
    }
    let mut out = [vec![0.0; 8192], vec![0.0; 8192]];
    rtf(audio[0].len() as f64 / HOST_RATE_HZ, || {
        for at in (0..audio[0].len()).step_by(480) {
            if pipeline.push(std::array::from_fn(|c| &audio[c][at..at + 480])).is_err() {
                return;
            }
            let [left, right] = &mut out;
            while pipeline.pull_mix(&mut [left, right]) > 0 {}
            while pipeline.pull_sum(&mut [left, right]) > 0 {}
        }
    })
}

/// RTF of a network alone at its hop, over about `seconds` of audio; not a number when it fails.
fn network_rtf(model: &mut dyn MixModel, seconds: usize) -> f64 {
    let geometry = model.geometry();
    let hops = (seconds * 44_100 / geometry.hop_frames).max(1);
    let audio = stems(hops * geometry.hop_frames + geometry.window_frames());
    let mut mix = [vec![0.0; geometry.mix_frames()], vec![0.0; geometry.mix_frames()]];
    let audio_s = (hops * geometry.hop_frames) as f64 / f64::from(geometry.sample_rate_hz);
    let mut failed = false;
    let value = rtf(audio_s, || {
        let mut window = StemWindow::new(geometry);
        window.append(std::array::from_fn(|c| &audio[c][..]));
        for _ in 0..hops {
            let [left, right] = &mut mix;
            if let Err(error) = model.run(&window, &mut MixHop { left, right }) {
                eprintln!("{error}");
                failed = true;
                return;
            }
            window.advance(true);
        }
    });
    if failed { f64::NAN } else { value }
}

/// The shipped network, alone and in the whole pipeline.
fn default_network(bundle: &ModelBundle, mut model: Box<dyn MixModel>, results: &mut Results) {
    results.push(("network_rtf_default", network_rtf(&mut *model, SECONDS)));
    let loud = stems(SECONDS * HOST_RATE_HZ as usize);
    results.push(("engine_rtf_default", run_pipeline(bundle, model, true, &loud)));
    if let Ok(LoadedModel { model, .. }) = bundle.find_library_and_load(None) {
        let silence: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; SECONDS * 48_000]);
        results.push(("idle_rtf", run_pipeline(bundle, model, true, &silence)));
    }
}

/// `process` at 64 frames and 48 kHz with two busy cores, in percent of the block's duration.
fn audio_side(bundle: &ModelBundle, results: &mut Results) {
    let (mut percents, report) = play_with_busy_cores(bundle, LatencyMode::Standard);
    percents.sort_by(f64::total_cmp);
    results.push(("process_median_percent", percents[percents.len() / 2]));
    results.push(("process_p999_percent", percents[percents.len() * 999 / 1000]));
    results.push(("realtime_load", f64::from(report.load)));
    results.push(("realtime_underruns", report.underruns as f64));
}

/// The same in the mode with the least time for a hop.
fn low_mode(bundle: &ModelBundle, results: &mut Results) {
    let (_, report) = play_with_busy_cores(bundle, LatencyMode::Low);
    results.push(("realtime_load_low", f64::from(report.load)));
    results.push(("realtime_underruns_low", report.underruns as f64));
}

/// Ten seconds in real time: what each block took of its duration, in percent, and the report.
fn play_with_busy_cores(bundle: &ModelBundle, mode: LatencyMode) -> (Vec<f64>, Report) {
    let (mut audio, handle) = Engine::start(EngineConfig {
        model: ModelSource::Bundle { bundle: Box::new(bundle.clone().in_mode(mode)), library: None },
        corrections: CorrectionSource::Adaptive,
        host_rate_hz: HOST_RATE_HZ,
        max_block: 64,
    });
    let stems = stems(64);
    let mut main = [[0.1; 64], [0.1; 64]];
    let mut percents = Vec::new();
    let cores = busy::Busy::start(2);
    let started = Instant::now();
    let block = Duration::from_secs_f64(64.0 / HOST_RATE_HZ);
    for n in 0..7_500_u32 {
        std::thread::sleep((block * n).saturating_sub(started.elapsed()));
        let [left, right] = &mut main;
        let before = Instant::now();
        audio.process([left, right], std::array::from_fn(|c| &stems[c][..]), &Settings::default());
        percents.push(100.0 * before.elapsed().as_secs_f64() / block.as_secs_f64());
    }
    drop(cores);
    let report = handle.report();
    if report.state != "ready" {
        eprintln!("the real-time engine was {}: {}", report.state, report.reason);
    }
    (percents, report)
}

/// Starting and stopping an engine, model not loaded.
fn lives(results: &mut Results) {
    let started = Instant::now();
    let mut starting = Duration::ZERO;
    for _ in 0..20 {
        let before = Instant::now();
        let engine = Engine::start(EngineConfig {
            model: ModelSource::Missing { reason: "none".into() },
            corrections: CorrectionSource::Adaptive,
            host_rate_hz: HOST_RATE_HZ,
            max_block: 512,
        });
        starting += before.elapsed();
        drop(engine);
    }
    results.push(("start_ms", 1000.0 * starting.as_secs_f64() / 20.0));
    results.push(("start_and_stop_ms", 1000.0 * started.elapsed().as_secs_f64() / 20.0));
}
