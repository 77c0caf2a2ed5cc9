//! One song: the human mix, the mixes to be judged, and what is found of each.
//!
//! Files are read twice, once to align them and once to judge them, so that never more than one mix per thread is in
//! memory besides the human mix and the stems.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_audio_io::dataset::{SongFiles, Source};
use tributary_audio_io::resample::resample;
use tributary_audio_io::song::read_source;
use tributary_dsp::{Recipe, Stem, StereoBuffer, Targets};

use super::aligned_stems::AlignedStems;
use super::alignment::{Alignment, align};
use super::audibility::Audibility;
use super::balance::{self, Balance, StemPowers, Stems};
use super::baselines::Baseline;
use super::catalog::Figure;
use super::excerpt::{self, Excerpt};
use super::portrait::{Matched, Portrait, judge};
use super::{Options, RATE_HZ};
use crate::jobs::batch;

/// Less than this in common cannot be judged, in seconds.
const SHORTEST_S: f64 = 1.0;
/// Points per second of the loudness curve.
const CURVE_STEPS: usize = 5;

/// The files of one song.
#[derive(Debug, Clone)]
pub struct Entry {
    /// For tables.
    pub name: String,
    /// The human mix.
    pub reference: Source,
    /// Name and file of every mix to be judged.
    pub mixes: Vec<(String, PathBuf)>,
    /// The stems, for baselines and balance.
    pub stems: Option<SongFiles>,
}

impl Entry {
    /// Every file that is read to judge the song.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let mixes = self.mixes.iter().map(|(_, path)| path.as_path());
        let reference = self.reference.paths();
        reference.chain(mixes).chain(self.stems.iter().flat_map(SongFiles::paths))
    }
}

/// Makes a mix of stems that are aligned, at [`RATE_HZ`] and of one length.
pub type Mixer<'a> = dyn Fn(Stems<'_>) -> Result<StereoBuffer> + Sync + 'a;

/// How songs are judged.
pub struct Settings<'a> {
    /// About the figures.
    pub options: Options,
    /// Largest lag searched for, in seconds.
    pub max_lag_s: f64,
    /// Mixes judged at the same time.
    pub jobs: usize,
    /// Whether audio of the stems' folder that is not used is an error.
    pub strict: bool,
    /// Built-in mixes of the stems.
    pub baselines: Vec<Baseline>,
    /// What the normalized sum does.
    pub normalization: (Recipe, Targets),
    /// Further mixes of the stems: the plug-in's model, first, and what it is compared with.
    pub models: Vec<(String, Box<Mixer<'a>>)>,
    /// Length of the audio kept for players in seconds; none keeps none.
    pub excerpt_s: Option<f64>,
}

/// What is found of one song.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SongReport {
    /// The song's name.
    pub name: String,
    /// Length of the common part in seconds.
    pub duration_s: f64,
    /// Where the common part starts in the human mix, in seconds.
    pub start_s: f64,
    /// How the stems lie against the human mix; none without stems.
    pub stems_alignment: Option<Alignment>,
    /// Curves of the human mix.
    pub reference: Curves,
    /// One entry a mix: files first, then baselines, then the model.
    pub systems: Vec<SystemReport>,
    /// Plain sentences on what was mended or missing.
    pub notes: Vec<String>,
    /// The human mix to listen to.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// What is found of one mix.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SystemReport {
    /// The mix's name.
    pub name: String,
    /// Whether it was made here, from the stems.
    pub built_in: bool,
    /// How it lay against the human mix.
    pub alignment: Alignment,
    /// All figures.
    #[serde(serialize_with = "by_key")]
    pub figures: Vec<Figure>,
    /// How far the level of any stem in the mix moved when the stems' gains were scrambled, in LU; none when they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level_spread_lu: Option<f64>,
    /// For pictures.
    pub curves: Curves,
    /// To listen to.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

impl SystemReport {
    /// One figure.
    pub fn figure(&self, key: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.key == key)
    }

    /// A figure's distance to the human mix.
    pub fn distance(&self, key: &str) -> Option<f64> {
        self.figure(key).and_then(|figure| figure.distance)
    }
}

/// What pictures draw of one mix.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Curves {
    /// `[Hz, dB]`.
    pub mid_db: Vec<[f64; 2]>,
    /// `[Hz, dB]` of side over mid.
    pub side_db: Vec<[f64; 2]>,
    /// `[Hz, 0..1]`.
    pub panning: Vec<[f64; 2]>,
    /// `[s, LUFS]`, at the comparison loudness.
    pub loudness_lufs: Vec<[f64; 2]>,
}

impl Curves {
    fn of(portrait: &Portrait, gain_db: f64) -> Self {
        let loudness = portrait.levels.short_term_lufs.iter().enumerate().step_by(CURVE_STEPS);
        Self {
            mid_db: portrait.tone.mid_curve(),
            side_db: portrait.tone.side_curve(),
            panning: portrait.panning.curve(),
            // Every reading is of the 3 s before it; it is drawn in their middle.
            loudness_lufs: loudness
                .map(|(n, lufs)| [1.5 + 0.1 * n as f64, (lufs + gain_db).max(-70.0)])
                .collect(),
        }
    }
}

