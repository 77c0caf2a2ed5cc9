//! Front and back end of CRAFx2, which every form of the network in parts shares: both are local in time, so they run on
//! new samples only and a [`History`] keeps what they made.

use std::ops::Range;
use std::thread::JoinHandle;

use ort::session::{RunOptions, Session};
use ort::value::{DynValue, TensorRef};
use tributary_dsp::CHANNELS;

use super::{Graph, Port, run_error};
use crate::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN, WindowGeometry};
use crate::error::ModelError;
use crate::window::StemWindow;

/// Longest stretch the front end handles in one run; bounds memory at the start of a stream and after skipped hops.
const FRONT_FRAMES: usize = 16_384;

/// A tensor (1, rows, any number of frames).
pub(super) fn port(name: &str, rows: usize) -> Port<'_> {
    Port { name, shape: [Some(1), Some(rows), None] }
}

/// Checks the shapes of both ends.
pub(super) fn check_ends(front: &Graph, back: &Graph, filters: usize) -> Result<(), ModelError> {
    front.check(
        &[port("stems", CHANNELS)],
        &[port("latent", filters), port("level", filters), port("bands", filters)],
    )?;
    back.check(&[port("bands", filters), port("mask", filters)], &[port("mix", 2)])
}

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

/// The front end's graph with what every caller needs around it. It is local in time, so what the next hop needs of it can
/// be made in another thread while this hop goes on: the same runs on the same samples, hence the same bits.
pub(super) struct FrontRun {
    /// Not here while it runs ahead.
    graph: Option<Graph>,
    ahead: Option<Ahead>,
    looks_ahead: bool,
    /// What the front end makes of silence, per filter: what lies before a stream.
    silent_latent: Vec<f32>,
    gathered: Vec<f32>,
}

/// Runs of the next hop in a thread of their own.
struct Ahead {
    /// Frames the runs cover.
    frames: usize,
    thread: JoinHandle<(Graph, Result<Vec<Made>, ModelError>)>,
}

/// What one run made, where ONNX Runtime put it: the bands of a hop are megabytes.
struct Made {
    latent: DynValue,
    level: DynValue,
    bands: DynValue,
    frames: usize,
}

impl FrontRun {
    pub(super) fn new(graph: Graph, filters: usize) -> Self {
        let silent_latent = vec![0.0; filters];
        Self { graph: Some(graph), ahead: None, looks_ahead: false, silent_latent, gathered: Vec::new() }
    }

    /// From now on uses a second thread whenever the window shows the next hop.
    pub(super) fn look_ahead(&mut self) {
        self.looks_ahead = true;
    }

    /// Forgets what was made ahead: the stream goes on elsewhere.
    pub(super) fn forget(&mut self) {
        drop(self.end_ahead());
    }

    /// Finds out what silence looks like.
    pub(super) fn learn_silence(&mut self, options: &RunOptions) -> Result<(), ModelError> {
        self.gathered.clear();
        self.gathered.resize(CHANNELS * (FRAME_RATIO + 2 * MARGIN), 0.0);
        let Self { graph, silent_latent, gathered, .. } = self;
        let made = run_front(here(graph)?, options, gathered)?;
        made.give(|latent, _, _, _| silent_latent.copy_from_slice(latent))
    }

    /// Fills columns of `rows` (filters, `columns`) with the latents of silence.
    pub(super) fn place_silence(&self, rows: &mut [f32], columns: usize, range: Range<usize>) {
        for (row, &silent) in rows.chunks_exact_mut(columns).zip(&self.silent_latent) {
            row[range.clone()].fill(silent);
        }
    }

    /// A whole signal between silences, one slice per channel, to latent, level and bands.
    pub(super) fn run<'a>(
        &mut self,
        options: &RunOptions,
        channels: impl Iterator<Item = &'a [f32]>,
        take: impl FnOnce(&[f32], &[f32], &[f32]),
    ) -> Result<(), ModelError> {
        self.gathered.clear();
        for channel in channels {
            self.gathered.extend([0.0; MARGIN]);
            self.gathered.extend_from_slice(channel);
            self.gathered.extend([0.0; MARGIN]);
        }
        let made = run_front(here(&mut self.graph)?, options, &self.gathered)?;
        made.give(|latent, level, bands, _| take(latent, level, bands))
    }

    /// The newest `behind` frames before the window's edge to latent, level, bands and their number, in pieces.
    pub(super) fn follow(
        &mut self,
        options: &RunOptions,
        window: &StemWindow,
        behind: usize,
        mut take: impl FnMut(&[f32], &[f32], &[f32], usize),
    ) -> Result<(), ModelError> {
        match self.end_ahead().filter(|(frames, _)| *frames == behind) {
            Some((_, made)) => made?.iter().try_for_each(|made| made.give(&mut take))?,
            None => {
                let Self { graph, gathered, .. } = self;
                let graph = here(graph)?;
                for range in pieces(window.geometry(), behind) {
                    gathered.clear();
                    gather(gathered, range, |channel| window.channel(channel));
                    run_front(graph, options, gathered)?.give(&mut take)?;
                }
            }
        }
        if self.looks_ahead && window.shows_next() {
            self.start_ahead(window);
        }
        Ok(())
    }

    /// Starts what the next hop will need, if no hop is skipped until then.
    fn start_ahead(&mut self, window: &StemWindow) {
        let Some(mut graph) = self.graph.take() else { return };
        let frames = window.geometry().hop_frames;
        let inputs: Vec<Vec<f32>> = pieces(window.geometry(), frames)
            .map(|range| {
                let mut input = Vec::with_capacity(CHANNELS * range.len());
                gather(&mut input, range, |channel| window.next_channel(channel));
                input
            })
            .collect();
        let thread = std::thread::spawn(move || {
            let made = RunOptions::new().map_err(run_error).and_then(|options| {
                inputs.iter().map(|input| run_front(&mut graph, &options, input)).collect()
            });
            (graph, made)
        });
        self.ahead = Some(Ahead { frames, thread });
    }

    /// Waits for what was started and takes the graph back.
    fn end_ahead(&mut self) -> Option<(usize, Result<Vec<Made>, ModelError>)> {
        let Ahead { frames, thread } = self.ahead.take()?;
        // If it panicked, the graph is lost, and `here` says so.
        let (graph, made) = thread.join().ok()?;
        self.graph = Some(graph);
        Some((frames, made))
    }
}

