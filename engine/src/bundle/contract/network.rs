//! What a bundle's network is made of, kind by kind, and the bounds each kind's numbers must keep. The numbers size
//! buffers, so they are limited here, before anything is allocated.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::limits::{FRAME_RATIO, SPLIT_MARGIN_FRAMES};
use super::parts::{ContractWindow, FileReference, check_file};

/// Most filters of a front end.
const FILTERS_LIMIT: usize = 1024;
/// Longest delay of a temporal net in frames: 3 s at 44.1 kHz.
const DELAY_LIMIT_FRAMES: usize = 131_072;
/// Most rows of a temporal net's memory.
const MEMORY_ROWS_LIMIT: usize = 4096;
/// Most group norms.
const NORMS_LIMIT: usize = 1024;
/// Most layers and units of a BLSTM.
const LSTM_LIMITS: (usize, usize) = (16, 1024);
/// Drives of the final tanh. At −40 dB it bends a peak of +12 dBTP by less than 0.01 dB, and there is no use for more.
const OUTPUT_DRIVE_RANGE_DB: RangeInclusive<f64> = -40.0..=0.0;
/// Shares of the masks. A network of which less is wanted is not wanted.
const MASK_SHARE_RANGE: RangeInclusive<f64> = 0.05..=1.0;

/// What the network is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Network {
    /// CRAFx2 in three graphs: front and back end run on new samples only, the latent mixer on a window of frames.
    Split {
        /// Samples per latent frame.
        frame_ratio: usize,
        /// Filters of the front end.
        filters: usize,
        /// Frames the front end runs behind the newest sample.
        margin_frames: usize,
        /// How far down the mix is driven into the network's final tanh, in dB, −40 to 0; as much gain stands behind it.
        /// 0 when absent. Lower than that the tanh bends fewer peaks, and the limiter is the ceiling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_drive_db: Option<f64>,
        /// How far the masks go from neutral when the network is let through wholly, in the logarithm, 0.05 to 1; 1 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask_share: Option<f64>,
        /// `stems` → `latent`, `level`, `bands`.
        front: FileReference,
        /// `latent`, `level` → `mask`.
        latent: FileReference,
        /// `bands`, `mask` → `mix`.
        back: FileReference,
    },
    /// CRAFx2 in four graphs that compute every latent frame once: what the network needs of the past is carried from
    /// hop to hop, and what it averages over time are running or frozen statistics.
    Incremental {
        /// Samples per latent frame.
        frame_ratio: usize,
        /// Filters of the front end.
        filters: usize,
        /// Frames the front end runs behind the newest sample.
        margin_frames: usize,
        /// How far down the mix is driven into the network's final tanh, in dB, −40 to 0; as much gain stands behind it.
        /// 0 when absent. Lower than that the tanh bends fewer peaks, and the limiter is the ceiling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_drive_db: Option<f64>,
        /// How far the masks go from neutral when the network is let through wholly, in the logarithm, 0.05 to 1; 1 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mask_share: Option<f64>,
        /// Frames the temporal net runs behind its input.
        delay_frames: usize,
        /// Rows of the temporal net's memory; it holds `delay_frames / frame_ratio` columns at a stream's start, twice
        /// as many ever after.
        memory_rows: usize,
        /// Group norms whose statistics are carried.
        norms: usize,
        /// Layers of the BLSTM.
        lstm_layers: usize,
        /// Units per direction of the BLSTM.
        lstm_units: usize,
        /// Raw little-endian f32: mean and variance of every norm, then the mean level per filter. What the network
        /// starts from before it has heard enough of a song. Behind them may follow (2 · norms)² numbers: how the norms
        /// answer to each other, for learning a song's own statistics in one pass.
        statistics: FileReference,
        /// `stems` → `latent`, `level`, `bands`.
        front: FileReference,
        /// `latent`, `memory`, `statistics`, `rate` → `mixed`, `next_memory`, `observed`.
        temporal: FileReference,
        /// `now`, `ahead`, `level`, `carried`, `gate_level`, `rate` → `mask`, `next_carried`, `observed`.
        recurrent: FileReference,
        /// `bands`, `mask` → `mix`.
        back: FileReference,
    },
    /// One graph over the whole window.
    Whole {
        /// The graph.
        graph: FileReference,
        /// Name of the input, shape (1, 8, frames).
        input: String,
        /// Name of the output, shape (1, 2, frames).
        output: String,
    },
    /// The plain sum of the normalized stems; needs no ONNX Runtime.
    Sum {},
}

impl Network {
    /// Newest frames of a window that the network cannot use yet.
    pub fn margin_frames(&self) -> usize {
        match self {
            Self::Split { margin_frames, .. } | Self::Incremental { margin_frames, .. } => *margin_frames,
            Self::Whole { .. } | Self::Sum {} => 0,
        }
    }

