//! Panning: brings a stem's left/right similarity φ to its target, bin by bin (paper section 3.3; similarity after
//! Avendano, WASPAA 2003). The stem is first moved toward its louder side by a fixed offset, then every bin of a
//! 2048/1024 transform is given the side gains that the target asks for.
//!
//! The published rules limit nothing and, by a slip, apply their frequency limit to frame numbers: spectral matching
//! stops after 743 frames (278 for drums) and only the offset remains. The paper rules limit frequency as meant, and
//! bound each gain to ±6 dB, since a bin that sounds on the opposite side only would otherwise be blown up without end.

pub(crate) mod balance;
pub(crate) mod correction;
pub(crate) mod matcher;
pub(crate) mod side;

pub use correction::measure_side;
pub use matcher::{Limits, PanningMatcher};

use self::correction::PanningCorrection;
use crate::amounts::Share;
use crate::analysis::similarity::measure_phi;
use crate::context::Context;
use crate::effect::{Effect, Feature, Source};
use crate::hop::Hop;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::recipe::EffectSetting;
use crate::store::{StemStore, StoreError};

/// Panning of one stem.
#[derive(Debug)]
pub(crate) struct Panning {
    context: Context,
    enabled: bool,
    amount: f64,
    correction: Option<PanningCorrection>,
    matcher: PanningMatcher,
}

impl Panning {
    /// With a correction from `source`, as strong as the recipe says.
    pub fn new(context: &Context, setting: EffectSetting, source: Source<'_>) -> Self {
        let amount = setting.effective_amount();
        let correction = source.profile().and_then(|profile| profile.panning);
        let matcher = match source {
            Source::Fixed(_) => fixed(context, correction.as_ref(), amount),
            Source::Adaptive => {
                PanningMatcher::adaptive(&context.target, amount, limits(context), context.sample_rate_hz)
            }
        };
        Self { context: context.clone(), enabled: setting.enabled, amount, correction, matcher }
    }
}

fn limits(context: &Context) -> Limits {
    Limits::of(context.kind, context.stem, context.sample_rate_hz)
}

fn fixed(context: &Context, correction: Option<&PanningCorrection>, amount: f64) -> PanningMatcher {
    PanningMatcher::fixed(correction, &context.target, amount, limits(context), context.sample_rate_hz)
}

impl Effect for Panning {
    fn name(&self) -> &'static str {
        "panning"
    }

    fn latency(&self) -> &'static [(&'static str, usize)] {
        if self.enabled { &[("panning window", 1)] } else { &[] }
    }

    fn is_on(&self) -> bool {
        self.amount > 0.0
    }

    fn measure(&self, stem: &mut dyn StemStore) -> Result<Option<Feature>, StoreError> {
        Ok(Some(Feature::Phi(measure_phi(stem, self.context.kind)?)))
    }

    fn find(&mut self, stem: &mut dyn StemStore) -> Result<(), StoreError> {
        self.correction = Some(PanningCorrection {
            side: measure_side(stem, self.context.sample_rate_hz)?,
            balance_db: 0.0,
        });
        self.matcher = fixed(&self.context, self.correction.as_ref(), self.amount);
        Ok(())
    }

    fn keep(&self, profile: &mut StemProfile) {
        profile.panning = self.correction.or_else(|| self.matcher.followed());
    }

    fn start_at(&mut self, hop: i64) {
        self.matcher.start_at(hop);
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
        reading.panning = self.matcher.reading();
    }

    fn reset(&mut self) {
        self.matcher.reset();
    }
}
