//! How much of each stem is in a mix.
//!
//! A mix that is “not silent” may still have lost the bass. So each channel of the mix is explained as a weighted sum of
//! the stems' same channels (least squares, normal equations, f64); the loudness of each weighted stem is what that stem
//! contributes. Equalization, compression and the network change the shape of a stem, so a gain here is that of the part
//! which still looks like the stem: a lower bound of its presence, exact where the mix is a plain sum.

use anyhow::Result;
use tributary_dsp::Stem;

use crate::loudness::integrated_lufs;
use crate::play::{BusAudio, Stereo};
use crate::ports::Bus;

/// What one stem contributes to a mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Which stem.
    pub stem: Stem,
    /// The linear gain with which it stands in the left and in the right channel.
    pub gains: [f64; 2],
    /// Loudness of the stem with these gains, relative to the mix, in LU; `None` when stem or mix are silent.
    pub relative_lu: Option<f64>,
}

/// The contributions of all stems, and what they leave unexplained.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributions {
    /// One entry a stem, in their order.
    pub stems: [Contribution; Stem::COUNT],
    /// Energy of what no stem explains relative to the mix, in dB.
    pub residual_db: f64,
}

/// Explains `mix` by the stems in `audio`; both start together and have the same length.
///
/// # Errors
/// When the rate is out of the loudness meter's range.
pub fn contributions(audio: &BusAudio, mix: &Stereo, rate_hz: u32) -> Result<Contributions> {
    let (left, left_energies) = fit_channel(audio, mix, 0);
    let (right, right_energies) = fit_channel(audio, mix, 1);
    let mix_lufs = integrated_lufs(mix, rate_hz)?;
    let mut stems = Stem::ALL.map(|stem| {
        let gains = [left[stem.index()], right[stem.index()]];
        Contribution { stem, gains, relative_lu: None }
    });
    for contribution in &mut stems {
        let weighted = weighted(audio.bus(Bus::Stem(contribution.stem)), contribution.gains);
        let lufs = integrated_lufs(&weighted, rate_hz)?;
        contribution.relative_lu = lufs.zip(mix_lufs).map(|(stem, mix)| stem - mix);
    }
    let residual_db = 10.0
        * ((left_energies.residual + right_energies.residual) / (left_energies.mix + right_energies.mix))
            .log10();
    Ok(Contributions { stems, residual_db })
}

struct Energies {
    residual: f64,
    mix: f64,
}

fn weighted(stem: &Stereo, gains: [f64; 2]) -> Stereo {
    let scale = |channel: &[f32], gain: f64| channel.iter().map(|&x| (f64::from(x) * gain) as f32).collect();
    Stereo { left: scale(&stem.left, gains[0]), right: scale(&stem.right, gains[1]) }
}

fn fit_channel(audio: &BusAudio, mix: &Stereo, channel: usize) -> ([f64; Stem::COUNT], Energies) {
    let mix = mix.channels()[channel];
    let stems = Stem::ALL.map(|stem| audio.bus(Bus::Stem(stem)).channels()[channel]);
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
    let gram = stems.map(|a| stems.map(|b| dot(a, b)));
    let projections = stems.map(|stem| dot(stem, mix));
    let gains = solve(gram, projections);
    let mut residual = 0.0;
    for (frame, &sample) in mix.iter().enumerate() {
        let explained: f64 = gains.iter().zip(&stems).map(|(gain, stem)| gain * f64::from(stem[frame])).sum();
        residual += (f64::from(sample) - explained).powi(2);
    }
    (gains, Energies { residual, mix: dot(mix, mix) })
}

/// Solves the symmetric normal equations by elimination with diagonal pivots. A silent stem, or one that equals another,
/// has no pivot of its own and gets gain zero.
fn solve(mut gram: [[f64; Stem::COUNT]; Stem::COUNT], mut right: [f64; Stem::COUNT]) -> [f64; Stem::COUNT] {
    let scale = (0..Stem::COUNT).map(|i| gram[i][i]).fold(0.0, f64::max);
    let mut order: Vec<usize> = Vec::new();
    loop {
        let free = (0..Stem::COUNT).filter(|i| !order.contains(i));
        let Some(pivot) = free.max_by(|&a, &b| gram[a][a].total_cmp(&gram[b][b])) else { break };
        if gram[pivot][pivot] <= 1e-12 * scale {
            break;
        }
        order.push(pivot);
        for row in (0..Stem::COUNT).filter(|i| !order.contains(i)) {
            let factor = gram[row][pivot] / gram[pivot][pivot];
            let pivot_row = gram[pivot];
            for (value, pivot_value) in gram[row].iter_mut().zip(pivot_row) {
                *value -= factor * pivot_value;
            }
            right[row] -= factor * right[pivot];
        }
    }
    let mut gains = [0.0; Stem::COUNT];
    for &pivot in order.iter().rev() {
        let known: f64 = (0..Stem::COUNT).filter(|&i| i != pivot).map(|i| gram[pivot][i] * gains[i]).sum();
        gains[pivot] = (right[pivot] - known) / gram[pivot][pivot];
    }
    gains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::noise;

    #[test]
    fn finds_the_gains_of_a_plain_sum_and_the_missing_stem() {
        let frames = 48_000;
        let audio = Stem::ALL.iter().fold(BusAudio::silence(frames), |audio, &stem| {
            let seed = 2 * stem.index() as u64;
            audio.with(
                Bus::Stem(stem),
                Stereo { left: noise(frames, 0.1, seed), right: noise(frames, 0.1, seed + 1) },
            )
        });
        let wanted = [[0.5, 0.7], [1.0, 1.0], [0.0, 0.0], [-0.25, 2.0]];
        let mut mix = Stereo::silence(frames);
        for (stem, gains) in Stem::ALL.iter().zip(wanted) {
            mix.add(&weighted(audio.bus(Bus::Stem(*stem)), gains));
        }
        let found = contributions(&audio, &mix, 48_000).unwrap();
        for (contribution, wanted) in found.stems.iter().zip(wanted) {
            assert!(contribution.gains.iter().zip(wanted).all(|(gain, wanted)| (gain - wanted).abs() < 1e-5));
        }
        assert!(found.residual_db < -110.0, "{}", found.residual_db);
        assert!(found.stems[1].relative_lu.unwrap() > -10.0);
        assert!(found.stems[2].relative_lu.is_none_or(|lu| lu < -80.0));
    }

    #[test]
    fn silent_and_equal_stems_do_not_break_it() {
        let frames = 48_000;
        let same = Stereo::centered(noise(frames, 0.1, 1));
        let audio = BusAudio::silence(frames)
            .with(Bus::Stem(Stem::Vocals), same.clone())
            .with(Bus::Stem(Stem::Other), same.clone());
        let found = contributions(&audio, &same, 48_000).unwrap();
        let total: f64 = found.stems.iter().map(|contribution| contribution.gains[0]).sum();
        assert!((total - 1.0).abs() < 1e-9);
        assert!(found.residual_db < -200.0);
    }
}
