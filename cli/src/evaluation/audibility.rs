//! Audibility over time: how far each stem stands above or below all others, second by second, while it sounds.
//!
//! [`super::balance`] says how loud a stem is over the whole song; a voice at the right level on average may still drown
//! in every chorus. So the same least squares are solved again for every second and for three regions of frequency. A
//! second says little of stems that play the same there; what it leaves open is taken from the song as a whole.

use std::ops::Range;

use tributary_dsp::Stem;

use super::balance::{Equations, StemPowers};
use super::catalog::Figure;
use super::tone::{BANDS, REGIONS, region};

/// Length of a window in frames of [`super::balance::GRID`]: 1.02 s, long enough for a few notes.
const WINDOW_FRAMES: usize = 11;
/// A stem sounds where it is not this far below its own loudest window, in dB.
const RESTS_DB: f64 = 25.0;
/// A region in which a stem is never louder than this below its loudest one holds none of it, in dB.
const ABSENT_DB: f64 = 40.0;
/// A stem this far above the others stands alone and below them is gone; more does not count, in dB.
const LIMIT_DB: f64 = 30.0;
/// A window whose stems explain less of the mix than this is not judged.
const LEAST_EXPLAINED: f64 = 0.7;
/// Weight of the song's own factors against those of a window: enough to decide what a window leaves open, too little to
/// hide a ride of the fader.
const TRUST_IN_SONG: f64 = 0.02;
/// Times the factors are found; each time errors are relative to what the last ones explain.
const ROUNDS: usize = 2;
/// Fewer windows than this say nothing of a stem.
const LEAST_WINDOWS: usize = 3;
/// The low quantile: the moments in which a stem is covered most.
const COVERED: f64 = 0.1;

const MEAN_KEYS: [[&str; REGIONS]; Stem::COUNT] = [
    ["vocals_audibility_low_db", "vocals_audibility_middle_db", "vocals_audibility_high_db"],
    ["bass_audibility_low_db", "bass_audibility_middle_db", "bass_audibility_high_db"],
    ["drums_audibility_low_db", "drums_audibility_middle_db", "drums_audibility_high_db"],
    ["other_audibility_low_db", "other_audibility_middle_db", "other_audibility_high_db"],
];
const COVERED_KEYS: [[&str; REGIONS]; Stem::COUNT] = [
    ["vocals_covered_low_db", "vocals_covered_middle_db", "vocals_covered_high_db"],
    ["bass_covered_low_db", "bass_covered_middle_db", "bass_covered_high_db"],
    ["drums_covered_low_db", "drums_covered_middle_db", "drums_covered_high_db"],
    ["other_covered_low_db", "other_covered_middle_db", "other_covered_high_db"],
];

/// Level over the others of each stem in one window of one region, in dB; none where the stem rests or nothing is known.
type Moment = [Option<f64>; Stem::COUNT];

/// How far the stems of a song stand above each other in one mix.
#[derive(Debug, Clone, PartialEq)]
pub struct Audibility {
    /// One moment a window, by region.
    windows: [Vec<Moment>; REGIONS],
    /// Share of the windows with any stem in them that could be judged; none without such windows.
    judged: Option<f64>,
}

impl Audibility {
    /// Measures a mix, given by its powers as [`super::balance::cells`] makes them, as long as the stems.
    pub fn of(stems: &StemPowers, mix: &[f64]) -> Self {
        let columns = stems.columns();
        let audible = audible_above(columns, mix.len() / BANDS);
        let (mut with_stems, mut judged) = (0_usize, 0_usize);
        let windows = std::array::from_fn(|index| {
            let part = |frames: Range<usize>| Part {
                stems: columns.map(|stem| cut(stem, frames.clone(), region(index))),
                mix: cut(mix, frames, region(index)),
            };
            let usual = part(0..mix.len() / BANDS).usual();
            let moment = |frames: Range<usize>| {
                let part = part(frames);
                let powers = part.stems.each_ref().map(|stem| stem.iter().sum::<f64>());
                let sounds: [bool; Stem::COUNT] = std::array::from_fn(|stem| {
                    audible[index][stem].is_some_and(|least| powers[stem] >= least)
                });
                let factors = part.factors(usual);
                with_stems += usize::from(sounds.contains(&true));
                judged += usize::from(factors.is_some() && sounds.contains(&true));
                let heard =
                    |factors: [f64; Stem::COUNT]| std::array::from_fn(|stem| factors[stem] * powers[stem]);
                std::array::from_fn(|stem| over_others(heard(factors?), stem).filter(|_| sounds[stem]))
            };
            windows(mix.len() / BANDS).map(moment).collect()
        });
        Self { windows, judged: (with_stems > 0).then(|| judged as f64 / with_stems as f64) }
    }

