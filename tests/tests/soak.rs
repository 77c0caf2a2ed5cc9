//! A host that does everything hosts do, in no order: odd blocks, jumps, stops, automation, missing stems, broken samples,
//! other rates, and playing by a clock that drifts and catches up. Whatever came before, the next clean pass must be right, and memory must not grow.
//!
//! Three simulated minutes by default; `TRIBUTARY_SOAK_MINUTES` lengthens it.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod common;

use std::time::{Duration, Instant};

use clap_host::parameters::Parameter;
use clap_host::play::{play_aligned, play_with};
use clap_host::signals::Random;
use clap_host::{AudioSetup, Bus, BusAudio, ParameterChange, Partition, Processor, Stereo};
use common::{MODEL_RATE_HZ, NULL_DB, Plugin, song};

const RATES_HZ: [f64; 4] = [44_100.0, 48_000.0, 96_000.0, 22_050.0];
const MAX_BLOCK_FRAMES: [usize; 4] = [32, 512, 1000, 4096];

struct Host {
    plugin: Plugin,
    processor: Option<Processor>,
    setup: AudioSetup,
    parameters: Vec<Parameter>,
    random: Random,
    simulated_s: f64,
}

impl Host {
    fn new(mut plugin: Plugin, seed: u64) -> Self {
        let parameters = plugin.instance.parameters().unwrap();
        let setup = AudioSetup::offline(MODEL_RATE_HZ, 512);
        let mut host =
            Self { plugin, processor: None, setup, parameters, random: Random::new(seed), simulated_s: 0.0 };
        host.activate(setup);
        host
    }

    fn activate(&mut self, setup: AudioSetup) {
        if let Some(processor) = self.processor.take() {
            self.plugin.instance.deactivate(processor);
        }
        self.setup = setup;
        self.processor = Some(self.plugin.activate(setup));
    }

    fn processor(&mut self) -> &mut Processor {
        self.processor.as_mut().unwrap()
    }

    /// Plays for a second in real time by a clock that is up to 1,000 ppm off, held up once by up to half a second, which
    /// it catches up: nothing of that is a render.
    fn live_scene(&mut self) {
        self.activate(AudioSetup::live(MODEL_RATE_HZ, 512));
        let render = |host: &mut Self| {
            let report = host.plugin.instance.save_state().unwrap().report();
            report.map(|report| report.0["render"].clone())
        };
        let before = render(self);
        let audio = song(44_100, MODEL_RATE_HZ, self.random.bits() % 1000);
        let speed = 1.0 + 0.002 * (self.random.unit() - 0.5);
        let hold_up_s = 0.5 * self.random.unit();
        let held_up_from = self.random.below(audio.frames());
        let started = Instant::now();
        let mut pace = |frames: usize| {
            let due_s = frames as f64 / (MODEL_RATE_HZ * speed);
            let is_held_up = (held_up_from..held_up_from + 512).contains(&frames);
            let until_s = if is_held_up { due_s + hold_up_s } else { due_s };
            std::thread::sleep(Duration::from_secs_f64(until_s).saturating_sub(started.elapsed()));
        };
        let output = play_with(self.processor(), &audio, &Partition::Fixed(512), &[], &mut pace).unwrap();
        assert!(output.is_finite());
        assert_eq!(render(self), before, "speed {speed}, held up by {hold_up_s} s");
        self.simulated_s += 1.0;
    }

    /// Up to two seconds of song with something wrong or unusual about it.
    fn scene(&mut self) {
        match self.random.below(8) {
            0 => self.processor().reset(),
            1 => self.processor().stop(),
            2 => {
                let rate_hz = RATES_HZ[self.random.below(RATES_HZ.len())];
                let max_block_frames = MAX_BLOCK_FRAMES[self.random.below(MAX_BLOCK_FRAMES.len())];
                let offline = self.random.below(2) == 0;
                self.activate(AudioSetup { rate_hz, max_block_frames, offline });
            }
            3 => {
                let state = self.plugin.instance.save_state().unwrap();
                self.plugin.instance.load_state(&state).unwrap();
            }
            _ => {}
        }
        let frames = 1 + self.random.below((2.0 * self.setup.rate_hz) as usize);
        let seed = self.random.bits() % 1000;
        let audio = self.spoil(song(frames, self.setup.rate_hz, seed));
        let changes = self.automation(frames);
        let partition =
            Partition::Random { max_frames: self.setup.max_block_frames, seed: self.random.bits() };
        let output = play_with(self.processor(), &audio, &partition, &changes, &mut |_| {}).unwrap();
        assert!(output.is_finite(), "a sample is not a number after {:.0} s", self.simulated_s);
        self.simulated_s += frames as f64 / self.setup.rate_hz;
    }

