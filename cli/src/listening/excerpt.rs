//! One song's audio for the page: read, cut, loudness-matched, and rounded to 16 bits.
//!
//! All mixes of a song, and its reference, are brought to one integrated loudness measured on the excerpt itself: a louder
//! mix is liked better whatever it is (see docs/listening.md). When one of them would peak too high at that loudness, the
//! whole song is lowered, so that its mixes stay matched.

use crate::statistics::Random;
use anyhow::{Context, Result, bail, ensure};
use tributary_audio_io::song::{self as stems_of, Rate};
use tributary_audio_io::{dataset, reader, resample};
use tributary_dsp::{Stem, StereoBuffer};

use super::plan::{Plan, Song, Source, Stems};
use crate::metrics::Meter;
use crate::report;

/// Fade at both ends of an excerpt: cutting music at any sample would click.
const FADE_MS: f64 = 10.0;
/// True-peak meters may read this much more after rounding.
const PEAK_MARGIN_DB: f64 = 0.1;
const FULL_SCALE: f64 = 32_768.0;

/// One song, ready for the page.
pub struct Excerpt {
    /// Frames of every piece of audio.
    pub frames: usize,
    /// In the order of the plan's mixes, then the reference.
    pub pieces: Vec<Piece>,
    /// By how much the whole song was lowered below the wanted loudness.
    pub lowered_db: f64,
}

/// One mix or the reference.
pub struct Piece {
    /// The system's name, or "reference".
    pub name: String,
    /// The file's own loudness over the excerpt.
    pub original_lufs: f64,
    /// What was done to it.
    pub gain_db: f64,
    /// After the gain.
    pub true_peak_dbtp: f64,
    /// Left channel, 16 bits.
    pub left: Vec<i16>,
    /// Right channel, 16 bits.
    pub right: Vec<i16>,
}

/// Prepares one song.
///
/// # Errors
/// A file cannot be read, is shorter than the excerpt, or is silent in it.
pub fn prepare(plan: &Plan, song: &Song) -> Result<Excerpt> {
    let rate_hz = plan.sample_rate_hz;
    let named = song.mixes.iter().map(|(name, source)| (name.as_str(), source));
    let mut audio = Vec::new();
    for (name, source) in named.chain(song.reference.iter().map(|source| ("reference", source))) {
        let whole = read(source, rate_hz).with_context(|| format!("\"{name}\" of \"{}\"", song.name))?;
        audio.push((name, whole));
    }
    let start = frames(song.start_s, rate_hz);
    let available = audio.iter().map(|(_, audio)| audio.left.len()).min().unwrap_or(0).saturating_sub(start);
    let count = song.length_s.map_or(available, |length_s| frames(length_s, rate_hz));
    // Resampled files may differ by a frame or two; a hundredth of a second is nothing to complain about.
    let count =
        if count > available && count - available <= frames(0.01, rate_hz) { available } else { count };
    let (shortest_s, longest_s) = Song::length_range_s();
    ensure!(
        count <= available && count >= frames(shortest_s, rate_hz),
        "the mixes of \"{}\" reach to {:.1} s; the excerpt is to start at {} s and last {}",
        song.name,
        (start + available) as f64 / f64::from(rate_hz),
        song.start_s,
        song.length_s.map_or_else(|| format!("at least {shortest_s} s"), |length_s| format!("{length_s} s")),
    );
    ensure!(
        count <= frames(longest_s, rate_hz),
        "the excerpt of \"{}\" is longer than {longest_s} s; set length_s",
        song.name
    );
    let mut pieces = Vec::new();
    for (name, whole) in audio {
        let cut = cut(&whole, start, count, rate_hz);
        pieces.push((
            name,
            measure(&cut, rate_hz).with_context(|| format!("\"{name}\" of \"{}\"", song.name))?,
            cut,
        ));
    }
    let highest = |(_, (lufs, peak_dbtp), _): &(&str, (f64, f64), _)| plan.loudness_lufs - lufs + peak_dbtp;
    let peak_dbtp = pieces.iter().map(highest).fold(f64::NEG_INFINITY, f64::max);
    let lowered_db = (peak_dbtp + PEAK_MARGIN_DB - plan.true_peak_dbtp).max(0.0);
    let pieces = pieces
        .into_iter()
        .enumerate()
        .map(|(index, (name, (lufs, peak_dbtp), audio))| {
            let gain_db = plan.loudness_lufs - lufs - lowered_db;
            Piece {
                name: name.into(),
                original_lufs: lufs,
                gain_db,
                true_peak_dbtp: peak_dbtp + gain_db,
                left: round(&audio.left, gain_db, 2 * index as u64),
                right: round(&audio.right, gain_db, 2 * index as u64 + 1),
            }
        })
        .collect();
    Ok(Excerpt { frames: count, pieces, lowered_db })
}

