//! Applies a panning correction: moves a stem to its side and matches its similarity bin by bin. Delays by one hop, whether
//! or not it does.

use crate::amounts::Share;
use crate::analysis::hop_spectra::{BINS, HopSpectra, WINDOW_FRAMES};
use crate::analysis::similarity::phi;
use crate::analysis::spectra::PADDING_FRAMES;
use crate::effects::panning::correction::PanningCorrection;
use crate::effects::panning::side::SideEstimator;
use crate::filters::delay::HopDelay;
use crate::hop::{HOP_FRAMES, Hop};
use crate::reading::PanningReading;
use crate::rules::RecipeKind;
use crate::stem::Stem;
use crate::targets::{FULL_BINS, StemTargets};
use crate::units::gain_from_db;

/// Share of the right channel in the linear pan law once the offset is applied; 0.5 is the middle.
const OFFSET: f32 = 0.2;
/// The target φ is reached for only this far.
const TARGET_FACTOR: f64 = 0.9;
/// Frames whose loudest bin of left + right lies below −10 dB are not matched.
const FRAME_GATE: f32 = 0.316_227_77;
/// Bound of the paper rules' gains.
const LARGEST_GAIN_DB: f64 = 6.0;
/// Stands for no bound at all: it only keeps 32-bit floats finite.
const UNLIMITED_GAIN: f32 = 1e9;
/// Highest matched frequency.
const LIMIT_HZ: f64 = 16_000.0;
const DRUMS_LIMIT_HZ: f64 = 6_000.0;
/// The released code's number of the frame that ends with a stem's first hop: it counts from its leading zeros.
const FIRST_FRAME: u64 = ((PADDING_FRAMES + WINDOW_FRAMES) / HOP_FRAMES) as u64 - 1;

/// Limits of the spectral part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// First bin that is left alone.
    pub bins: usize,
    /// Frames of the released code's count after which nothing is matched.
    pub frames: u64,
    /// Largest gain per bin, linear.
    pub gain: f32,
}

impl Limits {
    /// The limits of a recipe and stem.
    pub fn of(kind: RecipeKind, stem: Stem, sample_rate_hz: f64) -> Self {
        let limit_hz = if stem == Stem::Drums { DRUMS_LIMIT_HZ } else { LIMIT_HZ };
        let limit = (limit_hz * WINDOW_FRAMES as f64 / sample_rate_hz) as usize;
        match kind {
            RecipeKind::Paper | RecipeKind::Tributary => {
                Self { bins: limit.min(BINS), frames: u64::MAX, gain: gain_from_db(LARGEST_GAIN_DB) as f32 }
            }
            RecipeKind::Published => Self { bins: BINS, frames: limit as u64, gain: UNLIMITED_GAIN },
        }
    }
}

/// Target: left gain of a stem on the left side, per bin; the right gain is what is missing to one.
pub fn target_gains(target: &StemTargets, sample_rate_hz: f64) -> Vec<f32> {
    // 1024 groups of 32 bins each of the full resolution, and the last bin on its own.
    let nyquist_hz = sample_rate_hz / 2.0;
    let full = target.phi.grid(FULL_BINS, nyquist_hz);
    let groups = full[..FULL_BINS - 1].chunks_exact(32).map(|group| group.iter().sum::<f64>() / 32.0);
    groups
        .chain([full[FULL_BINS - 1]])
        .map(|phi| (phi * TARGET_FACTOR + 1e-30).clamp(0.0, 1.0) as f32 / 2.0)
        .collect()
}

/// Matcher: moves a stem and matches its similarity; delays by one hop, whether or not it does.
#[derive(Debug)]
pub struct PanningMatcher {
    amount: f32,
    limits: Limits,
    gains: Vec<f32>,
    adaptive: Option<SideEstimator>,
    /// The side stays, whatever is heard.
    held: bool,
    start_side: f32,
    side: f32,
    frame: u64,
    analysis: HopSpectra,
    overlap: Box<Hop>,
    scale: Vec<[f32; 2]>,
    dry: HopDelay,
    share: Share,
}

