//! Brings the pieces of one stem to one loudness before they are summed, for those who ask for it: tracks that nobody has
//! balanced yet. By default they are summed as they are, since their balance is the engineer's.

use anyhow::{Context, Result};
use ebur128::{EbuR128, Mode};
use tributary_dsp::{Stem, StemStore};

use crate::stem_space::{PIECE_FRAMES, StemSpace, for_each_piece};

/// Gives every audible piece the mean of their powers as its loudness (ITU-R BS.1770, gated), so that the stem keeps its
/// level. Returns a sentence about it; none where there is nothing to balance. Pieces come with their rates in Hz.
///
/// # Errors
/// A rate that no meter takes, or a store's reason.
pub fn equalize<S: StemSpace>(stem: Stem, pieces: &mut [(S, u32)]) -> Result<Option<String>> {
    let mut loudnesses = Vec::new();
    for (piece, rate_hz) in pieces.iter_mut() {
        loudnesses.push(loudness_lufs(piece, *rate_hz)?);
    }
    let audible: Vec<f64> = loudnesses.iter().copied().flatten().collect();
    if audible.len() < 2 {
        return Ok(None);
    }
    let power = audible.iter().map(|lufs| 10f64.powf(lufs / 10.0)).sum::<f64>() / audible.len() as f64;
    let common_lufs = 10.0 * power.log10();
    for ((piece, _), lufs) in pieces.iter_mut().zip(loudnesses) {
        if let Some(lufs) = lufs {
            amplify(piece, 10f64.powf((common_lufs - lufs) / 20.0) as f32)?;
        }
    }
    Ok(Some(format!(
        "the {} files of the {stem} stem are brought to {common_lufs:.1} LUFS each",
        audible.len()
    )))
}

/// Loudness of a whole piece; none for silence.
fn loudness_lufs(piece: &mut dyn StemStore, rate_hz: u32) -> Result<Option<f64>> {
    let context = || format!("cannot measure loudness at {rate_hz} Hz");
    let mut meter = EbuR128::new(2, rate_hz, Mode::I).with_context(context)?;
    for_each_piece(piece, |left, right| Ok(meter.add_frames_planar_f32(&[left, right])?))?;
    Ok(Some(meter.loudness_global()?).filter(|lufs| lufs.is_finite()))
}

fn amplify(piece: &mut dyn StemStore, gain: f32) -> Result<()> {
    let (mut left, mut right) = (vec![0f32; PIECE_FRAMES], vec![0f32; PIECE_FRAMES]);
    for start in (0..piece.frames()).step_by(PIECE_FRAMES) {
        let count = (piece.frames() - start).min(PIECE_FRAMES);
        piece.read(start, &mut left[..count], &mut right[..count])?;
        left.iter_mut().chain(&mut right).for_each(|sample| *sample *= gain);
        piece.write(start, &left[..count], &right[..count])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::StereoBuffer;

    fn tone(amplitude: f32, hz: f32) -> (StereoBuffer, u32) {
        let tone: Vec<f32> = (0..96_000)
            .map(|n| amplitude * (n as f32 * hz * std::f32::consts::TAU / 48_000.0).sin())
            .collect();
        (StereoBuffer { left: tone.clone(), right: tone }, 48_000)
    }

    #[test]
    fn audible_pieces_get_one_loudness_and_silence_stays() {
        let mut pieces = vec![tone(0.5, 997.0), tone(0.0, 997.0), tone(0.05, 997.0)];
        let said = equalize(Stem::Drums, &mut pieces).expect("measured").expect("balanced");
        assert!(said.starts_with("the 2 files of the drums stem are brought to -9.0 LUFS"), "{said}");
        let peak = |piece: &(StereoBuffer, u32)| piece.0.left.iter().fold(0f32, |peak, x| peak.max(x.abs()));
        // The mean of the powers of 0.5 and 0.05 is that of 0.355.
        assert!((peak(&pieces[0]) - 0.355).abs() < 2e-3 && (peak(&pieces[2]) - 0.355).abs() < 2e-3);
        assert_eq!(peak(&pieces[1]), 0.0);
        assert_eq!(equalize(Stem::Bass, &mut pieces[..1]).expect("measured"), None);
    }
}
