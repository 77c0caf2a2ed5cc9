//! Width: gives a stem that is narrower than the data set's average the side that it lacks. The paper's panning can move
//! a stem but not widen it; yet what it measures, the left/right similarity φ, says how wide such stems are. Here the
//! side that an average φ stands for is made of the stem's own middle by a fixed decorrelating filter – decaying noise, as
//! pseudo-stereo has been made since Schroeder (JAES 6(2), 1958) – band by band, as far as the stem has less.
//!
//! The middle stays as it is: L + R of the result is L + R of the stem, so nothing is lost in mono. A stem that is as wide
//! as the average passes untouched, and no stem is made narrower. No latency: side and middle belong to the same hop.
//!
//! A recipe of kind [`Tributary`](crate::RecipeKind::Tributary) tells the dry from the done: only stems that were recorded
//! in mono are widened. Whoever gave a stem a side of its own has decided how wide it is.

pub(crate) mod bands;
pub(crate) mod correction;
pub(crate) mod decorrelator;
pub(crate) mod matcher;
pub(crate) mod meter;

use self::correction::{WidthCorrection, correction};
use self::matcher::WidthMatcher;
use self::meter::WidthTarget;
use crate::amounts::Share;
use crate::context::Context;
use crate::effect::{Effect, Source};
use crate::findings::Findings;
use crate::hop::Hop;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::recipe::EffectSetting;
use crate::session::Standing;
use crate::store::{StemStore, StoreError};

/// Width of one stem. It has no feature of its own: what it aims at is panning's.
#[derive(Debug)]
pub struct Width {
    context: Context,
    amount: f64,
    standing: Standing,
    correction: Option<WidthCorrection>,
    /// What was found on a complete stem.
    mono: Option<f32>,
    matcher: WidthMatcher,
}

impl Width {
    /// With a correction from `source`, as strong as the recipe says.
    pub fn new(context: &Context, setting: EffectSetting, source: Source<'_>) -> Self {
        let amount = setting.effective_amount();
        let Context { stem, sample_rate_hz, .. } = context;
        let correction = source.profile().and_then(|profile| profile.width);
        let matcher = match source {
            Source::Fixed(_) => WidthMatcher::fixed(correction.as_ref(), amount, *stem, *sample_rate_hz),
            Source::Adaptive => WidthMatcher::adaptive(wanted(context), amount, *stem, *sample_rate_hz),
        };
        Self { context: context.clone(), amount, standing: Standing::ALONE, correction, mono: None, matcher }
    }
}

/// How wide the stem is to be.
fn wanted(context: &Context) -> WidthTarget {
    WidthTarget::of(context.kind, context.stem, &context.target)
}

impl Effect for Width {
    fn name(&self) -> &'static str {
        "width"
    }

    fn is_on(&self) -> bool {
        self.amount > 0.0
    }

    fn stand(&mut self, standing: Standing) {
        self.standing = standing;
        self.matcher.stand(standing);
    }

    fn tell(&self, findings: &mut Findings) {
        findings.mono = self.mono.or_else(|| self.matcher.mono());
    }

    fn find(&mut self, store: &mut dyn StemStore) -> Result<(), StoreError> {
        let Context { stem, sample_rate_hz, .. } = &self.context;
        let (mut found, mono) = correction(store, &wanted(&self.context), *sample_rate_hz)?;
        self.mono = mono;
        found.gains = found.gains.map(|gain| gain * self.standing.music() as f32);
        self.correction = Some(found);
        self.matcher = WidthMatcher::fixed(self.correction.as_ref(), self.amount, *stem, *sample_rate_hz);
        Ok(())
    }

    fn keep(&self, profile: &mut StemProfile) {
        profile.width = self.correction.or_else(|| self.matcher.followed());
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

    fn pass_silence(&mut self) {
        self.matcher.pass_silence();
    }

    fn read(&self, reading: &mut StemReading) {
        reading.width = self.matcher.reading();
    }

    fn reset(&mut self) {
        self.matcher.reset();
    }
}
