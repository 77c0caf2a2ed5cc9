//! What the front end has made, kept as far as the next hops need it: whole runs of bands, and histories of latent frames.

use std::collections::VecDeque;
use std::ops::Range;

use crate::bundle::contract::FRAME_RATIO;
use crate::error::ModelError;
use crate::onnx::graph::Tensor;

/// The newest frames of a number of rows, oldest first.
pub(super) struct History {
    /// Planar, rows of `frames`.
    pub(super) rows: Vec<f32>,
    pub(super) frames: usize,
}

impl History {
    pub(super) fn new(rows: usize, frames: usize) -> Self {
        Self { rows: vec![0.0; rows * frames], frames }
    }

    /// Appends `count` frames to every row and drops as many old ones. `new` is planar, rows of `count`.
    pub(super) fn push(&mut self, new: &[f32], count: usize) {
        let kept = self.frames.saturating_sub(count);
        let taken = self.frames - kept;
        for (row, new) in self.rows.chunks_exact_mut(self.frames).zip(new.chunks_exact(count)) {
            row.copy_within(self.frames - kept.., 0);
            row[kept..].copy_from_slice(&new[count - taken..]);
        }
    }

    /// Appends these frames of every row to `out`, planar.
    pub(super) fn copy(&self, frames: Range<usize>, out: &mut Vec<f32>) {
        for row in self.rows.chunks_exact(self.frames) {
            out.extend_from_slice(&row[frames.clone()]);
        }
    }
}

/// What one run of the front end made.
pub(super) struct Made {
    pub(super) latent: Tensor,
    pub(super) level: Tensor,
    pub(super) bands: Tensor,
    pub(super) filters: usize,
    /// Frames of the bands.
    pub(super) frames: usize,
}

/// The newest frames of all bands, as the runs that made them left them: nothing is copied but what the back end takes.
pub(super) struct Bands {
    frames: usize,
    runs: VecDeque<Made>,
    /// Frames of all runs.
    held_frames: usize,
}

impl Bands {
    /// Room for `frames` frames of silence or sound.
    pub(super) fn new(frames: usize) -> Self {
        Self { frames, runs: VecDeque::new(), held_frames: 0 }
    }

    /// Back to silence.
    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.held_frames = 0;
    }

    pub(super) fn push(&mut self, made: Made) {
        self.held_frames += made.frames;
        self.runs.push_back(made);
        while let Some(oldest) = self.runs.front()
            && self.held_frames - oldest.frames >= self.frames
        {
            self.held_frames -= oldest.frames;
            self.runs.pop_front();
        }
    }

    /// The frames, to be copied.
    pub(super) fn rows<'a>(&'a self) -> Result<Rows<'a>, ModelError> {
        let part = |made: &'a Made| Ok((made.bands()?, made.frames));
        Ok(Rows {
            missing: self.frames.saturating_sub(self.held_frames),
            skipped: self.held_frames.saturating_sub(self.frames),
            runs: self.runs.iter().map(part).collect::<Result<_, ModelError>>()?,
        })
    }
}

/// The frames of [`Bands`], oldest first.
pub(super) struct Rows<'a> {
    /// Frames of silence before the first run.
    missing: usize,
    /// Frames of the first run that are too old.
    skipped: usize,
    /// Planar bands and their frames.
    runs: Vec<(&'a [f32], usize)>,
}

impl Rows<'_> {
    /// Appends these frames of every band to `out`, planar, (filters, frames).
    pub(super) fn copy(&self, wanted: Range<usize>, filters: usize, out: &mut Vec<f32>) {
        for filter in 0..filters {
            out.resize(out.len() + wanted.end.min(self.missing).saturating_sub(wanted.start), 0.0);
            // Frame numbers from the first run's first frame on.
            let numbered = |frame: usize| (frame + self.skipped).saturating_sub(self.missing);
            let (from, to) = (numbered(wanted.start), numbered(wanted.end));
            let mut at = 0;
            for &(bands, frames) in &self.runs {
                let row = &bands[filter * frames..][..frames];
                out.extend_from_slice(&row[from.clamp(at, at + frames) - at..to.clamp(at, at + frames) - at]);
                at += frames;
            }
        }
    }
}

impl Made {
    /// (filters, frames / 64).
    pub(super) fn latent(&self) -> Result<&[f32], ModelError> {
        self.latent.samples("latent", [1, self.filters, self.frames / FRAME_RATIO])
    }

    /// (filters, frames / 64).
    pub(super) fn level(&self) -> Result<&[f32], ModelError> {
        self.level.samples("level", [1, self.filters, self.frames / FRAME_RATIO])
    }

    /// (filters, frames).
    pub(super) fn bands(&self) -> Result<&[f32], ModelError> {
        self.bands.samples("bands", [1, self.filters, self.frames])
    }
}
