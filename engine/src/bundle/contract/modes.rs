//! Latency modes: how long the mix may come after its stems, as windows. A contract states one window, the one its author
//! trained and measured; the other modes' windows follow from it here and nowhere else, so that plug-in and command line
//! agree. A network that carries its past (`incremental`) and the plain sum work with any window. Networks that see their
//! window and nothing else (`split`, `whole`) were trained for one: they have no other than the standard mode.

use serde::{Deserialize, Serialize};

use tributary_dsp::HOP_FRAMES;

use super::geometry::WindowGeometry;
use super::limits::{FRAME_RATIO, SPLIT_MARGIN_FRAMES};

/// Low: longest hop, one of the normalizer's. A network that states no computing time gets twice as much.
const LOW_HOP_FRAMES: usize = HOP_FRAMES;
/// Low: longest lookahead. What it leaves uncovered of a temporal net's delay makes the mask late by as much. Hops of the
/// normalizer, like the hop, so that the two grids wait for each other nowhere (`latency.rs`): 69.7 ms at 44.1 kHz.
const LOW_LOOKAHEAD_FRAMES: usize = 3 * HOP_FRAMES;
/// Low: longest joint between hops.
const LOW_CROSSFADE_MS: f64 = 12.0;
/// High: shortest hop.
const HIGH_HOP_MS: f64 = 500.0;
/// High: the future that the backward LSTMs see of every hop, beyond the temporal net's delay.
const HIGH_FUTURE_MS: f64 = 1000.0;
/// What a hop may take beyond the network's share of it ([`ContractWindow::computing_share`](super::ContractWindow)): a
/// device's buffer of 512 frames at 44.1 kHz, which some hosts pass on in several blocks at once. The worker's own sleep of
/// up to 1 ms and the normalizer's work on the last frames are in the network's share.
const MACHINE_MS: f64 = 12.0;
/// Monitor: the hop. Short against the normalizer's own blocks of 1,024 frames, so that these decide.
const MONITOR_HOP_MS: f64 = 5.8;

/// Hearing without making: the hop, in hops of the standard mode.
const LISTENING_HOPS: usize = 2;

/// How long the mix may come after its stems.
///
/// ```
/// use tributary_engine::LatencyMode;
///
/// assert_eq!(LatencyMode::default(), LatencyMode::Standard);
/// assert_eq!(LatencyMode::ALL.map(LatencyMode::name), ["low", "standard", "high", "monitor"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatencyMode {
    /// Short hops, little lookahead: at most 150 ms.
    Low,
    /// The window of the contract.
    #[default]
    Standard,
    /// All that the network can use of the future.
    High,
    /// No network: the sum of the normalized stems, at most 65 ms, for playing along.
    Monitor,
}

impl LatencyMode {
    /// All modes, as an editor lists them.
    pub const ALL: [Self; 4] = [Self::Low, Self::Standard, Self::High, Self::Monitor];

    /// Its name, as in saved projects.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Standard => "standard",
            Self::High => "high",
            Self::Monitor => "monitor",
        }
    }
}

impl WindowGeometry {
    /// The window of a mode, where `self` is the standard one: the same when the network has no other.
    pub(super) fn in_mode(self, mode: LatencyMode, network: Flexibility) -> Self {
        let standard = self;
        let frames = |ms: f64| latent_multiple(ms, self.sample_rate_hz);
        let derived = match (mode, network.delay_frames) {
            (LatencyMode::Monitor, _) => {
                let hop_frames = frames(MONITOR_HOP_MS);
                return Self {
                    context_frames: 0,
                    hop_frames,
                    lookahead_frames: 0,
                    crossfade_frames: 0,
                    margin_frames: 0,
                    computing_frames: hop_frames,
                    ..standard
                };
            }
            (LatencyMode::Low, Some(_)) => {
                let longest = LOW_HOP_FRAMES * if network.computing_share.is_some() { 1 } else { 2 };
                let crossfade_frames = standard.crossfade_frames.min(frames(LOW_CROSSFADE_MS));
                let least = crossfade_frames + SPLIT_MARGIN_FRAMES + FRAME_RATIO;
                Self {
                    hop_frames: standard.hop_frames.min(longest),
                    lookahead_frames: standard.lookahead_frames.min(LOW_LOOKAHEAD_FRAMES.max(least)),
                    crossfade_frames,
                    ..standard
                }
            }
            (LatencyMode::High, Some(delay_frames)) => {
                let reach = standard.margin_frames + delay_frames + frames(HIGH_FUTURE_MS);
                Self {
                    hop_frames: standard.hop_frames.max(frames(HIGH_HOP_MS)),
                    lookahead_frames: standard.lookahead_frames.max(reach),
                    ..standard
                }
            }
            (LatencyMode::Standard, _) | (_, None) => standard,
        };
        // Numbers at the edge of what a contract may state can leave no room for more.
        let derived = if derived.check().is_ok() { derived } else { standard };
        derived.with_computing(network.computing_share)
    }

    /// The window for hearing a song without making anything of it: the standard one with longer hops, which cost less.
    pub(super) fn for_listening(self, network: Flexibility) -> Self {
        let longer = Self { hop_frames: LISTENING_HOPS * self.hop_frames, ..self };
        if network.delay_frames.is_some() && longer.check().is_ok() { longer } else { self }
    }

    /// The same window with the time that a run may take: this share of a hop, and what the machine may take; all of the hop
    /// where no share is stated.
    pub(super) fn with_computing(self, share: Option<f64>) -> Self {
        let machine_frames = MACHINE_MS * 1e-3 * f64::from(self.sample_rate_hz);
        let computing_frames = share.map_or(self.hop_frames, |share| {
            (share * self.hop_frames as f64 + machine_frames).ceil() as usize
        });
        Self { computing_frames, ..self }
    }
}

/// What other windows a network can work with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flexibility {
    /// How far a network that takes any window works behind its input; `None` for one that was trained for its window.
    pub(super) delay_frames: Option<usize>,
    /// The share of a hop that computing it may take, if the contract states one.
    pub(super) computing_share: Option<f64>,
}

/// The nearest multiple of a latent frame, at least one.
fn latent_multiple(ms: f64, sample_rate_hz: u32) -> usize {
    let latent_frames = (ms * 1e-3 * f64::from(sample_rate_hz) / FRAME_RATIO as f64).round() as usize;
    latent_frames.max(1) * FRAME_RATIO
}
