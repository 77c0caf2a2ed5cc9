//! Space: how much sounds on after an onset, and how fast it dies away, octave by octave.
//!
//! A room, a reverb or a delay fills what lies between the notes. Two things say so without knowing the dry sound: the
//! energy that comes late after an onset against that which comes early, and the slope of the level's fall after it. Notes
//! ring by themselves, so a value alone tells an instrument from a room badly; but both mixes play the same notes, and are
//! looked at after the same onsets – those of the human mix – so the difference between them is the mixes' own.

use tributary_dsp::StereoBuffer;
use tributary_dsp::analysis::onsets::onsets;

use super::RATE_HZ;
use super::catalog::Figure;
use super::frames::{Grid, Window};

/// Short enough to see a fall within 50 ms, long enough to tell the lowest octave from the next.
const GRID: Grid = Grid { length: 2_048, hop: 512, window: Window::Hann };
/// Time from one reading of the levels to the next in seconds.
const STEP_S: f64 = GRID.hop as f64 / RATE_HZ as f64;
const OCTAVES: usize = 7;
/// Centers of the octaves, from 125 Hz to 8 kHz: those in which rooms are measured (ISO 3382-1).
const LOWEST_HZ: f64 = 125.0;
/// Octaves whose late energy is compared, from 250 Hz: below, the bass decides, which no reverb is on.
const FIRST_COMPARED: usize = 1;
/// What the ear adds to an onset and what it hears as following it: the border is that of clarity C80 (ISO 3382-1); the end
/// keeps the next beat out.
const EARLY_S: f64 = 0.08;
const LATE_S: f64 = 0.3;
/// An onset needs as much time of its own, up to the next one, in seconds.
const OWN_S: f64 = 0.16;
/// The detector dates an onset to within this, in seconds; the steepest rise near it is taken.
const DATING_S: f64 = 0.06;
/// Onsets closer together are one, in seconds.
const ONE_S: f64 = 0.05;
/// Nothing is looked for longer after an onset, in seconds.
const LONGEST_S: f64 = 2.0;
/// The fall that is measured starts at the peak and ends this far below, in dB; beyond, other sounds take over.
const FALL_DB: f64 = 25.0;
/// A fall has to reach this far to be one, in dB: that of the early decay time (ISO 3382-1).
const LEAST_FALL_DB: f64 = 10.0;
/// What decay times are given for, in dB.
const DECAY_DB: f64 = 60.0;
/// An octave this far below its own loudest moment is not heard, in dB.
const HEARD_DB: f64 = 40.0;
/// Late against early energy is not looked at beyond this, in dB.
const LIMIT_DB: f64 = 40.0;
/// Fewer onsets or falls than this have no median worth the name.
const LEAST_EVENTS: usize = 3;

const DECAY_KEYS: [&str; OCTAVES] = [
    "decay_125_s",
    "decay_250_s",
    "decay_500_s",
    "decay_1000_s",
    "decay_2000_s",
    "decay_4000_s",
    "decay_8000_s",
];

/// How one mix sounds on.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// Power of both channels by octave, every [`STEP_S`]: 2.4 kB a second.
    levels: [Vec<f32>; OCTAVES],
    /// Where sounds begin, in steps.
    onsets: Vec<usize>,
}

/// Medians over the onsets of a song.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Reading {
    late_early_db: Option<f64>,
    decay_s: [Option<f64>; OCTAVES],
}

impl Space {
    /// Measures a mix.
    pub fn of(audio: &StereoBuffer) -> Self {
        let octaves: Vec<Option<usize>> = (0..GRID.bins()).map(|bin| octave_at(GRID.hz(bin))).collect();
        let count = GRID.count(audio.frames());
        let mut levels: [Vec<f32>; OCTAVES] = std::array::from_fn(|_| vec![0.0; count]);
        GRID.each([&audio.left, &audio.right], |frame, [left, right]| {
            for ((octave, left), right) in octaves.iter().zip(left).zip(right) {
                if let Some(octave) = *octave {
                    levels[octave][frame] += left.norm_sqr() + right.norm_sqr();
                }
            }
        });
        let mid: Vec<f32> =
            audio.left.iter().zip(&audio.right).map(|(left, right)| 0.5 * (left + right)).collect();
        let onsets = dated(&onsets(&mid, f64::from(RATE_HZ)), &levels);
        Self { levels, onsets }
    }

    /// The figures; `self` is the human mix.
    pub fn compare(&self, mix: &Self) -> Vec<Figure> {
        let [theirs, ours] = [self, mix].map(|mix| mix.after(&self.onsets));
        let mut figures = vec![Figure::values("late_early_db", theirs.late_early_db, ours.late_early_db)];
        figures.extend(
            (0..OCTAVES).map(|octave| {
                Figure::values(DECAY_KEYS[octave], theirs.decay_s[octave], ours.decay_s[octave])
            }),
        );
        let ratios: Vec<f64> = theirs
            .decay_s
            .iter()
            .zip(ours.decay_s)
            .filter_map(|(theirs, ours)| Some((ours? / (*theirs)?).log2().abs()))
            .collect();
        let overall = (!ratios.is_empty()).then(|| ratios.iter().sum::<f64>() / ratios.len() as f64);
        figures.push(Figure::maybe("decay_error", overall));
        figures
    }

