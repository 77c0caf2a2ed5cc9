//! Balance: what an engineer does about a stem that leans. The paper's panning moves every stem to one side; a mix has its
//! lead, bass, kick and snare in the middle, and what is called "other" is spread about it. So a recipe of kind
//! [`Tributary`](crate::RecipeKind::Tributary) leaves the place of a stem alone as long as it leans no further than stems of
//! real mixes do, and brings one that leans further back to that edge, by one gain for each side. No latency.

use crate::amounts::Share;
use crate::analysis::estimates::{ActivityGate, ESTIMATE_SECONDS, Glide, RunningWeight};
use crate::analysis::similarity::measure_phi;
use crate::context::Context;
use crate::effect::{Effect, Feature, Source};
use crate::effects::panning::correction::PanningCorrection;
use crate::hop::{HOP_FRAMES, Hop, ramp};
use crate::profile::StemProfile;
use crate::reading::{PanningReading, StemReading};
use crate::recipe::EffectSetting;
use crate::session::Standing;
use crate::stem::Stem;
use crate::store::{StemStore, StoreError, for_each_hop};
use crate::units::gain_from_db;

/// How far stems of real mixes lean, in dB of right against left: the standard deviation over 32 stems of ten songs
/// (1.1, 0.1, 0.4 and 0.6), widened by a fifth since they are few, and no less than half a decibel. In stem order.
const SPREAD_DB: [f64; Stem::COUNT] = [1.3, 0.5, 0.5, 0.7];
/// A stem that leans further than this plays on one side only: no gain brings it back, and it may be meant.
const ONE_SIDED_DB: f64 = 24.0;
/// Sound before the first decision, in seconds.
const FIRST_DECISION_SECONDS: f64 = 1.0;
/// A gain that nobody hears, in dB.
const NOTHING_DB: f64 = 0.01;

/// What brings a stem of these powers, left and right, back to the edge of what is usual: gain of the right side against the
/// left, in dB; 0 within it.
fn balance_db([left, right]: [f64; 2], edge_db: f64) -> f64 {
    if left <= 0.0 || right <= 0.0 {
        return 0.0;
    }
    let lean_db = 10.0 * (right / left).log10();
    let needed_db = lean_db.clamp(-edge_db, edge_db) - lean_db;
    if lean_db.abs() > ONE_SIDED_DB || needed_db.abs() < NOTHING_DB { 0.0 } else { needed_db }
}

/// Gains of left and right, linear, that differ by so many decibels and leave the power of a centered stem as it is.
fn gains(balance_db: f64) -> [f32; 2] {
    let ratio = gain_from_db(balance_db);
    let left = (2.0 / (1.0 + ratio * ratio)).sqrt();
    [left as f32, (left * ratio) as f32]
}

/// Power of both sides of a hop.
fn powers(hop: &Hop) -> [f64; 2] {
    hop.sides().map(|side| side.iter().map(|sample| f64::from(*sample).powi(2)).sum())
}

/// Balance of one stem.
#[derive(Debug)]
pub(crate) struct Balance {
    context: Context,
    amount: f64,
    edge_db: f64,
    correction: Option<PanningCorrection>,
    running: Option<Running>,
    /// The balance stays, whatever is heard.
    held: bool,
    standing: Standing,
    share: Share,
    /// What the last hop ended with.
    applied: [f32; 2],
}

/// Running powers of both sides, and the balance that follows them.
#[derive(Debug)]
struct Running {
    gate: ActivityGate,
    weight: RunningWeight,
    powers: [f64; 2],
    heard: usize,
    first_decision: usize,
    balance_db: Glide,
    /// The balance was decided on.
    is_found: bool,
}

impl Balance {
    /// With a correction from `source`, as strong as the recipe says.
    pub fn new(context: &Context, setting: EffectSetting, source: Source<'_>) -> Self {
        let amount = setting.effective_amount();
        let mut balance = Self {
            amount,
            edge_db: context.tolerance * SPREAD_DB[context.stem.index()],
            correction: source.profile().and_then(|profile| profile.panning),
            running: None,
            held: false,
            standing: Standing::ALONE,
            share: Share::FULL,
            applied: [1.0; 2],
            context: context.clone(),
        };
        if matches!(source, Source::Adaptive) && amount > 0.0 {
            balance.running = Some(Running::new(context.sample_rate_hz));
        }
        balance.applied = gains(balance.asked_db());
        balance
    }

