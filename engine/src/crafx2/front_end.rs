//! The front end of CRAFx2, which every form of the network in parts shares: like the back end (`back_end.rs`) it is local
//! in time, so it runs on new samples only. What it has made is kept in `bands.rs`.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_queue::ArrayQueue;
use tributary_dsp::CHANNELS;

use super::bands::Made;
use super::ends::FrontEnd;
use crate::bundle::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN, WindowGeometry};
use crate::error::ModelError;
use crate::onnx::graph::{RunOptions, unlimited};
use crate::pipeline::window::StemWindow;

/// Longest stretch that either end handles in one run: longer ones cost more each frame, since they leave the cache, and
/// shorter ones, since the margins count.
pub(super) const PIECE_FRAMES: usize = 4096;

/// The front end with what every caller needs around it. It is local in time, so what the next hops need of it can
/// be made in other threads while this hop goes on: the same runs on the same samples, hence the same bits.
pub(super) struct FrontRun {
    end: FrontEnd,
    /// The same for other threads, once they are to be used; not here while one runs.
    spare: Vec<FrontEnd>,
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
    waiting: Arc<ArrayQueue<Piece>>,
    thread: JoinHandle<(FrontEnd, Result<Vec<MadePiece>, ModelError>)>,
}

/// A piece of a hop by its number, and the stems it takes.
type Piece = (usize, Vec<f32>);
type MadePiece = (usize, Made);

impl FrontRun {
    pub(super) fn new(end: FrontEnd, filters: usize) -> Self {
        let silent_latent = vec![0.0; filters];
        let (spare, ahead) = (Vec::new(), VecDeque::new());
        Self { end, spare, ahead, silent_latent, gathered: Vec::new() }
    }

    /// From now on makes as many hops ahead as there are spare ends like this one and the window shows, each in a thread of
    /// its own.
    pub(super) fn look_ahead(&mut self, spare: Vec<FrontEnd>) {
        self.spare = spare;
    }

    /// Forgets what was made ahead: the stream goes on elsewhere.
    pub(super) fn forget(&mut self) {
        for ahead in &self.ahead {
            while ahead.waiting.pop().is_some() {}
        }
        while self.end_ahead().is_some() {}
    }

    /// Finds out what silence looks like.
    pub(super) fn learn_silence(&mut self, options: &RunOptions) -> Result<(), ModelError> {
        self.gathered.clear();
        self.gathered.resize(CHANNELS * (FRAME_RATIO + 2 * MARGIN), 0.0);
        let Self { end, silent_latent, gathered, .. } = self;
        let silence = end.run(options, silent_latent.len(), gathered)?;
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
        self.end.run(options, self.silent_latent.len(), &self.gathered)
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
        let Self { end, gathered, silent_latent, .. } = self;
        for range in pieces(window.geometry(), behind).skip(done) {
            gathered.clear();
            gather(gathered, range, |channel| window.channel(channel));
            take(end.run(options, silent_latent.len(), gathered)?)?;
        }
        Ok(())
    }

    /// Starts what the next hops will need, if no hop is skipped until then.
    fn start_ahead(&mut self, window: &StemWindow) {
        let (filters, frames) = (self.silent_latent.len(), window.geometry().hop_frames);
        while window.shows(self.ahead.len() + 1)
            && let Some(mut end) = self.spare.pop()
        {
            let hops = self.ahead.len() + 1;
            let input = |range: Range<usize>| {
                let mut stems = Vec::with_capacity(CHANNELS * range.len());
                gather(&mut stems, range, |channel| window.channel_ahead(hops, channel));
                stems
            };
            let waiting = Arc::new(ArrayQueue::new(frames.div_ceil(PIECE_FRAMES)));
            // There is room for all of them.
            pieces(window.geometry(), frames).map(input).enumerate().for_each(|piece| {
                let _ = waiting.push(piece);
            });
            let to_do = Arc::clone(&waiting);
            let thread = std::thread::spawn(move || {
                let made = run_waiting(&mut end, filters, &to_do);
                (end, made)
            });
            self.ahead.push_back(Ahead { frames, waiting, thread });
        }
    }

    /// Helps to finish the next hop, if it was started, and takes its end back. If that thread panicked, that end is lost
    /// and less is made ahead.
    fn end_ahead(&mut self) -> Option<(usize, Result<Vec<Made>, ModelError>)> {
        let Ahead { frames, waiting, thread } = self.ahead.pop_front()?;
        let helped = run_waiting(&mut self.end, self.silent_latent.len(), &waiting);
        let (end, made) = thread.join().ok()?;
        self.spare.push(end);
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

/// Runs the end over pieces until none is left.
fn run_waiting(
    end: &mut FrontEnd,
    filters: usize,
    waiting: &ArrayQueue<Piece>,
) -> Result<Vec<MadePiece>, ModelError> {
    let options = unlimited()?;
    let mut made = Vec::new();
    while let Some((number, stems)) = waiting.pop() {
        made.push((number, end.run(&options, filters, &stems)?));
    }
    Ok(made)
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