/// A song that is read, aligned, and measured as far as its stems' gains do not matter.
pub struct Prepared<'a> {
    entry: &'a Entry,
    settings: &'a Settings<'a>,
    human: Matched,
    portrait: Portrait,
    stems: Option<AlignedStems>,
    /// Alignment of every named mix.
    aligned: Vec<Alignment>,
    /// The common part, in frames of the human mix.
    range: Range<usize>,
    notes: Vec<String>,
}

impl<'a> Prepared<'a> {
    /// Reads and aligns everything.
    ///
    /// # Errors
    /// The human mix or a named mix cannot be read, is silent, or has nothing in common with the others.
    pub fn read(entry: &'a Entry, settings: &'a Settings<'a>) -> Result<Self> {
        let mut notes = Vec::new();
        let reference = read_mix(&entry.reference, &mut notes)?;
        let max_lag = (settings.max_lag_s * f64::from(RATE_HZ)).round() as usize;
        let mut stems = match &entry.stems {
            Some(files) => Some(AlignedStems::read(files, &reference, max_lag, settings.strict, &mut notes)?),
            None => None,
        };
        if let (Some(stems), true) = (&mut stems, settings.options.mono_stems) {
            stems.sum_to_mono();
            notes.push("every stem was summed to mono before anything was made of it".into());
        }
        let aligned = align_files(entry, &reference, max_lag, settings.jobs, &mut notes)?;
        let range = common_part(&reference, stems.as_ref(), &aligned)?;
        let human = Matched::new(Alignment::NONE.cut(&reference, range.clone()))
            .with_context(|| format!("{} is silent", entry.reference.path().display()))?;
        let portrait = Portrait::of(&human, &settings.options)?;
        let aligned = aligned.into_iter().map(|(alignment, _)| alignment).collect();
        Ok(Self { entry, settings, human, portrait, stems, aligned, range, notes })
    }

    /// Judges all mixes with the stems changed by these gains, in dB, in stem order; `done` is told each time a mix is.
    ///
    /// # Errors
    /// A named mix cannot be read, or a mix is silent in the common part or cannot be made.
    pub fn judge(&mut self, gains_db: [f64; Stem::COUNT], done: &(dyn Fn() + Sync)) -> Result<SongReport> {
        if let Some(stems) = &mut self.stems {
            stems.set_gains(gains_db);
        }
        let readings = &self.portrait.levels.short_term_lufs;
        let window =
            self.settings.excerpt_s.map(|seconds| excerpt::window(readings, seconds, self.range.len()));
        let judge = Judge {
            human: (&self.human, &self.portrait),
            by_stems: self.stems.as_ref().map(|stems| ByStems::of(stems, &self.range, &self.human)),
            range: self.range.clone(),
            stems: self.stems.as_ref(),
            window: window.clone(),
            settings: self.settings,
        };
        let jobs = systems(self.entry, &self.aligned, self.stems.is_some(), self.settings);
        let judged = batch::run(&jobs, self.settings.jobs, |system| {
            let report = judge.judge(system);
            done();
            report.with_context(|| format!("the mix \"{}\" cannot be judged", system.name()))
        });
        Ok(SongReport {
            name: self.entry.name.clone(),
            duration_s: self.range.len() as f64 / f64::from(RATE_HZ),
            start_s: self.range.start as f64 / f64::from(RATE_HZ),
            stems_alignment: self.stems.as_ref().map(|stems| stems.alignment),
            reference: Curves::of(&self.portrait, self.human.gain_db),
            systems: judged.into_iter().collect::<Result<_>>()?,
            notes: self.notes.clone(),
            excerpt: window.map(|window| Excerpt::cut(&self.human.audio, window)),
        })
    }
}

/// One mix to be judged.
enum System<'a> {
    File(&'a str, &'a Path, Alignment),
    Baseline(Baseline),
    Model(&'a str, &'a Mixer<'a>),
}

impl System<'_> {
    fn name(&self) -> &str {
        match self {
            System::File(name, ..) | System::Model(name, _) => name,
            System::Baseline(baseline) => baseline.name(),
        }
    }
}

fn systems<'a>(
    entry: &'a Entry,
    aligned: &[Alignment],
    stems: bool,
    settings: &'a Settings<'_>,
) -> Vec<System<'a>> {
    let files = entry.mixes.iter().zip(aligned);
    let mut systems: Vec<System<'_>> =
        files.map(|((name, path), &alignment)| System::File(name, path, alignment)).collect();
    if stems {
        // Models take longest: they start first among those made here, and end when the others do.
        systems.extend(settings.models.iter().map(|(name, mixer)| System::Model(name, &**mixer)));
        systems.extend(settings.baselines.iter().copied().map(System::Baseline));
    }
    systems
}

/// The stems' powers, and what they say of the human mix.
struct ByStems {
    powers: StemPowers,
    balance: Balance,
    audibility: Audibility,
}

