//! Rendering a file: whatever the machine and the model do, an announced render is the pipeline's mix to the bit, from
//! its first frame, and what is lost is told. Renders that are not announced go by the clock: the simulation has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tributary_dsp::{CHANNELS, CorrectionSource};
use tributary_engine::test_support::{SlowModel, neutral_recipe};
use tributary_engine::{
    AudioSide, Engine, EngineConfig, EngineHandle, MixHop, MixModel, ModelError, ModelSource, Settings,
    SongLearner, StemWindow, SumModel, WindowGeometry,
};

use crate::common::{neutral_pipeline, noise_stems, part, run_pipeline};
use crate::realtime::{CALM_GEOMETRY, OFFLINE, render, wait_until_ready};

/// Longer than what the rings hold beyond the latency.
const LOADING: Duration = Duration::from_millis(2_500);

/// An engine at the model's rate whose model takes its time to load and in every run.
fn start(geometry: WindowGeometry, loading: Duration, slowness_us: u64) -> (AudioSide, EngineHandle) {
    let build = move || Box::new(SlowModel::new(geometry, Arc::new(AtomicU64::new(slowness_us))));
    start_with(geometry, loading, move || build())
}

fn start_with(
    geometry: WindowGeometry,
    loading: Duration,
    build: impl FnOnce() -> Box<dyn MixModel> + Send + 'static,
) -> (AudioSide, EngineHandle) {
    let load = move |_: &dyn Fn(f32)| {
        std::thread::sleep(loading);
        Ok(build())
    };
    Engine::start(EngineConfig {
        model: ModelSource::Custom {
            geometry,
            recipe: neutral_recipe(),
            targets: Box::default(),
            limiter: None,
            load: Box::new(load),
        },
        corrections: CorrectionSource::Adaptive,
        host_rate_hz: 44_100.0,
        max_block: 1024,
    })
}

/// What the command line makes of the stems.
fn pipelines_mix(geometry: WindowGeometry, stems: &[Vec<f32>; CHANNELS]) -> [Vec<f32>; 2] {
    run_pipeline(&mut neutral_pipeline(Box::new(SumModel::new(geometry)), 44_100.0), stems, &[1000]).0
}

/// Asserts that `out` is the mix of all frames that have come through, bit for bit, and nothing before it.
fn assert_is_mix(out: &[Vec<f32>; 2], wanted: &[Vec<f32>; 2], latency: usize, what: &str) {
    for side in 0..2 {
        assert!(out[side][..latency].iter().all(|x| *x == 0.0), "{what}: silent for one latency");
        let made = out[side].len() - latency;
        let differs = (0..made).find(|n| out[side][latency + n] != wanted[side][*n]);
        assert_eq!(differs, None, "{what}: the first frame that is not the mix");
    }
}

/// Nothing was given up, bridged or started anew.
fn assert_is_whole(handle: &EngineHandle, what: &str) {
    let (report, restarts) = (handle.report(), handle.telemetry().restarts.load(Relaxed));
    assert_eq!((report.underruns, report.skipped_hops, restarts), (0, 0, 0), "{what}");
    assert_eq!(report.render.unwrap().lost_s, Vec::<[f64; 2]>::new(), "{what}");
}

#[test]
fn a_render_that_begins_while_the_model_loads_lacks_nothing() {
    let stems = noise_stems(200_000, 70);
    let wanted = pipelines_mix(CALM_GEOMETRY, &stems);
    for block in [64, 1024] {
        let (mut audio, handle) = start(CALM_GEOMETRY, LOADING, 0);
        let out = render(&mut audio, &stems, &OFFLINE, || block);
        assert_is_mix(&out, &wanted, audio.latency_frames(), "from the first frame");
        assert_is_whole(&handle, "from the first frame");
    }
}

