//! The stems of a song in step with its human mix: what baselines and models mix, and what balance and audibility are
//! measured by.

use std::ops::Range;

use anyhow::Result;
use tributary_audio_io::dataset::SongFiles;
use tributary_audio_io::song::{Rate, Song};
use tributary_dsp::{Recipe, Stem, StereoBuffer, Targets};

use super::RATE_HZ;
use super::alignment::{Alignment, align};
use super::balance::{StemPowers, Stems};
use super::baselines::Baseline;

/// Stems in step with the human mix.
#[derive(Debug)]
pub struct AlignedStems {
    /// As long as the human mix.
    pub audio: [Option<StereoBuffer>; Stem::COUNT],
    /// How they lie against it.
    pub alignment: Alignment,
    /// Frames of the human mix that the stems cover.
    pub covered: Range<usize>,
    /// By how much each was made louder, in stem order.
    gains_db: [f64; Stem::COUNT],
}

impl AlignedStems {
    /// Reads the stems and finds where they lie by their sum; what was mended goes into `notes`.
    ///
    /// # Errors
    /// A file cannot be read, or, when `strict`, is there and not used.
    pub fn read(
        files: &SongFiles,
        reference: &StereoBuffer,
        max_lag: usize,
        strict: bool,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let song = Song::read(files, Rate::Hz(RATE_HZ))?;
        if strict {
            song.check_complete()?;
        }
        notes.extend(song.notes.iter().cloned());
        let stems = song.stems.each_ref().map(Option::as_ref);
        let sum = Baseline::RawSum.mix(stems, &Recipe::default(), &Targets::default())?;
        let alignment = align(reference, &sum, max_lag);
        if !alignment.certain {
            notes.push(
                "the stems could not be aligned with the human mix; they are taken to start with it".into(),
            );
        }
        // Stems keep their own polarity: a mix of them that comes out inverted is inverted back, not they.
        let shift = Alignment { inverted: false, ..alignment };
        let covered = alignment.common(reference.frames(), song.frames);
        let audio = song.stems.map(|stem| stem.map(|stem| shift.cut(&stem, 0..reference.frames())));
        Ok(Self { audio, alignment, covered, gains_db: [0.0; Stem::COUNT] })
    }

    /// The middle of every stem on both of its sides.
    pub fn sum_to_mono(&mut self) {
        for stem in self.audio.iter_mut().flatten() {
            for (left, right) in stem.left.iter_mut().zip(&mut stem.right) {
                *left = 0.5 * (*left + *right);
                *right = *left;
            }
        }
    }

    /// Brings every stem to a gain, whatever gain it had before: no copy of the stems as they were is kept.
    pub fn set_gains(&mut self, gains_db: [f64; Stem::COUNT]) {
        let before_db = std::mem::replace(&mut self.gains_db, gains_db);
        for ((stem, gain_db), before_db) in self.audio.iter_mut().zip(gains_db).zip(before_db) {
            let gain = 10f64.powf((gain_db - before_db) / 20.0) as f32;
            let Some(stem) = stem.as_mut().filter(|_| gain != 1.0) else { continue };
            stem.left.iter_mut().chain(&mut stem.right).for_each(|sample| *sample *= gain);
        }
    }

    /// As baselines and models take them.
    pub fn borrowed(&self) -> Stems<'_> {
        self.audio.each_ref().map(Option::as_ref)
    }

    /// Powers within the common part.
    pub fn powers(&self, range: &Range<usize>) -> StemPowers {
        let cut = |stem: &StereoBuffer| Alignment::NONE.cut(stem, range.clone());
        let cut = self.audio.each_ref().map(|stem| stem.as_ref().map(cut));
        StemPowers::of(cut.each_ref().map(Option::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_replace_each_other() {
        let audio =
            [Some(StereoBuffer::mono(vec![0.5; 4])), None, None, Some(StereoBuffer::mono(vec![0.1; 4]))];
        let mut stems =
            AlignedStems { audio, alignment: Alignment::NONE, covered: 0..4, gains_db: [0.0; Stem::COUNT] };
        for (gains_db, vocals) in
            [([6.0, 0.0, 0.0, -3.0], 0.998), ([-6.0, 3.0, 0.0, 0.0], 0.251), ([0.0; 4], 0.5)]
        {
            stems.set_gains(gains_db);
            let sample = stems.borrowed()[0].expect("there").left[3];
            assert!((sample - vocals).abs() < 1e-3, "{gains_db:?}: {sample}");
        }
        assert!((stems.borrowed()[3].expect("there").right[0] - 0.1).abs() < 1e-6);
    }
}
