//! The front end of CRAFx2, which every form of the network in parts shares, and what it has made: like the back end
//! (`back_end.rs`) it is local in time, so it runs on new samples only.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use ort::session::{RunOptions, Session};
use ort::value::{DynValue, TensorRef};
use tributary_dsp::CHANNELS;

use super::{Graph, Port, run_error};
use crate::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN, WindowGeometry};
use crate::error::ModelError;
use crate::window::StemWindow;

/// Longest stretch that either end handles in one run: longer ones cost more each frame, since they leave the cache, and
/// shorter ones, since the margins count.
pub(super) const PIECE_FRAMES: usize = 4096;

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

/// The front end's graph with what every caller needs around it. It is local in time, so what the next hops need of it can
/// be made in other threads while this hop goes on: the same runs on the same samples, hence the same bits.
pub(super) struct FrontRun {
    graph: Graph,
    /// The same graph for other threads, once they are to be used; not here while one runs.
    spare: Vec<Graph>,
    /// The next hops, the very next one first.
    ahead: VecDeque<Ahead>,
    /// What the front end makes of silence, per filter: what lies before a stream.
    silent_latent: Vec<f32>,
    gathered: Vec<f32>,
}

/// Runs of one of the next hops in a thread of their own.
struct Ahead {
    /// Frames the runs cover.
    frames: usize,
    waiting: Arc<Mutex<VecDeque<Piece>>>,
    thread: JoinHandle<(Graph, Result<Vec<MadePiece>, ModelError>)>,
}

/// A piece of a hop by its number, and the stems it takes.
type Piece = (usize, Vec<f32>);
type MadePiece = (usize, Made);

/// What one run made, where ONNX Runtime put it: the bands of a hop are megabytes.
pub(super) struct Made {
    latent: DynValue,
    level: DynValue,
    bands: DynValue,
    filters: usize,
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

impl FrontRun {
    pub(super) fn new(graph: Graph, filters: usize) -> Self {
        let silent_latent = vec![0.0; filters];
        let (spare, ahead) = (Vec::new(), VecDeque::new());
        Self { graph, spare, ahead, silent_latent, gathered: Vec::new() }
    }

    /// From now on makes as many hops ahead as there are spare sessions of the same graph and the window shows, each in a
    /// thread of its own.
    pub(super) fn look_ahead(&mut self, spare: Vec<Graph>) {
        self.spare = spare;
    }

    /// Forgets what was made ahead: the stream goes on elsewhere.
    pub(super) fn forget(&mut self) {
        for ahead in &self.ahead {
            lock(&ahead.waiting).clear();
        }
        while self.end_ahead().is_some() {}
    }

    /// Finds out what silence looks like.
    pub(super) fn learn_silence(&mut self, options: &RunOptions) -> Result<(), ModelError> {
        self.gathered.clear();
        self.gathered.resize(CHANNELS * (FRAME_RATIO + 2 * MARGIN), 0.0);
        let Self { graph, silent_latent, gathered, .. } = self;
        let silence = run_front(graph, silent_latent.len(), options, gathered)?;
        silent_latent.copy_from_slice(silence.latent()?);
        Ok(())
    }

    /// Fills columns of `rows` (filters, `columns`) with the latents of silence.
    pub(super) fn place_silence(&self, rows: &mut [f32], columns: usize, range: Range<usize>) {
        for (row, &silent) in rows.chunks_exact_mut(columns).zip(&self.silent_latent) {
            row[range.clone()].fill(silent);
        }
    }

    /// A whole signal between silences, one slice per channel.
    pub(super) fn run<'a>(
        &mut self,
        options: &RunOptions,
        channels: impl Iterator<Item = &'a [f32]>,
    ) -> Result<Made, ModelError> {
        self.gathered.clear();
        for channel in channels {
            self.gathered.extend([0.0; MARGIN]);
            self.gathered.extend_from_slice(channel);
            self.gathered.extend([0.0; MARGIN]);
        }
        run_front(&mut self.graph, self.silent_latent.len(), options, &self.gathered)
    }

    /// The newest `behind` frames before the window's edge, in pieces, oldest first.
    pub(super) fn follow(
        &mut self,
        options: &RunOptions,
        window: &StemWindow,
        behind: usize,
        mut take: impl FnMut(Made) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let made = match self.end_ahead() {
            Some((frames, made)) if frames == behind => made?,
            _ => {
                self.forget();
                Vec::new()
            }
        };
        self.start_ahead(window);
        let done = made.len();
        made.into_iter().try_for_each(&mut take)?;
        let Self { graph, gathered, silent_latent, .. } = self;
        for range in pieces(window.geometry(), behind).skip(done) {
            gathered.clear();
            gather(gathered, range, |channel| window.channel(channel));
            take(run_front(graph, silent_latent.len(), options, gathered)?)?;
        }
        Ok(())
    }

