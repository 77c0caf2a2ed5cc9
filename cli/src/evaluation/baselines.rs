//! Mixes that need no ideas: what every mixing system has to beat.
//!
//! Stems come aligned, at 44.1 kHz and of one length; so do the results. Levels need no care here, since every mix is
//! brought to one loudness before it is judged.

use anyhow::{Context, Result};
use tributary_dsp::filter::{Coefficients, StereoBiquad};
use tributary_dsp::stft::RealTransform;
use tributary_dsp::{Recipe, Session, Stem, StemStore, StereoBuffer, Targets, WholeFile};

use super::RATE_HZ;
use super::balance::Stems;
use super::frames::Complex;
use super::levels::integrated_lufs;

/// Loudness of every stem in the equal-loudness sum, in LUFS: four of them together stay below full scale.
const EQUAL_LUFS: f64 = -24.0;
/// Loudness of vocals, bass, drums and other in the static baseline, in LUFS.
const STATIC_LUFS: [f64; Stem::COUNT] = [-18.0, -23.0, -19.5, -20.0];
/// Its decorrelated side against the middle, in dB.
const STATIC_SIDE_DB: [f64; Stem::COUNT] = [-16.0, -30.0, -12.0, -6.0];
/// Length of the noise that decorrelates.
const TAPS: usize = 2_048;
/// How far the noise decays over its length, in dB.
const DECAY_DB: f64 = 60.0;
/// Below this the side stays as it is, in Hz.
const SIDE_LOW_HZ: f64 = 250.0;
/// Starts the noise; one value for ever, so that the baseline is the same everywhere.
const SEED: u64 = 0x7472_6962_7574_6172;

/// A built-in baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// The stems as they are.
    RawSum,
    /// All stems at one loudness.
    EqualLoudness,
    /// Fx-normalized stems.
    NormalizedSum,
    /// Fixed loudness per stem and a fixed decorrelated side.
    Static,
}

impl Baseline {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::RawSum, Self::EqualLoudness, Self::NormalizedSum, Self::Static];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::RawSum => "raw sum",
            Self::EqualLoudness => "equal loudness",
            Self::NormalizedSum => "normalized sum",
            Self::Static => "static baseline",
        }
    }

    /// Makes the mix. `recipe` and `targets` are used by [`Self::NormalizedSum`] only.
    ///
    /// # Errors
    /// A recipe or targets that cannot be applied.
    pub fn mix(self, stems: Stems<'_>, recipe: &Recipe, targets: &Targets) -> Result<StereoBuffer> {
        let frames = stems.iter().flatten().map(|stem| stem.frames()).max().unwrap_or(0);
        let mut sum = StereoBuffer::silence(frames);
        if self == Self::NormalizedSum {
            add_normalized(&mut sum, stems, recipe, targets)?;
            return Ok(sum);
        }
        for stem in Stem::ALL {
            let Some(audio) = stems[stem.index()] else { continue };
            match self {
                Self::RawSum => add(&mut sum, audio, 1.0),
                Self::EqualLoudness => add(&mut sum, audio, gain_to(audio, EQUAL_LUFS)?),
                Self::NormalizedSum => {} // is made above, of all stems together
                Self::Static => {
                    let widened = widen(audio, STATIC_SIDE_DB[stem.index()]);
                    add(&mut sum, &widened, gain_to(&widened, STATIC_LUFS[stem.index()])?);
                }
            }
        }
        Ok(sum)
    }
}

/// Adds the stems as the normalization leaves them, which compares them with one another.
fn add_normalized(
    sum: &mut StereoBuffer,
    stems: Stems<'_>,
    recipe: &Recipe,
    targets: &Targets,
) -> Result<()> {
    let mut copies = stems.map(|stem| stem.cloned());
    let stores = copies.each_mut().map(|stem| stem.as_mut().map(|stem| stem as &mut dyn StemStore));
    let session =
        Session::measure(stores, recipe.kind, f64::from(RATE_HZ)).context("the stems cannot be measured")?;
    for (stem, audio) in Stem::ALL.into_iter().zip(&mut copies) {
        let Some(audio) = audio else { continue };
        WholeFile::new(stem, recipe, targets, f64::from(RATE_HZ))
            .and_then(|effects| effects.in_session(&session).normalize(audio, &mut |_| {}))
            .with_context(|| format!("the {stem} stem cannot be normalized"))?;
        add(sum, audio, 1.0);
    }
    Ok(())
}

fn add(sum: &mut StereoBuffer, audio: &StereoBuffer, gain: f64) {
    for (sum, audio) in [(&mut sum.left, &audio.left), (&mut sum.right, &audio.right)] {
        sum.iter_mut().zip(audio).for_each(|(sum, &sample)| *sum += gain as f32 * sample);
    }
}

/// Linear gain to a loudness; 0 for silence.
fn gain_to(audio: &StereoBuffer, target_lufs: f64) -> Result<f64> {
    let measured = integrated_lufs(audio, RATE_HZ)?;
    Ok(measured.map_or(0.0, |lufs| 10f64.powf((target_lufs - lufs) / 20.0)))
}