    /// The figures; `self` is the human mix.
    pub fn compare(&self, mix: &Self) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut distances = Vec::new();
        for stem in 0..Stem::COUNT {
            for index in 0..REGIONS {
                let (theirs, ours) = (self.course(stem, index), mix.course(stem, index));
                let [reference_mean, mix_mean] = [&theirs, &ours].map(|course| mean(course));
                let apart: Vec<f64> = self.windows[index]
                    .iter()
                    .zip(&mix.windows[index])
                    .filter_map(|(theirs, ours)| Some((ours[stem]? - theirs[stem]?).abs()))
                    .collect();
                let distance = mean(&apart);
                distances.extend(distance);
                let key = MEAN_KEYS[stem][index];
                figures.push(Figure { key, mix: mix_mean, reference: reference_mean, distance });
                let [theirs, ours] = [theirs, ours].map(covered);
                figures.push(Figure::values(COVERED_KEYS[stem][index], theirs, ours));
            }
        }
        let overall = (!distances.is_empty()).then(|| distances.iter().sum::<f64>() / distances.len() as f64);
        figures.push(Figure::maybe("audibility_db", overall));
        figures.push(Figure::values("audibility_judged", self.judged, mix.judged));
        figures
    }

    /// What is known of a stem, window after window.
    fn course(&self, stem: usize, region: usize) -> Vec<f64> {
        self.windows[region].iter().filter_map(|moment| moment[stem]).collect()
    }
}

/// The cells of one window and region.
struct Part {
    stems: [Vec<f64>; Stem::COUNT],
    mix: Vec<f64>,
}

impl Part {
    fn columns(&self) -> [&[f64]; Stem::COUNT] {
        self.stems.each_ref().map(Vec::as_slice)
    }

    /// The best factors.
    fn usual(&self) -> [f64; Stem::COUNT] {
        Equations::of(self.columns(), &self.mix).solve()
    }

    /// The best factors near the song's own; none when they explain too little.
    fn factors(&self, usual: [f64; Stem::COUNT]) -> Option<[f64; Stem::COUNT]> {
        let mut factors = usual;
        let mut explained = 0.0;
        for _ in 0..ROUNDS {
            let equations = Equations::relative_to(self.columns(), &self.mix, &self.between(factors));
            factors = equations.solve_near(usual, TRUST_IN_SONG);
            explained = equations.explained(factors);
        }
        (explained >= LEAST_EXPLAINED).then_some(factors)
    }

    /// Halfway from the mix's powers to those the stems explain. Stems that happen to cancel each other in a cell make the
    /// mix's power small, and what the stems do not hold makes theirs small: neither may weigh more than all else.
    fn between(&self, factors: [f64; Stem::COUNT]) -> Vec<f64> {
        let mut between = self.mix.clone();
        for (stem, factor) in self.stems.iter().zip(factors) {
            between.iter_mut().zip(stem).for_each(|(between, power)| *between += factor * power);
        }
        between.iter_mut().for_each(|power| *power *= 0.5);
        between
    }
}

/// Frames of all windows; the last one is half as long to one and a half times.
fn windows(frames: usize) -> impl Iterator<Item = Range<usize>> {
    let count = ((frames + WINDOW_FRAMES / 2) / WINDOW_FRAMES).max(1);
    (0..count).map(move |window| {
        let start = window * WINDOW_FRAMES;
        start..if window + 1 == count { frames } else { start + WINDOW_FRAMES }
    })
}

/// The cells of some frames and bands; none of a missing stem.
fn cut(cells: &[f64], frames: Range<usize>, bands: Range<usize>) -> Vec<f64> {
    let frames = cells.chunks_exact(BANDS).skip(frames.start).take(frames.len());
    frames.flat_map(|frame| &frame[bands.clone()]).copied().collect()
}

