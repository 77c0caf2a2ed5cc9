//! An estimate in words and plain tables, to print and to copy: always called one, with what is not known left open.

use std::fmt::Write;

use super::moves::{Moves, OCTAVES, octave_hz};
use super::result::{Explanation, Found, StemInMix};
use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, center_hz};
use crate::stem::Stem;

/// A pan knob or a band that moves less is left where it is: 3 % of the way, and half a decibel.
const NO_PAN: f32 = 0.03;
const NO_DB: f32 = 0.5;

/// Less of the mix explained than this is worth a warning.
const LITTLE: f32 = 0.5;

/// Everything: a sentence, the stems, the moves to dial, and the curves.
pub fn text(explanation: &Explanation) -> String {
    let mut text = format!(
        "An estimate from {:.0} s of material. The stems explain {:.0} % of the mix.\n",
        explanation.heard_s,
        100.0 * explanation.explained_share
    );
    if explanation.explained_share < LITTLE {
        text += "Most of the mix is something else, or was changed beyond gains and curves: take the figures with care.\n";
    }
    text.push('\n');
    for (stem, found) in Stem::ALL.into_iter().zip(&explanation.stems) {
        let _ = writeln!(text, "{:<8}{}", stem.name(), sentence(found));
    }
    text += "\nTo dial: fader, pan (constant power), octave equalizer in dB\n";
    for (stem, found) in Stem::ALL.into_iter().zip(&explanation.stems) {
        if let Some(found) = found.audible() {
            let _ = writeln!(text, "{:<8}{}", stem.name(), dial(&Moves::of(found)));
        }
    }
    text + "\n" + &curves(explanation)
}

/// What was found of one stem.
pub fn sentence(found: &Found) -> String {
    match found {
        Found::Silent => "does not sound".into(),
        Found::Unclear => "is not found: too quiet here, or changed beyond gain and curve".into(),
        Found::Audible(stem) => {
            let StemInMix { gain_db, error_db, level_lu, .. } = stem;
            let polarity = if stem.inverted { ", polarity inverted" } else { "" };
            format!(
                "gain {gain_db:+.1} dB (±{error_db:.1}), {:.1} LU below the mix{}{polarity}",
                -level_lu,
                sides(stem)
            )
        }
    }
}

/// Left and right, where they differ.
fn sides(stem: &StemInMix) -> String {
    match (stem.left_db, stem.right_db) {
        (Some(left_db), Some(right_db)) if stem.pan.abs() >= NO_PAN => {
            format!(", left {left_db:+.1} dB, right {right_db:+.1} dB")
        }
        (Some(_), None) => ", left only".into(),
        (None, Some(_)) => ", right only".into(),
        _ => String::new(),
    }
}

/// One line of moves.
pub fn dial(moves: &Moves) -> String {
    let pan = match moves.pan {
        pan if pan.abs() < NO_PAN => "pan as it is".into(),
        pan if pan < 0.0 => format!("pan {:.0} % left", -100.0 * pan),
        pan => format!("pan {:.0} % right", 100.0 * pan),
    };
    let moved = (0..OCTAVES).filter_map(|octave| {
        let gain_db = moves.octaves_db[octave].filter(|gain_db| gain_db.abs() >= NO_DB)?;
        Some(format!("{} {gain_db:+.1}", hz(octave_hz(octave))))
    });
    let moved: Vec<String> = moved.collect();
    let equalizer = if moved.is_empty() { "flat".into() } else { moved.join(", ") };
    format!("fader {:+.1} dB; {pan}; {equalizer}", moves.fader_db)
}

/// A table of the gains per third octave.
fn curves(explanation: &Explanation) -> String {
    let mut text = "Gain per third octave in dB (– not audible here)\n     Hz".to_owned();
    for stem in Stem::ALL {
        let _ = write!(text, "{:>9}", stem.name());
    }
    text.push('\n');
    for band in 0..THIRD_OCTAVES {
        let gains = explanation.stems.each_ref().map(|found| found.audible()?.curve[band]);
        if gains.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(text, "{:>7}", hz(center_hz(band)));
        for gain in gains {
            let gain = gain.map_or("–".into(), |gain| format!("{:+.1}", gain.gain_db));
            let _ = write!(text, "{gain:>9}");
        }
        text.push('\n');
    }
    text
}

/// A frequency as equalizers have it.
fn hz(hz: f64) -> String {
    match hz {
        hz if hz >= 9_950.0 => format!("{:.0}k", hz / 1000.0),
        hz if hz >= 995.0 => format!("{:.1}k", hz / 1000.0),
        hz => format!("{hz:.0}"),
    }
}
