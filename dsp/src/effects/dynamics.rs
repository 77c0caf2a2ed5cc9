//! Dynamics: brings the level of a stem's onset peaks down to its target by compression (paper section 3.2).

pub(crate) mod compressor;
pub(crate) mod correction;
pub(crate) mod estimator;
pub(crate) mod matcher;
pub(crate) mod meter;
pub(crate) mod search;

pub use matcher::DynamicsMatcher;
pub use meter::measure;

use self::correction::{DynamicsCorrection, correction};
use crate::amounts::Share;
use crate::context::Context;
use crate::effect::{Effect, Feature, Source};
use crate::hop::Hop;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::recipe::EffectSetting;
use crate::store::{StemStore, StoreError};

/// Dynamics of one stem.
#[derive(Debug)]
pub(crate) struct Dynamics {
    context: Context,
    amount: f64,
    correction: Option<DynamicsCorrection>,
    matcher: DynamicsMatcher,
}

impl Dynamics {
    /// With a correction from `source`, as strong as the recipe says.
    pub fn new(context: &Context, setting: EffectSetting, source: Source<'_>) -> Self {
        let amount = setting.effective_amount();
        let Context { kind, stem, target, sample_rate_hz, .. } = context;
        let correction = source.profile().and_then(|profile| profile.dynamics);
        let matcher = match source {
            Source::Fixed(_) => {
                DynamicsMatcher::fixed(correction.as_ref(), amount, *kind, *stem, *sample_rate_hz)
            }
            Source::Adaptive => DynamicsMatcher::adaptive(target, amount, *stem, *sample_rate_hz),
        };
        Self { context: context.clone(), amount, correction, matcher }
    }
}

impl Effect for Dynamics {
    fn name(&self) -> &'static str {
        "dynamics"
    }

    fn is_on(&self) -> bool {
        self.amount > 0.0
    }

    fn measure(&self, stem: &mut dyn StemStore) -> Result<Option<Feature>, StoreError> {
        Ok(measure(stem, self.context.sample_rate_hz)?
            .map(|[peak_db, peak_std_db]| Feature::Peaks { peak_db, peak_std_db }))
    }

    fn find(&mut self, store: &mut dyn StemStore) -> Result<(), StoreError> {
        let Context { kind, stem, target, sample_rate_hz, .. } = &self.context;
        let found = correction(store, *kind, *stem, target, *sample_rate_hz)?;
        self.correction = Some(found);
        self.matcher = DynamicsMatcher::fixed(Some(&found), self.amount, *kind, *stem, *sample_rate_hz);
        Ok(())
    }

    fn keep(&self, profile: &mut StemProfile) {
        profile.dynamics = self.correction.or_else(|| self.matcher.followed());
    }

    fn let_through(&mut self, share: Share) {
        self.matcher.let_through(share);
    }

    fn hold(&mut self, held: bool) {
        self.matcher.hold(held);
    }

    fn process(&mut self, hop: &mut Hop) {
        self.matcher.process(hop);
    }

    /// The compressor's release has no end of its own.
    fn may_rest(&self) -> bool {
        self.matcher.has_let_go()
    }

    fn read(&self, reading: &mut StemReading) {
        reading.dynamics = self.matcher.reading();
    }

    fn reset(&mut self) {
        self.matcher.reset();
    }
}
