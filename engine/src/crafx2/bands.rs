//! What the front end has made, kept as far as the next hops need it: whole runs of bands, and histories of latent frames.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use super::bank::{FrontMade, Stretch};
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
    content: Content,
    filters: usize,
    /// Frames of the bands.
    pub(super) frames: usize,
}

enum Content {
    /// Latent frames, levels, bands, where the runtime put them.
    Graph([Tensor; 3]),
    Bank(FrontMade),
}

impl Made {
    pub(super) fn by_graph(latent_level_bands: [Tensor; 3], filters: usize, frames: usize) -> Self {
        Self { content: Content::Graph(latent_level_bands), filters, frames }
    }

    pub(super) fn by_bank(made: FrontMade, filters: usize, frames: usize) -> Self {
        Self { content: Content::Bank(made), filters, frames }
    }

    /// (filters, frames / 64).
    pub(super) fn latent(&self) -> Result<&[f32], ModelError> {
        match &self.content {
            Content::Graph([latent, ..]) => {
                latent.samples("latent", [1, self.filters, self.frames / FRAME_RATIO])
            }
            Content::Bank(made) => Ok(&made.latent),
        }
    }

    /// (filters, frames / 64).
    pub(super) fn level(&self) -> Result<&[f32], ModelError> {
        match &self.content {
            Content::Graph([_, level, _]) => {
                level.samples("level", [1, self.filters, self.frames / FRAME_RATIO])
            }
            Content::Bank(made) => Ok(&made.level),
        }
    }

    /// Bands (filters, frames).
    pub(super) fn planar(&self) -> Result<Cow<'_, [f32]>, ModelError> {
        match &self.content {
            Content::Graph([.., bands]) => {
                Ok(Cow::Borrowed(bands.samples("bands", [1, self.filters, self.frames])?))
            }
            Content::Bank(made) => Ok((0..self.filters).flat_map(|filter| made.band(filter)).collect()),
        }
    }
}

/// The newest frames of all bands, as the runs that made them left them: nothing is copied but what the back end takes.
pub(super) struct Bands {
    frames: usize,
    runs: VecDeque<Run>,
    /// Frames of all runs.
    held_frames: usize,
}

/// A stretch of bands.
enum Run {
    Made(Made),
    /// So many frames of it.
    Silence(usize),
}

impl Run {
    fn frames(&self) -> usize {
        match self {
            Self::Made(made) => made.frames,
            Self::Silence(frames) => *frames,
        }
    }
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

    /// Appends what a run made.
    pub(super) fn push(&mut self, made: Made) {
        self.push_run(Run::Made(made));
    }

    /// Appends frames of silence.
    pub(super) fn push_silence(&mut self, frames: usize) {
        self.push_run(Run::Silence(frames));
    }

    fn push_run(&mut self, run: Run) {
        self.held_frames += run.frames();
        self.runs.push_back(run);
        while let Some(oldest) = self.runs.front().map(Run::frames)
            && self.held_frames - oldest >= self.frames
        {
            self.held_frames -= oldest;
            self.runs.pop_front();
        }
    }

    /// The frames, to be taken.
    pub(super) fn rows(&self) -> Result<Rows<'_>, ModelError> {
        let missing = self.frames.saturating_sub(self.held_frames);
        let mut skipped = self.held_frames.saturating_sub(self.frames);
        let mut parts = vec![(Part::Silence, 0..missing)];
        for run in &self.runs {
            let part = match run {
                Run::Silence(_) => Part::Silence,
                Run::Made(Made { content: Content::Bank(made), .. }) => Part::Packed(made),
                Run::Made(made) => Part::Planar(made.planar()?, made.frames),
            };
            // Only the first run may reach back too far.
            parts.push((part, std::mem::take(&mut skipped)..run.frames()));
        }
        Ok(Rows { parts })
    }
}

/// The frames of [`Bands`], oldest first.
pub(super) struct Rows<'a> {
    /// Which frames of each part belong to them.
    parts: Vec<(Part<'a>, Range<usize>)>,
}

enum Part<'a> {
    Silence,
    /// (filters, frames), and their number.
    Planar(Cow<'a, [f32]>, usize),
    Packed(&'a FrontMade),
}

impl Rows<'_> {
    /// The parts that these frames lie in, and which frames of each.
    fn cut(&self, wanted: Range<usize>) -> impl Iterator<Item = (&Part<'_>, Range<usize>)> {
        let mut at = 0;
        self.parts.iter().filter_map(move |(part, frames)| {
            let (from, to) = (wanted.start.max(at), wanted.end.min(at + frames.len()));
            let before = at;
            at += frames.len();
            (from < to).then(|| (part, frames.start + from - before..frames.start + to - before))
        })
    }

    /// Appends these frames of every band to `out`, planar, (filters, frames).
    pub(super) fn copy(&self, wanted: Range<usize>, filters: usize, out: &mut Vec<f32>) {
        for filter in 0..filters {
            for (part, frames) in self.cut(wanted.clone()) {
                match part {
                    Part::Silence => out.resize(out.len() + frames.len(), 0.0),
                    Part::Planar(bands, length) => {
                        out.extend_from_slice(&bands[filter * length..][..*length][frames]);
                    }
                    Part::Packed(made) => out.extend(made.band(filter).skip(frames.start).take(frames.len())),
                }
            }
        }
    }

    /// These frames as a bank takes them. What a graph has made is silence to it: one network has ends of one kind.
    pub(super) fn stretch(&self, wanted: Range<usize>) -> Stretch<'_> {
        let runs = self.cut(wanted).map(|(part, frames)| match part {
            // It holds a latent frame ahead of its frames.
            Part::Packed(made) => (Some(&made.bands), frames.start + FRAME_RATIO..frames.end + FRAME_RATIO),
            Part::Silence | Part::Planar(..) => (None, frames),
        });
        Stretch { runs: runs.collect() }
    }
}
