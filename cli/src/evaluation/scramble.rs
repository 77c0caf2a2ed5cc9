//! Stems with scrambled gains: does a mix depend on how loud its stems happen to arrive?
//!
//! Where the human mix is nearly the sum of the stems, whoever leaves levels alone looks perfect. So the stems' gains are
//! changed first – by up to 10 dB each, five times, always the same – and what is reported of a mix is the mean over the
//! five. How far a stem's level in the mix moves between them is reported beside it: a mix that decides levels by itself
//! does not move.

use tributary_dsp::Stem;

use super::catalog::Figure;
use super::song::{SongReport, SystemReport};

/// Sets of gains that every song is mixed with.
pub const ROUNDS: usize = 5;
/// Largest change of a stem's gain, in dB, up or down.
const MOST_DB: f64 = 10.0;
/// Figures that hold a stem's level in the mix.
const LEVELS: [&str; Stem::COUNT] = ["vocals_lu", "bass_lu", "drums_lu", "other_lu"];

/// Gain of each stem in dB, in stem order, evenly spread over ±10 dB. The song does not matter: the same stem is loud in
/// the same round of every song. The fractional parts of multiples of irrational numbers fill the range evenly and need
/// no generator.
pub fn gains_db(round: usize) -> [f64; Stem::COUNT] {
    let roots = [2.0, 3.0, 5.0, 7.0_f64].map(f64::sqrt);
    roots.map(|root| MOST_DB * (2.0 * (root * (round + 1) as f64).fract() - 1.0))
}

/// Puts the rounds of one song together: the mean of every figure, the largest movement of a stem's level, and curves and
/// audio of the first round.
pub fn together(rounds: Vec<SongReport>) -> Option<SongReport> {
    let mut rounds = rounds.into_iter();
    let mut song = rounds.next()?;
    let others: Vec<SongReport> = rounds.collect();
    if others.is_empty() {
        return Some(song);
    }
    for (index, system) in song.systems.iter_mut().enumerate() {
        let same: Vec<&SystemReport> = others.iter().filter_map(|round| round.systems.get(index)).collect();
        system.level_spread_lu = spread_lu(system, &same);
        for figure in &mut system.figures {
            let again = same.iter().filter_map(|other| other.figure(figure.key).copied());
            *figure = mean(&std::iter::once(*figure).chain(again).collect::<Vec<_>>());
        }
    }
    for note in others.into_iter().flat_map(|round| round.notes) {
        if !song.notes.contains(&note) {
            song.notes.push(note);
        }
    }
    Some(song)
}

/// How far the level of any stem in the mix moves between the rounds, in LU; none where no level is known.
fn spread_lu(first: &SystemReport, others: &[&SystemReport]) -> Option<f64> {
    let spread = |key: &str| {
        let levels: Vec<f64> = std::iter::once(first)
            .chain(others.iter().copied())
            .filter_map(|round| round.figure(key)?.mix)
            .collect();
        let highest = levels.iter().copied().reduce(f64::max)?;
        Some(highest - levels.iter().copied().fold(highest, f64::min))
    };
    LEVELS.into_iter().filter_map(spread).reduce(f64::max)
}

/// The mean of one figure over the rounds that have it.
fn mean(rounds: &[Figure]) -> Figure {
    let over = |value: fn(&Figure) -> Option<f64>| {
        let values: Vec<f64> = rounds.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Figure {
        key: rounds[0].key,
        mix: over(|figure| figure.mix),
        reference: over(|figure| figure.reference),
        distance: over(|figure| figure.distance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_differ_between_stems_and_rounds_and_stay_in_their_range() {
        let all: Vec<f64> = (0..ROUNDS).flat_map(gains_db).collect();
        assert!(all.iter().all(|gain| gain.abs() <= MOST_DB));
        for round in 0..ROUNDS {
            let gains = gains_db(round);
            let apart = gains.iter().copied().fold(f64::MIN, f64::max)
                - gains.iter().copied().fold(f64::MAX, f64::min);
            assert!(apart > 5.0, "round {round} hardly changes the balance: {gains:?}");
        }
        for stem in 0..Stem::COUNT {
            let over: Vec<f64> = (0..ROUNDS).map(|round| gains_db(round)[stem]).collect();
            let apart =
                over.iter().copied().fold(f64::MIN, f64::max) - over.iter().copied().fold(f64::MAX, f64::min);
            assert!(apart > 10.0, "stem {stem}: {over:?}");
        }
    }

    #[test]
    fn a_missing_value_does_not_count() {
        let rounds = [1.0, f64::NAN, 4.0].map(|distance| Figure::distance("stft_error", distance));
        assert_eq!(mean(&rounds).distance, Some(2.5));
        assert_eq!(mean(&rounds[1..2]).distance, None);
    }
}
