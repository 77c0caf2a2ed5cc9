//! Both sides of an engine in one thread and in simulated time: the worker runs when the simulation says, and a hop takes as
//! many blocks as it says, because the model plays them to the host while it "computes". So lateness of every kind is
//! repeatable to the sample, on any machine.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crossbeam_channel::unbounded;
use rtrb::RingBuffer;

use super::*;
use crate::bundle::contract::{ContractLimiter, WindowGeometry};
use crate::error::ModelError;
use crate::live::audio_thread::audio_side::{AudioRings, AudioSide};
use crate::live::audio_thread::delay_line::HeldPeak;
use crate::live::audio_thread::settings::{DrySource, Settings};
use crate::live::audio_thread::time::Time;
use crate::live::control_ring::control_ring;
use crate::model::{MixHop, MixModel, SongLearner, SumModel};
use crate::pipeline::window::StemWindow;
use crate::test_support::{Noise, custom_source};

use host::{Host, chord};

#[path = "../../tests/engine/alloc.rs"]
mod alloc;
#[path = "simulation_clock_tests.rs"]
mod clocks;
#[path = "simulation_host_tests.rs"]
mod host;

const RATE_HZ: f64 = 44_100.0;
const MAX_BLOCK: usize = 480;
/// Hops of 2,240 frames, about nine blocks.
const GEOMETRY: WindowGeometry = WindowGeometry {
    sample_rate_hz: 44_100,
    context_frames: 2240,
    hop_frames: 2240,
    lookahead_frames: 1024,
    crossfade_frames: 256,
    margin_frames: 0,
    computing_frames: 2240,
};
/// What the model does to the sum, so that a misplaced mix differs from the fallback.
const MODEL_GAIN: f32 = 0.7;

thread_local! {
    static NOW: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
    /// How long the audio side has waited.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The simulation's clock.
fn now() -> Instant {
    NOW.with(|now| {
        let (start, passed) = now.get().unwrap_or_else(|| (Instant::now(), Duration::ZERO));
        now.set(Some((start, passed)));
        start + passed
    })
}

fn let_pass(time: Duration) {
    let _ = now();
    NOW.with(|now| now.set(now.get().map(|(start, passed)| (start, passed + time))));
}

/// The audio side waits.
fn sleep(time: Duration) {
    WAITED.set(WAITED.get() + time);
    let_pass(time);
    clocks::work();
}

/// The sum, while whose runs the host plays on.
struct Late {
    inner: SumModel,
    host: Arc<Mutex<Option<Host>>>,
    delays: Arc<Mutex<Delays>>,
}

/// How many blocks pass at each opportunity.
struct Delays {
    random: Noise,
    on: bool,
    /// What always happens instead: so many blocks, of so many frames.
    fixed: Option<(usize, usize)>,
}

impl Delays {
    /// Mostly in time, sometimes late, now and then so late that the rings overflow.
    fn blocks(&mut self) -> usize {
        match self.random.below(40) {
            _ if !self.on => 1,
            0 => 20 + self.random.below(40),
            1 if self.random.below(20) == 0 => 400,
            2..=8 => 5 + self.random.below(10),
            _ => self.random.below(3),
        }
    }
}

impl MixModel for Late {
    fn geometry(&self) -> WindowGeometry {
        self.inner.geometry()
    }

    fn reset(&mut self) {}

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        let (fixed, blocks) = {
            let mut delays = self.delays.lock().unwrap();
            let blocks = delays.blocks().saturating_sub(1);
            (delays.fixed, delays.fixed.map_or(blocks, |(blocks, _)| blocks))
        };
        // The host is locked while it waits for a worker; then nothing is late.
        if blocks > 0
            && let Some(host) = &mut *self.host.lock().unwrap()
        {
            match fixed {
                Some((_, frames)) => (0..blocks).for_each(|_| host.play_block(frames)),
                None => (0..blocks).for_each(|_| host.play()),
            }
        }
        self.inner.run(window, mix)?;
        for side in [&mut *mix.left, &mut *mix.right] {
            side.iter_mut().for_each(|x| *x *= MODEL_GAIN);
        }
        Ok(())
    }
}

