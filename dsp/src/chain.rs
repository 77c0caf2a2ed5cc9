//! The chain: the only place where the order of the effects stands. Live, whole-file and learned passes all walk through
//! what is built here, and ask it for latencies and corrections.

use crate::amounts::{Amounts, Share};
use crate::context::Context;
use crate::effect::{Effect, Source};
use crate::effects::conditioning::Conditioning;
use crate::effects::dynamics::Dynamics;
use crate::effects::equalization::Equalization;
use crate::effects::loudness::Loudness;
use crate::effects::panning::Panning;
use crate::effects::panning::balance::Balance;
use crate::effects::reverb::Reverb;
use crate::effects::width::Width;
use crate::findings::Findings;
use crate::hop::{HOP_FRAMES, Hop};
use crate::portrait::TonePortrait;
use crate::profile::StemProfile;
use crate::reading::StemReading;
use crate::recipe::Recipe;
use crate::rules::RecipeKind;
use crate::session::Standing;

/// What stands ahead of everything that is measured, and so is the same whatever the corrections are.
fn ahead(context: &Context, recipe: &Recipe) -> Vec<Box<dyn Effect>> {
    match context.kind {
        RecipeKind::Tributary => Vec::new(),
        _ => vec![Box::new(Reverb::ahead(context, &recipe.reverb))],
    }
}

/// What is measured and corrected, in the order in which that happens.
fn corrected(context: &Context, recipe: &Recipe, source: Source<'_>) -> Vec<Box<dyn Effect>> {
    let is_tributary = context.kind == RecipeKind::Tributary;
    let mut effects: Vec<Box<dyn Effect>> = Vec::new();
    if is_tributary {
        effects.push(Box::new(Conditioning::new(context, source)));
    }
    effects.push(Box::new(Equalization::new(context, recipe.equalization, source)));
    effects.push(Box::new(Dynamics::new(context, recipe.dynamics, source)));
    effects.push(match is_tributary {
        true => Box::new(Balance::new(context, recipe.panning, source)),
        false => Box::new(Panning::new(context, recipe.panning, source)),
    });
    effects.push(Box::new(Width::new(context, recipe.width, source)));
    if is_tributary {
        effects.push(Box::new(Reverb::lacking(context, &recipe.reverb, source)));
    }
    effects.push(Box::new(Loudness::new(context, recipe.loudness, source)));
    effects
}

/// Effects of one stem, one after the other.
#[derive(Debug)]
pub struct Chain {
    effects: Vec<Box<dyn Effect>>,
    /// Corrections follow running estimates.
    adapts: bool,
}

impl Chain {
    /// What stands ahead of everything that is measured.
    pub fn ahead(context: &Context, recipe: &Recipe) -> Self {
        Self { effects: ahead(context, recipe), adapts: false }.started()
    }

    /// What is measured and corrected.
    pub fn corrected(context: &Context, recipe: &Recipe, source: Source<'_>) -> Self {
        let adapts = matches!(source, Source::Adaptive);
        Self { effects: corrected(context, recipe, source), adapts }.started()
    }

    /// Adds an effect at the end.
    pub fn push(&mut self, effect: Box<dyn Effect>) {
        self.effects.push(effect);
        self.start_at(0);
    }

    /// The effects in their order.
    pub fn effects(&self) -> &[Box<dyn Effect>] {
        &self.effects
    }

    /// The same for work on each of them.
    pub fn effects_mut(&mut self) -> &mut [Box<dyn Effect>] {
        &mut self.effects
    }

    /// Hops between an input and its output.
    pub fn latency_hops(&self) -> usize {
        self.effects.iter().map(|effect| latency_hops(&**effect)).sum()
    }

    /// The same as a sum of named parts, in frames.
    pub fn latency_parts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let parts = self.effects.iter().flat_map(|effect| effect.latency());
        parts.map(|(name, hops)| (*name, hops * HOP_FRAMES))
    }

    /// Tells which hop of the stem comes next at the input; effects further on hear it later.
    pub fn start_at(&mut self, hop: i64) {
        let mut hop = hop;
        for effect in &mut self.effects {
            effect.start_at(hop);
            hop -= latency_hops(&**effect) as i64;
        }
    }

    /// Whether corrections follow running estimates.
    pub(crate) fn adapts(&self) -> bool {
        self.adapts
    }

    /// Keeps the corrections as they are, or lets them follow running estimates again. Real-time safe.
    pub(crate) fn hold(&mut self, held: bool) {
        self.effects.iter_mut().for_each(|effect| effect.hold(held));
    }

    /// Tells every effect how the stem stands to the others of its session. Real-time safe.
    pub fn stand(&mut self, standing: Standing) {
        self.effects.iter_mut().for_each(|effect| effect.stand(standing));
    }

    /// Tells every effect how much of it is let through over the next hop, in the order of [`Amounts::NAMES`].
    pub(crate) fn let_through(&mut self, shares: &[Share; 6]) {
        for effect in &mut self.effects {
            if let Some(index) = Amounts::NAMES.iter().position(|name| *name == effect.name()) {
                effect.let_through(shares[index]);
            }
        }
    }

    /// Corrects one hop in place. Real-time safe.
    pub fn process(&mut self, hop: &mut Hop) {
        let mut findings = Findings::default();
        for effect in &mut self.effects {
            effect.heed(&findings);
            effect.process(hop);
            effect.tell(&mut findings);
        }
    }

    /// Whether silence leaves every effect as it is.
    pub fn may_rest(&self) -> bool {
        self.effects.iter().all(|effect| effect.may_rest())
    }

    /// A silent hop passes while the chain rests.
    pub fn pass_silence(&mut self) {
        self.effects.iter_mut().for_each(|effect| effect.pass_silence());
    }

    /// What is done at this moment.
    pub fn reading(&self) -> StemReading {
        let mut reading = StemReading::default();
        self.effects.iter().for_each(|effect| effect.read(&mut reading));
        reading
    }

    /// What is known of the stem's tone.
    pub fn portrait(&self) -> TonePortrait {
        let mut portrait = TonePortrait::default();
        self.effects.iter().for_each(|effect| effect.portray(&mut portrait));
        portrait
    }

    /// The corrections in force.
    pub fn profile(&self) -> StemProfile {
        let mut profile = StemProfile::default();
        self.effects.iter().for_each(|effect| effect.keep(&mut profile));
        profile
    }

    /// Back to the start of a stream.
    pub fn reset(&mut self) {
        self.effects.iter_mut().for_each(|effect| effect.reset());
        self.start_at(0);
    }

    fn started(mut self) -> Self {
        self.start_at(0);
        self
    }
}

/// Hops by which an effect delays.
pub(crate) fn latency_hops(effect: &dyn Effect) -> usize {
    effect.latency().iter().map(|part| part.1).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::recipe::EffectName;
    use crate::stem::Stem;
    use crate::targets::Targets;

    #[test]
    fn recipes_name_the_corrected_effects_in_the_order_of_the_chain() {
        let target = Arc::new(Targets::default().stem(Stem::Bass).clone());
        let context = Context {
            stem: Stem::Bass,
            kind: RecipeKind::Paper,
            target,
            tolerance: 2.5,
            sample_rate_hz: 44_100.0,
        };
        let chain = Chain::corrected(&context, &Recipe::default(), Source::Adaptive);
        let names: Vec<&str> = chain.effects().iter().map(|effect| effect.name()).collect();
        assert_eq!(names, EffectName::ALL.map(EffectName::name));
        assert_eq!(chain.latency_hops(), 2);
    }
}