    /// In dB of right against left, before the engineer's amount.
    fn asked_db(&self) -> f64 {
        let found = match &self.running {
            Some(running) => running.balance_db.value(),
            None => self.correction.map_or(0.0, |correction| correction.balance_db),
        };
        self.amount * found
    }
}

impl Effect for Balance {
    fn name(&self) -> &'static str {
        "panning"
    }

    fn is_on(&self) -> bool {
        self.amount > 0.0
    }

    fn measure(&self, stem: &mut dyn StemStore) -> Result<Option<Feature>, StoreError> {
        Ok(Some(Feature::Phi(measure_phi(stem, self.context.kind)?)))
    }

    fn stand(&mut self, standing: Standing) {
        self.standing = standing;
    }

    fn find(&mut self, stem: &mut dyn StemStore) -> Result<(), StoreError> {
        let mut sums = [0.0; 2];
        for_each_hop(stem, |hop, _| {
            sums.iter_mut().zip(powers(hop)).for_each(|(sum, power)| *sum += power);
        })?;
        let balance_db = self.standing.music() * balance_db(sums, self.edge_db);
        self.correction = Some(PanningCorrection { side: 0.0, balance_db });
        self.applied = gains(self.asked_db());
        Ok(())
    }

    fn keep(&self, profile: &mut StemProfile) {
        let followed = self.running.as_ref().filter(|running| running.is_found);
        let followed = || Some(PanningCorrection { side: 0.0, balance_db: followed?.balance_db.value() });
        profile.panning = self.correction.or_else(followed);
    }

    fn hold(&mut self, held: bool) {
        self.held = held;
    }

    fn let_through(&mut self, share: Share) {
        self.share = share;
    }

    fn process(&mut self, hop: &mut Hop) {
        if let Some(running) = &mut self.running {
            running.listen(hop);
            if !self.held {
                running.follow(self.edge_db, self.standing.music());
            }
        }
        let asked_db = self.asked_db();
        if asked_db == 0.0 && self.applied == [1.0; 2] {
            return;
        }
        let next = gains(asked_db * f64::from(self.share.end));
        ramp(hop, self.applied, next);
        self.applied = next;
    }

    fn read(&self, reading: &mut StemReading) {
        let decided = match &self.running {
            Some(running) => running.is_found,
            None => self.correction.is_some(),
        };
        let balance_db = (self.asked_db() * f64::from(self.share.end)) as f32;
        reading.panning = (self.amount > 0.0 && decided).then_some(PanningReading { side: 0.0, balance_db });
    }

    fn reset(&mut self) {
        if let Some(running) = &mut self.running {
            running.forget();
            if !self.held {
                running.balance_db.set(0.0);
                running.is_found = false;
            }
        }
        self.applied = gains(self.asked_db());
        if self.running.is_some() {
            self.standing = Standing::ALONE;
        }
    }
}

impl Running {
    fn new(sample_rate_hz: f64) -> Self {
        let hop_seconds = HOP_FRAMES as f64 / sample_rate_hz;
        Self {
            gate: ActivityGate::new(hop_seconds),
            weight: RunningWeight::new(ESTIMATE_SECONDS / hop_seconds),
            powers: [0.0; 2],
            heard: 0,
            first_decision: (FIRST_DECISION_SECONDS / hop_seconds) as usize,
            balance_db: Glide::new(0.0, hop_seconds),
            is_found: false,
        }
    }

    fn listen(&mut self, hop: &Hop) {
        if self.gate.is_material(hop.mean_square()) {
            let weight = self.weight.next_weight();
            for (mean, power) in self.powers.iter_mut().zip(powers(hop)) {
                *mean += weight * (power - *mean);
            }
            self.heard += 1;
        }
    }

    /// Moves the balance toward what the powers ask for, once enough was heard.
    fn follow(&mut self, edge_db: f64, music: f64) {
        if self.heard >= self.first_decision {
            self.is_found = true;
            let goal_db = music * balance_db(self.powers, edge_db);
            // What is on its way to nothing arrives there, so that a stem that leans no further passes to the bit.
            match goal_db == 0.0 && self.balance_db.value().abs() < NOTHING_DB {
                true => self.balance_db.set(0.0),
                false => drop(self.balance_db.advance(goal_db)),
            }
        }
    }

