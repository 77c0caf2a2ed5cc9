//! From moments to an estimate: a gain from every side of every stem to every side of the mix, group by group, and what that
//! says of each stem.
//!
//! Stems play together, and in some groups one drowns: there least squares alone would give it any gain that fits noise.
//! So gains lean towards those of the whole spectrum, as strongly as the group's own evidence is weak – the mean of a normal
//! prior –, and the spread that remains (the posterior's) is the error that is reported.

use realfft::num_complex::Complex64;

use super::groups::Group;
use super::moments::{Moments, Products, SIDES, SIGNALS};
use super::result::{BandGain, Explanation, Found, StemInMix};
use super::solve::{Factor, Square, form};
use crate::effects::equalization::third_octaves::THIRD_OCTAVES;
use crate::stem::{CHANNELS, Stem};

/// How far a group's gain is expected to lie from that of the whole spectrum, as a share of it: some 4 dB.
const EXPECTED_SPREAD: f64 = 0.5;
/// What is expected of the gain of a stem that fits nowhere, as a power against the mix's over the stems'.
const LEAST_EXPECTED: f64 = 1e-2;
/// Leaning even where everything fits, against the strongest signal: what is 70 dB weaker is not looked for, and the two
/// sides of a mono stem are taken alike.
const LEAST_LEANING: f64 = 1e-7;
/// Leaning of the gains of the whole spectrum towards none, as a share of each stem's own power.
const BROADBAND_LEANING: f64 = 1e-3;
/// Neighboring bins and windows overlap: so many of them are worth one that does not.
const BINS_PER_OBSERVATION: f64 = 2.0;
/// A stem whose power in a third octave is less than this part of the mix's there is not heard.
const AUDIBLE_SHARE: f64 = 0.01;
/// A third octave this far below the mix's strongest is not heard, as a power: what lossy files leave up there is noise.
const HEARD_SHARE: f64 = 1e-6;
/// The third octave at 20 Hz is one bin wide and full of its neighbors.
const FIRST_BAND: usize = 1;
/// A polarity is taken for the opposite when the gains of the whole spectrum say so with at least this part of the gain that
/// is found: a stem whose phase was turned otherwise fits neither.
const INVERTED_SHARE: f64 = 0.5;
/// A gain that is not known better than this is not given, in dB.
const LARGEST_ERROR_DB: f64 = 2.0;
/// A stem this far below the mix, as a power, is silent.
const SILENT_SHARE: f64 = 1e-9;
/// A side this far below the other, as a power, is none.
const NO_SIDE: f64 = 1e-6;

/// What was heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed<'a> {
    pub groups: &'a [Group],
    pub moments: &'a [Moments],
    /// Windows that do not overlap.
    pub windows: f64,
    /// Material in seconds.
    pub heard_s: f64,
}

/// Gains of the whole spectrum, per stem and side.
type Broadband = [[f64; SIDES]; Stem::COUNT];

/// Powers of one stem, by side of the mix.
#[derive(Debug, Clone, Copy, Default)]
struct StemPowers {
    /// Of the stem by itself.
    own: [f64; SIDES],
    /// Of what of it is in the mix.
    mixed: [f64; SIDES],
    /// Both sides of what of it is in the mix, and how uncertain that is, with quiet moments raised.
    even: f64,
    uncertain: f64,
}

impl StemPowers {
    fn add(&mut self, other: &Self, weight: f64) {
        for side in 0..SIDES {
            self.own[side] += weight * other.own[side];
            self.mixed[side] += weight * other.mixed[side];
        }
        self.even += weight * other.even;
        self.uncertain += weight * other.uncertain;
    }

    fn gain_db(&self) -> f64 {
        10.0 * (sum(self.mixed) / sum(self.own)).log10()
    }

    /// Standard error of the gain: half of the uncertain power is in step with the stem and changes its level.
    fn error_db(&self) -> f64 {
        20.0 * (1.0 + (0.5 * self.uncertain / self.even).sqrt()).log10()
    }

    fn band_gain(&self, mix_even: f64) -> Option<BandGain> {
        let is_heard = self.even > AUDIBLE_SHARE * mix_even && sum(self.own) > 0.0;
        let gain = BandGain { gain_db: self.gain_db() as f32, error_db: self.error_db() as f32 };
        (is_heard && self.error_db() < LARGEST_ERROR_DB).then_some(gain)
    }
}

/// Powers of one group, or of several together.
#[derive(Debug, Clone, Copy, Default)]
struct Powers {
    stems: [StemPowers; Stem::COUNT],
    mix: f64,
    mix_even: f64,
    /// What no stem explains.
    rest: f64,
}