    /// Starts what the next hops will need, if no hop is skipped until then.
    fn start_ahead(&mut self, window: &StemWindow) {
        let (filters, frames) = (self.silent_latent.len(), window.geometry().hop_frames);
        while window.shows(self.ahead.len() + 1)
            && let Some(mut graph) = self.spare.pop()
        {
            let hops = self.ahead.len() + 1;
            let input = |range: Range<usize>| {
                let mut stems = Vec::with_capacity(CHANNELS * range.len());
                gather(&mut stems, range, |channel| window.channel_ahead(hops, channel));
                stems
            };
            let inputs: VecDeque<Piece> = pieces(window.geometry(), frames).map(input).enumerate().collect();
            let waiting = Arc::new(Mutex::new(inputs));
            let to_do = Arc::clone(&waiting);
            let thread = std::thread::spawn(move || {
                let made = run_waiting(&mut graph, filters, || lock(&to_do).pop_front());
                (graph, made)
            });
            self.ahead.push_back(Ahead { frames, waiting, thread });
        }
    }

    /// Helps to finish the next hop, if it was started, the last pieces first, and takes the graph back. If that thread
    /// panicked, its graph is lost and less is made ahead.
    fn end_ahead(&mut self) -> Option<(usize, Result<Vec<Made>, ModelError>)> {
        let Ahead { frames, waiting, thread } = self.ahead.pop_front()?;
        let helped = run_waiting(&mut self.graph, self.silent_latent.len(), || lock(&waiting).pop_back());
        let (graph, made) = thread.join().ok()?;
        self.spare.push(graph);
        let all = made.and_then(|mut made| {
            made.extend(helped?);
            made.sort_by_key(|(number, _)| *number);
            Ok(made.into_iter().map(|(_, made)| made).collect())
        });
        Some((frames, all))
    }
}

impl Drop for FrontRun {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Runs the graph over pieces until none is left.
fn run_waiting(
    graph: &mut Graph,
    filters: usize,
    next: impl Fn() -> Option<Piece>,
) -> Result<Vec<MadePiece>, ModelError> {
    let options = RunOptions::new().map_err(run_error)?;
    let mut made = Vec::new();
    while let Some((number, stems)) = next() {
        made.push((number, run_front(graph, filters, &options, &stems)?));
    }
    Ok(made)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where in the window the newest `behind` frames before its edge lie, margins included, piece by piece.
fn pieces(geometry: WindowGeometry, behind: usize) -> impl Iterator<Item = Range<usize>> {
    let length = geometry.window_frames();
    (0..behind.div_ceil(PIECE_FRAMES)).map(move |piece| {
        let from = length - behind - 2 * MARGIN + piece * PIECE_FRAMES;
        from..length.min(from + PIECE_FRAMES + 2 * MARGIN)
    })
}

/// The same frames of all channels, one after the other.
fn gather<'a>(gathered: &mut Vec<f32>, range: Range<usize>, channel: impl Fn(usize) -> &'a [f32]) {
    (0..CHANNELS).for_each(|number| gathered.extend_from_slice(&channel(number)[range.clone()]));
}

impl Made {
    /// (filters, frames / 64).
    pub(super) fn latent(&self) -> Result<&[f32], ModelError> {
        samples("latent", &self.latent, [1, self.filters, self.frames / FRAME_RATIO])
    }

    /// (filters, frames / 64).
    pub(super) fn level(&self) -> Result<&[f32], ModelError> {
        samples("level", &self.level, [1, self.filters, self.frames / FRAME_RATIO])
    }

    /// (filters, frames).
    pub(super) fn bands(&self) -> Result<&[f32], ModelError> {
        samples("bands", &self.bands, [1, self.filters, self.frames])
    }
}

/// Samples as a tensor of this shape.
pub(super) fn view(shape: [usize; 3], samples: &[f32]) -> Result<TensorRef<'_, f32>, ModelError> {
    TensorRef::from_array_view((shape, samples)).map_err(run_error)
}

/// The samples of what a run made, if it has this shape: what a graph declares may leave it open.
pub(super) fn samples<'a>(
    name: &str,
    value: &'a DynValue,
    wanted: [usize; 3],
) -> Result<&'a [f32], ModelError> {
    let (shape, samples) = value.try_extract_tensor::<f32>().map_err(run_error)?;
    if shape.iter().map(|&size| size as usize).eq(wanted) {
        return Ok(samples);
    }
    Err(ModelError::Run { reason: format!("{name} has shape {shape:?} where {wanted:?} is expected") })
}

/// `stems` (8, frames + 2 · margin) to latent, level (filters, frames / 64) and bands (filters, frames).
fn run_front(
    graph: &mut Graph,
    filters: usize,
    options: &RunOptions,
    stems: &[f32],
) -> Result<Made, ModelError> {
    let frames = stems.len() / CHANNELS;
    let input = view([1, CHANNELS, frames], stems)?;
    let session: &mut Session = graph.session();
    let mut outputs = session.run_with_options(ort::inputs!["stems" => input], options).map_err(run_error)?;
    let mut output = |name: &str| {
        let missing = || ModelError::Run { reason: format!("the front end made no {name}") };
        outputs.remove(name).ok_or_else(missing)
    };
    let (latent, level, bands) = (output("latent")?, output("level")?, output("bands")?);
    Ok(Made { latent, level, bands, filters, frames: frames - 2 * MARGIN })
}