    /// Nothing has been heard.
    fn forget(&mut self) {
        self.gate.reset();
        self.weight.reset();
        self.powers = [0.0; 2];
        self.heard = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::StereoBuffer;
    use crate::rules::RecipeKind;
    use crate::targets::Targets;

    fn effect(stem: Stem, source: Source<'_>) -> Balance {
        let context = Context {
            stem,
            kind: RecipeKind::Tributary,
            target: Arc::new(Targets::default().stem(stem).clone()),
            tolerance: 3.0,
            sample_rate_hz: 44_100.0,
        };
        Balance::new(&context, EffectSetting::default(), source)
    }

    /// Noise whose right side is so much louder than its left one.
    fn leaning(lean_db: f64) -> StereoBuffer {
        let mut state = 3u64;
        let mut noise = |gain: f64| -> Vec<f32> {
            let sample = |_| (0.2 * gain * (crate::filters::noise::uniform(&mut state) - 0.5)) as f32;
            (0..600_000).map(sample).collect()
        };
        StereoBuffer { left: noise(1.0), right: noise(gain_from_db(lean_db)) }
    }

    /// How far it leans in its second half.
    fn lean_db(audio: &StereoBuffer) -> f64 {
        let power = |side: &[f32]| side[300_000..].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        10.0 * (power(&audio.right) / power(&audio.left)).log10()
    }

    fn live(balance: &mut Balance, audio: &StereoBuffer) -> StereoBuffer {
        let mut output = audio.clone();
        crate::whole_file::stream(&mut output, 0, |hop| balance.process(hop)).expect("memory");
        output
    }

    #[test]
    fn a_leaning_stem_comes_back_to_the_edge_live_and_from_file() {
        for (stem, arrives_db) in
            [(Stem::Vocals, 3.9), (Stem::Bass, 1.5), (Stem::Drums, 1.5), (Stem::Other, 2.1)]
        {
            for lean in [-9.0, 9.0] {
                let mut audio = leaning(lean);
                let mut found = effect(stem, Source::Fixed(None));
                found.find(&mut audio).expect("memory");
                let from_file = lean_db(&live(&mut found, &audio));
                let while_playing = lean_db(&live(&mut effect(stem, Source::Adaptive), &audio));
                let wanted = arrives_db * f64::signum(lean);
                assert!((from_file - wanted).abs() < 0.1, "{stem} from file: {from_file}");
                assert!((while_playing - wanted).abs() < 0.2, "{stem} live: {while_playing}");
            }
        }
    }

    #[test]
    fn what_stands_where_stems_stand_or_on_one_side_only_is_left_to_the_bit() {
        for lean in [0.0, 1.2, -1.2, 60.0] {
            let audio = leaning(lean);
            let output = live(&mut effect(Stem::Drums, Source::Adaptive), &audio);
            assert!(output.left == audio.left && output.right == audio.right, "{lean}");
        }
        assert_eq!(balance_db([1.0, 0.0], 2.0), 0.0);
        assert_eq!(balance_db([0.0; 2], 2.0), 0.0);
    }

    #[test]
    fn a_centered_stem_keeps_its_power_and_a_profile_its_correction() {
        let [left, right] = gains(4.0);
        assert!((left * left + right * right - 2.0).abs() < 1e-6 && right > left);
        let mut found = effect(Stem::Other, Source::Fixed(None));
        found.find(&mut leaning(6.0)).expect("memory");
        let mut profile = StemProfile::default();
        found.keep(&mut profile);
        let audio = leaning(6.0);
        let again = live(&mut effect(Stem::Other, Source::Fixed(Some(&profile))), &audio);
        assert!(again.left == live(&mut found, &audio).left);
    }

    #[test]
    fn a_reset_effect_is_a_fresh_one() {
        let audio = leaning(-9.0);
        let mut used = effect(Stem::Bass, Source::Adaptive);
        let first = live(&mut used, &audio);
        used.reset();
        assert!(live(&mut used, &audio).left == first.left);
    }
}