/// Power a window of a stem needs to count as sounding, by region; none where the stem has nothing at all.
fn audible_above(columns: [&[f64]; Stem::COUNT], frames: usize) -> [[Option<f64>; Stem::COUNT]; REGIONS] {
    let loudest: [[f64; Stem::COUNT]; REGIONS] = std::array::from_fn(|index| {
        columns.map(|stem| {
            let power = |frames| cut(stem, frames, region(index)).iter().sum::<f64>();
            windows(frames).map(power).fold(0.0, f64::max)
        })
    });
    let ratio = |level_db: f64| 10f64.powf(-level_db / 10.0);
    std::array::from_fn(|index| {
        std::array::from_fn(|stem| {
            let anywhere = loudest.iter().map(|loudest| loudest[stem]).fold(0.0, f64::max);
            let here = loudest[index][stem];
            (here > 0.0 && here >= anywhere * ratio(ABSENT_DB)).then(|| here * ratio(RESTS_DB))
        })
    })
}

/// Level of a stem against the sum of all others in dB; none when nothing is heard at all.
fn over_others(heard: [f64; Stem::COUNT], stem: usize) -> Option<f64> {
    let others: f64 = (0..Stem::COUNT).filter(|&other| other != stem).map(|other| heard[other]).sum();
    let level_db = 10.0 * (heard[stem] / others).log10();
    (!level_db.is_nan()).then(|| level_db.clamp(-LIMIT_DB, LIMIT_DB))
}

fn mean(course: &[f64]) -> Option<f64> {
    (course.len() >= LEAST_WINDOWS).then(|| course.iter().sum::<f64>() / course.len() as f64)
}

/// The low quantile, between the two windows next to it.
fn covered(mut course: Vec<f64>) -> Option<f64> {
    if course.len() < LEAST_WINDOWS {
        return None;
    }
    course.sort_unstable_by(f64::total_cmp);
    let place = COVERED * (course.len() - 1) as f64;
    let (below, share) = (place as usize, place.fract());
    let above = course[(below + 1).min(course.len() - 1)];
    Some(course[below] + share * (above - course[below]))
}

#[cfg(test)]
mod tests {
    use tributary_dsp::StereoBuffer;

    use super::*;
    use crate::evaluation::RATE_HZ;
    use crate::evaluation::balance::cells;

    const SECONDS: usize = 12;

