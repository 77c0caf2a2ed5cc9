//! All features of one mix, measured once: the human mix's portrait is compared with every other.

use anyhow::Result;
use tributary_dsp::StereoBuffer;

use super::catalog::Figure;
use super::drift::Course;
use super::levels::{Levels, integrated_lufs};
use super::panning::Panning;
use super::published::{self, Published};
use super::space::Space;
use super::stereo::Stereo;
use super::tone::Tone;
use super::{COMPARISON_LUFS, Options, RATE_HZ, distance, panning};

/// A mix as it is compared: the common part, in step with the human mix, at the comparison loudness.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The audio at [`RATE_HZ`].
    pub audio: StereoBuffer,
    /// By how much it was made louder for that, in dB.
    pub gain_db: f64,
}

impl Matched {
    /// Brings audio to the comparison loudness; none for silence.
    pub fn new(mut audio: StereoBuffer) -> Option<Self> {
        let gain_db = COMPARISON_LUFS - integrated_lufs(&audio, RATE_HZ).ok().flatten()?;
        let gain = 10f64.powf(gain_db / 20.0) as f32;
        audio.left.iter_mut().chain(&mut audio.right).for_each(|sample| *sample *= gain);
        Some(Self { audio, gain_db })
    }
}

/// Features of one mix.
#[derive(Debug, Clone)]
pub struct Portrait {
    /// As delivered.
    pub levels: Levels,
    /// Long-term spectra.
    pub tone: Tone,
    /// Panning over frequency.
    pub panning: Panning,
    gain_db: f64,
    stereo: Stereo,
    course: Course,
    space: Space,
    published: Published,
}

impl Portrait {
    /// Measures a mix on up to five threads.
    ///
    /// # Errors
    /// The meter refuses.
    pub fn of(mix: &Matched, options: &Options) -> Result<Self> {
        let audio = &mix.audio;
        std::thread::scope(|scope| {
            let published = scope.spawn(|| Published::of(audio, options));
            let levels = scope.spawn(|| Levels::of(audio, RATE_HZ));
            let panning = scope.spawn(|| Panning::of(audio));
            let space = scope.spawn(|| Space::of(audio));
            let (tone, stereo, course) = (Tone::of(audio), Stereo::of(audio), Course::of(audio));
            Ok(Self {
                levels: joined(levels)?.played(-mix.gain_db),
                gain_db: mix.gain_db,
                tone,
                panning: joined(panning),
                stereo,
                course,
                space: joined(space),
                published: joined(published),
            })
        })
    }

    /// All figures that features alone give; `self` is the human mix.
    fn compare(&self, mix: &Self, options: &Options) -> Vec<Figure> {
        let delivered = |portrait: &Self| (portrait.levels.integrated_lufs, portrait.levels.true_peak_dbtp);
        let mut figures = self.tone.compare(&mix.tone);
        figures.extend(self.stereo.compare(&mix.stereo));
        figures.extend(self.panning.compare(&mix.panning, options));
        figures.extend(self.levels.compare(&mix.levels));
        figures.extend(self.course.compare(&mix.course));
        figures.extend(self.space.compare(&mix.space));
        figures.extend(self.published.compare(&mix.published));
        figures.extend(published::level_errors(delivered(self), delivered(mix)));
        figures.push(Figure::value("match_gain_db", self.gain_db, mix.gain_db));
        figures
    }
}

/// Every figure of `mix` against `reference`, except those that need stems.
pub fn judge(reference: (&Matched, &Portrait), mix: (&Matched, &Portrait), options: &Options) -> Vec<Figure> {
    let (ours, theirs) = (&mix.0.audio, &reference.0.audio);
    std::thread::scope(|scope| {
        let losses = scope.spawn(|| distance::losses(theirs, ours, options));
        let placement = scope.spawn(|| panning::placement_error(theirs, ours));
        let mut figures = distance::resolutions(theirs, ours);
        figures.extend(reference.1.compare(mix.1, options));
        figures.extend(reference.1.published.sample_distances(theirs, ours, &mix.1.published));
        figures.extend(joined(losses));
        figures.push(Figure::distance("placement_error", joined(placement)));
        figures
    })
}

/// The result of a thread; a panic in it goes on in this one.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