/// Jumps and pre-roll while nobody takes the frames: they stand in the ring until the model is there.
#[test]
fn a_render_with_pre_roll_and_jumps_while_the_model_loads_lacks_nothing() {
    let stems = noise_stems(150_000, 71);
    let wanted = pipelines_mix(CALM_GEOMETRY, &stems);
    let (mut audio, handle) = start(CALM_GEOMETRY, LOADING, 5_000);
    for seed in 0..12 {
        // Shorter than the latency, so that the host need not wait; far more than the ring holds, all in all.
        render(&mut audio, &noise_stems(9_000, seed), &OFFLINE, || 1024);
        audio.reset();
    }
    let out = render(&mut audio, &stems, &OFFLINE, || 700);
    assert_is_mix(&out, &wanted, audio.latency_frames(), "after jumps");
    assert_eq!(handle.report().skipped_hops, 0);
    assert_eq!(handle.report().render.unwrap().lost_s, Vec::<[f64; 2]>::new());
}

/// Keeps both cores busy as long as it lives.
struct Load(Arc<AtomicBool>);

impl Load {
    fn new() -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().map_or(2, |cores| 2 * cores.get()) {
            let ends = Arc::clone(&ends);
            std::thread::spawn(move || while !ends.load(Relaxed) {});
        }
        Self(ends)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_render_on_an_overloaded_machine_lacks_nothing() {
    let _load = Load::new();
    let stems = noise_stems(120_000, 72);
    let wanted = pipelines_mix(CALM_GEOMETRY, &stems);
    // A hop lasts 100 ms and takes 150: the worker is slower than real time even without the load.
    let (mut audio, handle) = start(CALM_GEOMETRY, Duration::from_millis(500), 150_000);
    let out = render(&mut audio, &stems, &OFFLINE, || 512);
    assert_is_mix(&out, &wanted, audio.latency_frames(), "slower than real time");
    assert_is_whole(&handle, "slower than real time");
}

/// The sum, which breaks.
struct Breaking(SumModel, usize);

impl MixModel for Breaking {
    fn geometry(&self) -> WindowGeometry {
        self.0.geometry()
    }

    fn reset(&mut self) {}

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.1 += 1;
        if self.1 > 10 { Err(ModelError::Statistics) } else { self.0.run(window, mix) }
    }
}

#[test]
fn a_render_whose_engine_fails_goes_on_at_once_and_tells_from_where() {
    let stems = noise_stems(44_100 * 4, 75);
    let (mut audio, handle) =
        start_with(CALM_GEOMETRY, Duration::ZERO, || Box::new(Breaking(SumModel::new(CALM_GEOMETRY), 0)));
    let started = Instant::now();
    render(&mut audio, &stems, &OFFLINE, || 512);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let report = handle.report();
    assert_eq!(report.state, "failed");
    let render = report.render.unwrap();
    // Ten hops of 100 ms were made. The engine fails right after the tenth, and when that is noticed nothing of it may have
    // been played: nine hops, less a block and the fade to the dry signal.
    let [from, to] = render.lost_s[0];
    let end = (stems[0].len() - audio.latency_frames()) as f64 / 44_100.0;
    assert!(render.announced && render.lost_s.len() == 1, "{render:?}");
    assert!((0.88..1.02).contains(&from) && (to - end).abs() < 0.05, "{render:?}, to {end}");
    assert!(render.words().unwrap().contains(&format!("from 0:0{from:.1}")), "{render:?}");
}

#[test]
fn a_host_that_switches_from_playing_to_rendering_without_a_break_lacks_nothing_after_it() {
    let stems = noise_stems(120_000, 76);
    let wanted = pipelines_mix(CALM_GEOMETRY, &stems);
    let (mut audio, handle) = start(CALM_GEOMETRY, Duration::ZERO, 20_000);
    wait_until_ready(&handle);
    let latency = audio.latency_frames();
    let mut out = [Vec::new(), Vec::new()];
    for at in (0..stems[0].len() - 441).step_by(441) {
        // A second in real time, then as fast as it goes.
        let settings = if at < 44_100 { Settings::default() } else { OFFLINE };
        if at < 44_100 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let (mut left, mut right) = ([0.0; 441], [0.0; 441]);
        audio.process([&mut left, &mut right], part(&stems, at..at + 441), &settings);
        out[0].extend(left);
        out[1].extend(right);
    }
    let from = 44_100 + 441;
    let differs = (from..out[0].len()).find(|n| (out[0][*n] - wanted[0][n - latency]).abs() > 1e-6);
    assert_eq!(differs, None, "{:?}", handle.report());
    assert_eq!(handle.report().render.unwrap().lost_s, Vec::<[f64; 2]>::new());
}