    /// What follows some onsets.
    fn after(&self, onsets: &[usize]) -> Reading {
        let end = self.levels[0].len();
        let next = onsets.iter().skip(1).copied().chain([end]);
        let own: Vec<(usize, usize)> =
            onsets.iter().copied().zip(next).filter(|(onset, next)| next - onset >= steps(OWN_S)).collect();
        let loudest = self.levels.each_ref().map(|levels| levels.iter().copied().fold(0.0, f32::max));
        Reading {
            late_early_db: median(own.iter().filter_map(|own| self.late_early_db(*own, loudest)).collect()),
            decay_s: std::array::from_fn(|octave| {
                let heard = f64::from(loudest[octave]) * 10f64.powf(-HEARD_DB / 10.0);
                let levels = &self.levels[octave];
                median(own.iter().filter_map(|&own| decay_s(levels, own, heard)).collect())
            }),
        }
    }

    /// Late against early energy after one onset, the mean of the octaves in dB; none where no octave is heard.
    fn late_early_db(&self, (onset, next): (usize, usize), loudest: [f32; OCTAVES]) -> Option<f64> {
        // The frame before the onset holds a part of its first sound already, and so does the last of the early ones of
        // what comes late; the two make up for each other.
        let early = onset.saturating_sub(1)..onset + steps(EARLY_S);
        let late = early.end..next.min(onset + steps(LATE_S));
        let energy = |levels: &[f32]| levels.iter().copied().map(f64::from).sum::<f64>();
        let ratios: Vec<f64> = (FIRST_COMPARED..OCTAVES)
            .filter_map(|octave| {
                let levels = &self.levels[octave];
                let peak = levels[early.clone()].iter().copied().fold(0.0, f32::max);
                let heard = f64::from(loudest[octave]) * 10f64.powf(-HEARD_DB / 10.0);
                let ratio_db =
                    10.0 * (energy(&levels[late.clone()]) / energy(&levels[early.clone()])).log10();
                (peak > 0.0 && f64::from(peak) >= heard).then(|| ratio_db.clamp(-LIMIT_DB, LIMIT_DB))
            })
            .collect();
        (!ratios.is_empty()).then(|| ratios.iter().sum::<f64>() / ratios.len() as f64)
    }
}

/// The octave a frequency belongs to.
fn octave_at(hz: f64) -> Option<usize> {
    if hz <= 0.0 {
        return None;
    }
    let octave = (hz / LOWEST_HZ).log2().round();
    (0.0..OCTAVES as f64).contains(&octave).then_some(octave as usize)
}

/// A duration in steps of the levels.
fn steps(seconds: f64) -> usize {
    (seconds / STEP_S).round() as usize
}

/// Onsets, found to within a few hops, at the steepest rise near them, in steps.
fn dated(found: &[i64], levels: &[Vec<f32>; OCTAVES]) -> Vec<usize> {
    // Every octave counts alike: a hat must not be dated by the bass beside it.
    let whole = levels.each_ref().map(|levels| levels.iter().copied().map(f64::from).sum::<f64>());
    let power = |step: usize| {
        let shares = levels.iter().zip(whole).filter(|(_, whole)| *whole > 0.0);
        shares.map(|(levels, whole)| f64::from(levels[step]) / whole).sum::<f64>()
    };
    let last = levels[0].len().saturating_sub(2);
    let mut dated: Vec<usize> = Vec::new();
    for &frame in found {
        // A step's reading is of the frames around its window's center.
        let step = ((frame - GRID.length as i64 / 2) as f64 / GRID.hop as f64).round().max(0.0) as usize;
        let near = step.saturating_sub(steps(DATING_S)).max(1)..(step + steps(DATING_S) + 1).min(last + 1);
        let rise = |step: &usize| power(step + 1) - power(step - 1);
        let Some(onset) = near.max_by(|a, b| rise(a).total_cmp(&rise(b))) else { continue };
        if dated.last().is_none_or(|before| onset >= before + steps(ONE_S)) {
            dated.push(onset);
        }
    }
    dated
}

/// Time for a fall by 60 dB, by the least-squares line through one octave's level between one onset and the next; none
/// when it does not fall, or when it is not heard.
fn decay_s(levels: &[f32], (onset, next): (usize, usize), heard: f64) -> Option<f64> {
    // The window of the next onset's sound begins two steps before it.
    let end = next.saturating_sub(GRID.length / GRID.hop / 2).min(onset + steps(LONGEST_S));
    let top = (onset..end.min(onset + steps(EARLY_S))).max_by(|&a, &b| levels[a].total_cmp(&levels[b]))?;
    let peak = f64::from(levels[top]);
    if peak <= 0.0 || peak < heard {
        return None;
    }
    let mut fall: Vec<f64> = Vec::new();
    for &level in &levels[top..end] {
        let level_db = 10.0 * (f64::from(level) / peak).max(f64::MIN_POSITIVE).log10();
        fall.push(level_db.max(-FALL_DB));
        if level_db <= -FALL_DB {
            break;
        }
    }
    if *fall.last()? > -LEAST_FALL_DB {
        return None;
    }
    let slope_db = slope(&fall);
    (slope_db < 0.0).then(|| DECAY_DB / -slope_db * STEP_S)
}

