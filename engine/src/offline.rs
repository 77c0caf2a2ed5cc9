//! Whole songs through the same pipeline as in real time, as fast as the machine allows. Stems are pushed in pieces and
//! the mix is handed out in pieces, so memory does not grow with the song; [`mix_song`] is the convenience for songs
//! that are in memory anyway.

use tributary_dsp::{CHANNELS, Cause, StereoBuffer};

use crate::error::EngineError;
use crate::pipeline::Pipeline;
use crate::pipeline::meters::Loudness;

/// Frames per piece.
const PIECE_FRAMES: usize = 4096;

/// Figures of an offline mix.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OfflineFigures {
    /// Frames mixed.
    pub frames: u64,
    /// Each stem as it came in.
    pub before: [Loudness; 4],
    /// Each stem after normalization.
    pub after: [Loudness; 4],
}

/// A song's mix.
#[derive(Debug, Clone, PartialEq)]
pub struct OfflineMix {
    /// As long as the longest stem, at the pipeline's host rate, aligned with the stems.
    pub mix: StereoBuffer,
    /// Loudness of the stems.
    pub figures: OfflineFigures,
}

/// Fills eight planar channels and returns how many frames it wrote, 0 at the end.
pub type StemSource<'a> = dyn FnMut(&mut [Vec<f32>; CHANNELS]) -> Result<usize, Cause> + 'a;
/// Receives the mix piece by piece.
pub type MixSink<'a> = dyn FnMut([&[f32]; 2]) -> Result<(), Cause> + 'a;

/// Mixes a stream of stems. `source` fills eight planar channels (all of equal length, at most the length they come
/// with) and returns how many frames it wrote, 0 at the end; `sink` receives the mix, frame 0 of which belongs to
/// frame 0 of the stems. Both may stop the mix by returning a reason.
///
/// # Errors
/// [`EngineError::Stopped`] with the callback's reason, or the model's error.
pub fn mix_stream(
    pipeline: &mut Pipeline,
    source: &mut StemSource<'_>,
    sink: &mut MixSink<'_>,
) -> Result<OfflineFigures, EngineError> {
    let stopped = |reason: Cause| EngineError::Stopped { reason };
    pipeline.reset();
    let mut piece: [Vec<f32>; CHANNELS] = std::array::from_fn(|_| vec![0.0; PIECE_FRAMES]);
    let mut out = [vec![0.0; PIECE_FRAMES], vec![0.0; PIECE_FRAMES]];
    let mut frames = 0;
    loop {
        let count = source(&mut piece).map_err(stopped)?.min(PIECE_FRAMES);
        if count == 0 {
            pipeline.finish()?;
        } else {
            pipeline.push(std::array::from_fn(|channel| &piece[channel][..count]))?;
            frames += count as u64;
        }
        loop {
            let [left, right] = &mut out;
            let pulled = pipeline.pull_mix(&mut [left, right]);
            if pulled == 0 {
                break;
            }
            sink([&out[0][..pulled], &out[1][..pulled]]).map_err(stopped)?;
        }
        // Nobody listens to the normalized sum here; it must not pile up.
        let [left, right] = &mut out;
        while pipeline.pull_sum(&mut [left, right]) > 0 {}
        if count == 0 {
            return Ok(figures(pipeline, frames));
        }
    }
}

/// Mixes a song in memory. Missing stems count as silence, shorter ones end early; the mix is as long as the longest.
/// `progress` is told the share done, 0 to 1, and may stop the mix by returning a reason.
///
/// ```
/// use tributary_dsp::{CorrectionSource, Recipe, StereoBuffer, Targets};
/// use tributary_engine::{Pipeline, SumModel, WindowGeometry, mix_song};
///
/// let (recipe, targets) = (Recipe::bypass(), Targets::default());
/// let model = Box::new(SumModel::new(WindowGeometry::DEFAULT));
/// let mut pipeline = Pipeline::new(model, &recipe, &targets, CorrectionSource::Adaptive, None, 44_100.0)?;
/// let voice = StereoBuffer::mono((0..44_100).map(|n| 0.1 * (n as f32 * 0.05).sin()).collect());
/// let made = mix_song(&mut pipeline, [Some(&voice), None, None, None], &mut |_| Ok(()))?;
/// assert_eq!(made.mix.frames(), voice.frames(), "neither late nor longer");
/// # Ok::<(), tributary_engine::EngineError>(())
/// ```
///
/// # Errors
/// [`EngineError::NoStems`] when no stem holds a frame; otherwise as [`mix_stream`].
pub fn mix_song(
    pipeline: &mut Pipeline,
    stems: [Option<&StereoBuffer>; 4],
    progress: &mut dyn FnMut(f64) -> Result<(), Cause>,
) -> Result<OfflineMix, EngineError> {
    let frames = stems.iter().flatten().map(|stem| stem.frames()).max().unwrap_or(0);
    if frames == 0 {
        return Err(EngineError::NoStems);
    }
    let mut mix = StereoBuffer { left: Vec::with_capacity(frames), right: Vec::with_capacity(frames) };
    let mut at = 0;
    let mut source = |piece: &mut [Vec<f32>; CHANNELS]| {
        progress(at as f64 / frames as f64)?;
        let count = (frames - at).min(piece[0].len());
        for (stem, pair) in stems.iter().zip(piece.chunks_exact_mut(2)) {
            for (side, out) in pair.iter_mut().enumerate() {
                let samples = stem.map_or(&[][..], |stem| if side == 0 { &stem.left } else { &stem.right });
                let available = samples.len().saturating_sub(at).min(count);
                out[..available].copy_from_slice(&samples[at.min(samples.len())..][..available]);
                out[available..count].fill(0.0);
            }
        }
        at += count;
        Ok(count)
    };
    let mut sink = |piece: [&[f32]; 2]| {
        mix.left.extend_from_slice(piece[0]);
        mix.right.extend_from_slice(piece[1]);
        Ok(())
    };
    let figures = mix_stream(pipeline, &mut source, &mut sink)?;
    progress(1.0).map_err(|reason| EngineError::Stopped { reason })?;
    Ok(OfflineMix { mix, figures })
}

fn figures(pipeline: &Pipeline, frames: u64) -> OfflineFigures {
    let Some(meters) = pipeline.meters() else {
        return OfflineFigures { frames, ..OfflineFigures::default() };
    };
    OfflineFigures { frames, before: meters.before(), after: meters.after() }
}