/// The graph, unless the thread that had it ended badly.
fn here(graph: &mut Option<Graph>) -> Result<&mut Graph, ModelError> {
    graph.as_mut().ok_or_else(|| ModelError::Run { reason: "the front end's thread has failed".into() })
}

/// Where in the window the newest `behind` frames before its edge lie, margins included, piece by piece.
fn pieces(geometry: WindowGeometry, behind: usize) -> impl Iterator<Item = Range<usize>> {
    let length = geometry.window_frames();
    (0..behind.div_ceil(FRONT_FRAMES)).map(move |piece| {
        let from = length - behind - 2 * MARGIN + piece * FRONT_FRAMES;
        from..length.min(from + FRONT_FRAMES + 2 * MARGIN)
    })
}

/// The same frames of all channels, one after the other.
fn gather<'a>(gathered: &mut Vec<f32>, range: Range<usize>, channel: impl Fn(usize) -> &'a [f32]) {
    (0..CHANNELS).for_each(|number| gathered.extend_from_slice(&channel(number)[range.clone()]));
}

impl Made {
    /// Hands over latent, level, bands and their number of frames.
    fn give(&self, take: impl FnOnce(&[f32], &[f32], &[f32], usize)) -> Result<(), ModelError> {
        let latent_frames = self.frames / FRAME_RATIO;
        take(
            samples("latent", &self.latent, latent_frames)?,
            samples("level", &self.level, latent_frames)?,
            samples("bands", &self.bands, self.frames)?,
            self.frames,
        );
        Ok(())
    }
}

/// The samples of a tensor of so many frames.
fn samples<'a>(name: &str, value: &'a DynValue, frames: usize) -> Result<&'a [f32], ModelError> {
    let (shape, samples) = value.try_extract_tensor::<f32>().map_err(run_error)?;
    expect_frames(name, shape, frames)?;
    Ok(samples)
}

/// `stems` (8, frames + 2 · margin) to latent, level (filters, frames / 64) and bands (filters, frames).
fn run_front(graph: &mut Graph, options: &RunOptions, stems: &[f32]) -> Result<Made, ModelError> {
    let frames = stems.len() / CHANNELS;
    let input = TensorRef::from_array_view(([1, CHANNELS, frames], stems)).map_err(run_error)?;
    let session: &mut Session = graph.session();
    let mut outputs = session.run_with_options(ort::inputs!["stems" => input], options).map_err(run_error)?;
    let mut output = |name: &str| {
        let missing = || ModelError::Run { reason: format!("the front end made no {name}") };
        outputs.remove(name).ok_or_else(missing)
    };
    let (latent, level, bands) = (output("latent")?, output("level")?, output("bands")?);
    Ok(Made { latent, level, bands, frames: frames - 2 * MARGIN })
}

/// bands (filters, frames + 128) and mask (filters, frames / 64 + 2) to mix (2, frames).
pub(super) fn run_back(
    graph: &mut Graph,
    options: &RunOptions,
    filters: usize,
    bands: &[f32],
    mask: &[f32],
    take: impl FnOnce(&[f32]),
) -> Result<(), ModelError> {
    let band_frames = bands.len() / filters;
    let bands = TensorRef::from_array_view(([1, filters, band_frames], bands)).map_err(run_error)?;
    let mask = TensorRef::from_array_view(([1, filters, mask.len() / filters], mask)).map_err(run_error)?;
    let inputs = ort::inputs!["bands" => bands, "mask" => mask];
    let outputs = graph.session().run_with_options(inputs, options).map_err(run_error)?;
    let (shape, mix) = outputs["mix"].try_extract_tensor::<f32>().map_err(run_error)?;
    expect_frames("mix", shape, band_frames - 2 * FRAME_RATIO)?;
    take(mix);
    Ok(())
}

pub(super) fn expect_frames(name: &str, shape: &[i64], frames: usize) -> Result<(), ModelError> {
    if shape.len() == 3 && shape[2] == frames as i64 {
        return Ok(());
    }
    Err(ModelError::Run { reason: format!("{name} has shape {shape:?} where {frames} frames are expected") })
}