/// An engine whose worker runs only when it is told to.
struct Simulation {
    worker: Worker,
    host: Arc<Mutex<Option<Host>>>,
    delays: Arc<Mutex<Delays>>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        Self::with_model(seed, GEOMETRY, None)
    }

    fn with_geometry(seed: u64, geometry: WindowGeometry) -> Self {
        Self::with_model(seed, geometry, None)
    }

    /// With a ceiling or none.
    fn with_model(seed: u64, geometry: WindowGeometry, limiter: Option<ContractLimiter>) -> Self {
        WAITED.set(Duration::ZERO);
        let host = Arc::new(Mutex::new(None));
        let delays = Arc::new(Mutex::new(Delays { random: Noise(seed), on: false, fixed: None }));
        let (late_host, late_delays) = (Arc::clone(&host), Arc::clone(&delays));
        let mut model = custom_source(geometry, move || {
            Box::new(Late { inner: SumModel::new(geometry), host: late_host, delays: late_delays })
        });
        if let ModelSource::Custom { limiter: of_model, .. } = &mut model {
            *of_model = limiter;
        }
        let report = model.latency(&CorrectionSource::Adaptive, RATE_HZ, MAX_BLOCK).unwrap();
        let latency = report.total_frames();
        let ring_frames = latency + 2 * MAX_BLOCK + RATE_HZ as usize + 1024;
        let (input, worker_input) = RingBuffer::new(ring_frames * CHANNELS);
        let (controls, worker_controls) = control_ring();
        let (worker_mix, mix) = RingBuffer::new(ring_frames * 2);
        let (worker_sum, sum) = RingBuffer::new(ring_frames * 2);
        let (shared, telemetry) = (Arc::new(Shared::default()), Arc::new(Telemetry::default()));
        let worker = Worker::load(WorkerConfig {
            model,
            corrections: CorrectionSource::Adaptive,
            host_rate_hz: RATE_HZ,
            latency_frames: latency,
            shared: Arc::clone(&shared),
            telemetry: Arc::clone(&telemetry),
            rings: WorkerRings {
                input: worker_input,
                controls: worker_controls,
                mix: worker_mix,
                sum: worker_sum,
            },
            commands: unbounded().1,
        })
        .unwrap();
        telemetry.set_ready();
        let audio = AudioSide::new(
            (shared, Arc::clone(&telemetry)),
            None,
            AudioRings { input, controls, mix, sum, output: RingBuffer::new(2).0 },
            limiter,
            &report,
            MAX_BLOCK,
        )
        .in_time(Time { now, sleep });
        let random = Noise(seed ^ 0x5eed);
        *host.lock().unwrap() = Some(Host {
            audio,
            telemetry,
            random,
            out: Vec::new(),
            underrun_times: Vec::new(),
            restless: false,
            settings: Settings::default(),
            speed: 1.0,
            behind_frames: 0,
            level: 1.0,
        });
        Self { worker, host, delays }
    }

    /// One round of the worker's loop; how long it sleeps after it.
    fn pass_round(&mut self) -> Duration {
        if self.worker.round().unwrap() == Round::Busy {
            self.worker.waited_ms = 0.0;
            return Duration::ZERO;
        }
        let sleep_ms = self.worker.sleep_ms();
        self.worker.waited_ms += sleep_ms;
        Duration::from_secs_f64(sleep_ms * 1e-3)
    }

    /// Plays for about `seconds`, late or in time.
    fn run(&mut self, seconds: f64, late: bool) {
        self.delays.lock().unwrap().on = late;
        let end = self.host(|host| host.out.len()) + (seconds * RATE_HZ) as usize;
        while self.host(|host| host.out.len()) < end {
            let blocks = self.delays.lock().unwrap().blocks();
            self.host(|host| (0..blocks).for_each(|_| host.play()));
            while self.worker.round().unwrap() == Round::Busy {}
        }
    }

    fn host<T>(&self, use_it: impl FnOnce(&mut Host) -> T) -> T {
        use_it(self.host.lock().unwrap().as_mut().unwrap())
    }

    /// What was put out, what it should be up to a gain, and the latency.
    fn signals(&self) -> (Vec<f32>, Vec<f32>) {
        let (out, latency) = self.host(|host| (host.out.clone(), host.audio.latency_frames()));
        let wanted = (0..out.len()).map(|n| n.checked_sub(latency).map_or(0.0, |n| 4.0 * chord(n))).collect();
        (out, wanted)
    }
}