impl Powers {
    fn add(&mut self, other: &Self, weight: f64) {
        self.stems.iter_mut().zip(&other.stems).for_each(|(stem, other)| stem.add(other, weight));
        self.mix += weight * other.mix;
        self.mix_even += weight * other.mix_even;
        self.rest += weight * other.rest;
    }
}

/// Solves what was observed.
pub(super) fn explain(observed: &Observed<'_>) -> Explanation {
    let broadband = broadband(observed);
    let mut bands = [Powers::default(); THIRD_OCTAVES];
    let mut loudness = [Powers::default(); THIRD_OCTAVES];
    for (group, moments) in observed.groups.iter().zip(observed.moments) {
        let observations = observed.windows * group.bins.len() as f64 / BINS_PER_OBSERVATION;
        let powers = solve_group(moments, &broadband, observations);
        bands[group.band].add(&powers, 1.0);
        loudness[group.band].add(&powers, group.loudness_weight);
    }
    let mut whole = Powers::default();
    loudness.iter().for_each(|band| whole.add(band, 1.0));
    let explained = if whole.mix > 0.0 { 1.0 - whole.rest / whole.mix } else { 0.0 };
    Explanation {
        explained_share: explained.clamp(0.0, 1.0) as f32,
        heard_s: observed.heard_s as f32,
        stems: std::array::from_fn(|stem| found(stem, &bands, &loudness, &whole, &broadband[stem])),
    }
}

/// What the figures of one stem say.
fn found(
    stem: usize,
    bands: &[Powers; THIRD_OCTAVES],
    loudness: &[Powers; THIRD_OCTAVES],
    whole: &Powers,
    broadband: &[f64; SIDES],
) -> Found {
    if sum(whole.stems[stem].own) <= SILENT_SHARE * whole.mix {
        return Found::Silent;
    }
    let strongest = bands.iter().fold(0.0, |strongest: f64, band| strongest.max(band.mix));
    let curve: [Option<BandGain>; THIRD_OCTAVES] = std::array::from_fn(|band| {
        let is_heard = band >= FIRST_BAND && bands[band].mix > HEARD_SHARE * strongest;
        bands[band].stems[stem].band_gain(bands[band].mix_even).filter(|_| is_heard)
    });
    let mut heard = StemPowers::default();
    for (band, _) in curve.iter().enumerate().filter(|(_, gain)| gain.is_some()) {
        heard.add(&loudness[band].stems[stem], 1.0);
    }
    if sum(heard.own) <= 0.0 || sum(heard.mixed) <= 0.0 {
        return Found::Unclear;
    }
    let most = heard.own[0].max(heard.own[1]);
    let side = |side: usize| {
        let (own, mixed) = (heard.own[side], heard.mixed[side]);
        (own > NO_SIDE * most).then(|| (mixed / own).sqrt())
    };
    let pan = match (side(0), side(1)) {
        (Some(left), Some(right)) => right.atan2(left) / std::f64::consts::FRAC_PI_4 - 1.0,
        _ => 0.0,
    };
    let gain = (sum(heard.mixed) / sum(heard.own)).sqrt();
    let db = |gain: f64| (20.0 * gain.max(1e-6).log10()) as f32;
    Found::Audible(StemInMix {
        gain_db: heard.gain_db() as f32,
        error_db: heard.error_db() as f32,
        level_lu: (10.0 * (sum(heard.mixed) / whole.mix).log10()) as f32,
        left_db: side(0).map(db),
        right_db: side(1).map(db),
        pan: pan as f32,
        inverted: 0.5 * sum(*broadband) < -INVERTED_SHARE * gain,
        curve,
    })
}

/// One real gain per stem and side, the same at all frequencies, which all count alike.
fn broadband(observed: &Observed<'_>) -> Broadband {
    let mut gains = Broadband::default();
    for side in 0..SIDES {
        let mut matrix: Square<{ Stem::COUNT }> = Default::default();
        let mut right = [Complex64::default(); Stem::COUNT];
        for moments in observed.moments {
            let even = &moments.even;
            let mix = even[CHANNELS][CHANNELS].re + even[CHANNELS + 1][CHANNELS + 1].re;
            if mix <= 0.0 {
                continue;
            }
            for row in 0..Stem::COUNT {
                for column in 0..=row {
                    matrix[row][column] += even[2 * row + side][2 * column + side].re / mix;
                }
                right[row] += even[CHANNELS + side][2 * row + side].re / mix;
            }
        }
        (0..Stem::COUNT).for_each(|stem| matrix[stem][stem] *= 1.0 + BROADBAND_LEANING);
        let solved = Factor::of(&matrix).solve(&right);
        for (stem, gain) in solved.iter().enumerate() {
            // A side that is silent has no gain of its own.
            gains[stem][side] = if matrix[stem][stem].re > 0.0 { gain.re } else { 0.0 };
        }
    }
    gains
}

