//! Latency modes: how long the mix may come after its stems, as windows. A contract states one window, the one its author
//! trained and measured; the other modes' windows follow from it here and nowhere else, so that plug-in and command line
//! agree. A network that carries its past (`incremental`) and the plain sum work with any window. Networks that see their
//! window and nothing else (`split`, `whole`) were trained for one: they have no other than the standard mode.

use serde::{Deserialize, Serialize};

use super::geometry::WindowGeometry;
use super::limits::{FRAME_RATIO, SPLIT_MARGIN_FRAMES};

/// Low: longest hop. A hop counts twice in the latency, for gathering and for computing.
const LOW_HOP_MS: f64 = 46.0;
/// Low: longest lookahead. What it leaves uncovered of a temporal net's delay makes the mask late by as much.
const LOW_LOOKAHEAD_MS: f64 = 58.0;
/// Low: longest joint between hops.
const LOW_CROSSFADE_MS: f64 = 12.0;
/// High: shortest hop.
const HIGH_HOP_MS: f64 = 500.0;
/// High: the future that the backward LSTMs see of every hop, beyond the temporal net's delay.
const HIGH_FUTURE_MS: f64 = 1000.0;
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
    /// Short hops, little lookahead: at most 350 ms.
    Low,
    /// The window of the contract.
    #[default]
    Standard,
    /// All that the network can use of the future.
    High,
    /// No network: the sum of the normalized stems, at most 120 ms, for playing along.
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
    /// `flexible_delay_frames` is [`Network::flexible_delay_frames`](super::network::Network::flexible_delay_frames).
    pub(super) fn in_mode(self, mode: LatencyMode, flexible_delay_frames: Option<usize>) -> Self {
        let standard = self;
        let frames = |ms: f64| latent_multiple(ms, self.sample_rate_hz);
        let derived = match (mode, flexible_delay_frames) {
            (LatencyMode::Monitor, _) => Self {
                context_frames: 0,
                hop_frames: frames(MONITOR_HOP_MS),
                lookahead_frames: 0,
                crossfade_frames: 0,
                margin_frames: 0,
                ..standard
            },
            (LatencyMode::Low, Some(_)) => {
                let crossfade_frames = standard.crossfade_frames.min(frames(LOW_CROSSFADE_MS));
                let least = crossfade_frames + SPLIT_MARGIN_FRAMES + FRAME_RATIO;
                Self {
                    hop_frames: standard.hop_frames.min(frames(LOW_HOP_MS)),
                    lookahead_frames: standard.lookahead_frames.min(frames(LOW_LOOKAHEAD_MS).max(least)),
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
        if derived.check().is_ok() { derived } else { standard }
    }

    /// The window for hearing a song without making anything of it: the standard one with longer hops, which cost less.
    pub(super) fn for_listening(self, flexible_delay_frames: Option<usize>) -> Self {
        let longer = Self { hop_frames: LISTENING_HOPS * self.hop_frames, ..self };
        if flexible_delay_frames.is_some() && longer.check().is_ok() { longer } else { self }
    }
}

/// The nearest multiple of a latent frame, at least one.
fn latent_multiple(ms: f64, sample_rate_hz: u32) -> usize {
    let latent_frames = (ms * 1e-3 * f64::from(sample_rate_hz) / FRAME_RATIO as f64).round() as usize;
    latent_frames.max(1) * FRAME_RATIO
}
