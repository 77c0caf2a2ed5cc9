//! Loudness: brings a stem's integrated loudness to its target (paper section 3.5).

pub(crate) mod correction;
pub(crate) mod estimator;
pub(crate) mod matcher;

use self::correction::LoudnessCorrection;
use self::matcher::LoudnessMatcher;
use crate::amounts::Share;
use crate::analysis::loudness::{gain_to_lufs_db, measure};
use crate::context::Context;
use crate::effect::{Effect, Feature, Source};
use crate::hop::Hop;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::recipe::EffectSetting;
use crate::session::Standing;
use crate::store::{Sides, StemStore, StoreError};

/// Loudness of one stem.
#[derive(Debug)]
pub struct Loudness {
    context: Context,
    amount: f64,
    standing: Standing,
    correction: Option<LoudnessCorrection>,
    matcher: LoudnessMatcher,
}

impl Loudness {
    /// With a correction from `source`, as strong as the recipe says.
    pub fn new(context: &Context, setting: EffectSetting, source: Source<'_>) -> Self {
        let amount = setting.effective_amount();
        let correction = source.profile().and_then(|profile| profile.loudness);
        let matcher = match source {
            Source::Fixed(_) => LoudnessMatcher::fixed(correction, amount),
            Source::Adaptive => {
                LoudnessMatcher::adaptive(context.target.loudness_lufs, amount, context.sample_rate_hz)
            }
        };
        Self { context: context.clone(), amount, standing: Standing::ALONE, correction, matcher }
    }
}

impl Effect for Loudness {
    fn name(&self) -> &'static str {
        "loudness"
    }

    fn is_on(&self) -> bool {
        self.amount > 0.0
    }

    fn measure(&self, stem: &mut dyn StemStore) -> Result<Option<Feature>, StoreError> {
        let Context { kind, sample_rate_hz, .. } = self.context;
        Ok(measure(stem, Sides::Both, kind, sample_rate_hz)?.map(Feature::Loudness))
    }

    fn corrects_bleed(&self) -> bool {
        true
    }

    fn let_through(&mut self, share: Share) {
        self.matcher.let_through(share);
    }

    fn hold(&mut self, held: bool) {
        self.matcher.hold(held);
    }

    fn stand(&mut self, standing: Standing) {
        self.standing = standing;
        self.matcher.stand(standing);
    }

    fn find(&mut self, stem: &mut dyn StemStore) -> Result<(), StoreError> {
        let Context { kind, sample_rate_hz, ref target, .. } = self.context;
        let wanted_db = gain_to_lufs_db(stem, Sides::Both, target.loudness_lufs, kind, sample_rate_hz)?;
        let (gain_db, limit) = self.standing.gain_db(wanted_db);
        self.correction = Some(LoudnessCorrection { gain_db, limit });
        self.matcher = LoudnessMatcher::fixed(self.correction, self.amount);
        Ok(())
    }

    fn keep(&self, profile: &mut StemProfile) {
        profile.loudness = self.correction.or_else(|| self.matcher.followed());
    }

    fn process(&mut self, hop: &mut Hop) {
        self.matcher.process(hop);
    }

    fn read(&self, reading: &mut StemReading) {
        reading.loudness = self.matcher.reading();
    }

    fn reset(&mut self) {
        self.matcher.reset();
    }
}