/// Gains of one group, and the powers they mean.
fn solve_group(moments: &Moments, broadband: &Broadband, observations: f64) -> Powers {
    let (matrix, plain) = (system(&moments.even), system(&moments.plain));
    let own = |matrix: &Square<CHANNELS>| (0..CHANNELS).map(|n| matrix[n][n].re).sum::<f64>();
    let largest = (0..CHANNELS).map(|n| matrix[n][n].re).fold(0.0, f64::max);
    let mut powers = Powers::default();
    for stem in 0..Stem::COUNT {
        powers.stems[stem].own = std::array::from_fn(|side| plain[2 * stem + side][2 * stem + side].re);
    }
    for side in 0..SIDES {
        let mix = CHANNELS + side;
        powers.mix += moments.plain[mix][mix].re;
        powers.mix_even += moments.even[mix][mix].re;
        if largest <= 0.0 || moments.even[mix][mix].re <= 0.0 {
            powers.rest += moments.plain[mix][mix].re;
            continue;
        }
        let quiet = LEAST_EXPECTED * moments.even[mix][mix].re / own(&matrix);
        let squares =
            broadband.map(|gains| (0.5 * gains.iter().map(|gain| gain * gain).sum::<f64>()).max(quiet));
        let fit = |noise: f64| {
            fit(moments, &matrix, side, broadband, |stem| {
                (noise / (EXPECTED_SPREAD * EXPECTED_SPREAD * squares[stem])).max(LEAST_LEANING * largest)
            })
        };
        // How much does not fit decides how far to lean, and is known once something was fitted.
        let first = fit(moments.even[mix][mix].re / observations);
        let noise = rest(&moments.even, &matrix, side, &first.gains) / observations;
        let Fit { gains, factor } = fit(noise);
        let spread = factor.inverse();
        for (stem, powers) in powers.stems.iter_mut().enumerate() {
            let part = gains_of(stem, &gains);
            powers.mixed[side] = form(&plain, &part, &part).re;
            powers.even += form(&matrix, &part, &part).re;
            let pairs = (0..4).map(|n| (2 * stem + n / 2, 2 * stem + n % 2));
            let entry = |r: usize, c: usize| if r >= c { matrix[r][c] } else { matrix[c][r].conj() };
            powers.uncertain += noise * pairs.map(|(r, c)| (entry(r, c) * spread[c][r]).re).sum::<f64>();
        }
        powers.rest += rest(&moments.plain, &plain, side, &gains);
    }
    powers
}

/// Gains from all sides of all stems to one side of the mix, and the matrix they came from.
struct Fit {
    gains: [Complex64; CHANNELS],
    factor: Factor<CHANNELS>,
}

/// Least squares that lean from every side to the same side of the mix by the gains of the whole spectrum.
fn fit(
    moments: &Moments,
    matrix: &Square<CHANNELS>,
    side: usize,
    broadband: &Broadband,
    leaning: impl Fn(usize) -> f64,
) -> Fit {
    let mut leaning_matrix = *matrix;
    let mut right: [Complex64; CHANNELS] = std::array::from_fn(|n| moments.even[CHANNELS + side][n]);
    for channel in 0..CHANNELS {
        let leaning = leaning(channel / 2);
        leaning_matrix[channel][channel] += leaning;
        if channel % 2 == side {
            right[channel] += leaning * broadband[channel / 2][side];
        }
    }
    let factor = Factor::of(&leaning_matrix);
    Fit { gains: factor.solve(&right), factor }
}

/// The stems' part of the products, as normal equations have it.
fn system(products: &Products) -> Square<CHANNELS> {
    std::array::from_fn(|row| std::array::from_fn(|column| products[row][column].conj()))
}

/// Power of a side of the mix that gains leave unexplained.
fn rest(products: &Products, matrix: &Square<CHANNELS>, side: usize, gains: &[Complex64; CHANNELS]) -> f64 {
    let mix: &[Complex64; SIGNALS] = &products[CHANNELS + side];
    let linear: f64 = gains.iter().zip(mix).map(|(gain, product)| (gain.conj() * product).re).sum();
    (mix[CHANNELS + side].re - 2.0 * linear + form(matrix, gains, gains).re).max(0.0)
}

/// The gains of one stem; zeros for the others.
fn gains_of(stem: usize, gains: &[Complex64; CHANNELS]) -> [Complex64; CHANNELS] {
    std::array::from_fn(|n| if n / 2 == stem { gains[n] } else { Complex64::default() })
}

fn sum(sides: [f64; SIDES]) -> f64 {
    sides.iter().sum()
}
