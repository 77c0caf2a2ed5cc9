//! Measures captured stems exactly as a whole file, in passes over the temporary file, on the learning thread; then runs
//! the network over what the passes have left in it, the normalized stems, for its averages. The file is the working space
//! of both, so memory does not grow with the song.

use std::path::PathBuf;
use std::time::Duration;

use tributary_dsp::{Cause, NormalizerError, Session, SongProfile, Stem, StemStore, StoreError, WholeFile};

use crate::bundle::ModelBundle;
use crate::learn::capture::Take;
use crate::learn::learned::{LearnedStatistics, Normalization};
use crate::learn::song_averages::{NormalizedStems, SongAveragesError};
use crate::learn::stem_file::StemFile;

/// Reads between two looks at whether the work is still wanted, and between two pauses.
const WATCH_CALLS: u32 = 64;
/// Pause in which threads that are pressed for time go first, wherever the scheduler put them.
const PAUSE: Duration = Duration::from_millis(1);
/// How often a stem is read, roughly: for the progress.
const PASSES_PER_STEM: f64 = 12.0;

/// A network that is learned for, and the ONNX Runtime library to load it with.
#[derive(Debug, Clone)]
pub(crate) struct LearnedNetwork {
    pub(crate) bundle: Box<ModelBundle>,
    pub(crate) library: Option<PathBuf>,
}

impl LearnedNetwork {
    /// What the network averages over a stretch that [`analyze`] has normalized. `progress` as there.
    ///
    /// # Errors
    /// That reason, or what cannot be loaded, run or read.
    pub(crate) fn average(
        &self,
        take: &mut Take,
        progress: &mut dyn FnMut(f32) -> Result<(), Cause>,
    ) -> Result<Option<LearnedStatistics>, SongAveragesError> {
        let stems: NormalizedStems<'_> = take.stems().each_mut().map(|stem| Some(stem as &mut dyn StemStore));
        let mut watch = |share: f64| {
            std::thread::sleep(PAUSE);
            progress(share as f32)
        };
        let statistics = self.bundle.song_statistics(self.library.as_deref(), stems, false, &mut watch)?;
        let model_sha256 = self.bundle.sha256().to_owned();
        Ok(statistics.map(|statistics| LearnedStatistics { model_sha256, statistics }))
    }
}

/// Why a stretch has no profile.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnalysisError {
    #[error("The song cannot be measured: {0}.")]
    Store(#[from] StoreError),
    #[error("The song cannot be measured: {0}.")]
    Normalizer(#[from] NormalizerError),
    #[error(transparent)]
    Stopped(#[from] Cause),
}

/// The profile of a stretch, which is left normalized by it. `progress` is told the share done, 0 to 1, and may stop the work by
/// returning a reason.
///
/// # Errors
/// That reason, or what cannot be read or written.
pub(crate) fn analyze(
    take: &mut Take,
    normalization: &Normalization,
    progress: &mut dyn FnMut(f32) -> Result<(), Cause>,
) -> Result<SongProfile, AnalysisError> {
    let Normalization { recipe, targets, sample_rate_hz } = normalization;
    let (rate_hz, mut song) = (f64::from(*sample_rate_hz), SongProfile::default());
    let stems = take.stems().each_mut().map(|stem| Some(stem as &mut dyn StemStore));
    let session = Session::measure(stems, recipe.kind, rate_hz)?;
    for stem in Stem::ALL {
        let store = take.stem(stem);
        let passes = PASSES_PER_STEM * store.frames() as f64;
        let start = stem.index() as f64 / Stem::COUNT as f64;
        let mut store = WatchedStore {
            store,
            read_frames: 0.0,
            calls: 0,
            watch: &mut |read_frames| {
                let share = (read_frames / passes).min(1.0) / Stem::COUNT as f64;
                progress((start + share) as f32)
            },
        };
        song.0[stem.index()] = WholeFile::new(stem, recipe, targets, rate_hz)
            .and_then(|effects| effects.in_session(&session).normalize(&mut store, &mut |_| {}))?;
    }
    progress(1.0)?;
    Ok(song)
}

/// A stem that lets others go first now and then, and can be taken away.
struct WatchedStore<'a> {
    store: &'a mut StemFile,
    read_frames: f64,
    calls: u32,
    watch: &'a mut dyn FnMut(f64) -> Result<(), Cause>,
}

impl StemStore for WatchedStore<'_> {
    fn frames(&self) -> usize {
        self.store.frames()
    }

    fn read(&mut self, start: usize, left: &mut [f32], right: &mut [f32]) -> Result<(), StoreError> {
        self.read_frames += left.len() as f64;
        self.calls += 1;
        if self.calls.is_multiple_of(WATCH_CALLS) {
            (self.watch)(self.read_frames).map_err(|reason| StoreError { reason })?;
            std::thread::sleep(PAUSE);
        }
        self.store.read(start, left, right)
    }

    fn write(&mut self, start: usize, left: &[f32], right: &[f32]) -> Result<(), StoreError> {
        self.store.write(start, left, right)
    }
}