/// Of the least-squares line, per step; not a number for fewer than two values.
fn slope(values: &[f64]) -> f64 {
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let deviations = values.iter().enumerate().map(|(n, value)| (n as f64 - middle, value));
    let (covariance, variance) =
        deviations.fold((0.0, 0.0), |sums, (place, value)| (sums.0 + place * value, sums.1 + place * place));
    covariance / variance
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    if values.len() < LEAST_EVENTS {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    Some(0.5 * (values[values.len() / 2] + values[(values.len() - 1) / 2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bursts every `every_s` that decay by 60 dB within `decay_s`, different noise in both channels.
    fn train(decay_s: f64, every_s: f64, gain: f32) -> StereoBuffer {
        let mut state = 7_u64;
        let mut noise = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let since_s = (n as f64 / f64::from(RATE_HZ) + 0.9 * every_s) % every_s;
            gain * 10f64.powf(-3.0 * since_s / decay_s) as f32 * ((state >> 40) as f32 / 8_388_608.0 - 1.0)
        };
        let mut audio = StereoBuffer::default();
        for n in 0..20 * RATE_HZ as usize {
            audio.left.push(noise(n));
            audio.right.push(noise(n));
        }
        audio
    }

    fn reading(audio: &StereoBuffer) -> Reading {
        let space = Space::of(audio);
        space.after(&space.onsets)
    }

    #[test]
    fn a_known_decay_is_read_within_15_percent_in_every_octave() {
        for (decay_s, every_s) in [(0.3, 0.5), (0.6, 0.5), (1.2, 1.0), (2.0, 1.0)] {
            let found = reading(&train(decay_s, every_s, 0.3));
            for (octave, read_s) in found.decay_s.into_iter().enumerate() {
                let read_s = read_s.expect("falls enough");
                assert!((read_s / decay_s - 1.0).abs() < 0.15, "{decay_s} s, octave {octave}: {read_s}");
            }
            // Energy of an exponential decay from 80 to 300 ms against that from 0 to 80 ms.
            let left = |time_s: f64| 10f64.powf(-6.0 * time_s / decay_s);
            let expected_db = 10.0 * ((left(EARLY_S) - left(LATE_S)) / (1.0 - left(EARLY_S))).log10();
            let late_early_db = found.late_early_db.expect("there");
            // The border is met to within a step, which is worth this much.
            let step_db = DECAY_DB * STEP_S / decay_s;
            assert!(
                (late_early_db - expected_db).abs() < step_db + 0.3,
                "{decay_s} s: {late_early_db} {expected_db}"
            );
        }
    }

    #[test]
    fn a_dry_train_reads_short_and_its_late_energy_is_little() {
        // The detector takes less than this hiss, −68 dBFS in the middle, for silence and then finds no onset.
        let mut dry = train(1e12, 1e9, 1e-3);
        for n in (10_000..dry.frames()).step_by(20_000) {
            (dry.left[n], dry.right[n]) = (0.9, 0.9);
        }
        let found = reading(&dry);
        for read_s in found.decay_s {
            assert!(read_s.expect("it falls") < 0.1, "{found:?}");
        }
        assert!(found.late_early_db.expect("there") < -20.0, "{found:?}");
    }

    #[test]
    fn more_room_is_more_of_both_and_gain_is_not() {
        let [dry, wet, loud] = [(0.4, 0.3), (0.8, 0.3), (0.4, 0.03)]
            .map(|(decay_s, gain)| Space::of(&train(decay_s, 0.5, gain)));
        let distance = |mix: &Space, key: &str| {
            let figures = dry.compare(mix);
            figures.iter().find(|figure| figure.key == key).and_then(|figure| figure.distance).expect("there")
        };
        assert!((distance(&wet, "decay_error") - 1.0).abs() < 0.15, "twice as long is an octave");
        assert!(distance(&wet, "late_early_db") > 3.0);
        for key in DECAY_KEYS.into_iter().chain(["decay_error", "late_early_db"]) {
            assert!(distance(&loud, key) < 1e-3, "{key}: {}", distance(&loud, key));
        }
    }

    #[test]
    fn silence_and_steady_sound_have_no_figures() {
        let silence = StereoBuffer::silence(3 * RATE_HZ as usize);
        assert_eq!(reading(&silence), Reading::default());
        assert_eq!(reading(&StereoBuffer::silence(100)), Reading::default());
        let steady = train(1e12, 1e9, 0.3);
        assert_eq!(reading(&steady).decay_s, [None; OCTAVES]);
    }
}
