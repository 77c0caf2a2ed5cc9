//! The host of the simulation: plays blocks of any length, and checks that each is finite and allocates nothing.

use super::*;

/// The host: plays a chord, block by block, and keeps what comes out.
pub(super) struct Host {
    pub(super) audio: AudioSide,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) random: Noise,
    pub(super) out: Vec<f32>,
    pub(super) underrun_times: Vec<u64>,
    /// Parameters move and the transport jumps.
    pub(super) restless: bool,
    pub(super) settings: Settings,
    /// The host's clock against the machine's.
    pub(super) speed: f64,
    /// Frames that the host has yet to catch up.
    pub(super) behind_frames: usize,
    /// How loud the stems are.
    pub(super) level: f32,
}

/// What is played: a slow chord, equal on all stems' left sides.
pub(super) fn chord(n: usize) -> f32 {
    0.05 * (n as f32 * 0.021).sin() + 0.02 * (n as f32 * 0.0037).sin()
}

impl Host {
    pub(super) fn play(&mut self) {
        let frames = 1 + self.random.below(MAX_BLOCK);
        self.play_block(frames);
    }

    /// Nothing for a while, and then everything that is missing at once.
    pub(super) fn hang(&mut self, seconds: f64) {
        let_pass(Duration::from_secs_f64(seconds));
        self.behind_frames = (seconds * RATE_HZ) as usize;
    }

    pub(super) fn play_block(&mut self, frames: usize) {
        let at = self.out.len();
        let left: Vec<f32> = (at..at + frames).map(|n| self.level * chord(n)).collect();
        let right = vec![0.0; frames];
        let stems: [&[f32]; CHANNELS] =
            std::array::from_fn(|c| if c % 2 == 0 { &left[..] } else { &right[..] });
        let (mut main, mut other) = (vec![0.0; frames], vec![0.0; frames]);
        let before = self.telemetry.underruns.load(Relaxed);
        let jumps = self.restless && self.random.below(200) == 0;
        if self.restless {
            self.automate();
        }
        let allocations = alloc::allocations(|| {
            if jumps {
                self.audio.reset();
            }
            self.audio.process([&mut main, &mut other], stems, &self.settings);
        });
        let is_alone = !clocks::is_worker_here();
        assert!(
            allocations == 0 || !is_alone,
            "{allocations} allocations, whatever state the audio side is in"
        );
        if self.telemetry.underruns.load(Relaxed) > before {
            assert_eq!(self.telemetry.last_underrun_frame.load(Relaxed), at as u64, "counted with its time");
            self.underrun_times.push(at as u64);
        }
        assert!(main.iter().chain(&other).all(|x| x.is_finite()));
        self.out.extend(&main);
        let late_frames = self.behind_frames.min(frames);
        self.behind_frames -= late_frames;
        let_pass(Duration::from_secs_f64((frames - late_frames) as f64 / (RATE_HZ * self.speed)));
    }

    pub(super) fn automate(&mut self) {
        let mut share = || self.random.below(1000) as f32 / 999.0;
        let (mix, output_gain) = (share(), 2.0 * share());
        let dry_source = if share() < 0.5 { DrySource::Bus } else { DrySource::SumOfStems };
        self.settings = Settings {
            mix,
            output_gain,
            bypass: share() < 0.2,
            dry_source,
            offline: false,
            ..Settings::default()
        };
    }
}