fn frames(seconds: f64, rate_hz: u32) -> usize {
    (seconds * f64::from(rate_hz)).round() as usize
}

fn read(source: &Source, rate_hz: u32) -> Result<StereoBuffer> {
    match source {
        Source::File(path) => {
            let file = reader::read(path).with_context(|| path.display().to_string())?;
            for note in &file.notes {
                report::note(&format!("{}: {note}", path.display()));
            }
            let mut audio = file.audio;
            if file.sample_rate_hz == rate_hz {
                return Ok(audio);
            }
            resample::resample(&mut audio, file.sample_rate_hz, rate_hz, StereoBuffer::default())
        }
        Source::Stems(stems) => sum(stems, rate_hz),
    }
}

fn sum(from: &Stems, rate_hz: u32) -> Result<StereoBuffer> {
    let files = dataset::song_in(&from.stems)?;
    let song = stems_of::Song::read(&files, Rate::Hz(rate_hz))?;
    song.notes.iter().for_each(|note| report::note(&format!("{}: {note}", from.stems.display())));
    let mut sum = StereoBuffer { left: vec![0.0; song.frames], right: vec![0.0; song.frames] };
    for (stem, audio) in Stem::ALL.into_iter().zip(&song.stems) {
        let Some(audio) = audio else { continue };
        let gain_db = from.gains_db.get(stem.name()).copied().unwrap_or(0.0);
        let gain = 10f64.powf(gain_db / 20.0) as f32;
        for (to, from) in [(&mut sum.left, &audio.left), (&mut sum.right, &audio.right)] {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += gain * from);
        }
    }
    Ok(sum)
}

/// The excerpt with faded ends.
fn cut(whole: &StereoBuffer, start: usize, count: usize, rate_hz: u32) -> StereoBuffer {
    let fade = frames(FADE_MS / 1000.0, rate_hz).max(1);
    let channel = |samples: &[f32]| -> Vec<f32> {
        let faded = |(n, sample): (usize, &f32)| {
            let from_edge = n.min(count - 1 - n) as f32 / fade as f32;
            sample * (std::f32::consts::FRAC_PI_2 * from_edge.min(1.0)).sin().powi(2)
        };
        samples[start..start + count].iter().enumerate().map(faded).collect()
    };
    StereoBuffer { left: channel(&whole.left), right: channel(&whole.right) }
}

/// Integrated loudness in LUFS and true peak in dBTP.
fn measure(audio: &StereoBuffer, rate_hz: u32) -> Result<(f64, f64)> {
    let mut meter = Meter::of_mix(rate_hz)?;
    meter.add(&audio.left, &audio.right)?;
    let measured = meter.loudness()?;
    match (measured.integrated_lufs, measured.true_peak_dbtp) {
        (Some(lufs), Some(peak_dbtp)) => Ok((lufs, peak_dbtp)),
        _ => bail!("is silent in the excerpt"),
    }
}

/// Applies a gain and rounds to 16 bits with triangular dither of ±1 step, so that quiet passages and fades carry no
/// distortion (Lipshitz, Wannamaker and Vanderkooy 1992).
fn round(samples: &[f32], gain_db: f64, seed: u64) -> Vec<i16> {
    let gain = 10f64.powf(gain_db / 20.0) * FULL_SCALE;
    let mut random = Random::new(seed);
    let rounded = |sample: &f32| {
        let dither = random.unit() - random.unit();
        (f64::from(*sample) * gain + dither).round().clamp(-FULL_SCALE, FULL_SCALE - 1.0) as i16
    };
    samples.iter().map(rounded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_the_signal_and_spreads_the_error() {
        let tone: Vec<f32> = (0..48_000).map(|n| 0.1 * (n as f32 * 0.05).sin()).collect();
        let rounded = round(&tone, -6.0206, 1);
        let errors: Vec<f64> = tone
            .iter()
            .zip(&rounded)
            .map(|(x, y)| f64::from(*x) * FULL_SCALE / 2.0 - f64::from(*y))
            .collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let power = errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64;
        // Rounding (1/12) and triangular dither (1/6) add up to a quarter of a squared step.
        assert!(mean.abs() < 0.01 && (power - 0.25).abs() < 0.01, "{mean} {power}");
        assert_eq!(round(&[9.0, -9.0], 0.0, 1), [i16::MAX, i16::MIN]);
    }

    #[test]
    fn ends_are_faded_and_the_middle_is_untouched() {
        let ones = StereoBuffer { left: vec![1.0; 50_000], right: vec![1.0; 50_000] };
        let cut = cut(&ones, 1000, 44_100, 44_100);
        assert_eq!((cut.left.len(), cut.left[0], cut.left[44_099], cut.right[441]), (44_100, 0.0, 0.0, 1.0));
        assert!(cut.left.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.01));
    }
}