/// The stem with a side made of its middle, `side_db` against it, added to the side it has.
fn widen(stem: &StereoBuffer, side_db: f64) -> StereoBuffer {
    let mid: Vec<f32> = stem.left.iter().zip(&stem.right).map(|(l, r)| 0.5 * (l + r)).collect();
    let side = convolve(&mid, &decorrelator());
    let energy = |samples: &[f32]| samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let level = (energy(&mid) / energy(&side).max(f64::MIN_POSITIVE)).sqrt();
    let gain = (10f64.powf(side_db / 20.0) * level) as f32;
    let combine =
        |channel: &[f32], sign: f32| channel.iter().zip(&side).map(|(x, s)| x + sign * gain * s).collect();
    StereoBuffer { left: combine(&stem.left, 1.0), right: combine(&stem.right, -1.0) }
}

/// Exponentially decaying noise without lows.
fn decorrelator() -> Vec<f32> {
    let mut state = SEED;
    let high_pass = Coefficients::high_pass(SIDE_LOW_HZ, std::f64::consts::FRAC_1_SQRT_2, f64::from(RATE_HZ));
    let mut filter = StereoBiquad::new(high_pass);
    (0..TAPS)
        .map(|n| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0;
            let decay = 10f64.powf(-DECAY_DB / 20.0 * n as f64 / TAPS as f64);
            filter.tick([noise * decay, 0.0])[0] as f32
        })
        .collect()
}

/// Causal convolution, as long as the input, by overlap-save.
fn convolve(input: &[f32], taps: &[f32]) -> Vec<f32> {
    let length = 4 * taps.len().next_power_of_two();
    let hop = length - taps.len();
    let mut transform = RealTransform::<f32>::new(length);
    let mut kernel = vec![Complex::default(); transform.bins()];
    let mut time = vec![0.0; length];
    time[..taps.len()].copy_from_slice(taps);
    transform.forward(&mut time, &mut kernel);
    let mut spectrum = vec![Complex::default(); transform.bins()];
    let mut output = Vec::with_capacity(input.len());
    for start in (0..input.len()).step_by(hop) {
        // The block begins `taps` samples before the outputs it is for.
        for (offset, value) in time.iter_mut().enumerate() {
            *value =
                (start + offset).checked_sub(taps.len()).and_then(|n| input.get(n)).copied().unwrap_or(0.0);
        }
        transform.forward(&mut time, &mut spectrum);
        spectrum.iter_mut().zip(&kernel).for_each(|(bin, kernel)| *bin *= kernel);
        transform.inverse(&mut spectrum, &mut time);
        let count = hop.min(input.len() - start);
        output.extend(time[taps.len()..taps.len() + count].iter().map(|value| value / length as f32));
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64) -> StereoBuffer {
        let sine = (0..3 * RATE_HZ).map(|n| {
            let time_s = f64::from(n) / f64::from(RATE_HZ);
            (0.1 * (std::f64::consts::TAU * hz * time_s).sin() * (1.0 + (2.0 * time_s).sin())) as f32
        });
        StereoBuffer::mono(sine.collect())
    }

    #[test]
    fn convolution_equals_the_direct_sum() {
        let input: Vec<f32> = (0..9_000).map(|n| ((n * n) as f32 * 0.11).sin()).collect();
        let taps: Vec<f32> = (0..300).map(|n| (n as f32 * 0.7).cos() / 40.0).collect();
        let output = convolve(&input, &taps);
        assert_eq!(output.len(), input.len());
        for n in (0..input.len()).step_by(37) {
            let direct: f32 = taps.iter().take(n + 1).enumerate().map(|(k, tap)| tap * input[n - k]).sum();
            assert!((output[n] - direct).abs() < 1e-4, "{n}: {} {direct}", output[n]);
        }
    }

    #[test]
    fn the_static_baseline_has_its_levels_and_widths() {
        let (vocals, other) = (tone(700.0), tone(1_300.0));
        let (recipe, targets) = (Recipe::default(), Targets::default());
        let alone = |stems: Stems<'_>| Baseline::Static.mix(stems, &recipe, &targets).expect("mixes");
        for (audio, stem) in [(&vocals, Stem::Vocals), (&other, Stem::Other)] {
            let mut stems: Stems<'_> = [None; Stem::COUNT];
            stems[stem.index()] = Some(audio);
            let mix = alone(stems);
            let lufs = integrated_lufs(&mix, RATE_HZ).expect("measures").expect("audible");
            assert!((lufs - STATIC_LUFS[stem.index()]).abs() < 0.05, "{stem}: {lufs}");
            let (mut mid, mut side) = (0.0, 0.0);
            for (l, r) in mix.left.iter().zip(&mix.right) {
                mid += f64::from(l + r).powi(2);
                side += f64::from(l - r).powi(2);
            }
            let width_db = 10.0 * (side / mid).log10();
            assert!((width_db - STATIC_SIDE_DB[stem.index()]).abs() < 0.05, "{stem}: {width_db}");
        }
    }

    #[test]
    fn silent_and_missing_stems_add_nothing() {
        let (silence, bass) = (StereoBuffer::silence(3 * RATE_HZ as usize), tone(90.0));
        for baseline in Baseline::ALL {
            let stems = [Some(&silence), Some(&bass), None, None];
            let mix = baseline.mix(stems, &Recipe::default(), &Targets::default()).expect("mixes");
            assert_eq!(mix.frames(), bass.frames());
            assert!(mix.left.iter().all(|sample| sample.is_finite()), "{}", baseline.name());
            assert!(mix.peak() > 1e-3, "{}", baseline.name());
        }
    }
}