impl PanningMatcher {
    /// Applies one correction for good; without one, or at amount 0, it only delays.
    pub fn fixed(
        correction: Option<&PanningCorrection>,
        target: &StemTargets,
        amount: f64,
        limits: Limits,
        sample_rate_hz: f64,
    ) -> Self {
        let side = correction.map_or(0.0, |correction| correction.side as f32);
        Self {
            amount: if correction.is_some() { amount as f32 } else { 0.0 },
            limits,
            gains: target_gains(target, sample_rate_hz),
            adaptive: None,
            held: false,
            start_side: side,
            side,
            frame: FIRST_FRAME,
            analysis: HopSpectra::new(),
            overlap: Box::new(Hop::SILENT),
            scale: vec![[1.0; 2]; BINS],
            dry: HopDelay::new(),
            share: Share::FULL,
        }
    }

    /// Follows a running estimate of the stem's louder side.
    pub fn adaptive(target: &StemTargets, amount: f64, limits: Limits, sample_rate_hz: f64) -> Self {
        let nowhere = PanningCorrection { side: 0.0, balance_db: 0.0 };
        let mut matcher = Self::fixed(Some(&nowhere), target, amount, limits, sample_rate_hz);
        matcher.adaptive = (amount > 0.0).then(|| SideEstimator::new(sample_rate_hz));
        matcher
    }

    /// Tells which hop of the stem comes next, counted from its own start, as the frame limit of the released code is.
    pub fn start_at(&mut self, hop: i64) {
        self.frame = FIRST_FRAME.saturating_add_signed(hop);
    }

    /// A silent hop after silence: counted, because a recipe may end the matching at a frame of the stream.
    pub fn pass_silence(&mut self) {
        self.frame += 1;
    }

    /// How much of it is let through over the next hop.
    pub fn let_through(&mut self, share: Share) {
        self.share = share;
    }

    /// The side stays, or follows the estimate again.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The correction that was found while listening, if one was.
    pub fn followed(&self) -> Option<PanningCorrection> {
        let found = self.adaptive.is_some() && self.side != 0.0;
        found.then(|| PanningCorrection { side: f64::from(self.side), balance_db: 0.0 })
    }

    /// Pans one hop in place.
    pub fn process(&mut self, hop: &mut Hop) {
        if self.amount == 0.0 {
            self.dry.process(hop);
            return;
        }
        self.analysis.run(hop);
        if let Some(estimator) = &mut self.adaptive {
            let heard = estimator.listen(hop, &self.analysis.left, &self.analysis.right) as f32;
            self.side = if self.held { self.side } else { heard };
        }
        self.scale_bins();
        self.frame += 1;
        let spectra = [&mut self.analysis.left, &mut self.analysis.right];
        let overlaps = self.overlap.sides_mut();
        for (channel, (spectrum, overlap)) in spectra.into_iter().zip(overlaps).enumerate() {
            for (bin, scale) in spectrum.iter_mut().zip(&self.scale) {
                *bin *= scale[channel];
            }
            self.analysis.transform.inverse(spectrum, &mut self.analysis.time);
            let (first, second) = self.analysis.time.split_at(HOP_FRAMES);
            let (rising, falling) = self.analysis.window.split_at(HOP_FRAMES);
            let output = if channel == 0 { &mut hop.left } else { &mut hop.right };
            for n in 0..HOP_FRAMES {
                output[n] = overlap[n] + first[n] * rising[n];
                overlap[n] = second[n] * falling[n];
            }
        }
    }

    /// Gains of both sides for every bin of this frame, amount and inverse transform's factor included.
    fn scale_bins(&mut self) {
        let unit = 1.0 / WINDOW_FRAMES as f32;
        let position = 0.5 + OFFSET * self.side;
        // Without a side there is nothing to match: a fresh matcher changes nothing.
        let presence = self.side.abs().min(1.0);
        // Frames overlap, so gains that differ from one to the next glide.
        let amount = self.amount * self.share.end;
        let blend = |gain: f32| 1.0 + (gain - 1.0) * amount * presence;
        let offset = [1.0 - position, position];
        let plain = offset.map(|gain| blend(gain) * unit);
        let matches = self.frame < self.limits.frames && self.is_loud(offset);
        let limit = if matches { self.limits.bins } else { 0 };
        let lean = self.side.clamp(-1.0, 1.0);
        let floor = 1.0 / self.limits.gain;
        let bins = self.analysis.left.iter().zip(&self.analysis.right).zip(&self.gains);
        for ((scale, ((left, right), target)), _) in self.scale.iter_mut().zip(bins).zip(0..limit) {
            let (left, right) =
                (left.norm_sqr() * offset[0] * offset[0], right.norm_sqr() * offset[1] * offset[1]);
            let present = (phi(left, right) + 1e-30).clamp(0.0, 1.0) / 2.0;
            // Gains of a stem on the right (lean +1); mirrored on the left, equal in the middle.
            let spread = |gain: f32| lean * (0.5 - gain);
            let ratio =
                |wanted: f32, present: f32| (wanted / (present + 1e-20)).clamp(floor, self.limits.gain);
            let left_ratio = ratio(0.5 - spread(*target), 0.5 - spread(present));
            let right_ratio = ratio(0.5 + spread(*target), 0.5 + spread(present));
            *scale = [blend(left_ratio * offset[0]) * unit, blend(right_ratio * offset[1]) * unit];
        }
        self.scale[limit..].fill(plain);
    }

