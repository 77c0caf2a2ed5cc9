//! How the stems of a song stand in a mix of it: reads both, brings them in step, and lets the estimator hear all of what
//! they have in common.

use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;
use tributary_audio_io::dataset::{SongFiles, Source};
use tributary_dsp::explain::{Explanation, Moves, Observer, Watch, text};
use tributary_dsp::{Stem, StereoBuffer};

use crate::evaluation::RATE_HZ;
use crate::evaluation::aligned_stems::AlignedStems;
use crate::evaluation::alignment::Alignment;
use crate::evaluation::song::read_mix;

/// Frames handed over at a time.
const PIECE_FRAMES: usize = 1 << 16;

/// A mix, explained by the stems of its song.
#[derive(Debug, Serialize)]
pub struct ExplainedMix {
    /// How the mix lies against the stems; a positive lag is a mix that comes later.
    pub alignment: Alignment,
    /// What was found.
    pub estimate: Explanation,
    /// The same as moves on a desk, in stem order; none for a stem that is not heard.
    pub moves: [Option<Moves>; Stem::COUNT],
    /// Plain sentences on what was mended or missing.
    pub notes: Vec<String>,
}

impl ExplainedMix {
    /// Reads the stems of a song and a mix, and finds how they stand in it. `max_lag` is in frames at 44.1 kHz.
    ///
    /// # Errors
    /// A file cannot be read, or, when `strict`, is there and not used; or the mix and the stems have nothing in common.
    pub fn of(files: &SongFiles, mix: &Path, max_lag: usize, strict: bool) -> Result<Self> {
        let mut notes = Vec::new();
        let mix = read_mix(&Source::File(mix.to_owned()), &mut notes)?;
        let stems = AlignedStems::read(files, &mix, max_lag, strict, &mut notes)?;
        let Some(estimate) = estimate(&stems, &mix) else {
            bail!("the stems and the mix have nothing in common that sounds");
        };
        // The stems were aligned with the mix; people think of the mix as what comes late.
        let alignment = Alignment { lag_frames: -stems.alignment.lag_frames, ..stems.alignment };
        let moves = estimate.stems.each_ref().map(|found| found.audible().map(Moves::of));
        Ok(Self { alignment, estimate, moves, notes })
    }

    /// The estimate in words and tables.
    pub fn text(&self) -> String {
        let lag_ms = 1000.0 * self.alignment.lag_frames as f64 / f64::from(RATE_HZ);
        let lag = match self.alignment.lag_frames {
            0 => String::new(),
            frames if frames > 0 => format!("The mix comes {lag_ms:.1} ms late; that is taken out.\n"),
            _ => format!("The mix comes {:.1} ms early; that is taken out.\n", -lag_ms),
        };
        lag + &text::text(&self.estimate)
    }
}

/// Hears all that stems and mix have in common.
fn estimate(stems: &AlignedStems, mix: &StereoBuffer) -> Option<Explanation> {
    let mut observer = Observer::new(Watch::song(f64::from(RATE_HZ)));
    let silence = vec![0.0; PIECE_FRAMES];
    let mut from = stems.covered.start;
    while from < stems.covered.end {
        let range = from..stems.covered.end.min(from + PIECE_FRAMES);
        let channel = |n: usize| match &stems.audio[n / 2] {
            Some(stem) => &[&stem.left, &stem.right][n % 2][range.clone()],
            None => &silence[..range.len()],
        };
        observer.push(std::array::from_fn(channel), [&mix.left[range.clone()], &mix.right[range.clone()]]);
        from = range.end;
    }
    observer.explain()
}
