//! Learns what a network averages over a song: runs it once over the normalized stems. The same for the plug-in, which has
//! captured them, and for the command line, which has the files; so both hold the same numbers. Always in one window:
//! statistics belong to a song and a network, not to a latency.

use std::path::Path;

use tributary_dsp::{CHANNELS, Cause, Stem, StemStore, StoreError};

use crate::bundle::ModelBundle;
use crate::bundle::statistics::Statistics;
use crate::error::ModelError;
use crate::model::SongLearner;
use crate::pipeline::window::StemWindow;

/// Four normalized stems at the model's rate; those that are missing are silent.
pub type NormalizedStems<'a> = [Option<&'a mut dyn StemStore>; Stem::COUNT];
/// Hears the share done, 0 to 1, and may stop the work by returning a reason.
pub type Progress<'a> = dyn FnMut(f64) -> Result<(), Cause> + 'a;

/// Why a network's averages over a song are not known.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SongAveragesError {
    /// The network cannot be loaded or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A stem cannot be read.
    #[error(transparent)]
    Stem(#[from] StoreError),
    /// Whoever heard the progress wanted no more of it.
    #[error(transparent)]
    Stopped(#[from] Cause),
}

impl ModelBundle {
    /// What the network averages over a song. Loads a model of its own and runs it once over the whole song, on two cores if
    /// `looks_ahead`, with the same result: takes almost as long as mixing it. `None` when the network averages nothing, or
    /// the song is shorter than its window.
    ///
    /// # Errors
    /// What cannot be loaded, run or read, or the reason of `progress`.
    pub fn song_statistics(
        &self,
        library: Option<&Path>,
        stems: NormalizedStems<'_>,
        looks_ahead: bool,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Statistics>, SongAveragesError> {
        if !self.has_statistics() {
            return Ok(None);
        }
        let bundle = self.clone().listening();
        let mut model = bundle.find_library_and_load(library)?.model;
        let mut window = StemWindow::new(model.geometry());
        if looks_ahead && model.look_ahead() {
            window = window.showing_next();
        }
        let Some(learner) = model.learner() else { return Ok(None) };
        let statistics = run_over(learner, window, stems, progress)?;
        Ok(statistics.filter(|statistics| self.accepts(statistics)))
    }
}

/// Runs a fresh model over every complete window of the song. Silence behind the end would count as song, so the last
/// frames, less than a hop, are left out.
fn run_over(
    learner: &mut dyn SongLearner,
    mut window: StemWindow,
    mut stems: NormalizedStems<'_>,
    progress: &mut Progress<'_>,
) -> Result<Option<Statistics>, SongAveragesError> {
    let geometry = window.geometry();
    let frames = stems.iter().flatten().map(|stem| stem.frames()).max().unwrap_or(0);
    let mut piece: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; geometry.hop_frames]);
    for at in (0..frames).step_by(geometry.hop_frames) {
        let count = (frames - at).min(geometry.hop_frames);
        read(&mut stems, at, count, &mut piece)?;
        window.append(std::array::from_fn(|channel| &piece[channel][..count]));
        listen(learner, &mut window)?;
        progress(at as f64 / frames as f64)?;
    }
    listen(learner, &mut window.showing_itself())?;
    progress(1.0)?;
    Ok(learner.learned())
}

/// Listens to every window that is complete.
fn listen(learner: &mut dyn SongLearner, window: &mut StemWindow) -> Result<(), ModelError> {
    while window.is_complete() {
        learner.listen(window)?;
        window.advance(true);
    }
    Ok(())
}

/// Reads frames of all stems; behind a stem's end lies silence.
fn read(
    stems: &mut NormalizedStems<'_>,
    at: usize,
    count: usize,
    piece: &mut [Vec<f32>; CHANNELS],
) -> Result<(), StoreError> {
    for (stem, pair) in stems.iter_mut().zip(piece.chunks_exact_mut(2)) {
        let [left, right] = pair else { continue };
        let there = stem.as_ref().map_or(0, |stem| stem.frames().saturating_sub(at).min(count));
        left[there..count].fill(0.0);
        right[there..count].fill(0.0);
        if let Some(stem) = stem
            && there > 0
        {
            stem.read(at, &mut left[..there], &mut right[..there])?;
        }
    }
    Ok(())
}