    fn is_loud(&self, offset: [f32; 2]) -> bool {
        let sums = self.analysis.left.iter().zip(&self.analysis.right);
        sums.map(|(left, right)| (left * offset[0] + right * offset[1]).norm_sqr())
            .any(|power| power >= FRAME_GATE * FRAME_GATE)
    }

    /// Where the stem is moved: nowhere without a correction, or live before the first decision.
    pub fn reading(&self) -> Option<PanningReading> {
        let decided = self.adaptive.as_ref().is_none_or(SideEstimator::has_decided) || self.side != 0.0;
        (self.amount > 0.0 && decided)
            .then_some(PanningReading { side: self.side * self.share.end, balance_db: 0.0 })
    }

    /// Back to the state after construction; a side that is held stays.
    pub fn reset(&mut self) {
        self.side = if self.held { self.side } else { self.start_side };
        self.frame = FIRST_FRAME;
        self.analysis.reset();
        *self.overlap = Hop::SILENT;
        self.dry.reset();
        if let Some(estimator) = &mut self.adaptive {
            estimator.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::Targets;

    fn run(matcher: &mut PanningMatcher, left: f32, right: f32) -> [f32; 2] {
        let mut hop = Hop::SILENT;
        let mut powers = [0.0; 2];
        for index in 0..12 {
            for n in 0..HOP_FRAMES {
                let tone = ((index * HOP_FRAMES + n) as f32 * 0.1).sin();
                hop.left[n] = tone * left;
                hop.right[n] = tone * right;
            }
            matcher.process(&mut hop);
            powers = hop.sides().map(|side| side.iter().map(|x| x * x).sum::<f32>() / HOP_FRAMES as f32);
        }
        powers.map(f32::sqrt)
    }

    #[test]
    fn a_centered_stem_meets_the_target_similarity() {
        let targets = Targets::default();
        let target = targets.stem(Stem::Other);
        let limits = Limits::of(RecipeKind::Paper, Stem::Other, 44_100.0);
        let right = PanningCorrection { side: 1.0, balance_db: 0.0 };
        let mut matcher = PanningMatcher::fixed(Some(&right), target, 1.0, limits, 44_100.0);
        let [left_rms, right_rms] = run(&mut matcher, 0.5, 0.5);
        let wanted = target_gains(target, 44_100.0)[33];
        // Offset gains and the ratios that undo them leave the target's gains, on top of φ = 0.724 of a 0.3/0.7 pan.
        assert!(
            left_rms < right_rms && left_rms / right_rms > 0.3 / 0.7 * 0.5,
            "{left_rms} {right_rms} {wanted}"
        );
    }

    #[test]
    fn hard_panned_bins_stay_bounded() {
        let targets = Targets::default();
        let limits = Limits::of(RecipeKind::Paper, Stem::Other, 44_100.0);
        let right = PanningCorrection { side: 1.0, balance_db: 0.0 };
        let mut matcher =
            PanningMatcher::fixed(Some(&right), targets.stem(Stem::Other), 1.0, limits, 44_100.0);
        let [left_rms, _] = run(&mut matcher, 0.5, 0.0);
        assert!(left_rms < 0.5, "{left_rms}");
    }

    #[test]
    fn a_live_matcher_starts_in_the_middle_and_finds_the_side() {
        let targets = Targets::default();
        let limits = Limits::of(RecipeKind::Paper, Stem::Other, 44_100.0);
        let mut matcher = PanningMatcher::adaptive(targets.stem(Stem::Other), 1.0, limits, 44_100.0);
        assert_eq!(matcher.reading(), None);
        for _ in 0..20 {
            run(&mut matcher, 0.5, 0.2);
        }
        let side = matcher.reading().expect("decided").side;
        assert!(side < -0.95, "{side}");
    }
}
