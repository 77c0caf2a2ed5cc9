//! Soak: random host behavior, faster than real time, with a fixed seed: blocks of any length, jumps, automation, missing
//! stems, bursts of what is no number, denormals, levels up to ±200 dB, many lives. The hosts' clocks are simulated: they
//! drift, hang, run ahead and fall asleep, and while a host plays nothing may ever wait. Ten simulated minutes by default;
//! six hours, alone in the process so that memory can be watched closely:
//!
//! `TRIBUTARY_SOAK_SECONDS=21600 cargo test --release -p tributary-engine --test engine soak:: -- --nocapture`

use std::cell::Cell;
use std::time::{Duration, Instant};

use tributary_dsp::{CHANNELS, CorrectionSource, Recipe, Targets};
use tributary_engine::Time;
use tributary_engine::test_support::{SMALL_GEOMETRY, neutral_recipe};
use tributary_engine::{
    AudioSide, DrySource, Engine, EngineConfig, EngineHandle, ModelSource, Settings, SumModel,
};

use crate::common::Noise;
use crate::realtime::OFFLINE;

const DEFAULT_SECONDS: f64 = 600.0;
const RATES_HZ: [f64; 5] = [44_100.0, 48_000.0, 88_200.0, 96_000.0, 47_999.0];

/// Growth of memory that is no leak, in MiB: alone, and while other tests share the process. One engine's rings left behind
/// per life would be far more.
const GROWTH_MIB: (f64, f64) = (16.0, 200.0);

thread_local! {
    /// The hosts' time.
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Steps of waits so far.
    static WAITS: Cell<u64> = const { Cell::new(0) };
}

const SIMULATED: Time = Time {
    now: || {
        NOW.set(NOW.get().or_else(|| Some(Instant::now())));
        NOW.get().unwrap()
    },
    // The worker is another thread and needs real time.
    sleep: |step| {
        WAITS.set(WAITS.get() + 1);
        let_pass(step.as_secs_f64());
        std::thread::sleep(step);
    },
};

fn let_pass(seconds: f64) {
    NOW.set(Some((SIMULATED.now)() + Duration::from_secs_f64(seconds)));
}

/// A host's clock.
struct Clock {
    /// Against the machine's.
    speed: f64,
    /// What the host asks for at once, in seconds: it was held up, or runs ahead.
    burst_s: f64,
    /// How far it is ahead, which it waits for afterwards.
    ahead_s: f64,
    /// How long it has played. In the first moments of an engine's life there is no past to tell a burst by.
    played_s: f64,
}

impl Clock {
    /// Up to 1,000 ppm off.
    fn new(noise: &mut Noise) -> Self {
        Self { speed: 1.0 + 0.001 * f64::from(noise.sample()), burst_s: 0.0, ahead_s: 0.0, played_s: 0.0 }
    }

    /// A block of this length has been asked for.
    fn pass(&mut self, noise: &mut Noise, block_s: f64) {
        self.played_s += block_s;
        match noise.below(400) {
            _ if self.played_s < 1.0 => {}
            0 => {
                self.burst_s = [0.05, 0.5, 1.5][noise.below(3)];
                let_pass(self.burst_s);
            }
            1 if self.ahead_s == 0.0 => (self.burst_s, self.ahead_s) = (0.5, 0.5),
            // What comes right after an idle time is told by nothing but itself.
            2 if self.burst_s == 0.0 && self.ahead_s == 0.0 => {
                let_pass(8.0 * 3600.0);
                self.played_s = 0.0;
            }
            _ => {}
        }
        let now_s = block_s.min(self.burst_s);
        self.burst_s -= now_s;
        let_pass((block_s - now_s) / self.speed);
        if self.burst_s == 0.0 {
            let_pass(self.ahead_s.min(block_s));
            self.ahead_s -= self.ahead_s.min(block_s);
        }
    }
}

/// The network is the sum.
fn start(recipe: Recipe, rate_hz: f64, max_block: usize) -> (AudioSide, EngineHandle) {
    let (audio, handle) = Engine::start(EngineConfig {
        model: ModelSource::Custom {
            geometry: SMALL_GEOMETRY,
            recipe,
            targets: Box::new(Targets::default()),
            limiter: None,
            load: Box::new(|_| Ok(Box::new(SumModel::new(SMALL_GEOMETRY)))),
        },
        corrections: CorrectionSource::Adaptive,
        host_rate_hz: rate_hz,
        max_block,
    });
    (audio.in_time(SIMULATED), handle)
}