    /// How far down the mix is driven into the final tanh, in dB; `None` where the contract does not say.
    pub fn output_drive_db(&self) -> Option<f64> {
        match self {
            Self::Split { output_drive_db, .. } | Self::Incremental { output_drive_db, .. } => {
                *output_drive_db
            }
            Self::Whole { .. } | Self::Sum {} => None,
        }
    }

    /// How far the masks go from neutral when the network is let through wholly.
    pub fn mask_share(&self) -> f64 {
        match self {
            Self::Split { mask_share, .. } | Self::Incremental { mask_share, .. } => {
                mask_share.unwrap_or(1.0)
            }
            Self::Whole { .. } | Self::Sum {} => 1.0,
        }
    }

    /// How far a network that takes any window works behind its input; `None` for one that does not.
    pub(super) fn flexible_delay_frames(&self) -> Option<usize> {
        match self {
            Self::Incremental { delay_frames, .. } => Some(*delay_frames),
            Self::Sum {} => Some(0),
            Self::Split { .. } | Self::Whole { .. } => None,
        }
    }

    /// Checks the numbers against their bounds and the window, and the names of the files.
    pub(super) fn check(&self, window: &ContractWindow) -> Result<(), String> {
        if let Some(drive_db) = self.output_drive_db()
            && !OUTPUT_DRIVE_RANGE_DB.contains(&drive_db)
        {
            let (lowest, highest) = (OUTPUT_DRIVE_RANGE_DB.start(), OUTPUT_DRIVE_RANGE_DB.end());
            return Err(format!("output_drive_db is {drive_db}; expected {lowest} to {highest}"));
        }
        if !MASK_SHARE_RANGE.contains(&self.mask_share()) {
            let (lowest, highest) = (MASK_SHARE_RANGE.start(), MASK_SHARE_RANGE.end());
            return Err(format!("mask_share is {}; expected {lowest} to {highest}", self.mask_share()));
        }
        match self {
            Self::Split { frame_ratio, filters, margin_frames, front, latent, back, .. } => {
                check_front(*frame_ratio, *filters, *margin_frames)?;
                check_window(window, FRAME_RATIO)?;
                [front, latent, back].into_iter().try_for_each(check_file)
            }
            Self::Incremental {
                frame_ratio,
                filters,
                margin_frames,
                delay_frames,
                memory_rows,
                norms,
                lstm_layers,
                lstm_units,
                statistics,
                front,
                temporal,
                recurrent,
                back,
                ..
            } => {
                check_front(*frame_ratio, *filters, *margin_frames)?;
                check_window(window, 2 * SPLIT_MARGIN_FRAMES)?;
                within("delay_frames", *delay_frames, FRAME_RATIO, DELAY_LIMIT_FRAMES)?;
                if !delay_frames.is_multiple_of(FRAME_RATIO) {
                    return Err(format!(
                        "delay_frames is {delay_frames}; it must be a multiple of {FRAME_RATIO}"
                    ));
                }
                within("memory_rows", *memory_rows, 1, MEMORY_ROWS_LIMIT)?;
                within("norms", *norms, 1, NORMS_LIMIT)?;
                within("lstm_layers", *lstm_layers, 1, LSTM_LIMITS.0)?;
                within("lstm_units", *lstm_units, 1, LSTM_LIMITS.1)?;
                [statistics, front, temporal, recurrent, back].into_iter().try_for_each(check_file)
            }
            Self::Whole { graph, input, output } => {
                if input.is_empty() || output.is_empty() {
                    return Err("the network's input and output must be named".into());
                }
                check_file(graph)
            }
            Self::Sum {} => Ok(()),
        }
    }
}

fn within(name: &str, value: usize, least: usize, most: usize) -> Result<(), String> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{name} is {value}; expected {least} to {most}"))
}

/// What every network with a front end of its own states.
fn check_front(frame_ratio: usize, filters: usize, margin_frames: usize) -> Result<(), String> {
    if frame_ratio != FRAME_RATIO {
        return Err(format!("frame_ratio is {frame_ratio}; expected {FRAME_RATIO}"));
    }
    within("filters", filters, 1, FILTERS_LIMIT)?;
    if margin_frames != SPLIT_MARGIN_FRAMES {
        return Err(format!("margin_frames is {margin_frames}; expected {SPLIT_MARGIN_FRAMES}"));
    }
    Ok(())
}

/// The back end needs a latent frame on either side of what it makes, the front end its margins.
fn check_window(window: &ContractWindow, context_frames: usize) -> Result<(), String> {
    if window.context_frames < context_frames {
        return Err(format!(
            "context_frames is {}; a split network needs at least {context_frames}",
            window.context_frames
        ));
    }
    let needed = window.crossfade_frames + SPLIT_MARGIN_FRAMES + FRAME_RATIO;
    if window.lookahead_frames < needed {
        return Err(format!(
            "lookahead_frames is {}; a split network with this crossfade needs at least {needed}",
            window.lookahead_frames
        ));
    }
    Ok(())
}