    /// Noise in its own rhythm, of every region, different for every seed.
    fn noise(seed: u64, every_s: f64) -> StereoBuffer {
        let mut state = seed;
        let sound = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let since_s = (n as f64 / f64::from(RATE_HZ)) % every_s;
            (0.1 * (-4.0 * since_s).exp()) as f32 * ((state >> 40) as f32 / 8_388_608.0 - 1.0)
        };
        StereoBuffer::mono((0..SECONDS * RATE_HZ as usize).map(sound).collect())
    }

    /// The sum of stems, each with a gain of its own at any time.
    fn mix(stems: &[StereoBuffer], gain: impl Fn(usize, f64) -> f32) -> StereoBuffer {
        let mut sum = vec![0.0; SECONDS * RATE_HZ as usize];
        for (index, stem) in stems.iter().enumerate() {
            for (n, sum) in sum.iter_mut().enumerate() {
                *sum += gain(index, n as f64 / f64::from(RATE_HZ)) * stem.left[n];
            }
        }
        StereoBuffer::mono(sum)
    }

    fn powers(stems: &[StereoBuffer]) -> StemPowers {
        let stem = |index: usize| stems.get(index);
        StemPowers::of([stem(0), stem(1), stem(2), stem(3)])
    }

    #[track_caller]
    fn figure(figures: &[Figure], key: &str) -> Figure {
        *figures.iter().find(|figure| figure.key == key).unwrap_or_else(|| panic!("no {key}"))
    }

    /// Partials of every region that no other seed has, in their own rhythm.
    fn chord(seed: u32, every_s: f64) -> StereoBuffer {
        let seed = f64::from(seed);
        let low = [60.0, 160.0].map(|hz| hz + 50.0 * seed);
        let high = (0..12).map(|k| 300.0 * 1.4_f64.powf(f64::from(k) + 0.37 * seed));
        let partials: Vec<f64> = low.into_iter().chain(high).collect();
        let sound = |n: usize| {
            let time_s = n as f64 / f64::from(RATE_HZ);
            let tones = partials.iter().map(|hz| (std::f64::consts::TAU * hz * time_s).sin());
            (0.02 * (-4.0 * (time_s % every_s)).exp() * tones.sum::<f64>()) as f32
        };
        StereoBuffer::mono((0..SECONDS * RATE_HZ as usize).map(sound).collect())
    }

    #[test]
    fn a_fader_ride_moves_the_trajectory_by_as_much_and_only_while_it_lasts() {
        let stems = [chord(0, 0.31), chord(1, 0.47)];
        let powers = powers(&stems);
        let of = |mix: &StereoBuffer| Audibility::of(&powers, &cells(mix));
        let human = of(&mix(&stems, |_, _| 1.0));
        // The voice is 12 dB softer in the second half.
        let ridden = of(&mix(&stems, |stem, time_s| if stem == 0 && time_s >= 6.0 { 0.251 } else { 1.0 }));
        let figures = human.compare(&ridden);
        for index in 0..REGIONS {
            let level = figure(&figures, MEAN_KEYS[0][index]);
            let moved = level.mix.expect("there") - level.reference.expect("there");
            assert!((moved + 6.0).abs() < 1.0, "region {index}: {moved}");
            let distance = level.distance.expect("there");
            assert!((distance - 6.0).abs() < 1.0, "region {index}: {distance}");
            let lowest = figure(&figures, COVERED_KEYS[0][index]).distance.expect("there");
            assert!((lowest - 12.0).abs() < 1.5, "region {index}: {lowest}");
        }
        assert!(figure(&figures, "audibility_judged").mix.expect("there") > 0.95);
        let same = human.compare(&human);
        assert!(same.iter().all(|figure| figure.distance.is_none_or(|distance| distance == 0.0)), "{same:?}");
    }

    #[test]
    fn neither_the_mixs_nor_the_stems_levels_matter() {
        let stems = [noise(1, 0.31), noise(2, 0.47), noise(3, 0.71)];
        let scaled: Vec<StereoBuffer> = stems
            .iter()
            .map(|stem| StereoBuffer::mono(stem.left.iter().map(|x| 0.2 * x).collect()))
            .collect();
        let gain = |stem: usize, _: f64| [1.0, 0.5, 2.0][stem];
        let plain = Audibility::of(&powers(&stems), &cells(&mix(&stems, gain)));
        let quiet_mix = mix(&stems, |stem, time_s| 0.01 * gain(stem, time_s));
        let quiet = Audibility::of(&powers(&scaled), &cells(&quiet_mix));
        for apart in plain.compare(&quiet).iter().filter_map(|figure| figure.distance) {
            assert!(apart < 1e-2, "{apart}");
        }
    }

    #[test]
    fn silent_absent_and_resting_stems_are_left_out_and_nothing_is_not_a_number() {
        let mut resting = noise(2, 0.47);
        resting.left[RATE_HZ as usize..].fill(0.0);
        resting.right[RATE_HZ as usize..].fill(0.0);
        let silence = StereoBuffer::silence(SECONDS * RATE_HZ as usize);
        let stems = [noise(1, 0.31), resting, silence];
        let whole = Audibility::of(&powers(&stems), &cells(&mix(&stems, |_, _| 1.0)));
        let figures = whole.compare(&whole);
        for keys in &MEAN_KEYS[1..] {
            let level = figure(&figures, keys[1]);
            assert_eq!((level.mix, level.distance), (None, None), "{}", keys[1]);
        }
        // Alone nearly all the time.
        assert!(figure(&figures, MEAN_KEYS[0][1]).mix.expect("there") > 25.0);
        let nothing = Audibility::of(&powers(&stems[2..]), &cells(&StereoBuffer::silence(100)));
        assert!(nothing.compare(&nothing).iter().all(|figure| figure.mix.is_none()), "{nothing:?}");
    }

    #[test]
    fn a_mix_of_other_music_is_not_judged() {
        let stems = [noise(1, 0.31), noise(2, 0.47)];
        // A single tone, and a whisper of hiss so that no region is empty.
        let hiss = noise(9, 1e9);
        let tone = |n: usize| {
            let time_s = n as f64 / f64::from(RATE_HZ);
            (0.1 * (std::f64::consts::TAU * 1_000.0 * time_s).sin()) as f32 + 1e-3 * hiss.left[n]
        };
        let other = StereoBuffer::mono((0..SECONDS * RATE_HZ as usize).map(tone).collect());
        let figures = Audibility::of(&powers(&stems), &cells(&other));
        assert!(figures.judged.expect("stems sound") < 0.2, "{figures:?}");
    }
}