/// Resident memory in MiB, 0 where the system does not say.
fn resident_mib() -> f64 {
    std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<f64>().ok())
        .map_or(0.0, |pages| pages * 4096.0 / (1 << 20) as f64)
}

/// One stem's samples: silence, noise at any level from −200 to +200 dB, or what is not a number.
fn fill(noise: &mut Noise, samples: &mut [f32]) {
    match noise.below(8) {
        0 | 1 => samples.fill(0.0),
        2 => {
            let level = 10.0_f32.powf(noise.sample() * 10.0);
            samples.iter_mut().for_each(|x| *x = level * noise.sample());
        }
        3 => {
            let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, f32::MAX];
            samples.iter_mut().for_each(|x| *x = bad[noise.below(bad.len())]);
        }
        _ => samples.iter_mut().for_each(|x| *x = 0.1 * noise.sample()),
    }
}

#[test]
fn random_hosts_do_no_harm() {
    let asked_s: Option<f64> =
        std::env::var("TRIBUTARY_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let mut noise = Noise(2026);
    let (mut done_s, mut settled_mib, mut lives) = (0.0, 0.0, 0);
    let mut recovery = Recovery::default();
    while done_s < asked_s.unwrap_or(DEFAULT_SECONDS) {
        done_s += if lives % 2 == 0 { rough_life(&mut noise) } else { recovery.live(&mut noise) };
        lives += 1;
        if lives == 20 {
            settled_mib = resident_mib();
        }
    }
    let grown_mib = resident_mib() - settled_mib;
    eprintln!("{lives} lives in {done_s:.0} s, {recovery:?}, memory {grown_mib:+.1} MiB after 20 lives");
    assert!(recovery.bursts > 20 && recovery.checked_frames > 20 * recovery.bursts, "{recovery:?}");
    let allowed_mib = if asked_s.is_some() { GROWTH_MIB.0 } else { GROWTH_MIB.1 };
    assert!(lives > 40 && grown_mib < allowed_mib, "{settled_mib} MiB grew by {grown_mib} MiB");
}

/// A full normalizer, so that bursts and level jumps meet every stage; every parameter moves, and the worker may be late.
fn rough_life(noise: &mut Noise) -> f64 {
    let rate_hz = RATES_HZ[noise.below(RATES_HZ.len())];
    let max_block = 1 << noise.below(13);
    let (mut audio, handle) = start(Recipe::default(), rate_hz, max_block);
    let life_s = 2.0 + noise.below(8) as f64;
    let mut frames_left = (life_s * rate_hz) as usize;
    let mut settings = OFFLINE;
    let mut clock = Clock::new(noise);
    while frames_left > 0 {
        let frames = frames_left.min(1 + noise.below(2 * max_block).max(noise.below(512)));
        frames_left -= frames;
        let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
        stems.iter_mut().for_each(|channel| fill(noise, channel));
        let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
        fill(noise, &mut left);
        if noise.below(20) == 0 {
            settings = Settings {
                mix: noise.sample().abs(),
                output_gain: noise.sample().abs() * 4.0,
                bypass: noise.below(4) == 0,
                dry_source: if noise.below(2) == 0 { DrySource::Bus } else { DrySource::SumOfStems },
                // Mostly offline, so that simulated hours pass quickly; in between the worker may be late.
                offline: noise.below(4) != 0,
                ..Settings::default()
            };
        }
        if noise.below(100) == 0 {
            audio.reset();
        }
        let stems: [&[f32]; CHANNELS] = std::array::from_fn(|c| &stems[c][..]);
        let waits = WAITS.get();
        audio.process([&mut left, &mut right], stems, &settings);
        assert!(
            settings.offline || WAITS.get() == waits,
            "a wait while the host plays, speed {}",
            clock.speed
        );
        clock.pass(noise, frames as f64 / rate_hz);
        assert!(left.iter().chain(&right).all(|x| x.is_finite()), "of a life of {life_s} s");
    }
    recovers(&mut audio, rate_hz);
    assert_eq!(handle.report().state, "ready");
    life_s
}

/// Bursts into a sum whose result is known: one window after each of them it must be exact again.
#[derive(Debug, Default)]
struct Recovery {
    bursts: usize,
    checked_frames: usize,
}

/// What went in and came out since the last jump, left side.
#[derive(Default)]
struct Stretch {
    wanted: Vec<f32>,
    out: Vec<f32>,
    /// Frames since the last burst; far more at the start.
    clean_frames: Vec<usize>,
}

impl Recovery {
    fn live(&mut self, noise: &mut Noise) -> f64 {
        let max_block = 1 << noise.below(13);
        let (mut audio, handle) = start(neutral_recipe(), 44_100.0, max_block);
        let life_s = 2.0 + noise.below(8) as f64;
        let mut frames_left = (life_s * 44_100.0) as usize;
        let (mut stretch, mut burst_left) = (Stretch::default(), 0);
        while frames_left > 0 {
            let frames = frames_left.min(1 + noise.below(2 * max_block).min(noise.below(4096)));
            frames_left -= frames;
            if burst_left == 0 && noise.below(30_000) < frames {
                burst_left = 1 + noise.below(8_000);
                self.bursts += 1;
            }
            let is_burst = burst_left > 0;
            burst_left = burst_left.saturating_sub(frames);
            stretch.play(&mut audio, noise, frames, is_burst);
            if noise.below(400_000) < frames {
                self.checked_frames += stretch.check(audio.latency_frames());
                stretch = Stretch::default();
                audio.reset();
            }
        }
        self.checked_frames += stretch.check(audio.latency_frames());
        assert_eq!(handle.report().state, "ready");
        life_s
    }
}

impl Stretch {
    fn play(&mut self, audio: &mut AudioSide, noise: &mut Noise, frames: usize, is_burst: bool) {
        let mut stems: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; frames]);
        for channel in &mut stems {
            if is_burst {
                fill(noise, channel);
            } else if noise.below(8) > 0 {
                channel.iter_mut().for_each(|x| *x = 0.1 * noise.sample());
            }
        }
        self.wanted.extend((0..frames).map(|n| (0..4).map(|stem| stems[2 * stem][n]).sum::<f32>()));
        for _ in 0..frames {
            let before = self.clean_frames.last().copied().unwrap_or(usize::MAX / 2);
            self.clean_frames.push(if is_burst { 0 } else { before + 1 });
        }
        let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
        audio.process([&mut left, &mut right], std::array::from_fn(|c| &stems[c][..]), &OFFLINE);
        assert!(left.iter().chain(&right).all(|x| x.is_finite()));
        self.out.extend(left);
    }

    /// Compares every frame farther than a window from a burst; returns how many.
    fn check(&self, latency_frames: usize) -> usize {
        let window = SMALL_GEOMETRY.window_frames();
        let mut checked = 0;
        for (n, out) in self.out.iter().enumerate().skip(latency_frames) {
            let at = n - latency_frames;
            let ahead = self.clean_frames.get(at + window).is_some_and(|clean| *clean > 2 * window);
            if self.clean_frames[at] > window && ahead {
                let wanted = self.wanted[at];
                assert!((out - wanted).abs() < 1e-5, "frame {at}: {out} for {wanted}");
                checked += 1;
            }
        }
        checked
    }
}

/// After whatever happened, a reset and clean sound: the mix is there within a latency and half a second.
fn recovers(audio: &mut AudioSide, rate_hz: f64) {
    audio.reset();
    let frames = audio.latency_frames() + (0.5 * rate_hz) as usize;
    let tone: Vec<f32> = (0..frames).map(|n| 0.1 * (n as f32 * 0.05).sin()).collect();
    let (mut left, mut right) = (vec![0.0; frames], vec![0.0; frames]);
    audio.process([&mut left, &mut right], [&tone; CHANNELS], &OFFLINE);
    // The gains are ramped to their new values by now.
    let end = &left[frames - (0.1 * rate_hz) as usize..];
    let peak = end.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    assert!(peak > 1e-3 && peak < 100.0, "{peak}");
}