    fn spoil(&mut self, mut audio: BusAudio) -> BusAudio {
        let frames = audio.frames();
        for bus in Bus::ALL {
            let mut stereo = audio.bus(bus).clone();
            match self.random.below(10) {
                0 => stereo = Stereo::silence(frames),
                1 => {
                    // Levels up to ±200 dB.
                    let gain = 10.0_f64.powf(20.0 * self.random.unit() - 10.0) as f32;
                    stereo.left.iter_mut().chain(&mut stereo.right).for_each(|sample| *sample *= gain);
                }
                2 => {
                    let strange = [f32::NAN, f32::INFINITY, -f32::INFINITY, f32::MAX, 1e-40];
                    for _ in 0..1 + self.random.below(50) {
                        let at = self.random.below(frames);
                        stereo.left[at] = strange[self.random.below(strange.len())];
                        stereo.right[at] = strange[self.random.below(strange.len())];
                    }
                }
                _ => {}
            }
            audio = audio.with(bus, stereo);
        }
        audio
    }

    fn automation(&mut self, frames: usize) -> Vec<ParameterChange> {
        let count = self.random.below(6);
        let mut at: Vec<usize> = (0..count).map(|_| self.random.below(frames)).collect();
        at.sort_unstable();
        at.into_iter()
            .map(|frame| {
                let parameter = &self.parameters[self.random.below(self.parameters.len())];
                let value = parameter.value_at(self.random.unit());
                // Switches take whole values.
                let value = if parameter.max - parameter.min == 1.0 && parameter.name != "Mix" {
                    value.round()
                } else {
                    value
                };
                ParameterChange { frame, parameter_id: parameter.id, value }
            })
            .collect()
    }

    /// A clean pass must be right, whatever was before.
    fn check(&mut self) {
        if self.setup.rate_hz != MODEL_RATE_HZ {
            self.activate(AudioSetup::offline(MODEL_RATE_HZ, self.setup.max_block_frames));
        }
        let defaults: Vec<ParameterChange> = self
            .parameters
            .iter()
            .map(|parameter| ParameterChange {
                frame: 0,
                parameter_id: parameter.id,
                value: parameter.default,
            })
            .collect();
        let silence = BusAudio::silence(22_050);
        let partition = Partition::Fixed(self.setup.max_block_frames);
        // It comes as fast as it can be made, so a host says that it renders; what it said when it activated counts again
        // afterwards.
        self.plugin.instance.say_offline(true).unwrap();
        play_with(self.processor(), &silence, &partition, &defaults, &mut |_| {}).unwrap();
        self.processor().reset();
        let latency = self.plugin.instance.latency_frames();
        let audio = song(66_150, MODEL_RATE_HZ, self.random.bits() % 1000);
        let mix = play_aligned(self.processor(), &audio, &partition, latency).unwrap();
        self.plugin.instance.say_offline(self.setup.offline).unwrap();
        let residual_db = mix.residual_db(&audio.sum_of_stems());
        assert!(residual_db <= NULL_DB, "after {:.0} s: {residual_db:.1} dB", self.simulated_s);
        self.simulated_s += 2.0 + latency as f64 / MODEL_RATE_HZ;
    }
}

/// Resident memory of this process, in KiB; zero where the system does not tell.
fn memory_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

#[test]
fn whatever_the_host_does_the_next_pass_is_right() {
    let Some(plugin) = Plugin::with_sum_model() else { return };
    let minutes =
        std::env::var("TRIBUTARY_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let mut host = Host::new(plugin, 1);
    let mut settled_kib = None;
    while host.simulated_s < 60.0 * minutes {
        (0..8).for_each(|_| host.scene());
        host.live_scene();
        host.check();
        if host.simulated_s > 20.0 * minutes {
            settled_kib.get_or_insert_with(memory_kib);
        }
    }
    let growth_kib = memory_kib().saturating_sub(settled_kib.unwrap_or(0));
    assert!(growth_kib < 32 * 1024, "memory grew by {growth_kib} KiB in the last two thirds");
    let processor = host.processor.take().unwrap();
    host.plugin.instance.deactivate(processor);
}
