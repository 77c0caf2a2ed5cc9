//! What is known of a stem's tone at this moment, third octave by third octave, for display.

use crate::effects::equalization::spread::usual_spread_db;
use crate::effects::equalization::third_octaves::{THIRD_OCTAVES, center_hz};
use crate::stem::Stem;
use crate::targets::StemTargets;

/// Tone of one stem. Spectra are mean magnitudes of the stem at −30 LUFS, in dB, as targets have them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TonePortrait {
    /// The running estimate of the stem as it comes in; `None` without material, or where nothing is estimated.
    pub measured_db: Option<[f32; TonePortrait::BANDS]>,
    /// What is usual.
    pub target_db: [f32; TonePortrait::BANDS],
    /// How far stems of the kind differ from it, as a standard deviation.
    pub spread_db: [f32; TonePortrait::BANDS],
    /// What the equalizer does, after the amounts.
    pub applied_db: [f32; TonePortrait::BANDS],
}

impl TonePortrait {
    /// Third octaves, 19.7 Hz to 20.2 kHz.
    pub const BANDS: usize = THIRD_OCTAVES;

    /// Of a stem of which nothing is known.
    pub(crate) fn usual(stem: Stem, target: &StemTargets) -> Self {
        let usual = usual_spread_db(stem);
        Self {
            measured_db: None,
            target_db: std::array::from_fn(|band| target.spectrum.at_hz(center_hz(band)) as f32),
            spread_db: std::array::from_fn(|band| match &target.spectrum_spread_db {
                Some(spread_db) => spread_db.at_hz(center_hz(band)) as f32,
                None => usual[band] as f32,
            }),
            applied_db: [0.0; Self::BANDS],
        }
    }

    /// The middle of a band, in Hz.
    pub fn center_hz(band: usize) -> f32 {
        center_hz(band) as f32
    }
}

impl Default for TonePortrait {
    fn default() -> Self {
        let flat = [0.0; Self::BANDS];
        Self { measured_db: None, target_db: flat, spread_db: flat, applied_db: flat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::StemsBlock;
    use crate::normalizer::FxNormalizer;
    use crate::profile::CorrectionSource;
    use crate::recipe::Recipe;
    use crate::targets::Targets;

    const RATE_HZ: f64 = 44_100.0;
    const FRAMES: usize = 1024;

    /// Noise of an even spectrum, in stems that are mono.
    fn play(normalizer: &mut FxNormalizer, seconds: f64) {
        let mut state = 1_u32;
        for _ in 0..(seconds * RATE_HZ) as usize / FRAMES {
            let mut noise = [0.0_f32; FRAMES];
            for sample in &mut noise {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = 0.1 * (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32;
            }
            let mut channels = [noise; 2 * Stem::COUNT];
            normalizer
                .process(&mut StemsBlock { channels: channels.each_mut().map(|channel| &mut channel[..]) });
        }
    }

    #[test]
    fn what_is_heard_is_measured_and_what_is_done_is_shown() {
        let (recipe, targets) = (Recipe::default(), Targets::default());
        let source = CorrectionSource::Adaptive;
        let mut normalizer = FxNormalizer::new(&recipe, &targets, source, RATE_HZ, FRAMES).expect("valid");
        for (portrait, stem) in normalizer.tone_portraits().iter().zip(Stem::ALL) {
            assert_eq!((portrait.measured_db, portrait.applied_db), (None, [0.0; TonePortrait::BANDS]));
            let usual = TonePortrait::usual(stem, targets.stem(stem));
            assert_eq!(portrait.target_db, usual.target_db);
            assert!(portrait.spread_db.iter().all(|spread| (1.0..20.0).contains(spread)));
        }
        play(&mut normalizer, 8.0);
        for portrait in normalizer.tone_portraits() {
            let measured = portrait.measured_db.expect("eight seconds of it");
            let at = |hz: f32| {
                (0..TonePortrait::BANDS).find(|band| TonePortrait::center_hz(*band) > hz).expect("a band")
            };
            let heard = &measured[at(100.0)..at(15_000.0)];
            let [least, most] = [
                heard.iter().copied().fold(f32::MAX, f32::min),
                heard.iter().copied().fold(f32::MIN, f32::max),
            ];
            assert!(most - least < 3.0, "an even spectrum: {heard:?}");
            // Music falls towards the top, and is brought there.
            let tilt = portrait.applied_db[at(8_000.0)] - portrait.applied_db[at(200.0)];
            assert!(tilt < -3.0, "{:?}", portrait.applied_db);
        }
    }
}