impl ByStems {
    fn of(stems: &AlignedStems, range: &Range<usize>, human: &Matched) -> Self {
        let powers = stems.powers(range);
        let human = balance::cells(&human.audio);
        let (balance, audibility) = (powers.explain(&human), Audibility::of(&powers, &human));
        Self { powers, balance, audibility }
    }

    /// The figures that need stems.
    fn compare(&self, mix: &StereoBuffer) -> Vec<Figure> {
        let mix = balance::cells(mix);
        let mut figures = balance::compare(&self.balance, &self.powers.explain(&mix));
        figures.extend(self.audibility.compare(&Audibility::of(&self.powers, &mix)));
        figures
    }
}

/// What all mixes of a song are compared with.
struct Judge<'a> {
    human: (&'a Matched, &'a Portrait),
    by_stems: Option<ByStems>,
    range: Range<usize>,
    stems: Option<&'a AlignedStems>,
    window: Option<Range<usize>>,
    settings: &'a Settings<'a>,
}

impl Judge<'_> {
    fn judge(&self, system: &System<'_>) -> Result<SystemReport> {
        let (audio, alignment) = match *system {
            System::File(_, path, alignment) => {
                (read_mix(&Source::File(path.to_owned()), &mut Vec::new())?, alignment)
            }
            System::Baseline(baseline) => {
                let (recipe, targets) = &self.settings.normalization;
                (baseline.mix(self.stems(), recipe, targets)?, Alignment::NONE)
            }
            System::Model(_, mixer) => (mixer(self.stems())?, Alignment::NONE),
        };
        let audio = alignment.cut(&audio, self.range.clone());
        let mix = Matched::new(audio).context("it is silent in the common part")?;
        let options = &self.settings.options;
        let portrait = Portrait::of(&mix, options)?;
        let mut figures = judge(self.human, (&mix, &portrait), options);
        if let Some(by_stems) = &self.by_stems {
            figures.extend(by_stems.compare(&mix.audio));
        }
        Ok(SystemReport {
            name: system.name().to_owned(),
            built_in: !matches!(system, System::File(..)),
            alignment,
            figures,
            level_spread_lu: None,
            curves: Curves::of(&portrait, mix.gain_db),
            excerpt: self.window.clone().map(|window| Excerpt::cut(&mix.audio, window)),
        })
    }

    fn stems(&self) -> Stems<'_> {
        self.stems.map_or([None; Stem::COUNT], AlignedStems::borrowed)
    }
}

/// Reads a mix at the common rate; what was mended goes into `notes`.
///
/// # Errors
/// The file cannot be read.
pub fn read_mix(source: &Source, notes: &mut Vec<String>) -> Result<StereoBuffer> {
    let name = source.path().display();
    let (mut audio, rate_hz, mended) =
        read_source(source, StereoBuffer::default()).with_context(|| name.to_string())?;
    notes.extend(mended.iter().map(|note| format!("{name}: {note}")));
    if rate_hz == RATE_HZ {
        return Ok(audio);
    }
    resample(&mut audio, rate_hz, RATE_HZ, StereoBuffer::default())
}

/// Alignment and length of every file.
fn align_files(
    entry: &Entry,
    reference: &StereoBuffer,
    max_lag: usize,
    jobs: usize,
    notes: &mut Vec<String>,
) -> Result<Vec<(Alignment, usize)>> {
    let found = batch::run(&entry.mixes, jobs, |(_, path)| -> Result<_> {
        let mut notes = Vec::new();
        let mix = read_mix(&Source::File(path.clone()), &mut notes)?;
        Ok((align(reference, &mix, max_lag), mix.frames(), notes))
    });
    let mut aligned = Vec::with_capacity(found.len());
    for (result, (name, _)) in found.into_iter().zip(&entry.mixes) {
        let (alignment, frames, mended) = result?;
        notes.extend(mended);
        if !alignment.certain {
            notes.push(format!(
                "{name} could not be aligned with the human mix; it is taken to start with it"
            ));
        }
        aligned.push((alignment, frames));
    }
    Ok(aligned)
}

/// Frames of the human mix for which every mix has frames.
fn common_part(
    reference: &StereoBuffer,
    stems: Option<&AlignedStems>,
    aligned: &[(Alignment, usize)],
) -> Result<Range<usize>> {
    let ranges = aligned.iter().map(|&(alignment, frames)| alignment.common(reference.frames(), frames));
    let ranges = ranges.chain(stems.map(|stems| stems.covered.clone()));
    let range = ranges.fold(0..reference.frames(), |a, b| a.start.max(b.start)..a.end.min(b.end));
    let seconds = range.len() as f64 / f64::from(RATE_HZ);
    if seconds < SHORTEST_S {
        bail!("the mixes have only {seconds:.1} s in common; at least {SHORTEST_S} s are needed");
    }
    Ok(range)
}

/// Figures as an object: key → values.
fn by_key<S: serde::Serializer>(figures: &[Figure], serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let mut map = serializer.serialize_map(Some(figures.len()))?;
    for figure in figures {
        map.serialize_entry(
            figure.key,
            &serde_json::json!({ "mix": figure.mix, "reference": figure.reference, "distance": figure.distance }),
        )?;
    }
    map.end()
}
