//! Equalization: brings a stem's average spectrum to its target (paper section 3.1).

pub(crate) mod correction;
pub(crate) mod curve;
pub(crate) mod designer;
pub(crate) mod estimator;
pub mod faults;
pub(crate) mod matcher;
pub(crate) mod minimum_phase;
pub(crate) mod shaper;
pub(crate) mod spread;
pub(crate) mod third_octaves;

pub use correction::{correction, measure};
pub use designer::FilterDesigner;

use self::correction::EqualizationCorrection;
use self::designer::Designer;
use self::matcher::EqualizationMatcher;
use crate::amounts::Share;
use crate::context::Context;
use crate::effect::{Effect, Feature, Source};
use crate::hop::Hop;
use crate::portrait::TonePortrait;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::recipe::EffectSetting;
use crate::rules::RecipeKind;
use crate::session::Standing;
use crate::store::{StemStore, StoreError};

/// Equalization of one stem.
#[derive(Debug)]
pub(crate) struct Equalization {
    context: Context,
    enabled: bool,
    standing: Standing,
    amount: f64,
    correction: Option<EqualizationCorrection>,
    matcher: EqualizationMatcher,
}

impl Equalization {
    /// With a correction from `source`, as strong as the recipe says.
    pub fn new(context: &Context, setting: EffectSetting, source: Source<'_>) -> Self {
        let amount = setting.effective_amount();
        let correction = source.profile().and_then(|profile| profile.equalization.clone());
        let matcher = match source {
            Source::Fixed(_) => EqualizationMatcher::fixed(correction.as_ref(), amount, context.kind),
            Source::Adaptive => EqualizationMatcher::adaptive(context, amount),
        };
        Self {
            context: context.clone(),
            enabled: setting.enabled,
            standing: Standing::ALONE,
            amount,
            correction,
            matcher,
        }
    }
}

impl Effect for Equalization {
    fn name(&self) -> &'static str {
        "equalization"
    }

    fn latency(&self) -> &'static [(&'static str, usize)] {
        let delays = self.enabled && Designer::latency_hops(self.context.kind) > 0;
        if delays { &[("equalization filter", 1)] } else { &[] }
    }

    fn is_on(&self) -> bool {
        self.amount > 0.0
    }

    fn measure(&self, stem: &mut dyn StemStore) -> Result<Option<Feature>, StoreError> {
        Ok(Some(Feature::Spectrum(measure(stem, self.context.kind, self.context.sample_rate_hz)?)))
    }

    fn stand(&mut self, standing: Standing) {
        self.standing = standing;
        self.matcher.stand(standing);
    }

    fn find(&mut self, stem: &mut dyn StemStore) -> Result<(), StoreError> {
        let mut found = correction(stem, &self.context)?;
        if self.context.kind == RecipeKind::Tributary {
            let music = self.standing.music() as f32;
            found.curves_db.iter_mut().flatten().for_each(|point| *point *= music);
        }
        self.correction = Some(found);
        self.matcher = EqualizationMatcher::fixed(self.correction.as_ref(), self.amount, self.context.kind);
        Ok(())
    }

    fn keep(&self, profile: &mut StemProfile) {
        profile.equalization = self.correction.clone().or_else(|| self.matcher.followed());
    }

    fn let_through(&mut self, share: Share) {
        self.matcher.let_through(share);
    }

    fn hold(&mut self, held: bool) {
        self.matcher.hold(held);
    }

    fn process(&mut self, hop: &mut Hop) {
        if self.enabled {
            self.matcher.process(hop);
        }
    }

    fn pass_silence(&mut self) {
        self.matcher.pass_silence();
    }

    fn read(&self, reading: &mut StemReading) {
        reading.equalization = self.matcher.reading();
    }

    fn portray(&self, portrait: &mut TonePortrait) {
        let Context { stem, target, sample_rate_hz, .. } = &self.context;
        *portrait = TonePortrait::usual(*stem, target);
        portrait.measured_db = self.matcher.measured_db(*sample_rate_hz);
        portrait.applied_db = self.matcher.applied_db(*sample_rate_hz);
    }

    fn reset(&mut self) {
        self.matcher.reset();
    }
}
