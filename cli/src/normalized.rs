//! The stems of a song, normalized as whole files at the model's rate: what a pipeline with the corrections found would make
//! of them once more, so that nothing is normalized twice.

use anyhow::{Context, Result};
use tributary_dsp::{
    CHANNELS, Cause, Recipe, Session, SongProfile, Stem, StemStore, StereoBuffer, StoreError, Targets,
    WholeFile,
};

use crate::jobs::batch;
use crate::progress::{self, Step};

/// What the network may see behind a song's end, in seconds: its longest window, and the hops that it looks ahead.
const BEHIND_SECONDS: f64 = 4.0;

/// Stems worked on at the same time: they share the song's memory bandwidth, and the two cores that every machine has.
pub const TOGETHER: usize = 2;

/// Normalized stems, what the normalization spreads behind the end of each, and what was found on the way.
pub struct Normalized<S> {
    /// The corrections.
    pub profile: SongProfile,
    /// How the stems stood to one another.
    pub session: Session,
    stems: [Option<S>; Stem::COUNT],
    tails: [StereoBuffer; Stem::COUNT],
}

impl<S: StemStore + Send> Normalized<S> {
    /// Normalizes stems, which are at `rate_hz`, where they lie, two at a time. `bar` shows how far that is.
    ///
    /// # Errors
    /// A recipe or targets that cannot be applied, or a store's reason.
    pub fn of(
        mut stems: [Option<S>; Stem::COUNT],
        recipe: &Recipe,
        targets: &Targets,
        rate_hz: f64,
        bar: &Step,
    ) -> Result<Self> {
        let session = Session::measure(stores(&mut stems), recipe.kind, rate_hz)
            .context("the stems cannot be measured")?;
        let longest = stems.iter().flatten().map(StemStore::frames).max().unwrap_or(0);
        let end = longest + (BEHIND_SECONDS * rate_hz) as usize;
        let normalize = |stem: Stem, audio: &mut S| {
            let mut part = progress::Part::of(bar, Stem::COUNT);
            let tail_frames = end.saturating_sub(audio.frames());
            let found = WholeFile::new(stem, recipe, targets, rate_hz)?
                .in_session(&session)
                .normalize_with_tail(audio, tail_frames, &mut |share| part.set_fraction(share))
                .with_context(|| format!("the {stem} stem cannot be measured"))?;
            anyhow::Ok((stem, found))
        };
        let there = Stem::ALL.into_iter().zip(&mut stems);
        let there: Vec<_> = there.filter_map(|(stem, audio)| Some((stem, audio.as_mut()?))).collect();
        let found = batch::run_each(there, TOGETHER, |(stem, audio)| normalize(stem, audio));
        let (mut profile, mut tails) = (SongProfile::default(), <[StereoBuffer; Stem::COUNT]>::default());
        for found in found {
            let (stem, (corrections, tail)) = found?;
            profile.0[stem.index()] = corrections;
            tails[stem.index()] = tail;
        }
        Ok(Self { profile, session, stems, tails })
    }

    /// The stems, for whoever listens to them.
    pub fn stems(&mut self) -> [Option<&mut dyn StemStore>; Stem::COUNT] {
        stores(&mut self.stems)
    }

    /// Whether they are what a pipeline would make of the song once more. A room is the exception: it is heard of stems too
    /// that are too quiet to be measured, which whole files leave alone.
    pub fn are_ready(&self, recipe: &Recipe) -> bool {
        let mut there = Stem::ALL.into_iter().filter(|stem| self.stems[stem.index()].is_some());
        !recipe.reverb.enabled || there.all(|stem| self.profile.stem(stem).is_some())
    }

    /// Fills planar stems with the song's frames from a place on; silence behind the tails.
    ///
    /// # Errors
    /// A store's reason.
    pub fn read(&mut self, start: u64, channels: [&mut [f32]; CHANNELS]) -> Result<(), StoreError> {
        let start = usize::try_from(start).map_err(|error| StoreError { reason: Cause::new(error) })?;
        let mut channels = channels.into_iter();
        for (stem, tail) in self.stems.iter_mut().zip(&self.tails) {
            let (Some(left), Some(right)) = (channels.next(), channels.next()) else { break };
            left.fill(0.0);
            right.fill(0.0);
            let Some(stem) = stem else { continue };
            let end = stem.frames();
            let there = end.saturating_sub(start).min(left.len());
            if there > 0 {
                stem.read(start, &mut left[..there], &mut right[..there])?;
            }
            let from = (start + there).saturating_sub(end).min(tail.frames());
            let behind = (tail.frames() - from).min(left.len() - there);
            left[there..there + behind].copy_from_slice(&tail.left[from..from + behind]);
            right[there..there + behind].copy_from_slice(&tail.right[from..from + behind]);
        }
        Ok(())
    }
}

fn stores<S: StemStore>(stems: &mut [Option<S>; Stem::COUNT]) -> [Option<&mut dyn StemStore>; Stem::COUNT] {
    stems.each_mut().map(|stem| stem.as_mut().map(|stem| stem as &mut dyn StemStore))
}