fn largest_step(signal: &[f32]) -> f32 {
    signal.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

/// Steps beyond this are clicks: those of the mix itself, and 3 % for the error of the fallback's gain.
fn click(wanted: &[f32]) -> f32 {
    1.03 * MODEL_GAIN * largest_step(wanted)
}

#[test]
fn in_time_nothing_is_missed() {
    let mut simulation = Simulation::new(1);
    simulation.run(5.0, false);
    let (out, wanted) = simulation.signals();
    let worst = out.iter().zip(&wanted).map(|(out, wanted)| (out - MODEL_GAIN * wanted).abs());
    assert!(worst.fold(0.0, f32::max) < 1e-6);
    let telemetry = &simulation.worker.telemetry;
    assert_eq!((telemetry.underruns.load(Relaxed), telemetry.skipped_hops.load(Relaxed)), (0, 0));
    assert_eq!(telemetry.last_underrun_frame.load(Relaxed), u64::MAX);
    // The control of the click test: one frame lost in the middle of a second is one.
    let mut cut = wanted[20_000..].to_vec();
    cut.drain(10_000..10_040);
    assert!(largest_step(&cut) > click(&wanted));
}

/// Underruns of two seconds in which every run takes so many blocks of so many frames.
fn underruns(geometry: WindowGeometry, blocks: usize, frames: usize) -> u64 {
    let mut simulation = Simulation::with_geometry(2, geometry);
    simulation.delays.lock().unwrap().fixed = Some((blocks, frames));
    for _ in 0..2 * RATE_HZ as usize / frames {
        simulation.host(|host| host.play_block(frames));
        while simulation.worker.round().unwrap() == Round::Busy {}
    }
    simulation.worker.telemetry.underruns.load(Relaxed)
}

#[test]
fn a_run_may_take_as_long_as_the_window_says_and_no_longer() {
    let geometry = WindowGeometry { computing_frames: 600, ..GEOMETRY };
    for frames in [32, 100, 333, MAX_BLOCK] {
        assert_eq!(underruns(geometry, 600 / frames, frames), 0, "blocks of {frames} frames");
        // Short blocks also have what the host announced and did not use.
        let longer = (600 + MAX_BLOCK) / frames + 1;
        assert!(underruns(geometry, longer, frames) > 2, "blocks of {frames} frames");
    }
}

#[test]
fn blocks_longer_than_hops_and_their_computing_miss_nothing() {
    // Four hops come with each block, and all are made before the next.
    let geometry = WindowGeometry { hop_frames: 128, crossfade_frames: 64, computing_frames: 1, ..GEOMETRY };
    assert_eq!(underruns(geometry, 0, MAX_BLOCK), 0);
}

#[test]
fn any_lateness_is_heard_without_a_click_and_mended_to_the_sample() {
    let (mut underruns, mut skipped, mut restarts) = (0, 0, 0);
    for seed in 0..8 {
        let mut simulation = Simulation::new(seed);
        simulation.run(4.0, false);
        simulation.run(30.0, true);
        simulation.run(4.0, false);
        let (out, wanted) = simulation.signals();
        let latency = simulation.host(|host| host.audio.latency_frames());
        assert!(out.iter().all(|x| x.is_finite()));
        let step = largest_step(&out[latency + 1..]);
        assert!(step <= click(&wanted), "seed {seed}: a step of {step}, allowed {}", click(&wanted));
        // Mix and fallback are the same chord at the same loudness: never elsewhere in time, never silent.
        for (n, (out, wanted)) in out.iter().zip(&wanted).enumerate().skip(latency) {
            let (least, most) = (0.68 * wanted.abs() - 1e-4, 0.72 * wanted.abs() + 1e-4);
            assert!((least..=most).contains(&out.abs()), "seed {seed}, frame {n}: {out} for {wanted}");
        }
        let end = out.len() - 44_100;
        let worst = out[end..].iter().zip(&wanted[end..]).map(|(out, x)| (out - MODEL_GAIN * x).abs());
        assert!(worst.fold(0.0, f32::max) < 1e-6, "seed {seed}: in and out are aligned at the end");
        let telemetry = &simulation.worker.telemetry;
        let times = simulation.host(|host| host.underrun_times.clone());
        assert!(times.len() as u64 <= telemetry.underruns.load(Relaxed));
        underruns += times.len();
        skipped += telemetry.skipped_hops.load(Relaxed);
        restarts += telemetry.restarts.load(Relaxed);
    }
    assert!(underruns > 150 && skipped > 150 && restarts > 4, "{underruns} {skipped} {restarts}");
}

#[test]
fn a_jump_in_any_state_is_a_fresh_start() {
    for seed in 20..40 {
        let mut simulation = Simulation::new(seed);
        simulation.run(0.3 * (seed - 19) as f64, true);
        let start = simulation.host(|host| {
            host.audio.reset();
            host.out.len()
        });
        simulation.run(1.5, false);
        let (out, wanted) = simulation.signals();
        let first = start + simulation.host(|host| host.audio.latency_frames());
        assert!(out[start..first].iter().all(|x| *x == 0.0), "seed {seed}: silent for one latency");
        let worst = out[first..].iter().zip(&wanted[first..]).map(|(out, x)| (out - MODEL_GAIN * x).abs());
        assert!(
            worst.fold(0.0, f32::max) < 1e-6,
            "seed {seed}: the first frame after the jump is the first heard"
        );
    }
}

#[test]
fn no_state_of_the_audio_side_allocates() {
    let mut simulation = Simulation::new(41);
    simulation.host(|host| host.restless = true);
    simulation.run(60.0, true);
    let telemetry = &simulation.worker.telemetry;
    let seen = [&telemetry.underruns, &telemetry.skipped_hops, &telemetry.restarts, &telemetry.hops];
    assert!(seen.iter().all(|count| count.load(Relaxed) > 10), "{seen:?}");
}

#[test]
fn a_suspended_machine_changes_no_sample() {
    let run = |pause: Duration| {
        let mut simulation = Simulation::new(3);
        for _ in 0..10 {
            simulation.run(0.5, false);
            let_pass(pause);
        }
        simulation.signals().0
    };
    assert!(run(Duration::ZERO) == run(Duration::from_secs(8 * 3600)));
}

/// The highest peak between samples, dBTP.
fn true_peak_db(signal: &[f32]) -> f64 {
    let mut meter = ebur128::EbuR128::new(1, RATE_HZ as u32, ebur128::Mode::TRUE_PEAK).unwrap();
    meter.add_frames_f32(signal).unwrap();
    20.0 * meter.true_peak(0).unwrap().log10()
}

#[test]
fn the_ceiling_holds_whatever_is_late() {
    for (seed, loud) in [(50, true), (51, true), (52, true), (50, false)] {
        let mut simulation =
            Simulation::with_model(seed, GEOMETRY, loud.then_some(ContractLimiter { ceiling_dbtp: -1.0 }));
        simulation.host(|host| host.level = 12.0);
        simulation.run(4.0, false);
        simulation.run(30.0, true);
        let telemetry = &simulation.worker.telemetry;
        let seen = [&telemetry.underruns, &telemetry.skipped_hops, &telemetry.restarts];
        assert!(seen.iter().all(|count| count.load(Relaxed) > 0), "mix, fallback and last resort: {seen:?}");
        let peak_db = true_peak_db(&simulation.signals().0);
        if loud {
            assert!((-2.0..-0.95).contains(&peak_db), "seed {seed}: {peak_db} dBTP");
        } else {
            assert!(peak_db > 6.0, "a bundle without a limiter has no ceiling: {peak_db} dBTP");
        }
    }
}

#[test]
fn a_held_peak_covers_the_newest_frames() {
    let mut held = HeldPeak::new(100);
    for frame in 0..1_000_usize {
        held.take(if frame == 333 { 1.0 } else { 0.0 }, 7);
        let age = (frame as i64 - 333) * 7;
        if (0..=100).contains(&age) {
            assert_eq!(held.held(), 1.0);
        } else if !(0..=2 * 107).contains(&age) {
            assert_eq!(held.held(), 0.0);
        }
    }
}
